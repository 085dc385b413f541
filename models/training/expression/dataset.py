# SPDX-License-Identifier: MIT OR Apache-2.0
"""Labelled faces of a split, faces of another collection, and the input of the network."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.expression.labels import majority_labels, soft_labels, votes_of_labels
from training.expression.readers import PICTURE_SIDE, read_arrays

# value = (pixel - PIXEL_MEAN) * PIXEL_SCALE. These are round numbers near the mean and the standard deviation of the
# training pictures (129.5 and 65.0), so that the formula is exact in every language.
PIXEL_MEAN = 128.0
PIXEL_SCALE = 1.0 / 64.0


@dataclass(frozen=True)
class Faces:
    """Pictures and labels of a split or of any subset of its rows.

    images          uint8   [N, 48, 48]
    ferplus         float32 [N, 8]  soft label; rows sum to 1, or to 0 where no expression has two votes
    ferplus_weight  float32 [N]     share of all votes that went to the eight expressions, 0..1
    ferplus_truth   int64   [N]     the majority expression; -1 in rows that the FER+ protocol does not count
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
        """The rows that an index array or a boolean mask selects."""
        return Faces(
            self.images[rows],
            self.ferplus[rows],
            self.ferplus_weight[rows],
            self.ferplus_truth[rows],
            self.fer2013[rows],
        )


def faces_of(arrays, split):
    """The `Faces` of one split. Without votes, the FER+ protocol counts no row."""
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
    """(images uint8 [N, 48, 48], labels int64 [N] as indices into FER2013_LABELS) of one half of the strangers.

    The strangers are labelled faces of another collection. No network is trained on them. The file is an npz with
    `images` uint8 [N, S, S], `label` and `half`: half 0 is for choices, half 1 for reports.
    """
    stored = np.load(path)
    rows = stored["half"] == half
    shrink = lambda image: Image.fromarray(image).resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BOX)
    images = [np.asarray(shrink(image)) for image in stored["images"][rows]]
    return np.stack(images), stored["label"][rows].astype(np.int64)


def normalise(images):
    """Network input float32 [N, 1, 48, 48] from grey pictures [N, 48, 48], values 0..255."""
    return ((images.astype(np.float32) - PIXEL_MEAN) * PIXEL_SCALE)[:, None]
