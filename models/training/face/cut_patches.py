# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cut the detections of the face network, hits and misses, out of the training photos, for `train_refiner.py`.

    python -m training.face.cut_patches --cache CACHE --model models/face/model.onnx --yunet yunet_n.onnx
                                        --centerface centerface.onnx --output FOLDER

FOLDER receives `pictures.u8`, uint8 [N, 64, 64, 3], RGB of a square around each detected box, 2.4 times its longer
side, and `boxes.npz`:

    scores     float32 [N]        of the network
    labels     float32 [N]        1 for a face, 0 for none; the probability by `judge.py` where the teachers disagree
    sizes      float32 [N]        longer side in pixels of the photo
    faces      float32 [N, 4]     centre, width and height of the face
    landmarks  float32 [N, 5, 2]  of the face
    animals    bool [N]           True for photos of animals
    masked     bool [N]           True for photos of masked faces

Positions of `faces` and `landmarks` are relative to the centre of the square, lengths in units of its side; unknown
ones are NaN.
"""

import argparse
from pathlib import Path

import numpy as np

from training.common.boxes import pairwise_iou, suppress
from training.common.face_model import EmotionFace, crop_square
from training.common.reference_detectors import CenterFace, YuNet
from training.face.judge import MIN_SCORE as MIN_TEACHER_SCORE
from training.face.judge import face_probabilities, teachers_boxes
from training.face.metrics import in_ignored
from training.face.photos import ANIMAL_SOURCES, MASKED, UNSURE_SOURCES, letterbox, load_photos, split

# Longer sides of the network's input. At each of them, the boxes differ a little.
INPUT_SIDES = (224, 320, 480, 640)
# Maximum number of boxes of a photo at one input size, drawn at random, and minimum size of a box.
MAX_BOXES, MIN_SIZE = 60, 9.0
MIN_SCORE = 0.05
# IoU with a face, or with a box that one teacher alone found, above which a box is a hit; IoU below which it is a miss.
HIT_IOU, MISS_IOU = 0.45, 0.2
# Of the many misses below the first score, only this share is used.
EASY_SCORE, EASY_SHARE = 0.1, 0.6
# Side of a patch in pixels, and side of the square that it shows in units of the longer side of the box.
PATCH_SIDE, REACH = 64, 2.4


def found_boxes(detector, photo, teachers, random):
    """Yield (box [4], score, label, index of the face or None) of hits, misses and disputed boxes."""
    ignore = photo.ignore[:0] if photo.source in ANIMAL_SOURCES and not len(photo.boxes) else photo.ignore
    detections = teachers_boxes(photo, teachers) if len(ignore) else []
    for side in INPUT_SIDES:
        # Enlarging a photo much further adds no detail.
        if side > 1.5 * max(photo.pixels.shape):
            continue
        picture, zoom = letterbox(photo.pixels, side)
        boxes, _, scores = detector.candidates(picture)
        boxes, scores, _ = suppress(boxes, scores)
        for index in random.permutation(len(boxes))[:MAX_BOXES]:
            box = boxes[index] / zoom
            ious = pairwise_iou([box], photo.boxes)[0]
            if max(box[2:]) < MIN_SIZE:
                continue
            if ious.max(initial=0) >= HIT_IOU:
                yield box, scores[index], 1.0, ious.argmax()
            elif photo.source in UNSURE_SOURCES or ious.max(initial=0) > MISS_IOU:
                continue
            elif pairwise_iou([box], ignore).max(initial=0) >= HIT_IOU:
                yield box, scores[index], face_probabilities(box[None], detections)[0], None
            elif not in_ignored(box, ignore) and (scores[index] >= EASY_SCORE or random.random() < EASY_SHARE):
                yield box, scores[index], 0.0, None


def patch_row(photo, box, score, label, face):
    """A row of `boxes.npz`."""
    centre, size = box[:2] + box[2:] / 2, max(box[2:])
    row = {
        "scores": score,
        "labels": label,
        "sizes": size,
        "faces": np.full(4, np.nan),
        "landmarks": np.full((5, 2), np.nan),
    }
    if face is not None:
        x, y, *sides = photo.boxes[face]
        row["faces"] = np.append((x, y) + np.array(sides) / 2 - centre, sides) / (REACH * size)
        row["landmarks"] = (photo.landmarks[face] - centre) / (REACH * size)
    return row | {"animals": photo.source in ANIMAL_SOURCES, "masked": photo.source == MASKED}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--centerface", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    detector, random, rows = EmotionFace(options.model, MIN_SCORE), np.random.default_rng(0), []
    teachers = YuNet(options.yunet, MIN_TEACHER_SCORE), CenterFace(str(options.centerface), MIN_TEACHER_SCORE)
    photos = split(load_photos(options.cache))[0]
    with open(options.output / "pictures.u8", "wb") as patches:
        for index, photo in enumerate(photos):
            for box, score, label, face in found_boxes(detector, photo, teachers, random):
                patches.write(
                    crop_square(photo.pixels, box[:2] + box[2:] / 2, REACH * max(box[2:]), PATCH_SIDE).tobytes()
                )
                rows.append(patch_row(photo, box, score, label, face))
            if index % 500 == 499:
                print(f"{index + 1} of {len(photos)} photos, {len(rows)} boxes", flush=True)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    np.savez(
        options.output / "boxes.npz",
        **{name: column.astype(np.float32) if column.dtype.kind == "f" else column for name, column in columns.items()},
    )
    labels = columns["labels"]
    print(f"{len(rows)} boxes, {(labels == 1).sum()} of them faces, {((labels > 0) & (labels < 1)).sum()} disputed")


if __name__ == "__main__":
    main()
