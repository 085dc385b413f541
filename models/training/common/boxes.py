# SPDX-License-Identifier: MIT OR Apache-2.0
"""Overlap and non-maximum suppression of boxes, which are arrays [N, 4] of x, y, width and height."""

import numpy as np

# Suppression compares at most this many boxes, those with the highest scores.
MAX_BOXES = 600
# Boxes with a higher IoU with the best box of a face are averaged.
MERGE_IOU = 0.6


def pairwise_iou(boxes, others):
    """Intersection over union [N, M] of two lists of x, y, width, height."""
    a, b = np.asarray(boxes, np.float64).reshape(-1, 1, 4), np.asarray(others, np.float64).reshape(1, -1, 4)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    intersection = np.prod(np.clip(high - low, 0, None), axis=-1)
    union = np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - intersection
    return intersection / np.maximum(union, 1e-9)


def suppress(boxes, scores, iou=0.3):
    """(boxes [K, 4], scores [K], indices [K]) after greedy non-maximum suppression as in `facedetect`, best first.

    Each box is the mean of the boxes with an IoU above `MERGE_IOU`, weighted by score. Further columns of `boxes`, such
    as landmarks, are averaged in the same way.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_BOXES]
    boxes, scores = boxes[order], scores[order]
    ious = pairwise_iou(boxes[:, :4], boxes[:, :4])
    keep = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if keep[index]:
            keep[index + 1 :] &= ious[index, index + 1 :] <= iou
    weights = np.maximum(scores, 1e-9) * (ious[keep] > MERGE_IOU)
    return weights @ boxes / weights.sum(1, keepdims=True), scores[keep], order[keep]
