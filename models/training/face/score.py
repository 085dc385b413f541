#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Average precision of face detectors on the validation photos, in Python; the figures of the card come from `emotion-evaluate`.

    python score.py --cache FOLDER MODEL.onnx ... [--sides 320 640]

A photo's longer side is brought to the given sizes. Faces, and boxes that hit none, count from 16 px in a photo of 640 px on.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).resolve().parent.parent))

import detectors
from boxes import overlaps, suppress
from photos import ANIMAL_SOURCES, load_photos, split

SMALLEST = 16 / 640
LOWEST_SCORE = 0.02
IOU = 0.5


def letterbox(pixels, side):
    """(picture uint8 with sides that are multiples of 32, zoom): the photo at the top left, black elsewhere."""
    height, width = pixels.shape[:2]
    zoom = side / max(height, width)
    size = max(round(width * zoom), 1), max(round(height * zoom), 1)
    canvas = np.zeros((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), np.uint8)
    canvas[: size[1], : size[0]] = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    return canvas, zoom


class OnnxDetector:
    """Ours, or one of the references in `detectors.py`; RGB 0..255."""

    def __init__(self, path):
        names = [value.name for value in detectors._session(str(path), 1).get_outputs()]
        if "stride_8" in names:
            own = detectors.EmotionFace(path, LOWEST_SCORE)
            self.run = lambda picture: suppress(*own.candidates(picture)[::2])[:2]
        elif len(names) == 12:
            self.run = detectors.YuNet(path, LOWEST_SCORE).detect
        else:
            self.run = detectors.CenterFace(str(path), LOWEST_SCORE).detect

    def detect(self, picture):
        found = self.run(picture)
        if isinstance(found, tuple):
            return found
        return np.array([d.box for d in found], float).reshape(-1, 4), np.array([d.score for d in found])


def match(photo, boxes, scores):
    """(score, hit) of the boxes that count, and the number of faces that do."""
    least = SMALLEST * max(photo.pixels.shape)
    counts = photo.boxes[:, 2:].max(1) >= least if len(photo.boxes) else np.zeros(0, bool)
    iou = overlaps(boxes, photo.boxes)
    taken = np.zeros(len(photo.boxes), bool)
    results = []
    for index, (box, score) in enumerate(zip(boxes, scores)):
        fits = np.where(taken, 0, iou[index]) if len(taken) else np.zeros(0)
        if len(fits) and fits.max() >= IOU:
            taken[fits.argmax()] = True
            if counts[fits.argmax()]:
                results.append((score, True))
        elif max(box[2:]) >= least and not in_ignored(box, photo.ignore):
            results.append((score, False))
    return results, int(counts.sum())


def in_ignored(box, ignore):
    """True if half of the box lies in one of the others, or overlaps one as a detection does."""
    if not len(ignore):
        return False
    low = np.maximum(box[:2], ignore[:, :2])
    shared = np.prod(np.clip(np.minimum(box[:2] + box[2:], ignore[:, :2] + ignore[:, 2:]) - low, 0, None), 1)
    return bool((shared / max(box[2] * box[3], 1e-9) > 0.5).any() or (overlaps([box], ignore) > 0.4).any())


def average_precision(results, faces):
    """Area under precision over recall, precision made monotonous."""
    order = sorted(results, key=lambda result: -result[0])
    hits = np.cumsum([hit for _, hit in order]) if order else np.zeros(0)
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / max(faces, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0) * envelope).sum())


def scores_of(detector, photos, side):
    """Average precision and, at a score of .5: recall, precision and false boxes per 100 photos of animals without people."""
    results, faces, animals, animal_photos = [], 0, 0, 0
    for photo in photos:
        picture, zoom = letterbox(photo.pixels, side)
        boxes, scores = detector.detect(picture)
        boxes = boxes / zoom
        if photo.source in ANIMAL_SOURCES:
            if not len(photo.boxes):
                animal_photos += 1
                animals += int((scores >= 0.5).sum())
            continue
        found, count = match(photo, boxes, scores)
        results += found
        faces += count
    sure = [hit for score, hit in results if score >= 0.5]
    figures = {"ap": average_precision(results, faces), "recall": sum(sure) / max(faces, 1), "precision": sum(sure) / max(len(sure), 1)}
    if animal_photos:
        figures["animals"] = 100 * animals / animal_photos
    return {name: round(value, 4) for name, value in figures.items()}


def validate(path, sets, sides=(320, 640)):
    """Figures of an ONNX file on named sets of photos: human at both sizes, the others at the smaller one."""
    detector, figures = OnnxDetector(path), {}
    for name, photos in sets.items():
        for side in sides if name == "human" else sides[:1]:
            figures |= {f"{name}_{side}_{key}": value for key, value in scores_of(detector, photos, side).items()}
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sides", type=int, nargs="+", default=[320, 640])
    options = parser.parse_args()
    _, held_out, human = split(load_photos(options.cache))
    for path in options.models:
        detector = OnnxDetector(path)
        for side in options.sides:
            for name, photos in (("human", human), ("held out", held_out)):
                began = time.monotonic()
                figures = scores_of(detector, photos, side)
                print(f"{path.name} {side} {name}: {figures} {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
