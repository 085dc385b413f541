#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cut the faces that the face network finds on the training photos out of them, for `train_marks.py`.

    python cut_faces.py --cache FOLDER --model ../../face/model.onnx --output FACES.npz

`pictures` uint8 [N, 64, 64], luma of the square around a box as it was found, 2.4 times its longer side; `landmarks` float32
[N, 5, 2], from the square's middle in sides of the square; `sizes` float32 [N], the longer side in pixels of the photo.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))

from boxes import overlaps, suppress
from detectors import EmotionFace, luma_square
from photos import load_photos, split
from score import letterbox

# Faces are looked for with these longer sides of the network's input: each finds them with boxes a little different.
SIDES = (224, 320, 480, 640)
LOWEST_SCORE = 0.05
PICTURE, REACH = 64, 2.4
SMALLEST = 9.0
FOUND_IOU = 0.45


def found_faces(detector, photo):
    """(box [4], index of the face) of whatever hits one with landmarks."""
    known = np.isfinite(photo.landmarks).all((1, 2))
    for side in SIDES:
        picture, zoom = letterbox(photo.pixels, side)
        boxes, _, scores = detector.candidates(picture)
        boxes = suppress(boxes, scores)[0] / zoom
        for box, shared in zip(boxes, overlaps(boxes, photo.boxes)):
            face = shared.argmax()
            if shared[face] >= FOUND_IOU and known[face] and max(box[2:]) >= SMALLEST:
                yield box, face


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    detector, cut = EmotionFace(options.model, LOWEST_SCORE), []
    photos = [photo for photo in split(load_photos(options.cache))[0] if np.isfinite(photo.landmarks).all((1, 2)).any()]
    for index, photo in enumerate(photos):
        for box, face in found_faces(detector, photo):
            middle, length = box[:2] + box[2:] / 2, REACH * max(box[2:])
            cut.append((luma_square(photo.pixels, middle, length, PICTURE), (photo.landmarks[face] - middle) / length, length / REACH))
        if index % 500 == 499:
            print(f"{index + 1} of {len(photos)} photos, {len(cut)} faces", flush=True)
    pictures, landmarks, sizes = zip(*cut)
    np.savez(options.output, pictures=np.stack(pictures), landmarks=np.array(landmarks, np.float32), sizes=np.array(sizes, np.float32))
    print(f"{len(cut)} faces")


if __name__ == "__main__":
    main()
