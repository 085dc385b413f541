#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cut what the face network takes for faces, rightly and wrongly, out of the training photos, for `train_refiner.py`.

    python cut_boxes.py --cache FOLDER --model ../../face/model.onnx --yunet yunet_n.onnx --centerface centerface.onnx --output FOLDER

Writes `pictures.u8`, uint8 [N, 64, 64, 3], RGB of the square around a box as it was found, 2.4 times its longer side, and `boxes.npz`:
`scores` float32 [N] of the network; `labels` float32 [N], 1 for a face, 0 for none, its chance to be one by `judge.py` where the teachers
disagree; `sizes` float32 [N], the longer side in pixels of the photo; `faces` float32 [N, 4], centre from the square's middle and width
and height, in sides of the square; `landmarks` float32 [N, 5, 2], likewise from its middle; both NaN where unknown; `animals` and `masked`
bool [N], where the photo is from.
"""

import argparse
from pathlib import Path

import numpy as np

from training.common.boxes import overlaps, suppress
from training.common.detectors import CenterFace, EmotionFace, YuNet, square
from training.face.judge import LOWEST_SCORE as LOWEST_TEACHERS
from training.face.judge import chances, look
from training.face.photos import ANIMAL_SOURCES, MASKED, UNSURE_SOURCES, load_photos, split
from training.face.evaluate import in_ignored, letterbox

# Photos are looked at with these longer sides of the network's input: each finds faces with boxes a little different.
SIDES = (224, 320, 480, 640)
# Of one photo at one size so many boxes at most, drawn at random, none smaller.
MOST, SMALLEST = 60, 9.0
LOWEST_SCORE = 0.05
# A box that overlaps a face so much has found it, likewise what only one teacher saw; one that overlaps none more than that has not.
HIT, MISS = 0.45, 0.2
# Of the misses with less than this score a part is left out: there are plenty.
DULL, DULL_KEPT = 0.1, 0.6
PICTURE, REACH = 64, 2.4


def found_boxes(detector, photo, teachers, random):
    """(box [4], score, label, index of the face or None) of what is found and is clearly a face, clearly none, or what one teacher saw."""
    ignore = photo.ignore[:0] if photo.source in ANIMAL_SOURCES and not len(photo.boxes) else photo.ignore
    looked = look(photo, teachers) if len(ignore) else []
    for side in SIDES:
        # Larger than life nothing is seen better.
        if side > 1.5 * max(photo.pixels.shape):
            continue
        picture, zoom = letterbox(photo.pixels, side)
        boxes, _, scores = detector.candidates(picture)
        boxes, scores, _ = suppress(boxes, scores)
        for index in random.permutation(len(boxes))[:MOST]:
            box = boxes[index] / zoom
            shared = overlaps([box], photo.boxes)[0]
            if max(box[2:]) < SMALLEST:
                continue
            if shared.max(initial=0) >= HIT:
                yield box, scores[index], 1.0, shared.argmax()
            elif photo.source in UNSURE_SOURCES or shared.max(initial=0) > MISS:
                continue
            elif overlaps([box], ignore).max(initial=0) >= HIT:
                yield box, scores[index], chances(box[None], looked)[0], None
            elif not in_ignored(box, ignore) and (scores[index] >= DULL or random.random() < DULL_KEPT):
                yield box, scores[index], 0.0, None


def describe(photo, box, score, label, face):
    """A row of `boxes.npz`."""
    middle, size = box[:2] + box[2:] / 2, max(box[2:])
    row = {
        "scores": score,
        "labels": label,
        "sizes": size,
        "faces": np.full(4, np.nan),
        "landmarks": np.full((5, 2), np.nan),
    }
    if face is not None:
        x, y, *sides = photo.boxes[face]
        row["faces"] = np.append((x, y) + np.array(sides) / 2 - middle, sides) / (REACH * size)
        row["landmarks"] = (photo.landmarks[face] - middle) / (REACH * size)
    return row | {"animals": photo.source in ANIMAL_SOURCES, "masked": photo.source == MASKED}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--centerface", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    detector, random, rows = EmotionFace(options.model, LOWEST_SCORE), np.random.default_rng(0), []
    teachers = YuNet(options.yunet, LOWEST_TEACHERS), CenterFace(str(options.centerface), LOWEST_TEACHERS)
    photos = split(load_photos(options.cache))[0]
    with open(options.output / "pictures.u8", "wb") as pictures:
        for index, photo in enumerate(photos):
            for box, score, label, face in found_boxes(detector, photo, teachers, random):
                pictures.write(square(photo.pixels, box[:2] + box[2:] / 2, REACH * max(box[2:]), PICTURE).tobytes())
                rows.append(describe(photo, box, score, label, face))
            if index % 500 == 499:
                print(f"{index + 1} of {len(photos)} photos, {len(rows)} boxes", flush=True)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    np.savez(
        options.output / "boxes.npz",
        **{name: column.astype(np.float32) if column.dtype.kind == "f" else column for name, column in columns.items()},
    )
    labels = columns["labels"]
    print(f"{len(rows)} boxes, {(labels == 1).sum()} of them faces and {((labels > 0) & (labels < 1)).sum()} perhaps")


if __name__ == "__main__":
    main()
