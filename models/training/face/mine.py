# SPDX-License-Identifier: MIT OR Apache-2.0
"""Find hard negatives of a network on the training photos, and the faces that it misses.

    python -m training.face.mine --cache CACHE --model MODEL.onnx

Training aims at hard negatives as it does at faces, and more often at faces with a low score.

Writes `hard.json` into the cache of `photos.py`: `{file: {"hard": [[x, y, w, h, score], ...], "found": [score, ...]}}`.
`hard` holds boxes in pixels of the photo, `found` the best score of each labelled face, or 0 if it was not found.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from training.common.boxes import pairwise_iou, suppress
from training.face.evaluate import OnnxDetector
from training.face.metrics import in_ignored
from training.face.photos import ANIMAL_SOURCES, HARD_FILE, UNSURE_SOURCES, letterbox, load_photos, split

SIDES = (224, 320, 480, 640)
MIN_SCORE = 0.2
# Minimum IoU of a detection with the face that it finds.
MIN_IOU = 0.45


def mine(detector, photo):
    """(hard negatives [K, 5], best first; scores of the faces [N]).

    A hard negative is a detection, box and score, that matches neither a face nor an ignored box.
    """
    boxes, scores, face_scores = [], [], np.zeros(len(photo.boxes))
    ignore = photo.ignore[:0] if photo.source in ANIMAL_SOURCES and not len(photo.boxes) else photo.ignore
    for side in SIDES:
        picture, zoom = letterbox(photo.pixels, side)
        for box, score in zip(*detector.detect(picture)):
            box = box / zoom
            ious = pairwise_iou([box], photo.boxes)[0]
            face_scores = np.where(ious >= MIN_IOU, np.maximum(face_scores, score), face_scores)
            if score >= MIN_SCORE and ious.max(initial=0) <= 0.05 and not in_ignored(box, ignore):
                boxes.append(box)
                scores.append(score)
    if photo.source in UNSURE_SOURCES:
        return np.zeros((0, 5)), face_scores
    boxes, scores, _ = suppress(np.reshape(boxes, (-1, 4)), np.array(scores))
    return np.concatenate([boxes, scores[:, None]], 1), face_scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    training, _, _ = split(load_photos(options.cache))
    detector, mined = OnnxDetector(options.model), {}
    for photo in training:
        negatives, face_scores = mine(detector, photo)
        mined[photo.name] = {"hard": negatives.round(3).tolist(), "found": face_scores.round(3).tolist()}
    (options.cache / HARD_FILE).write_text(json.dumps(mined))
    scores = np.array([negative[4] for entry in mined.values() for negative in entry["hard"]])
    face_scores = np.array([score for entry in mined.values() for score in entry["found"]])
    print(f"{len(scores)} hard negatives, {(scores >= 0.5).sum()} of them with a score of at least .5")
    print(f"{len(face_scores)} faces, {(face_scores >= 0.5).mean():.1%} of them with a score of at least .5")


if __name__ == "__main__":
    main()
