# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train several large networks and their students on a GPU, in commands of a few minutes each.

    python -m training.expression.ensemble pack --data DATA --cache CACHE --strangers STRANGERS.npz --packed PACKED
    python -m training.expression.ensemble train --packed PACKED --work WORK --results RESULTS [--minutes 9]
                                                 [--device cuda]

`pack` writes all data that training needs into a folder of about 45 MiB: PublicTest losslessly, other pictures as lossy
WebP.

`train` goes through the stages below. Repeat it until it prints that all is done: each run that was stopped for lack of
time resumes from its checkpoint. The networks of a stage train in parallel, because a small network leaves a GPU idle.

1. Large networks from random weights, taught by labels, outside networks and the packed scores.
2. Their mean scores of all pictures (teacher_scores.py).
3. Students of the sizes `half`, which starts from the shipped weights, and `fine`.

RESULTS receives `final.pt` and `log.jsonl` of each finished network as NAME.pt and NAME.jsonl.
"""

import argparse
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image

from training.common.modules import ENVIRONMENT, module_command
from training.common.paths import MODELS
from training.expression.labels import HEADS
from training.expression.readers import PUBLIC_TEST, TRAINING, read_arrays
from training.expression.teacher_scores import read_scores, write_scores
from training.expression.unlabelled import FACES_FILE, SHEET_COLUMNS, SHEET_ROWS, read_sheet

SHIPPED = MODELS / "expression" / "model.onnx"
TRAINING_QUALITY, FACES_QUALITY = 92, 80
ARRAYS_FILE, STRANGERS_FILE = "arrays.npz", "strangers.npz"
SCORED = {name: tuple(HEADS) for name in ("training", "faces")}

LARGE = "--size large --learning-rate 0.1 --dropout 0.3 --final-strength 0.7 --ema 0.999 --teacher-share 0.3"
STUDENT = "--learning-rate {rate} --dropout 0.1 --strength 0.9 --final-strength 0.5 --ema 0.999 --teacher-share 0.6"
BATCH = "--batch 96 --unlabelled-batch 48"


def write_sheets(images, folder, name, **encoding):
    """Write pictures uint8 [N, S, S] as sheets `<name>-NN.webp` of 40 rows of 50; the last one is padded with black."""
    side, size = images.shape[1], SHEET_ROWS * SHEET_COLUMNS
    for number, start in enumerate(range(0, len(images), size)):
        part = images[start : start + size]
        part = np.concatenate([part, np.zeros((size - len(part), side, side), np.uint8)])
        sheet = part.reshape(SHEET_ROWS, SHEET_COLUMNS, side, side).transpose(0, 2, 1, 3)
        picture = Image.fromarray(sheet.reshape(SHEET_ROWS * side, SHEET_COLUMNS * side))
        picture.save(folder / f"{name}-{number:02}.webp", method=6, **encoding)


def read_sheets(folder, name, count):
    """The first `count` pictures of the sheets `<name>-NN.webp`, uint8 [count, S, S]."""
    return np.concatenate([read_sheet(path) for path in sorted(folder.glob(f"{name}-*.webp"))])[:count]


def pack(options):
    """Write labels, teachers' scores, half 0 of the strangers and all pictures into a folder."""
    options.packed.mkdir(parents=True, exist_ok=True)
    arrays, faces = read_arrays(options.data), np.load(options.cache / FACES_FILE)
    rows = np.concatenate([np.flatnonzero(arrays.split == split) for split in (TRAINING, PUBLIC_TEST)])
    counts = [int((arrays.split == split).sum()) for split in (TRAINING, PUBLIC_TEST)] + [len(faces)]
    scores = {name: read_scores(options.cache, name, heads) for name, heads in SCORED.items()}
    strangers = np.load(options.strangers)
    half = strangers["half"] == 0
    np.savez_compressed(
        options.packed / "labels.npz",
        counts=counts,
        votes=arrays.votes[rows],
        fer2013=arrays.fer2013[rows],
        split=arrays.split[rows],
        strangers=strangers["images"][half],
        strangers_label=strangers["label"][half],
        **{f"{name}-{head}": values.astype(np.float16) for name in SCORED for head, values in scores[name].items()},
    )
    write_sheets(arrays.images[arrays.split == TRAINING], options.packed, "training", quality=TRAINING_QUALITY)
    write_sheets(arrays.images[arrays.split == PUBLIC_TEST], options.packed, "public", lossless=True)
    write_sheets(faces, options.packed, "faces", quality=FACES_QUALITY)
    size = sum(path.stat().st_size for path in options.packed.iterdir())
    print(f"{options.packed}: {size / 2**20:.1f} MiB")


