# SPDX-License-Identifier: MIT OR Apache-2.0
"""What all face detectors have in common: their results and the ONNX Runtime session."""

from dataclasses import dataclass

import numpy as np

from training.common import boxes


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the picture.

    box        (x, y, w, h): corner and size
    landmarks  float [5, 2]: x, y of right eye, left eye, nose, right and left mouth corner
               (right is the person's own right), or None
    score      0..1 (Haar: always 1)
    """

    box: tuple
    landmarks: object
    score: float


def suppress(detections):
    """The detections that are left after `boxes.suppress`."""
    if not detections:
        return []
    columns = [[*d.box, *([] if d.landmarks is None else np.ravel(d.landmarks))] for d in detections]
    rows, scores, _ = boxes.suppress(np.array(columns, float), np.array([d.score for d in detections]))
    return [
        Detection(tuple(row[:4]), row[4:].reshape(5, 2) if len(row) > 4 else None, score)
        for row, score in zip(rows, scores.tolist())
    ]


def open_session(model, threads=1):
    """An ONNX Runtime session on the CPU for a model, given as a path or as bytes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
