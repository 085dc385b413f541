#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a network takes for faces on the training photos, and is none: training aims at these places as it does at faces.

    python mine.py --cache FOLDER --model MODEL.onnx

Writes `hard.json` into the cache of `photos.py`: `{file: [[x, y, w, h], ...]}`, in pixels of the photo.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))

from boxes import overlaps, suppress
from photos import ANIMAL_SOURCES, HARD_FILE, UNSURE_SOURCES, load_photos, split
from score import OnnxDetector, in_ignored, letterbox

SIDES = (320, 480, 640)
LOWEST_SCORE = 0.15


def hard_places(detector, photo):
    """(boxes [N, 4], scores [N]), surest first, of what is found in a photo and hits neither a face nor what may be one."""
    boxes, scores = [], []
    ignore = photo.ignore[:0] if photo.source in ANIMAL_SOURCES and not len(photo.boxes) else photo.ignore
    for side in SIDES:
        picture, zoom = letterbox(photo.pixels, side)
        for box, score in zip(*detector.detect(picture)):
            box = box / zoom
            near = len(photo.boxes) and overlaps([box], photo.boxes).max() > 0.05
            if score >= LOWEST_SCORE and not near and not in_ignored(box, ignore):
                boxes.append(box)
                scores.append(score)
    return suppress(np.reshape(boxes, (-1, 4)), np.array(scores))[:2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    training, _, _ = split(load_photos(options.cache))
    detector, hard, scores = OnnxDetector(options.model), {}, []
    for photo in (photo for photo in training if photo.source not in UNSURE_SOURCES):
        boxes, found = hard_places(detector, photo)
        if len(boxes):
            hard[photo.name] = boxes.round(1).tolist()
            scores += found.tolist()
    (options.cache / HARD_FILE).write_text(json.dumps(hard))
    print(f"{len(scores)} places in {len(hard)} of {len(training)} photos, {sum(score >= 0.5 for score in scores)} of them at .5 and more")


if __name__ == "__main__":
    main()
