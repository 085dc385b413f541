# SPDX-License-Identifier: MIT OR Apache-2.0
"""emotion-scan on Ray nodes gives the table of one machine, whatever dies meanwhile.

Environment: SCAN is the path of emotion-scan, CLIPS a folder made by clips.sh.
"""

import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from nodes import nodes  # noqa: E402

SCAN, CLIPS = os.environ["SCAN"], pathlib.Path(os.environ["CLIPS"])
EVERY = "0.1"
LIMIT_S = 300

# Stands in for emotion-scan: a worker that writes down its tasks, dies of a file named poison, and stops at one named asleep when it
# is the first to get it.
WATCHED = """#!/bin/sh
case " $* " in
*" --worker "*)
    while read -r task; do
        printf '%s\\n' "$task" >>"{log}/$PPID-$$"
        case $task in
        *poison*) exit ;;
        *asleep*) mkdir "{log}.asleep" 2>/dev/null && sleep 1000 ;;
        esac
        printf '%s\\n' "$task"
    done | "{scan}" "$@"
    ;;
*) exec "{scan}" "$@" ;;
esac
"""


class ClusterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="emotion-cluster-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.log = self.folder / "log"
        self.log.mkdir()
        self.program = self.folder / "emotion-scan"
        self.program.write_text(WATCHED.format(log=self.log, scan=SCAN))
        self.program.chmod(0o755)
        self.input = self.folder / "in"
        shutil.copytree(CLIPS, self.input)

    def arguments(self, table):
        return [str(self.input), "--output", str(self.folder / table), "--every", EVERY, "--quiet"]

    def alone(self, table="alone.csv"):
        code = subprocess.run([SCAN, *self.arguments(table)], timeout=LIMIT_S, check=False).returncode
        self.assertEqual(code, 3, "one file is broken")

    def start(self, cluster, table="spread.csv"):
        driver = [sys.executable, str(HERE.parent / "scan.py"), "--address", cluster.address, "--program", str(self.program)]
        process = subprocess.Popen([*driver, *self.arguments(table)])
        self.addCleanup(process.kill)
        return process

    def assert_same(self, one="alone", other="spread"):
        for suffix in ("csv", "files.csv"):
            same = (self.folder / f"{one}.{suffix}").read_bytes() == (self.folder / f"{other}.{suffix}").read_bytes()
            self.assertTrue(same, f"{other}.{suffix}")

    def tasks(self):
        """Returns how often each task was given to a worker."""
        lines = [line for log in self.log.iterdir() for line in log.read_text().splitlines()]
        return collections.Counter(lines)

    def wait_for_tasks(self, count):
        end = time.monotonic() + LIMIT_S
        while self.tasks().total() < count:
            self.assertLess(time.monotonic(), end, f"{count} tasks")
            time.sleep(0.05)

    def test_three_nodes_give_the_table_of_one_machine(self):
        self.alone()
        with nodes(3) as cluster:
            self.assertEqual(self.start(cluster).wait(LIMIT_S), 3)
        self.assert_same()
        self.assertLessEqual(max(self.tasks().values()), 2, "a late task may be done twice, where the machine has other work")

    def test_a_killed_node_costs_its_running_tasks_a_second_try(self):
        self.alone()
        with nodes(3) as cluster:
            driver = self.start(cluster)
            self.wait_for_tasks(4)
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            self.assertEqual(driver.wait(LIMIT_S), 3)
        self.assert_same()
        again = [task for task, times in self.tasks().items() if times > 1]
        self.assertLessEqual(len(again), len(self.tasks()) / 2, "a node of one core does one batch at a time")
        self.assertLessEqual(max(self.tasks().values()), 2)

    def test_a_file_that_kills_its_worker_is_tried_three_times_and_reported(self):
        shutil.copy(self.input / "photo-1.jpg", self.input / "poison.jpg")
        with nodes(2) as cluster:
            self.assertEqual(self.start(cluster).wait(LIMIT_S), 3)
        rows = (self.folder / "spread.files.csv").read_text().splitlines()
        [row] = [row for row in rows if "poison" in row]
        self.assertIn("emotion-scan --worker died", row)
        self.assertEqual([times for task, times in self.tasks().items() if "poison" in task], [3])
        (self.input / "poison.jpg").unlink()
        self.alone()
        others = [row for row in rows if "poison" not in row]
        self.assertEqual(others, (self.folder / "alone.files.csv").read_text().splitlines(), "all other files are examined")

    def test_a_worker_that_stops_answering_is_not_waited_for(self):
        (self.input / "photo-1.jpg").rename(self.input / "asleep.jpg")
        self.alone()
        with nodes(2) as cluster:
            self.assertEqual(self.start(cluster).wait(LIMIT_S), 3)
        self.assert_same()
        self.assertEqual([times for task, times in self.tasks().items() if "asleep" in task], [2])

    def test_a_killed_driver_continues_where_it_was(self):
        self.alone()
        with nodes(2) as cluster:
            driver = self.start(cluster)
            self.wait_for_tasks(6)
            driver.send_signal(signal.SIGKILL)
            driver.wait()
            before = self.tasks()
            self.assertFalse((self.folder / "spread.csv").exists())
            time.sleep(2)  # until emotion-scan has noticed it and given up its lock
            self.assertEqual(self.start(cluster).wait(LIMIT_S), 3)
        self.assert_same()
        again = [task for task, times in self.tasks().items() if times > before[task] > 0]
        self.assertLess(len(again), before.total(), "what was answered is not done again")


if __name__ == "__main__":
    unittest.main()
