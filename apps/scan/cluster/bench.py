#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures emotion-scan on Ray against emotion-scan alone: bench.py PROGRAM CLIP

CLIP is examined 24 times, by the command alone with one and with two jobs, and by Ray on a running node with one and with two
cores. Each process has one thread, so that a job and a core are comparable. Takes about four minutes.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from nodes import nodes

COPIES = 24


def seconds(command):
    started = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - started


def main():
    program, clip = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        clips = folder / "clips"
        clips.mkdir()
        for copy in range(COPIES):
            (clips / f"{copy}{clip.suffix}").symlink_to(clip)
        for workers in (1, 2):
            arguments = lambda name: [clips, "--quiet", "--set", "*.threads=1", "--output", folder / f"{name}-{workers}.parquet"]
            alone = seconds([program, "--jobs", str(workers), *arguments("alone")])
            with nodes(1, cores=workers) as cluster:
                scan = [sys.executable, pathlib.Path(__file__).with_name("scan.py"), "--address", cluster.address, "--program", program]
                on_ray = seconds([*scan, *arguments("ray")])
            print(f"| {COPIES} clips, {workers} jobs, {workers} cores of Ray | {alone:.1f} s, {on_ray:.1f} s: ratio {on_ray / alone:.2f} |", flush=True)


if __name__ == "__main__":
    main()
