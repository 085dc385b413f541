#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures emotion-scan on many inputs: bench_inputs.py PROGRAM [COUNT ...]

Of COUNT photos of 16x16 pixels (10,000, 100,000 and 1,000,000 without an argument), hard links to one file in folders of 1,000
below TMPDIR, which should be a tmpfs, the journal of the scan says that all but EXAMINED are finished. Prints the CPU time of the
command for each input, without that of EXAMINED photos alone; the seconds until it begins to examine; those until it has
examined; the rest, for tables and the page; and the largest memory of the process.
"""

import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zlib

COUNTS = (10_000, 100_000, 1_000_000)
PER_FOLDER = 1_000
EXAMINED = 200
PHOTO = b"P5 16 16 255\n" + bytes(range(256))
LOG = re.compile(rb"[0-9]+\.log")


def write_photos(folder, count):
    """Writes the photos and returns their names as the scan has them."""
    photo = folder / "photo.pgm"
    photo.write_bytes(PHOTO)
    names = []
    for number in range(count):
        name = folder / "in" / f"{number // PER_FOLDER:04}" / f"{number:07}.pgm"
        if number % PER_FOLDER == 0:
            name.parent.mkdir(parents=True)
        os.link(photo, name)
        names.append(str(name))
    return names


def line(entry):
    text = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def write_journal(parts, names):
    """Copies the results of the first photo to the others, as if they were finished."""
    [log] = [path for path in parts.iterdir() if LOG.fullmatch(os.fsencode(path.name))]
    facts, result = (json.loads(text[9:]) for text in log.read_bytes().splitlines()[:2])
    with open(log, "wb") as file:
        for name in names:
            for entry in (facts, result):
                [[*fields]] = entry.values()
                fields[0]["name"] = name
                file.write(line({kind: fields for kind in entry}))


class Watch:
    """A running command: when it begins to examine, when it has examined, and what it took."""

    def __init__(self, command, parts, logs):
        self.begun_s = self.examined_s = None
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        thread = threading.Thread(target=self.look, args=(process, parts, logs, started))
        thread.start()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        thread.join()
        self.whole_s, self.memory_mib = time.monotonic() - started, used.ru_maxrss / 1024
        self.cpu_s = used.ru_utime + used.ru_stime
        if process.returncode != 0:
            sys.exit(f"expected exit status 0, found {process.returncode}: {' '.join(map(str, command))}")

    def look(self, process, parts, logs, started):
        # A worker's log appears with its first task, and the tables after the last one.
        while process.returncode is None and self.examined_s is None:
            time.sleep(0.02)
            try:
                names = {path.name for path in parts.iterdir()}
            except FileNotFoundError:
                continue
            if self.begun_s is None and names - logs - {"faces", "files", "tracks"}:
                self.begun_s = time.monotonic() - started
            if "faces" in names:
                self.examined_s = time.monotonic() - started


def measure(program, count, report):
    with tempfile.TemporaryDirectory(prefix="emotion-inputs-") as folder:
        folder = pathlib.Path(folder)
        names = write_photos(folder, count)
        output = folder / "out.parquet"
        parts = folder / "out.parquet.parts"
        options = ["--output", output, "--quiet", "--jobs", "2"]
        # A folder in place of the table stops the scan after its work.
        (output / "x").mkdir(parents=True)
        subprocess.run([program, names[0], *options], check=False, stderr=subprocess.DEVNULL)
        (output / "x").rmdir()
        output.rmdir()
        for table in ("faces", "files", "tracks"):
            (parts / table).unlink(missing_ok=True)
        write_journal(parts, names[: count - EXAMINED])
        logs = {path.name for path in parts.iterdir()}
        page = ["--report", folder / "page.html"] if report else []
        found = Watch([program, folder / "in", *options, *page], parts, logs)
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, counts = sys.argv[1], list(map(int, sys.argv[2:])) or COUNTS
    alone = measure(program, EXAMINED, report=False)
    for count in counts:
        for report in (False, True):
            found = measure(program, count, report)
            each_us = 1e6 * (found.cpu_s - alone.cpu_s) / count
            name = f"{count:,} photos" + (", with a page" if report else "")
            print(
                f"| {name} | {each_us:.1f} µs of CPU each | begins after {found.begun_s:.1f} s, has examined after {found.examined_s:.1f} s,"
                f" ends after {found.whole_s:.1f} s | {found.memory_mib:.0f} MiB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
