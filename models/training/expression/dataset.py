# SPDX-License-Identifier: MIT OR Apache-2.0
"""FER2013 pictures, with FER+ votes where there are some: reading, label protocols, splits.

`read_arrays(data)` takes any of the forms in which these pictures are passed on:

- FER2013's csv (`fer2013.csv` or `icml_face_data.csv`: emotion, pixels, Usage), the file itself or a folder with it; FER+'s csv of votes
  (`fer2013new.csv`) is read where it lies beside it;
- an npz with the arrays `images`, `votes`, `fer2013` and `split` (see `Arrays`);
- Kaggle's folders: `train/angry/*.jpg`, ..., and `test` (or `validation`, `val`) likewise;
- a folder with `load.py`, whose `load()` returns images uint8 [N, 48, 48], votes uint8 [N, 10], fer2013_label uint8 [N],
  split uint8 [N] (0 = Training, 1 = PublicTest) and row int32 [N], in this order.
"""

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTE_COLUMNS = FERPLUS_LABELS + ("unknown", "not-a-face")
FER2013_LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
# Classes of the outside networks that teach (outside.py): retail-0003's and face-api.js's.
FIVE_LABELS = ("neutral", "happiness", "sadness", "surprise", "anger")
SEVEN_LABELS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
# Labels of each head of the network, in the order of its outputs. The two label sets teach the first two, an outside
# network each the next two; the last learns FER+'s labels where there are some, else what all teachers say together.
HEADS = {
    "ferplus": FERPLUS_LABELS,
    "fer2013": FER2013_LABELS,
    "five": FIVE_LABELS,
    "seven": SEVEN_LABELS,
    "joint": FERPLUS_LABELS,
}
LABELLED_HEADS, OUTSIDE_HEADS, JOINT_HEAD = ("ferplus", "fer2013"), ("five", "seven"), "joint"

TRAINING, PUBLIC_TEST, PRIVATE_TEST = 0, 1, 2
PICTURE_SIDE = 48

# value = (pixel - PIXEL_MEAN) * PIXEL_SCALE. Round numbers close to the mean and spread of the
# training pictures (129.5 and 65.0), so that the formula is exact in every language.
PIXEL_MEAN = 128.0
PIXEL_SCALE = 1.0 / 64.0


@dataclass(frozen=True)
class Faces:
    """Pictures and labels of one split, or of any subset of rows.

    images          uint8   [N, 48, 48]
    ferplus         float32 [N, 8]  soft label; rows sum to 1, or to 0 where no expression got two votes
    ferplus_weight  float32 [N]     share of all votes that went to the eight expressions, 0..1
    ferplus_truth   int64   [N]     the majority expression, -1 where the FER+ protocol leaves the row out
    fer2013         int64   [N]     0..6
    """

    images: np.ndarray
    ferplus: np.ndarray
    ferplus_weight: np.ndarray
    ferplus_truth: np.ndarray
    fer2013: np.ndarray

    def __len__(self):
        return len(self.images)

    def subset(self, rows):
        """The rows chosen by an index array or a boolean mask."""
        return Faces(
            self.images[rows],
            self.ferplus[rows],
            self.ferplus_weight[rows],
            self.ferplus_truth[rows],
            self.fer2013[rows],
        )


def without_outliers(votes):
    """Votes [N, 10] as float32, single votes set to zero (the FER+ authors' outlier rule)."""
    votes = votes.astype(np.float32)
    votes[votes <= 1] = 0
    return votes


def soft_labels(votes):
    """(distribution [N, 8], weight [N]) from raw votes [N, 10]."""
    votes = without_outliers(votes)
    expressions = votes[:, : len(FERPLUS_LABELS)]
    expression_votes = expressions.sum(axis=1)
    distribution = expressions / np.maximum(expression_votes, 1)[:, None]
    weight = expression_votes / np.maximum(votes.sum(axis=1), 1)
    return distribution.astype(np.float32), weight.astype(np.float32)


def majority_labels(votes):
    """The FER+ test label [N]: the unique maximum of the ten columns, or -1.

    -1 stands for a tie, for `unknown` and for not-a-face: rows the protocol does not count.
    """
    votes = without_outliers(votes)
    winner = votes.argmax(axis=1)
    unique = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    counted = unique & (winner < len(FERPLUS_LABELS))
    return np.where(counted, winner, -1).astype(np.int64)