def unpack(packed, work):
    """Unpack a folder into `arrays.npz`, `strangers.npz` and `cache`, the inputs of the other modules."""
    cache, stored = work / "cache", np.load(packed / "labels.npz")
    cache.mkdir(parents=True, exist_ok=True)
    names = ("training", "public", "faces")
    training, public, faces = (read_sheets(packed, name, count) for name, count in zip(names, stored["counts"]))
    np.save(cache / FACES_FILE, faces)
    for name, heads in SCORED.items():
        write_scores(cache, name, {head: stored[f"{name}-{head}"].astype(np.float32) for head in heads})
    images, labels = stored["strangers"], stored["strangers_label"]
    np.savez(work / STRANGERS_FILE, images=images, label=labels, half=np.zeros(len(labels), np.uint8))
    labelled = {name: stored[name] for name in ("votes", "fer2013", "split")}
    np.savez(work / ARRAYS_FILE, images=np.concatenate([training, public]), **labelled)


def data_options(options):
    """Options of train.py and teacher_scores.py for the unpacked data and the device."""
    files = {"--data": ARRAYS_FILE, "--cache": "cache"}
    named = [part for option, file in files.items() for part in (option, options.work / file)]
    return [*named, "--device", options.device]


def train_in_parallel(runs, options, stop):
    """Train networks, {name: options of train.py}, until `stop` on the monotonic clock; True if all are done."""
    unfinished = {name: settings for name, settings in runs.items() if not (options.work / name / "final.pt").exists()}
    processes = []
    for name, settings in unfinished.items():
        (options.work / name).mkdir(exist_ok=True)
        command = module_command("expression.train", *data_options(options), "--run", options.work / name)
        minutes = (stop - time.monotonic()) / 60
        command += ["--strangers", options.work / STRANGERS_FILE, "--minutes", f"{minutes:.2f}", "--threads", "2"]
        command += [*BATCH.split(), *settings.split()]
        with open(options.work / name / "output", "a") as output:
            processes.append(
                subprocess.Popen(
                    [str(part) for part in command], env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT
                )
            )
    for name, process in zip(unfinished, processes):
        if process.wait():
            raise SystemExit(f"{name}: train.py failed, see {options.work / name / 'output'}")
    return all((options.work / name / "final.pt").exists() for name in runs)


def score_with_teachers(teachers, options):
    """Score all pictures with the mean of the large networks, unless that is done already."""
    marker = options.work / "taught"
    if marker.exists():
        return
    networks = [options.work / name / "final.pt" for name in teachers]
    command = module_command("expression.teacher_scores", *data_options(options), "--networks", *networks)
    subprocess.run(command, env=ENVIRONMENT, check=True)
    marker.touch()


def copy_results(names, options):
    """Copy weights and logs of the finished networks to the results."""
    options.results.mkdir(parents=True, exist_ok=True)
    for name in names:
        for file, copy in (("final.pt", f"{name}.pt"), ("log.jsonl", f"{name}.jsonl")):
            if (options.work / name / "final.pt").exists():
                shutil.copy(options.work / name / file, options.results / copy)


def train(options):
    """Go through the stages until all are done or the time is up."""
    stop = time.monotonic() + 60 * options.minutes
    if not (options.work / ARRAYS_FILE).exists():
        unpack(options.packed, options.work)
    large = f"{LARGE} --epochs {options.teacher_epochs}"
    teachers = {f"large-{number}": f"{large} --seed {200 + number}" for number in range(options.teachers)}
    starts = {"half": f"--start {SHIPPED} {STUDENT.format(rate=0.05)}", "fine": STUDENT.format(rate=0.1)}
    common = f"--epochs {options.student_epochs} --seed 300"
    students = {f"student-{size}": f"--size {size} {start} {common}" for size, start in starts.items()}
    finished = train_in_parallel(teachers, options, stop)
    if finished:
        score_with_teachers(teachers, options)
        finished = train_in_parallel(students, options, stop)
    copy_results([*teachers, *students], options)
    print("all done" if finished else "out of time: run the command again to continue")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack", help="write the data that training needs into a folder")
    packing.set_defaults(run=pack)
    packing.add_argument("--data", required=True)
    packing.add_argument(
        "--cache", type=Path, required=True, help="folder written by unlabelled.py and teacher_scores.py"
    )
    packing.add_argument("--strangers", type=Path, required=True)
    training = commands.add_parser("train", help="train for a limited time")
    training.set_defaults(run=train)
    training.add_argument("--work", type=Path, required=True)
    training.add_argument("--results", type=Path, required=True)
    training.add_argument("--minutes", type=float, default=9.0, help="time limit of this command")
    training.add_argument("--device", default="cuda", help="torch device")
    training.add_argument("--teachers", type=int, default=3, help="number of large networks")
    training.add_argument("--teacher-epochs", type=int, default=60)
    training.add_argument("--student-epochs", type=int, default=100)
    for command in (packing, training):
        command.add_argument("--packed", type=Path, required=True)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
