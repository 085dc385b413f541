# SPDX-License-Identifier: MIT OR Apache-2.0
"""Decides which tasks of a scan are given out together, and which of them a second time. Nothing here knows Ray.

A task of a long video takes seconds and one of a photo milliseconds, so tasks are given out in batches that take about the same
time, the largest tasks first. How long tasks take is learned from those that have ended. When cores have nothing to do, a batch
that takes far longer than others did is given out a second time, and its first answer counts.
"""

import collections
import dataclasses
import heapq
import itertools

# Expected time of a batch. A batch costs the driver some milliseconds, and a core that dies loses at most one.
BATCH_S = 2.0
MAX_BATCH = 256
# A batch is late when it takes this many times as long as the longest one so far, and at least so long.
LATE_RATIO = 2.0
LATE_S = 10.0
# Weight of the newest time in the mean of its kind.
GAIN = 0.1
# Sums of times are not exact.
ROUNDING_S = 1e-6
# So many batches are given out for each core, so that no core waits for the next one.
BATCHES_PER_CORE = 2


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of emotion-scan: a line of JSON, what it is like, and how much it has to read."""

    line: bytes
    kind: str
    size: float

    @classmethod
    def of(cls, line, request):
        """The task of `line`, whose contents are `request`."""
        file, slice_ = request["file"], request["slice"]
        suffix = file["name"].rsplit("/", 1)[-1].rpartition(".")[2].lower()
        return cls(line, suffix if slice_ is None else f"{suffix} slice", file["size"] / max(1, len(request["slices"])))


@dataclasses.dataclass
class Batch:
    """Tasks that one core does one after the other."""

    tasks: list
    started_s: float
    #: Number of times that it was given out.
    copies: int = 1


class Handout:
    """The tasks that wait, and the batches that run."""

    def __init__(self):
        self._waiting = []
        self._again = []
        #: Number of waiting tasks of each kind.
        self._kinds = collections.Counter()
        self._order = itertools.count()
        self._mean_s = {}
        self._longest_s = 0.0
        self.running = {}

    def add(self, task):
        """Adds a task that waits. Of two equally large ones, the first goes out first."""
        heapq.heappush(self._waiting, (-task.size, next(self._order), task))
        self._kinds[task.kind] += 1

    def add_again(self, task):
        """Adds a task that has failed. It goes out alone, since it may kill its worker."""
        self._again.append(task)

    def waiting(self):
        """Returns the number of tasks that wait."""
        return len(self._waiting) + len(self._again)

    def expected_s(self, task):
        """Returns how long a task is expected to take; None if none of its kind has ended."""
        return self._mean_s.get(task.kind)

    def next_batch(self, cores):
        """Takes the tasks of the next batch, for one of so many cores."""
        if self._again:
            return [self._again.pop()]
        waiting_s = sum(count * self._mean_s.get(kind, BATCH_S) for kind, count in self._kinds.items())
        budget_s = min(BATCH_S, waiting_s / cores)
        tasks, batch_s = [], 0.0
        while self._waiting and len(tasks) < MAX_BATCH:
            expected_s = self.expected_s(self._waiting[0][2])
            # A task of an unknown kind goes alone.
            if tasks and (expected_s is None or batch_s + expected_s > budget_s + ROUNDING_S):
                break
            task = heapq.heappop(self._waiting)[2]
            self._kinds[task.kind] -= 1
            tasks.append(task)
            batch_s += BATCH_S if expected_s is None else expected_s
        return tasks

    def start(self, name, tasks, now_s):
        """Notes that `tasks` were given out under `name`."""
        self.running[name] = Batch(tasks, now_s)

    def wants_batch(self, cores):
        """True if a further batch can be given out."""
        return self.waiting() > 0 and sum(batch.copies for batch in self.running.values()) < BATCHES_PER_CORE * cores

    def end(self, name, seconds):
        """Ends the batch `name`, whose tasks took so many seconds each; without `seconds`, it has failed."""
        batch = self.running.pop(name)
        for task, task_s in zip(batch.tasks, seconds or ()):
            mean_s = self._mean_s.get(task.kind, task_s)
            self._mean_s[task.kind] = mean_s + GAIN * (task_s - mean_s)
        self._longest_s = max(self._longest_s, sum(seconds or ()))
        return batch

    def late(self, cores, now_s):
        """Returns the name of a batch to give out a second time, because cores have nothing else to do; None without one."""
        if self.waiting() or sum(batch.copies for batch in self.running.values()) >= cores or self._longest_s == 0:
            return None
        limit_s = max(LATE_S, LATE_RATIO * self._longest_s)
        running = [(batch.started_s, name) for name, batch in self.running.items() if batch.copies == 1]
        late = [(started_s, name) for started_s, name in running if now_s - started_s > limit_s]
        if not late:
            return None
        name = min(late, key=lambda found: found[0])[1]
        self.running[name].copies += 1
        return name

