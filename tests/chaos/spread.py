#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Examines a folder on two Ray nodes, of which one is killed, and then the driver: spread.py PROGRAM INPUT TABLE SEED KILLS"""

import contextlib
import pathlib
import random
import subprocess
import sys
import time

CLUSTER = pathlib.Path(__file__).resolve().parents[2] / "apps" / "scan" / "cluster"
sys.path.insert(0, str(CLUSTER))

from nodes import add_node, nodes  # noqa: E402

# Seconds until a kill at most, until emotion-scan has noticed that its driver is gone, and in which the scan ends.
LONGEST_S, NOTICES_S, LIMIT_S = 10, 2, 600


def main():
    program, source, table, seed, kills = sys.argv[1:]
    chance = random.Random(int(seed))
    scan = [sys.executable, CLUSTER / "scan.py", "--program", program, "--address"]
    with nodes(2) as cluster:

        def start():
            return subprocess.Popen([*scan, cluster.address, source, "--output", table, "--quiet"])

        for _ in range(int(kills)):
            driver = start()
            with contextlib.suppress(subprocess.TimeoutExpired):
                sys.exit(driver.wait(chance.uniform(1, LONGEST_S)))
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            add_node(cluster)
            with contextlib.suppress(subprocess.TimeoutExpired):
                sys.exit(driver.wait(chance.uniform(1, LONGEST_S)))
            driver.kill()
            driver.wait()
            time.sleep(NOTICES_S)
        sys.exit(start().wait(LIMIT_S))


if __name__ == "__main__":
    main()
