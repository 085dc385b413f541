# SPDX-License-Identifier: MIT OR Apache-2.0
"""Find boxes that only one teacher took for a face and that are none: hard negatives for training.

    python -m training.face.judge --cache CACHE --yunet yunet_n.onnx --centerface centerface.onnx

Boxes that the teachers disagree about are labelled `ignore`. They include the hardest negatives: backs of heads, hands,
wheels, animals, signs. The scores of both teachers and the size of a box separate most of these from faces that are
hard to see.

Writes `judged.json` into the cache of `photos.py`: `{file: [index, ...]}` with indices into `ignore`.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from training.common.boxes import pairwise_iou
from training.common.reference_detectors import CenterFace, YuNet
from training.face.photos import ANIMAL_SOURCES, JUDGED_FILE, UNSURE_SOURCES, letterbox, load_photos, split

# Minimum longer side of a box, in pixels of the photo.
MIN_SIDE = 8
# Longer side of the teachers' input.
INPUT_SIDE = 560
# Range that a teacher's scores are clipped to, and minimum IoU with the box.
SCORE_RANGE, MIN_IOU = (0.1, 0.98), 0.4
MIN_SCORE = 0.2
# Weights of the logits of YuNet-n and CenterFace, of the logarithm of the longer side in units of 20 px, and of 1 in
# the logit that a box is a face. They are a logistic regression on 184 boxes that are clearly faces (62) or clearly
# none (122) to the eye, out of 324 drawn at random.
WEIGHTS = np.array([0.85, 0.80, -2.54, 0.68])
# A box with a lower probability is no face. This holds for 53 of the 184 boxes, none of them a face.
MAX_PROBABILITY = 0.1


def logit(probability):
    return np.log(probability / (1 - probability))


def teachers_boxes(photo, teachers):
    """(boxes [N, 4] in pixels of the photo, scores [N]) of the detections of each teacher."""
    picture, zoom = letterbox(photo.pixels, INPUT_SIDE)
    found = [teacher.detect(picture) for teacher in teachers]
    return [
        (np.array([d.box for d in areas], float).reshape(-1, 4) / zoom, np.array([d.score for d in areas]))
        for areas in found
    ]


def face_probabilities(boxes, detections):
    """The probability [N] that boxes [N, 4] are faces, by the detections of YuNet-n and CenterFace."""
    columns = []
    for others, scores in detections:
        matching = (pairwise_iou(boxes, others) > MIN_IOU) * scores
        columns.append(logit(matching.max(1, initial=0).clip(*SCORE_RANGE)))
    columns += [np.log(boxes[:, 2:].max(1) / 20), np.ones(len(boxes))]
    return 1 / (1 + np.exp(-np.stack(columns, 1) @ WEIGHTS))


def apart_from_faces(boxes, faces):
    """True for boxes [N] that do not contain the centre of a face and whose own centre is not in or near a face."""
    centres = lambda areas: areas[:, :2] + areas[:, 2:] / 2
    inside = lambda points, areas, margin: (
        (points[:, None] > areas[:, :2] - margin * areas[:, 2:])
        & (points[:, None] < areas[:, :2] + (1 + margin) * areas[:, 2:])
    ).all(-1)
    return ~(inside(centres(faces), boxes, 0.1).any(0) | inside(centres(boxes), faces, 0.3).any(1))


def non_faces(photo, teachers):
    """Indices of the boxes in `ignore` that are no faces."""
    large = photo.ignore[:, 2:].max(1) >= MIN_SIDE
    unlikely = face_probabilities(photo.ignore, teachers_boxes(photo, teachers)) < MAX_PROBABILITY
    return np.nonzero(large & apart_from_faces(photo.ignore, photo.boxes) & unlikely)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--centerface", type=Path, required=True)
    options = parser.parse_args()
    # Otherwise `ignore` would lack the boxes that an earlier run judged.
    (options.cache / JUDGED_FILE).unlink(missing_ok=True)
    teachers = YuNet(options.yunet, MIN_SCORE), CenterFace(str(options.centerface), MIN_SCORE)
    judged = {}
    for photo in split(load_photos(options.cache))[0]:
        # On photos of animals without people, all of `ignore` is treated as no face anyway.
        if (
            not len(photo.ignore)
            or photo.source in UNSURE_SOURCES
            or (photo.source in ANIMAL_SOURCES and not len(photo.boxes))
        ):
            continue
        indices = non_faces(photo, teachers)
        if len(indices):
            judged[photo.name] = indices.tolist()
    (options.cache / JUDGED_FILE).write_text(json.dumps(judged))
    print(f"{sum(map(len, judged.values()))} boxes on {len(judged)} photos are no faces")


if __name__ == "__main__":
    main()
