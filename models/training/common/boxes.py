# SPDX-License-Identifier: MIT OR Apache-2.0
"""Boxes as arrays [N, 4] of x, y, width, height: how much they overlap, and which of those that do stays."""

import numpy as np

# Of so many at most, the best ones, one is compared with another.
MOST_BOXES = 600
# Of what goes for one face, boxes that overlap more with its best are averaged.
ALIKE = 0.6


def overlaps(boxes, others):
    """Intersection over union [N, M] of two lists of x, y, width, height."""
    a, b = np.asarray(boxes, np.float64).reshape(-1, 1, 4), np.asarray(others, np.float64).reshape(1, -1, 4)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    return shared / np.maximum(np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - shared, 1e-9)


def suppress(boxes, scores, iou=0.3):
    """(boxes [K, 4], scores [K], indices [K]), best first: greedy non-maximum suppression as in `facedetect`, each box in the
    mean, by score, of those much like it. Further columns of the boxes, such as landmarks, are averaged with them."""
    order = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    boxes, scores = boxes[order], scores[order]
    shared = overlaps(boxes[:, :4], boxes[:, :4])
    keep = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if keep[index]:
            keep[index + 1 :] &= shared[index, index + 1 :] <= iou
    weights = np.maximum(scores, 1e-9) * (shared[keep] > ALIKE)
    return weights @ boxes / weights.sum(1, keepdims=True), scores[keep], order[keep]
