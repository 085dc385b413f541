#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures POST /v1/faces beside emotion-scan, with oha as the client: pictures a CPU second, waiting times, refusals and memory.

    scripts/tests/throughput.py FOLDER [COUNT] [PROGRAMS]

FOLDER has JPEG pictures; each of them is sent COUNT times (80). PROGRAMS is the folder of both programs, target/release. oha is that of
the environment variable OHA, or of the path: `cargo install --locked oha`. With PEER, a Python that has fastapi, uvicorn, onnxruntime and
opencv-python-headless before 5, throughput_peer.py is measured too; MODEL and CASCADE are its files.
"""

import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ADDRESS = "127.0.0.1:8764"
PROCESSORS = os.cpu_count()
# One for each processor is examined, and eight wait.
ADMITTED = 9 * PROCESSORS


class Server:
    """A server at ADDRESS."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                # Loads the networks of ours.
                connection = http.client.HTTPConnection(ADDRESS)
                connection.request("GET", "/v1/models")
                connection.getresponse().read()
                return
            except OSError:
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) >> 10


def oha(picture, *options):
    """What oha says about requests with a picture."""
    command = [os.environ.get("OHA", "oha"), "--no-tui", "--output-format", "json", "--stats-success-breakdown", "-m", "POST", *options]
    said = subprocess.run([*command, "-D", picture, f"http://{ADDRESS}/v1/faces"], check=True, capture_output=True).stdout
    return json.loads(said)


def send(picture, count):
    """Sends a picture so many times, a client for each processor. Returns the time within which 99 % of the requests were over."""
    found = oha(picture, "-n", str(count), "-c", str(PROCESSORS))
    assert found["statusCodeDistribution"] == {"200": count} and not found["errorDistribution"], found
    return found["latencyPercentiles"]["p99"]


def scan(programs, pictures, count, data):
    """CPU time of emotion-scan for so many copies of each picture."""
    folder = Path(data) / "pictures"
    folder.mkdir()
    for number, picture in enumerate(pictures):
        for copy in range(count):
            shutil.copy(picture, folder / f"{number}-{copy}.jpg")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([programs / "emotion-scan", "--quiet", folder, "--output", Path(data) / "faces.csv"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(folder)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(folder, count=80, programs="target/release"):
    pictures, count, programs = sorted(Path(folder).glob("*.jpg")), int(count), Path(programs)
    total = len(pictures) * count
    with tempfile.TemporaryDirectory() as data:
        for turn in (1, 2):
            print(f"emotion-scan, {total} pictures: {total / scan(programs, pictures, count, data):.1f} a CPU second", flush=True)
            with Server(programs / "emotion-dashboard", "--api-only", "--listen", ADDRESS, "--data", data) as server:
                rate = measure("/v1/faces", server, pictures, count)
                if turn == 2:
                    overload(server, pictures[0], 2 * PROCESSORS * rate)
                    endure(server, pictures)
    if peer := os.environ.get("PEER"):
        host, port = ADDRESS.split(":")
        with Server(peer, "-m", "uvicorn", "--app-dir", Path(__file__).parent, "--host", host, "--port", port, "throughput_peer:app") as server:
            measure("the peer", server, pictures, count)


def measure(name, server, pictures, count):
    """Sends each picture so many times. Returns how many were answered a CPU second."""
    used = server.cpu()
    late = [send(picture, count) for picture in pictures]
    rate = len(pictures) * count / (server.cpu() - used)
    print(f"{name}, {PROCESSORS} clients: {rate:.1f} a CPU second, 99 % within {1000 * max(late):.0f} ms, {server.memory()} MiB", flush=True)
    return rate


def overload(server, picture, rate):
    """Twice as many requests a second as idle processors could answer, from twice as many clients as are admitted."""
    found = oha(picture, "-z", "10s", "-w", "-q", f"{rate:.0f}", "-c", str(2 * ADMITTED))
    answered, refused = found["latencyPercentilesSuccessful"]["p99"], found["latencyPercentilesNotSuccessful"]["p99"]
    print(f"{rate:.0f} requests a second: {found['statusCodeDistribution']}, errors {found['errorDistribution']}, 99 % of the answered within "
          f"{1000 * answered:.0f} ms, of the refused within {1000 * (refused or 0):.0f} ms, {server.memory()} MiB", flush=True)


def endure(server, pictures, step=2000, steps=10):
    """Memory over 20,000 pictures."""
    for number in range(1, steps + 1):
        for picture in pictures:
            send(picture, step // len(pictures))
        print(f"after {number * step} more pictures: {server.memory()} MiB", flush=True)


main(*sys.argv[1:])
