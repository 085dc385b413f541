#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What only one teacher took for a face on the training photos, and is none: training aims at these places as it does at faces.

    python judge.py --cache FOLDER --yunet yunet_n.onnx --centerface centerface.onnx

Labels leave open (`ignore`) what the teachers disagree about, and with it the hardest of what is no face: backs of heads, hands,
wheels, animals, signs. How sure either is of the box, and its size, tell most of that from faces that are hard to see.

Writes `judged.json` into the cache of `photos.py`: `{file: [index, ...]}` of its `ignore`.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from training.common.boxes import overlaps
from training.common.detectors import CenterFace, YuNet
from training.face.photos import ANIMAL_SOURCES, JUDGED_FILE, UNSURE_SOURCES, load_photos, split
from training.face.evaluate import letterbox

# Of a box's longer side, in pixels of the photo.
SMALLEST = 8
SIDE = 560
# Scores of a teacher between which they count, and how much it has to overlap.
SCORES, OVERLAP = (0.1, 0.98), 0.4
LOWEST_SCORE = 0.2
# Logit that a box is a face, from the logits of YuNet-n and CenterFace, the logarithm of its longer side in units of 20 px, and 1:
# the likeliest curve through 184 boxes that are clearly faces (62) or clearly none (122) to the eye, of 324 drawn at random.
WEIGHTS = np.array([0.85, 0.80, -2.54, 0.68])
# Below it a box is none; of the 184, 53 boxes were, and not one a face.
CHANCE = 0.1


def logit(chance):
    return np.log(chance / (1 - chance))


def look(photo, teachers):
    """(boxes [N, 4] in pixels of the photo, scores [N]) of what each teacher finds."""
    picture, zoom = letterbox(photo.pixels, SIDE)
    found = [teacher.detect(picture) for teacher in teachers]
    return [
        (np.array([d.box for d in some], float).reshape(-1, 4) / zoom, np.array([d.score for d in some]))
        for some in found
    ]


def chances(boxes, looked):
    """How likely boxes [N, 4], in pixels of the photo, are faces, [N], by what YuNet-n and CenterFace found."""
    columns = []
    for others, scores in looked:
        seen = (overlaps(boxes, others) > OVERLAP) * scores
        columns.append(logit(seen.max(1, initial=0).clip(*SCORES)))
    columns += [np.log(boxes[:, 2:].max(1) / 20), np.ones(len(boxes))]
    return 1 / (1 + np.exp(-np.stack(columns, 1) @ WEIGHTS))


def apart(boxes, faces):
    """Which of the boxes [N] neither hold the middle of a face nor have theirs in or near one."""
    middle = lambda some: some[:, :2] + some[:, 2:] / 2
    inside = lambda points, some, margin: (
        (points[:, None] > some[:, :2] - margin * some[:, 2:])
        & (points[:, None] < some[:, :2] + (1 + margin) * some[:, 2:])
    ).all(-1)
    return ~(inside(middle(faces), boxes, 0.1).any(0) | inside(middle(boxes), faces, 0.3).any(1))


def none(photo, teachers):
    """Indices of the boxes of `ignore` that are no faces."""
    large = photo.ignore[:, 2:].max(1) >= SMALLEST
    return np.nonzero(
        large & apart(photo.ignore, photo.boxes) & (chances(photo.ignore, look(photo, teachers)) < CHANCE)
    )[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--centerface", type=Path, required=True)
    options = parser.parse_args()
    # All of it, not what an earlier run left.
    (options.cache / JUDGED_FILE).unlink(missing_ok=True)
    teachers = YuNet(options.yunet, LOWEST_SCORE), CenterFace(str(options.centerface), LOWEST_SCORE)
    judged = {}
    for photo in split(load_photos(options.cache))[0]:
        # On photos of animals without people all that is `ignore` counts as none anyway.
        if (
            not len(photo.ignore)
            or photo.source in UNSURE_SOURCES
            or (photo.source in ANIMAL_SOURCES and not len(photo.boxes))
        ):
            continue
        indices = none(photo, teachers)
        if len(indices):
            judged[photo.name] = indices.tolist()
    (options.cache / JUDGED_FILE).write_text(json.dumps(judged))
    print(f"{sum(map(len, judged.values()))} boxes on {len(judged)} photos are no faces")


if __name__ == "__main__":
    main()
