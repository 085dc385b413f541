# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train networks whose labels hardly change if a face is mirrored, moved by a pixel or turned, on a GPU in one short run.

    python -m training.expression.steadier pack --data DATA --lfw LFW --cache CACHE --meshes MESHES --teacher TEACHER.onnx
                                                --packed PACKED
    python -m training.expression.steadier train --packed PACKED --results RESULTS [--seconds 450] [--device cuda]
                                                 [--students half-4 half-12]

`pack` writes a folder of about 22 MiB, for a machine to which little can be sent. CACHE is that of unlabelled.py, whose first
faces are LFW's, and teacher_scores.py; MESHES that of geometry/teacher.py. It needs MediaPipe's Python package.

`train` trains several networks (`STUDENTS` of students.py) side by side on the same batches (pairs.py), until the time is up.
`--start` continues from what an earlier command wrote, with a new schedule. On one GPU, several such commands run in parallel;
with NVIDIA's multi-process service they do not wait for each other.

RESULTS receives `students.pt`, {name: averaged weights}, every minute and at the end, and `log.jsonl`.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from training.common.onnx_file import initializers
from training.common.optimisation import learning_rate_factor
from training.common.paths import MODELS
from training.expression.pairs import Pictures, pack
from training.expression.students import STUDENTS, Student

SHIPPED = MODELS / "expression" / "model.onnx"
# Strength of the augmentations at the start and at the end; part of the time in which the learning rate rises.
STRENGTHS, WARM_UP = (0.9, 0.35), 0.03
LOG_SECONDS, SAVE_SECONDS = 15, 60


def save(students, results):
    """Write the averaged weights of all networks."""
    part = results / "students.part"
    torch.save({student.name: student.state() for student in students}, part)
    part.rename(results / "students.pt")


class Log:
    """Mean figures of the networks since the last line of `log.jsonl`."""

    def __init__(self, path, students, started):
        self.path, self.names, self.started = path, [student.name for student in students], started
        self.step, self.since, self.sums, self.written = 0, 0, 0, time.monotonic()

    def add(self, figures, epochs_of_step, finished):
        """Add the figures [networks, 4] of a step; write a line when it is time to."""
        self.step += 1
        self.sums = self.sums + figures
        now = time.monotonic()
        if not finished and now - self.written < LOG_SECONDS:
            return
        means = (self.sums / (self.step - self.since)).tolist()
        entry = {"seconds": round(now - self.started, 1), "step": self.step, "epochs": round(self.step * epochs_of_step, 2)}
        entry |= {name: [round(value, 4) for value in values] for name, values in zip(self.names, means)}
        print(json.dumps(entry), flush=True)
        with open(self.path, "a") as file:
            print(json.dumps(entry), file=file)
        self.since, self.sums, self.written = self.step, 0, now


def train(options):
    """Train until the time is up."""
    started = time.monotonic()
    torch.manual_seed(3)
    torch.backends.cudnn.benchmark = True
    options.results.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(options.packed, SHIPPED, options.device, options.processes, options.limit, options.scale)
    stored = initializers(SHIPPED)
    rules = [torch.from_numpy(stored[name].copy()).to(options.device) for name in ("matrix", "bias")]
    batch = pictures.batch(0.5)[0].contiguous()
    new = lambda name: Student(name, options.device, batch, SHIPPED, options.start, options.rate)
    students = [new(name) for name in options.students]
    log = Log(options.results / "log.jsonl", students, started)
    epochs_of_step = pictures.parts["training"] / len(pictures.images["training"])
    first, last = STRENGTHS[0] * options.strength, STRENGTHS[1]
    begin = saved = time.monotonic()
    duration, progress = max(1.0, options.seconds - (begin - started)), 0.0
    while progress < 1:
        progress = min(1.0, (time.monotonic() - begin) / duration)
        x, targets = pictures.batch(first + (last - first) * progress)
        factor = learning_rate_factor(1000 * progress, 1000, 1000 * WARM_UP)
        rate = torch.tensor(factor, device=options.device)
        figures = torch.stack([student.figures(x, rate, *rules, *targets) for student in students])
        log.add(figures, epochs_of_step, progress == 1)
        if time.monotonic() - saved > SAVE_SECONDS or progress == 1:
            save(students, options.results)
            saved = time.monotonic()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack", help="write the data that training needs into a folder")
    packing.set_defaults(run=pack)
    for name in ("data", "lfw", "cache", "meshes", "teacher"):
        packing.add_argument(f"--{name}", type=Path, required=True)
    training = commands.add_parser("train", help="train for a limited time")
    training.set_defaults(run=train)
    training.add_argument("--results", type=Path, required=True)
    training.add_argument("--seconds", type=float, default=450)
    training.add_argument("--device", default="cuda")
    training.add_argument("--processes", type=int, default=12, help="number of processes that draw turned faces")
    training.add_argument("--limit", type=int, help="number of pictures of each kind, for a try")
    training.add_argument("--scale", type=float, default=1.0, help="factor of the number of pictures in a batch")
    training.add_argument("--students", nargs="+", choices=STUDENTS, default=list(STUDENTS))
    training.add_argument("--start", type=Path, help="a `students.pt` to continue from")
    training.add_argument("--rate", type=float, default=1.0, help="factor of all learning rates")
    training.add_argument("--strength", type=float, default=1.0, help="factor of the first augmentations' strength")
    for command in (packing, training):
        command.add_argument("--packed", type=Path, required=True)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
