# SPDX-License-Identifier: MIT OR Apache-2.0
"""The forms in which FER2013's pictures and FER+'s votes are distributed, read into `Arrays`.

`read_arrays(data)` takes

- FER2013's csv (`fer2013.csv` or `icml_face_data.csv`: emotion, pixels, Usage) or a folder with it; FER+'s csv of votes
  (`fer2013new.csv`) is read if it lies in the same folder;
- an npz with the arrays `images`, `votes`, `fer2013` and `split` (see `Arrays`);
- Kaggle's folders: `train/angry/*.jpg`, ..., and `test` (or `validation`, `val`) with the same classes;
- a folder with `load.py`, whose `load()` returns images uint8 [N, 48, 48], votes uint8 [N, 10], fer2013_label
  uint8 [N], split uint8 [N] (0 = Training, 1 = PublicTest) and row int32 [N], in this order.
"""

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.labels import FERPLUS_LABELS

TRAINING, PUBLIC_TEST, PRIVATE_TEST = 0, 1, 2
PICTURE_SIDE = 48

USAGES = {"Training": TRAINING, "PublicTest": PUBLIC_TEST, "PrivateTest": PRIVATE_TEST}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
VOTES_NAME = "fer2013new.csv"
KAGGLE_SPLITS = {"train": TRAINING, "validation": PUBLIC_TEST, "val": PUBLIC_TEST, "test": PUBLIC_TEST}
KAGGLE_CLASSES = {"angry": 0, "disgust": 1, "fear": 2, "happy": 3, "sad": 4, "surprise": 5, "neutral": 6}


@dataclass(frozen=True)
class Arrays:
    """A data set as it was read.

    images   uint8 [N, 48, 48]  grey, full range 0..255
    votes    uint8 [N, 10]      FER+ votes, columns `VOTE_COLUMNS`; None without votes
    fer2013  int64 [N]          index into `FER2013_LABELS`
    split    uint8 [N]          TRAINING, PUBLIC_TEST or PRIVATE_TEST
    """

    images: np.ndarray
    votes: np.ndarray | None
    fer2013: np.ndarray
    split: np.ndarray


def _read_script(folder):
    """The data that `<folder>/load.py` loads."""
    spec = importlib.util.spec_from_file_location("ferplus_load", folder / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images, votes, fer2013, split, _row = module.load()
    return Arrays(images, votes, fer2013.astype(np.int64), split)


def _read_csv(path):
    """FER2013's csv and, if it lies in the same folder, FER+'s csv of votes; both have a line for each picture."""
    images, labels, splits = [], [], []
    with open(path, newline="") as file:
        for line, row in enumerate(csv.DictReader(file, skipinitialspace=True), start=2):
            pixels = np.array(row["pixels"].split(), np.uint8)
            if pixels.size != PICTURE_SIDE**2:
                raise ValueError(f"{path}, line {line}: expected {PICTURE_SIDE**2} pixels, found {pixels.size}")
            images.append(pixels.reshape(PICTURE_SIDE, PICTURE_SIDE))
            labels.append(int(row["emotion"]))
            splits.append(USAGES[row["Usage"]])
    votes = _read_votes(path.with_name(VOTES_NAME), len(images))
    return Arrays(np.stack(images), votes, np.array(labels), np.array(splits, np.uint8))


def _read_votes(path, count):
    """The ten columns of FER+'s csv [N, 10], or None if there is no such file."""
    if not path.is_file():
        return None
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != count:
        raise ValueError(f"{path}: expected a line for each of {count} pictures, found {len(rows)}")
    columns = [*FERPLUS_LABELS, "unknown", "NF"]
    return np.array([[int(row[column]) for column in columns] for row in rows], np.uint8)


def _read_folders(folder):
    """Kaggle's folders: one for each split, with a folder for each class in it."""
    images, labels, splits = [], [], []
    for split_name, split in KAGGLE_SPLITS.items():
        for class_name, label in KAGGLE_CLASSES.items():
            for path in sorted((folder / split_name / class_name).glob("*")):
                picture = Image.open(path).convert("L").resize((PICTURE_SIDE, PICTURE_SIDE))
                images.append(np.asarray(picture))
                labels.append(label)
                splits.append(split)
    if not images:
        expected = f"load.py, {' or '.join(CSV_NAMES)}, or train/angry, train/happy, ..."
        raise ValueError(f"{folder}: expected {expected}; found none of them")
    return Arrays(np.stack(images), None, np.array(labels), np.array(splits, np.uint8))


def read_arrays(data):
    """The `Arrays` of a data set in any of the forms above."""
    data = Path(data)
    if data.suffix == ".npz":
        stored = np.load(data)
        return Arrays(stored["images"], stored["votes"], stored["fer2013"].astype(np.int64), stored["split"])
    if data.is_file():
        return _read_csv(data)
    if (data / "load.py").is_file():
        return _read_script(data)
    tables = [data / name for name in CSV_NAMES if (data / name).is_file()]
    return _read_csv(tables[0]) if tables else _read_folders(data)
