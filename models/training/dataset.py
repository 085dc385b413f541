# SPDX-License-Identifier: MIT OR Apache-2.0
"""FER2013 pictures with FER+ votes: reading, label protocols, splits.

A data folder holds `load.py`, whose `load()` returns these arrays in this order:

=============== ===== ============ =================================================
name            dtype shape        meaning
=============== ===== ============ =================================================
images          uint8 [N, 48, 48]  grey, full range 0..255
votes           uint8 [N, 10]      FER+ votes, columns `VOTE_COLUMNS`
fer2013_label   uint8 [N]          index into `FER2013_LABELS`
split           uint8 [N]          0 = Training, 1 = PublicTest (validation)
row             int32 [N]          row of the original csv (not used here)
=============== ===== ============ =================================================
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTE_COLUMNS = FERPLUS_LABELS + ("unknown", "not-a-face")
FER2013_LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

TRAINING, PUBLIC_TEST = 0, 1
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


def _read_arrays(folder):
    """Run `<folder>/load.py` and return the arrays its `load()` gives."""
    spec = importlib.util.spec_from_file_location("ferplus_load", Path(folder) / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


def load_faces(folder, split):
    """The `Faces` of one split (`TRAINING` or `PUBLIC_TEST`) of a data folder."""
    images, votes, fer2013, splits, _row = _read_arrays(folder)
    rows = splits == split
    votes = votes[rows]
    distribution, weight = soft_labels(votes)
    return Faces(
        images=images[rows],
        ferplus=distribution,
        ferplus_weight=weight,
        ferplus_truth=majority_labels(votes),
        fer2013=fer2013[rows].astype(np.int64),
    )


def normalise(images):
    """Network input float32 [N, 1, 48, 48] from grey pictures [N, 48, 48], values 0..255."""
    return ((images.astype(np.float32) - PIXEL_MEAN) * PIXEL_SCALE)[:, None]
