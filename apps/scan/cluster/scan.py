#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs emotion-scan on the machines of a Ray cluster.

    scan.py [--address ADDRESS] [--program PROGRAM] [--bring FOLDER] [--tries N] ARGUMENTS of emotion-scan

emotion-scan on this machine lists the files, keeps the results and writes the tables. It writes tasks to its standard
output and reads answers from its standard input. A Ray task takes one of them to a worker, `emotion-scan --worker`, on a
machine with a free core. Frames never leave that machine. Ray repeats a task whose machine or worker died. A task that
failed as often as --tries is an error of its file. If this program is stopped, the same command continues.
"""

import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # unless the caller wants to send statistics to Ray's makers

import ray  # noqa: E402

# So many tasks are given to Ray for each core of the cluster, so that no core waits for the next one.
TASKS_PER_CORE = 2
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


@ray.remote(num_cpus=1)
def examine(task, command, folder):
    """Answers a task of emotion-scan, a line of JSON, by another one."""
    answer = Worker.get(command, folder).answer(task)
    error = json.loads(answer).get("error")
    if error:
        raise CannotExamine(error)
    return answer


def answer_of(reference, task):
    """Returns the answer of a finished Ray task, or the answer that the task failed."""
    try:
        return ray.get(reference)
    except CannotExamine as error:
        why = str(error.cause if isinstance(error, ray.exceptions.RayTaskError) else error)
    except ray.exceptions.RayError as error:
        why = str(error).splitlines()[0]
    return json.dumps({"task": json.loads(task), "error": why}).encode() + b"\n"


def name_of(task):
    """Returns the name under which Ray's dashboard shows a task."""
    task = json.loads(task)
    slice_ = "" if task["slice"] is None else f" slice {task['slice']}"
    return task["file"]["name"] + slice_


def spread(scan, submit):
    """Takes the tasks of `scan` to the cluster until there are no more, and their answers back."""
    tasks = queue.Queue(maxsize=1)

    def read():
        for task in scan.stdout:
            tasks.put(task)
        tasks.put(None)

    threading.Thread(target=read, daemon=True).start()
    running, has_ended = {}, False
    while running or not has_ended:
        try:
            limit = TASKS_PER_CORE * max(1, int(ray.cluster_resources().get("CPU", 0)))
            while not has_ended and len(running) < limit:
                task = tasks.get(timeout=POLL_S)
                has_ended = task is None
                if task is not None:
                    running[submit(task)] = task
        except queue.Empty:
            pass
        done = ray.wait(list(running), num_returns=len(running), timeout=POLL_S)[0] if running else []
        for reference in done:
            scan.stdin.write(answer_of(reference, running.pop(reference)))
        scan.stdin.flush()


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

    def submit(task):
        retried = examine.options(name=name_of(task), max_retries=own.tries - 1, retry_exceptions=[CannotExamine])
        return retried.remote(task, command, folder)

    try:
        spread(scan, submit)
    except BrokenPipeError:
        pass  # emotion-scan has ended and has said why
    sys.exit(scan.wait())


if __name__ == "__main__":
    main()
