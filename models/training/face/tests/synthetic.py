# SPDX-License-Identifier: MIT OR Apache-2.0
"""Synthetic photos."""

import numpy as np

from training.face.photos import Photo

RED = np.array([250, 10, 10])


def photo(boxes=((60, 40, 30, 40), (150, 90, 20, 24)), source="ppl", ignore=(), size=(240, 180), hard_negatives=()):
    """A grey photo whose faces are red rectangles, with landmarks at fixed relative positions."""
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    for x, y, w, h in boxes:
        pixels[y : y + h, x : x + w] = RED
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    relative = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    landmarks = boxes[:, None, :2] + relative * boxes[:, None, 2:]
    ones, ignore, hard_negatives = (
        np.ones(len(boxes), np.float32),
        np.array(ignore, np.float32).reshape(-1, 4),
        np.array(hard_negatives, np.float32).reshape(-1, 5),
    )
    return Photo("a", source, False, pixels, boxes, landmarks, ones, ignore, 0.5 * ones, hard_negatives)
