# SPDX-License-Identifier: MIT OR Apache-2.0
"""Batches of training crops, as tensors."""

import numpy as np
import torch
from torch.utils.data import IterableDataset

from training.face.crops import mirror, photo_weights, random_crop
from training.face.network import STRIDES

# Each step of this number has crops of twice the side, and a quarter as many: faces as large as half a frame are rare
# otherwise.
LARGE_CROPS_EVERY = 5


class Batches(IterableDataset):
    """Batches of crops from step `first` on, in two halves; batch n depends only on the seed and n.

    Each crop is used twice, the second time mirrored and a batch later, because making it takes nearly as long as a
    training step on it.
    """

    def __init__(self, photos, options, first):
        self.photos, self.options, self.first = photos, options, first

    def __iter__(self):
        weights, step = photo_weights(self.photos), self.first
        previous = self.crops(weights, step - 1)
        while True:
            crops = self.crops(weights, step)
            yield collate(crops), collate(previous)
            for crop in crops:
                mirror(crop)
            previous, step = crops, step + 1

    def crops(self, weights, step):
        rng = np.random.default_rng([self.options.seed, step + 1])
        scale = 1 if (step + 1) % LARGE_CROPS_EVERY else 2
        return [
            random_crop(self.photos, weights, scale * self.options.side, rng)
            for _ in range(max(1, self.options.batch // 2 // scale**2))
        ]


def collate(crops):
    """(pictures uint8 [N, 3, S, S], labels for `losses`) of crops of one size."""
    boxes = np.concatenate([crop.boxes for crop in crops])
    labels = {
        "faces": np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1).astype(np.float32),
        "picture": np.repeat(np.arange(len(crops)), [len(crop.boxes) for crop in crops]),
        # A face with a low score of the teachers may be hard to see or no face.
        "confidence": np.clip(0.6 + 0.5 * np.concatenate([crop.scores for crop in crops]), 0, 1).astype(np.float32),
        "landmarks": np.concatenate([crop.landmarks for crop in crops]).astype(np.float32),
        "ignored": np.stack([ignored_cells(crop.ignore, *crop.pixels.shape[:2]) for crop in crops]),
    }
    pictures = torch.from_numpy(np.stack([crop.pixels for crop in crops])).permute(0, 3, 1, 2)
    return pictures, {name: torch.from_numpy(values) for name, values in labels.items()}


def ignored_cells(boxes, height, width):
    """True for the cells [A] whose inner half overlaps one of the boxes."""
    maps = []
    for stride in STRIDES:
        ignored = np.zeros((height // stride, width // stride), bool)
        for x, y, w, h in boxes:
            left, top = max(int(x / stride + 0.25), 0), max(int(y / stride + 0.25), 0)
            ignored[top : int((y + h) / stride + 0.75), left : int((x + w) / stride + 0.75)] = True
        maps.append(ignored.ravel())
    return np.concatenate(maps)
