#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a network takes for faces on the training photos, and is none, and how surely it finds the faces: training aims at
these places as it does at faces, and at the faces that it misses more often than at others.

    python mine.py --cache FOLDER --model MODEL.onnx

Writes `hard.json` into the cache of `photos.py`: `{file: {"hard": [[x, y, w, h, score], ...], "found": [score, ...]}}`, boxes in
pixels of the photo, the best score of each labelled face, 0 if it was not found.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from training.common.boxes import overlaps, suppress
from training.face.photos import ANIMAL_SOURCES, HARD_FILE, UNSURE_SOURCES, load_photos, split
from training.face.evaluate import OnnxDetector, in_ignored, letterbox

SIDES = (224, 320, 480, 640)
LOWEST_SCORE = 0.2
# How well a box has to fit a face to have found it.
FOUND_IOU = 0.45


def look(detector, photo):
    """(places [K, 5], found [N]): boxes and scores, surest first, of what hits neither a face nor what may be one; scores of the faces."""
    boxes, scores, found = [], [], np.zeros(len(photo.boxes))
    ignore = photo.ignore[:0] if photo.source in ANIMAL_SOURCES and not len(photo.boxes) else photo.ignore
    for side in SIDES:
        picture, zoom = letterbox(photo.pixels, side)
        for box, score in zip(*detector.detect(picture)):
            box = box / zoom
            shared = overlaps([box], photo.boxes)[0]
            found = np.where(shared >= FOUND_IOU, np.maximum(found, score), found)
            if score >= LOWEST_SCORE and shared.max(initial=0) <= 0.05 and not in_ignored(box, ignore):
                boxes.append(box)
                scores.append(score)
    if photo.source in UNSURE_SOURCES:
        return np.zeros((0, 5)), found
    boxes, scores, _ = suppress(np.reshape(boxes, (-1, 4)), np.array(scores))
    return np.concatenate([boxes, scores[:, None]], 1), found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    training, _, _ = split(load_photos(options.cache))
    detector, seen = OnnxDetector(options.model), {}
    for photo in training:
        hard, found = look(detector, photo)
        seen[photo.name] = {"hard": hard.round(3).tolist(), "found": found.round(3).tolist()}
    (options.cache / HARD_FILE).write_text(json.dumps(seen))
    scores = np.array([place[4] for one in seen.values() for place in one["hard"]])
    found = np.array([score for one in seen.values() for score in one["found"]])
    print(
        f"{len(scores)} places that are no faces, {(scores >= 0.5).sum()} of them at .5 and more; {(found >= 0.5).mean():.1%} of {len(found)} faces at .5 and more"
    )


if __name__ == "__main__":
    main()
