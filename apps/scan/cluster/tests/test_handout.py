# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which tasks are given out together and twice. Needs neither Ray nor emotion-scan."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from handout import BATCH_S, LATE_S, MAX_BATCH, Handout, Task  # noqa: E402


def task(name, kind="jpg", size=1.0):
    return Task(name.encode(), kind, size)


def lines(tasks):
    return [task.line.decode() for task in tasks]


class HandoutTest(unittest.TestCase):
    def handout(self, names, kind="jpg", seconds=None):
        """Tasks of one kind, of which one has taken so many seconds."""
        handout = Handout()
        if seconds is not None:
            handout.add(task("first", kind))
            handout.start("first", handout.next_batch(1), 0.0)
            handout.end("first", [seconds])
        for name in names:
            handout.add(task(name, kind))
        return handout

    def test_a_slice_has_its_share_of_the_file_and_a_kind_of_its_own(self):
        request = {"file": {"name": "in/a.b/C.MP4", "size": 900}, "slice": 1, "slices": [0, 60, 120]}
        self.assertEqual(Task.of(b"x", request), Task(b"x", "mp4 slice", 300.0))
        self.assertEqual(Task.of(b"x", {**request, "slice": None, "slices": []}), Task(b"x", "mp4", 900.0))

    def test_the_largest_tasks_go_first_and_equal_ones_in_their_order(self):
        handout = Handout()
        for name, size in [("a", 1.0), ("b", 3.0), ("c", 3.0), ("d", 2.0)]:
            handout.add(task(name, size=size))
        order = [lines(handout.next_batch(1)) for _ in range(4)]
        self.assertEqual(order, [["b"], ["c"], ["d"], ["a"]], "a kind whose time is unknown goes alone")

    def test_a_batch_has_as_many_tasks_as_take_its_time(self):
        names = [str(number) for number in range(1000)]
        self.assertEqual(len(self.handout(names, seconds=BATCH_S / 10).next_batch(2)), 10)
        self.assertEqual(len(self.handout(names, seconds=0.0001).next_batch(1)), MAX_BATCH)
        self.assertEqual(len(self.handout(names, seconds=2 * BATCH_S).next_batch(2)), 1)

    def test_the_last_tasks_are_shared_among_the_cores(self):
        handout = self.handout([str(number) for number in range(8)], seconds=BATCH_S / 10)
        self.assertEqual(len(handout.next_batch(4)), 2)

    def test_a_task_that_has_failed_goes_alone(self):
        handout = self.handout(["a", "b"], seconds=0.01)
        handout.add_again(task("bad"))
        self.assertEqual([lines(handout.next_batch(1)), lines(handout.next_batch(1))], [["bad"], ["a", "b"]])

    def test_a_late_batch_goes_out_twice_when_cores_are_idle_and_not_more_often(self):
        handout = self.handout(["a", "b"], seconds=BATCH_S)
        for name in "ab":
            handout.start(name, handout.next_batch(2), 100.0)
        self.assertIsNone(handout.late(2, 1000.0), "both cores are busy")
        self.assertIsNone(handout.late(3, 100.0 + LATE_S / 2), "not late yet")
        self.assertEqual([handout.late(9, 1000.0) for _ in range(3)], ["a", "b", None])


if __name__ == "__main__":
    unittest.main()
