#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Computes how long a scan takes on many cores: simulate.py TIMES.csv [--cores N ...] [--tasks N] [--slow SHARE] [--dead N]

TIMES.csv is what `scan.py --times TIMES.csv` has written on some of the files. Tasks are drawn from it at random. They are given
out by the code that scan.py uses, and one by one in the order of their files for comparison. --slow is the share of cores that
take three times as long. --dead is the number of cores that stop answering after a tenth of the time.
"""

import argparse
import collections
import csv
import heapq
import itertools
import random

from handout import BATCHES_PER_CORE, Handout, Task

SLOWNESS = 3.0
POLL_S = 0.1
# What a batch costs the driver, which is one thread. A Ray task with 100 lines took 0.6 ms of its CPU time on an AMD EPYC; the rest is for
# reading and writing the lines.
DRIVER_S = 0.002
SEED = 1


class OneByOne:
    """Tasks in the order of their files, each alone, and none is given out twice."""

    def __init__(self):
        self._tasks = collections.deque()
        self.running = {}

    def add(self, task):
        self._tasks.append(task)

    def wants_batch(self, cores):
        return bool(self._tasks) and len(self.running) < BATCHES_PER_CORE * cores

    def next_batch(self, _cores):
        return [self._tasks.popleft()]

    def start(self, name, tasks, _now_s):
        self.running[name] = tasks

    def end(self, name, _seconds):
        del self.running[name]

    def late(self, _cores, _now_s):
        return None


class Simulation:
    """A scan on cores of these speeds. A core that is dead from some time on never answers."""

    def __init__(self, handout, speeds, dead_from_s, driver_s=DRIVER_S):
        self.handout, self.speeds, self.dead_from_s, self.driver_s = handout, speeds, dead_from_s, driver_s
        self.now_s = self.driver_free_s = 0.0
        self.names = itertools.count()
        self.free = set(range(len(speeds)))
        #: Batches that wait for a core, and those that run: when they end, and the core.
        self.queued, self.ends = collections.deque(), []
        self.seconds = {}
        self.copies = 0

    def run(self, tasks):
        """Returns the seconds from the first task to the last answer; infinity if some are never answered."""
        for task, seconds in tasks:
            self.seconds[task.line] = seconds
            self.handout.add(task)
        while True:
            self.give_out()
            self.occupy()
            if not self.handout.running:
                return self.now_s
            if not self.step():
                return float("inf")

    def give_out(self):
        cores = len(self.speeds)
        while self.handout.wants_batch(cores):
            tasks, name = self.handout.next_batch(cores), next(self.names)
            self.handout.start(name, tasks, self.now_s)
            self.queue(name, tasks)
        late = self.handout.late(cores, self.now_s)
        if late is not None:
            self.copies += 1
            self.queue(late, self.handout.running[late].tasks)

    def queue(self, name, tasks):
        self.driver_free_s = max(self.driver_free_s, self.now_s) + self.driver_s
        self.queued.append((self.driver_free_s, name, tasks))

    def occupy(self):
        while self.queued and self.free:
            ready_s, name, tasks = self.queued.popleft()
            core = self.free.pop()
            seconds = [self.seconds[task.line] / self.speeds[core] for task in tasks]
            end_s = max(ready_s, self.now_s) + sum(seconds)
            if end_s < self.dead_from_s.get(core, float("inf")):
                heapq.heappush(self.ends, (end_s, name, core, seconds))

    def step(self):
        """Goes to the next event. Returns false if there will be none."""
        if self.ends and (self.ends[0][0] <= self.now_s + POLL_S or not self.can_be_late()):
            end_s, name, core, seconds = heapq.heappop(self.ends)
            self.now_s = max(self.now_s, end_s)
            self.free.add(core)
            if name in self.handout.running:
                self.handout.end(name, seconds)
            return True
        self.now_s += POLL_S
        return self.can_be_late() or bool(self.ends)

    def can_be_late(self):
        """True if a batch may still be given out a second time."""
        return isinstance(self.handout, Handout) and any(batch.copies == 1 for batch in self.handout.running.values())


def drawn(times, count, chance):
    """Draws `count` tasks with their seconds."""
    for number in range(count):
        kind, size, seconds = chance.choice(times)
        yield Task(str(number).encode(), kind, size), seconds


def read(path):
    """Reads kind, size and seconds of each task."""
    with open(path, newline="", encoding="utf-8") as file:
        times = [(row["kind"], float(row["size"]), float(row["seconds"])) for row in csv.DictReader(file)]
    if not times:
        raise SystemExit(f"{path}: expected the times of tasks, found none")
    return times


def row(times, cores, options):
    """A row of the table: seconds on so many cores, given out in both ways."""
    chance = random.Random(SEED)
    tasks = list(drawn(times, options.tasks, chance))
    speeds = [1 / SLOWNESS if core < options.slow * cores else 1.0 for core in range(cores)]
    ideal_s = sum(seconds for _, seconds in tasks) / sum(speeds)
    dead = {cores - 1 - core: ideal_s / 10 for core in range(min(options.dead, cores - 1))}
    found = Simulation(Handout(), speeds, dead)
    found_s = found.run(tasks)
    simple_s = Simulation(OneByOne(), speeds, dead).run(tasks)
    return f"| {cores} | {ideal_s:.0f} s | {found_s:.0f} s | {ideal_s / found_s:.2f} | {found.copies} | {simple_s:.0f} s |"


def main():
    parser = argparse.ArgumentParser(description="Computes how long a scan takes on many cores.")
    parser.add_argument("times", help="what `scan.py --times` has written")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--tasks", type=int, default=100_000, help="number of tasks (default: 100000)")
    parser.add_argument("--slow", type=float, default=0.0, help="share of cores that take three times as long")
    parser.add_argument("--dead", type=int, default=0, help="number of cores that stop answering")
    options = parser.parse_args()
    times = read(options.times)
    print("| cores | work ÷ speed | given out by scan.py | efficiency | given out twice | one by one |\n|---|---|---|---|---|---|")
    for cores in options.cores:
        print(row(times, cores, options), flush=True)


if __name__ == "__main__":
    main()
