#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs emotion-scan on the machines of a Ray cluster.

    scan.py [--address ADDRESS] [--program PROGRAM] [--bring FOLDER] [--tries N] ARGUMENTS of emotion-scan

emotion-scan on this machine lists the files, keeps the results and writes the tables. It writes tasks to its standard
output and reads answers from its standard input. A Ray task takes a batch of them to a worker, `emotion-scan --worker`, on a
machine with a free core; handout.py decides which. Frames never leave that machine. A task whose machine or worker died is
tried again. A task that failed as often as --tries is an error of its file. If this program is stopped, the same command
continues.
"""

import argparse
import contextlib
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

from handout import MAX_BATCH, Handout, Task

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # unless the caller wants to send statistics to Ray's makers

import ray  # noqa: E402

# Tasks that wait between the thread that reads them and the one that gives them out.
READ_AHEAD = 1024
POLL_S = 0.1


class CannotExamine(Exception):
    """This worker cannot do the task; another one may."""


class Worker:
    """A process `emotion-scan --worker`, which a Ray worker keeps for its next tasks."""

    running = None

    def __init__(self, command, folder):
        self.command = command
        # What --bring has copied is in the Ray worker's folder; names of files start at the folder of the caller.
        program = os.path.abspath(command[0]) if os.path.exists(command[0]) else command[0]
        folder = folder if os.path.isdir(folder) else None
        self.process = subprocess.Popen([program, *command[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)

    @classmethod
    def get(cls, command, folder):
        if cls.running is None or cls.running.command != command or cls.running.process.poll() is not None:
            try:
                cls.running = cls(command, folder)
            except OSError as error:
                raise CannotExamine(f"{command[0]} does not start: {error}") from error
        return cls.running

    def answer(self, task):
        try:
            self.process.stdin.write(task)
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            raise CannotExamine(f"emotion-scan --worker died with status {self.process.wait()}")
        return answer


@ray.remote(num_cpus=1, max_retries=0)
def examine(tasks, command, folder):
    """Answers tasks of emotion-scan, lines of JSON: for each one the answer, why there is none, and the seconds."""
    answers = []
    for task in tasks:
        started = time.monotonic()
        answer, error = None, None
        try:
            answer = Worker.get(command, folder).answer(task)
            error = json.loads(answer).get("error")
        except CannotExamine as failure:
            error = str(failure)
        answers.append((None if error else answer, error, time.monotonic() - started))
    return answers


def name_of(tasks):
    """Returns the name under which Ray's dashboard shows a batch."""
    task = json.loads(tasks[0].line)
    slice_ = "" if task["slice"] is None else f" slice {task['slice']}"
    return task["file"]["name"] + slice_ + (f" and {len(tasks) - 1} more" if len(tasks) > 1 else "")


class Spread:
    """Takes the tasks of emotion-scan to the cluster until there are no more, and their answers back."""

    def __init__(self, scan, submit, tries):
        self.scan, self.submit, self.tries = scan, submit, tries
        self.handout = Handout()
        #: The batch of each Ray task.
        self.batches = {}
        self.failures = {}
        self.has_ended = False
        self.queue = queue.Queue(maxsize=READ_AHEAD)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.scan.stdout:
            self.queue.put(Task.of(line, json.loads(line)))
        self.queue.put(None)

    def run(self):
        while not self.has_ended or self.batches or self.handout.waiting():
            cores = max(1, int(ray.cluster_resources().get("CPU", 0)))
            self.take_tasks(MAX_BATCH * cores)
            self.give_out(cores)
            references = list(self.batches)
            for reference in ray.wait(references, num_returns=len(references), timeout=POLL_S)[0] if references else []:
                # An earlier copy may have answered in the meantime.
                if reference in self.batches:
                    self.finish(reference)
            self.scan.stdin.flush()

    def take_tasks(self, limit):
        """Reads tasks until so many wait. Waits for the first one if there is nothing else to do."""
        with contextlib.suppress(queue.Empty):
            is_idle = not self.batches and not self.handout.waiting()
            while not self.has_ended and self.handout.waiting() < limit:
                task = self.queue.get(timeout=POLL_S) if is_idle else self.queue.get_nowait()
                is_idle, self.has_ended = False, task is None
                if task is not None:
                    self.handout.add(task)

    def give_out(self, cores):
        while self.handout.wants_batch(cores):
            tasks = self.handout.next_batch(cores)
            reference = self.submit(tasks)
            self.batches[reference] = reference
            self.handout.start(reference, tasks, time.monotonic())
        late = self.handout.late(cores, time.monotonic())
        if late is not None:
            self.batches[self.submit(self.handout.running[late].tasks)] = late

    def finish(self, reference):
        name = self.batches.pop(reference)
        try:
            answers = ray.get(reference)
        except ray.exceptions.RayError as error:
            if name in self.batches.values():
                return  # the other copy may still succeed
            answers = [(None, str(error).splitlines()[0], None)] * len(self.handout.running[name].tasks)
        for other in [other for other, batch in self.batches.items() if batch == name]:
            del self.batches[other]
            ray.cancel(other, force=True)
        seconds = [seconds for _, _, seconds in answers]
        batch = self.handout.end(name, None if None in seconds else seconds)
        for task, (answer, error, _) in zip(batch.tasks, answers):
            self.answer(task, answer, error)

    def answer(self, task, answer, error):
        if error is None:
            self.scan.stdin.write(answer)
            return
        self.failures[task.line] = failures = self.failures.get(task.line, 0) + 1
        if failures < self.tries:
            self.handout.add_again(task)
        else:
            self.scan.stdin.write(json.dumps({"task": json.loads(task.line), "error": error}).encode() + b"\n")


def options():
    parser = argparse.ArgumentParser(description="Runs emotion-scan on the machines of a Ray cluster.", allow_abbrev=False)
    parser.add_argument("--address", help="address of the cluster; without it, RAY_ADDRESS or this machine alone")
    parser.add_argument("--program", default="emotion-scan", help="path of emotion-scan on all machines (default: from PATH)")
    parser.add_argument("--bring", help="folder of `make install PREFIX=FOLDER` that Ray copies to all machines")
    parser.add_argument("--tries", type=int, default=3, help="how often a task is tried (default: 3)")
    return parser.parse_known_args()


def main():
    own, arguments = options()
    environment = {"working_dir": own.bring} if own.bring else {}
    remote = "bin/emotion-scan" if own.bring else own.program
    local = str(pathlib.Path(own.bring, remote)) if own.bring else own.program
    ray.init(address=own.address, runtime_env=environment, log_to_driver=False, logging_level="warning")
    try:
        scan = subprocess.Popen([local, *arguments, "--dispatch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {local} does not start: {error}")
    command, folder = [remote, *arguments, "--worker"], os.getcwd()

    def submit(tasks):
        return examine.options(name=name_of(tasks)).remote([task.line for task in tasks], command, folder)

    try:
        Spread(scan, submit, own.tries).run()
    except BrokenPipeError:
        pass  # emotion-scan has ended and has said why
    sys.exit(scan.wait())


if __name__ == "__main__":
    main()
