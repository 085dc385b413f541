#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Starts three Ray nodes on this machine, examines a folder on them, and stops them: demo.py PROGRAM INPUT FOLDER"""

import pathlib
import subprocess
import sys

from nodes import nodes


def main():
    program, source, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "results.parquet"
    with nodes(3) as cluster:
        print(f"three Ray nodes run on this machine, at {cluster.address}", flush=True)
        scan = [sys.executable, pathlib.Path(__file__).with_name("scan.py"), "--address", cluster.address, "--program", program]
        code = subprocess.run([*scan, source, "--output", table], check=False).returncode
    print("the nodes are stopped")
    # 3 means that a file could not be read. The table of files says which.
    if code not in (0, 3):
        sys.exit(code)
    print(f"  faces         {table}\n  files         {table.with_suffix('.files.parquet')}")


if __name__ == "__main__":
    main()
