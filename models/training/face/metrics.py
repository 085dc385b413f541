# SPDX-License-Identifier: MIT OR Apache-2.0
"""Matching of detections to labels, average precision, and the tilt of landmarks."""

import numpy as np

from training.common.boxes import pairwise_iou

# Minimum longer side of the faces, and of the boxes that match no face, relative to the longer side of the photo.
MIN_SIDE = 16 / 640
# Minimum IoU of a detection with the face that it finds.
MIN_IOU = 0.5


def match(photo, boxes, scores):
    """((score, hit) of each counted box, number of counted faces)."""
    min_side = MIN_SIDE * max(photo.pixels.shape)
    counts = photo.boxes[:, 2:].max(1) >= min_side if len(photo.boxes) else np.zeros(0, bool)
    iou = pairwise_iou(boxes, photo.boxes)
    taken = np.zeros(len(photo.boxes), bool)
    results = []
    for index, (box, score) in enumerate(zip(boxes, scores)):
        free_ious = np.where(taken, 0, iou[index]) if len(taken) else np.zeros(0)
        if len(free_ious) and free_ious.max() >= MIN_IOU:
            taken[free_ious.argmax()] = True
            if counts[free_ious.argmax()]:
                results.append((score, True))
        elif max(box[2:]) >= min_side and not in_ignored(box, photo.ignore):
            results.append((score, False))
    return results, int(counts.sum())


def in_ignored(box, ignore):
    """True if half of the box lies in an ignored box, or if their IoU is that of a detection."""
    if not len(ignore):
        return False
    low = np.maximum(box[:2], ignore[:, :2])
    intersection = np.prod(np.clip(np.minimum(box[:2] + box[2:], ignore[:, :2] + ignore[:, 2:]) - low, 0, None), 1)
    return bool((intersection / max(box[2] * box[3], 1e-9) > 0.5).any() or (pairwise_iou([box], ignore) > 0.4).any())


def average_precision(results, faces):
    """The area under the curve of precision over recall, after precision is made monotonic."""
    order = sorted(results, key=lambda result: -result[0])
    hits = np.cumsum([hit for _, hit in order]) if order else np.zeros(0)
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / max(faces, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * envelope).sum())


def tilt(landmarks):
    """The clockwise angle of the line through the eyes of landmarks [5, 2], in degrees."""
    across = landmarks[1] - landmarks[0]
    return np.degrees(np.arctan2(across[1], across[0]))
