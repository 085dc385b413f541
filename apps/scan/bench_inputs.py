#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures emotion-scan on many inputs: bench_inputs.py PROGRAM [COUNT ...]

Examines COUNT photos of 16x16 pixels (10,000, 100,000 and 1,000,000 without an argument), hard links to one file, in folders
of 1,000 below TMPDIR, which should be a tmpfs. Prints the time for each input, the largest memory of the process, and how long the
same command takes after it was stopped between its work and its tables.
"""

import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

COUNTS = (10_000, 100_000, 1_000_000)
PER_FOLDER = 1_000
PHOTO = b"P5 16 16 255\n" + bytes(range(256))


def write_photos(folder, count):
    photo = folder / "photo.pgm"
    photo.write_bytes(PHOTO)
    for number in range(count):
        name = folder / "in" / f"{number // PER_FOLDER:04}" / f"{number:07}.pgm"
        if number % PER_FOLDER == 0:
            name.parent.mkdir(parents=True)
        os.link(photo, name)


def run(command, expected):
    """Runs a command, and returns its seconds and the largest memory of any command so far, in MiB."""
    started = time.monotonic()
    code = subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
    if code != expected:
        sys.exit(f"expected exit status {expected}, found {code}: {' '.join(map(str, command))}")
    return time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure(program, count):
    with tempfile.TemporaryDirectory(prefix="emotion-inputs-") as folder:
        folder = pathlib.Path(folder)
        write_photos(folder, count)
        output = folder / "out.parquet"
        command = [program, folder / "in", "--output", output, "--quiet"]
        # A folder in place of the table stops the scan after its work.
        (output / "x").mkdir(parents=True)
        work, _ = run(command, 1)
        (output / "x").rmdir()
        output.rmdir()
        again, memory = run(command, 0)
    print(f"| {count} photos | {1e3 * work / count:.2f} ms each | {memory:.0f} MiB | again {again:.1f} s |", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # The memory is that of the largest scan so far, so the counts ascend.
    for count in sorted(map(int, sys.argv[2:])) or COUNTS:
        measure(sys.argv[1], count)


if __name__ == "__main__":
    main()