@dataclass(frozen=True)
class Arrays:
    """A data set as it was read.

    images   uint8 [N, 48, 48]  grey, full range 0..255
    votes    uint8 [N, 10]      FER+ votes, columns `VOTE_COLUMNS`; None where there are none
    fer2013  int64 [N]          index into `FER2013_LABELS`
    split    uint8 [N]          TRAINING, PUBLIC_TEST or PRIVATE_TEST
    """

    images: np.ndarray
    votes: np.ndarray | None
    fer2013: np.ndarray
    split: np.ndarray


USAGES = {"Training": TRAINING, "PublicTest": PUBLIC_TEST, "PrivateTest": PRIVATE_TEST}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
VOTES_NAME = "fer2013new.csv"
KAGGLE_SPLITS = {"train": TRAINING, "validation": PUBLIC_TEST, "val": PUBLIC_TEST, "test": PUBLIC_TEST}
KAGGLE_NAMES = {"angry": 0, "disgust": 1, "fear": 2, "happy": 3, "sad": 4, "surprise": 5, "neutral": 6}


def _read_script(folder):
    """What `<folder>/load.py` gives."""
    spec = importlib.util.spec_from_file_location("ferplus_load", folder / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images, votes, fer2013, split, _row = module.load()
    return Arrays(images, votes, fer2013.astype(np.int64), split)


def _read_csv(path):
    """FER2013's csv, with the FER+ votes beside it if they are there: both have a line for each picture."""
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
    """The ten columns of FER+'s csv [N, 10], or None if the file is not there."""
    if not path.is_file():
        return None
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != count:
        raise ValueError(f"{path}: expected a line for each of {count} pictures, found {len(rows)}")
    columns = [*FERPLUS_LABELS, "unknown", "NF"]
    return np.array([[int(row[column]) for column in columns] for row in rows], np.uint8)


def _read_folders(folder):
    """Kaggle's folders: a folder for each split, in it a folder for each class."""
    images, labels, splits = [], [], []
    for name, split in KAGGLE_SPLITS.items():
        for label, index in KAGGLE_NAMES.items():
            for path in sorted((folder / name / label).glob("*")):
                picture = Image.open(path).convert("L").resize((PICTURE_SIDE, PICTURE_SIDE))
                images.append(np.asarray(picture))
                labels.append(index)
                splits.append(split)
    if not images:
        raise ValueError(
            f"{folder}: expected load.py, {' or '.join(CSV_NAMES)}, or train/angry, train/happy, ...; found none of them"
        )
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


def votes_of_labels(fer2013):
    """Ten votes [N, 10] for the one label of each picture: what is learnt from where nobody voted."""
    columns = np.array([FERPLUS_LABELS.index(label) for label in FER2013_LABELS])
    votes = np.zeros((len(fer2013), len(VOTE_COLUMNS)), np.uint8)
    votes[np.arange(len(fer2013)), columns[fer2013]] = 10
    return votes


def faces_of(arrays, split):
    """The `Faces` of one split; without votes, nothing counts by the FER+ protocol."""
    rows = arrays.split == split
    voted = arrays.votes is not None
    votes = (arrays.votes if voted else votes_of_labels(arrays.fer2013))[rows]
    distribution, weight = soft_labels(votes)
    return Faces(
        images=arrays.images[rows],
        ferplus=distribution,
        ferplus_weight=weight,
        ferplus_truth=majority_labels(votes) if voted else np.full(len(votes), -1),
        fer2013=arrays.fer2013[rows],
    )


def load_faces(data, split):
    """The `Faces` of one split (`TRAINING` or `PUBLIC_TEST`) of a data set."""
    return faces_of(read_arrays(data), split)


def load_strangers(path, half):
    """(images uint8 [N, 48, 48], labels int64 [N] in the order of FER2013_LABELS) of one half of another collection.

    The file is an npz with `images` uint8 [N, S, S], `label` and `half`: 0 is there to choose by, 1 to report.
    """
    stored = np.load(path)
    rows = stored["half"] == half
    shrink = lambda image: Image.fromarray(image).resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BOX)
    images = [np.asarray(shrink(image)) for image in stored["images"][rows]]
    return np.stack(images), stored["label"][rows].astype(np.int64)


def normalise(images):
    """Network input float32 [N, 1, 48, 48] from grey pictures [N, 48, 48], values 0..255."""
    return ((images.astype(np.float32) - PIXEL_MEAN) * PIXEL_SCALE)[:, None]
