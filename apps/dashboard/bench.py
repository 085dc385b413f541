#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures POST /v1/faces beside emotion-scan: pictures a CPU second, waiting times, refusals and memory.

    apps/dashboard/bench.py FOLDER [ROUNDS] [PROGRAMS]

FOLDER has JPEG pictures, which are sent ROUNDS times (10). PROGRAMS is the folder of both programs, target/release.
"""

import http.client
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ADDRESS = "127.0.0.1:8764"


class Server:
    """A server without sources."""

    def __init__(self, programs, data):
        command = [programs / "emotion-dashboard", "--api-only", "--listen", ADDRESS, "--data", data]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.ask(b"", "GET", "/v1/models", http.client.HTTPConnection(ADDRESS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, body, method, path, connection):
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        return answer

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) >> 10

    def send(self, pictures, clients):
        """Sends each picture once, again after the time that a refusal says. Prints what that took."""
        left, lock, times, refused = iter(pictures), threading.Lock(), [], [0]

        def client():
            connection = http.client.HTTPConnection(ADDRESS, timeout=120)
            while (picture := take()) is not None:
                start = time.monotonic()
                while (answer := self.ask(picture, "POST", "/v1/faces", connection)).status == 503:
                    refused[0] += 1
                    time.sleep(float(answer.headers["Retry-After"]))
                    start = time.monotonic()
                assert answer.status == 200, answer.status
                times.append(time.monotonic() - start)

        def take():
            with lock:
                return next(left, None)

        before, threads = self.cpu(), [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate, times = len(times) / (self.cpu() - before), sorted(times)
        median, late = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"/v1/faces, {clients} clients: {rate:.1f} pictures a CPU second, median {1000 * median:.0f} ms, "
              f"99 % within {1000 * late:.0f} ms, {refused[0]} refused, {self.memory()} MiB")


def main(folder, rounds=10, programs="target/release"):
    pictures = [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]
    programs, processors = Path(programs), os.cpu_count()
    with tempfile.TemporaryDirectory() as data:
        subprocess.run([programs / "emotion-scan", "--quiet", folder, "--output", Path(data) / "faces.csv"], check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"emotion-scan: {len(pictures) / (used.ru_utime + used.ru_stime):.1f} pictures a CPU second")
        with Server(programs, data) as server:
            for _ in range(int(rounds)):
                server.send(pictures, processors)
            # Twice as many as are examined or may wait.
            server.send(pictures, 2 * 9 * processors)


main(*sys.argv[1:])
