#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Average precision and landmarks of face detectors on the validation photos, in Python; the card's precisions come from `emotion-evaluate`.

    python score.py --cache FOLDER MODEL.onnx ... [--refiner ../../face-refiner/model.onnx] [--sides 320 640]

A photo's longer side is brought to the given sizes. Faces, and boxes that hit none, count from 16 px in a photo of 640 px on, landmarks
of faces from 24 px in the network's input on.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from training.common import detectors
from training.common.boxes import overlaps, suppress
from training.face.photos import ANIMAL_SOURCES, load_photos, split

SMALLEST = 16 / 640
LOWEST_SCORE = 0.01
IOU = 0.5
# Landmarks are looked at on faces of so many pixels in the input that are found with such a score; more than so many degrees are a tilt,
# and faces that lie are left out.
MARKED_SIZE, MARKED_SCORE = 24, 0.3
TILTED, LYING = 10, 60


def letterbox(pixels, side):
    """(picture uint8 with sides that are multiples of 32, zoom): the photo at the top left, black elsewhere."""
    height, width = pixels.shape[:2]
    zoom = side / max(height, width)
    size = max(round(width * zoom), 1), max(round(height * zoom), 1)
    canvas = np.zeros((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), np.uint8)
    canvas[: size[1], : size[0]] = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    return canvas, zoom


def open_detector(path, lowest):
    """Ours, or one of the references in `detectors.py`, with scores of `lowest` and more; RGB 0..255."""
    names = [value.name for value in detectors._session(str(path), 1).get_outputs()]
    kind = (
        detectors.EmotionFace if "stride_8" in names else detectors.YuNet if len(names) == 12 else detectors.CenterFace
    )
    return kind(str(path), lowest)


class OnnxDetector:
    """The boxes of a detector, as arrays."""

    def __init__(self, path, refiner=None):
        self.detector, self.refiner = (
            open_detector(path, detectors.Refiner.doubtful(LOWEST_SCORE) if refiner else LOWEST_SCORE),
            refiner,
        )

    def detect(self, picture):
        """(boxes [N, 4] as x, y, width, height; scores [N])"""
        if isinstance(self.detector, detectors.EmotionFace):
            return suppress(*self.detector.candidates(picture)[::2])[:2]
        found = self.detector.detect(picture)
        return np.array([d.box for d in found], float).reshape(-1, 4), np.array([d.score for d in found])

    def detect_on(self, photo, side):
        """(boxes [N, 4], scores [N]), best first, on a photo whose longer side is brought to `side`; in its own pixels, as the refiner leaves them."""
        picture, zoom = letterbox(photo.pixels, side)
        boxes, scores = self.detect(picture)
        if self.refiner is None:
            return boxes / zoom, scores
        boxes, _, scores = self.refiner.refine(photo.pixels, boxes / zoom, scores, zoom)
        return boxes, scores


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
        boxes, scores = detector.detect_on(photo, side)
        if photo.source in ANIMAL_SOURCES:
            if not len(photo.boxes):
                animal_photos += 1
                animals += int((scores >= 0.5).sum())
            continue
        found, count = match(photo, boxes, scores)
        results += found
        faces += count
    sure = [hit for score, hit in results if score >= 0.5]
    figures = {
        "ap": average_precision(results, faces),
        "recall": sum(sure) / max(faces, 1),
        "precision": sum(sure) / max(len(sure), 1),
    }
    if animal_photos:
        figures["animals"] = 100 * animals / animal_photos
    return {name: round(value, 4) for name, value in figures.items()}


def tilt(landmarks):
    """Degrees, clockwise as seen, by which the line through the eyes of [5, 2] is turned."""
    across = landmarks[1] - landmarks[0]
    return np.degrees(np.arctan2(across[1], across[0]))


def landmarks_of(detector, photos, side, refiner=None):
    """How landmarks of the found faces lie to the labelled ones: mean distance along an axis in percent of the face's side; correlation of
    the tilts; median degrees that it is off where it is a tilt, and of how many faces that is. A refiner's are from the photo's own
    pixels."""
    errors, tilts = [], []
    for photo in photos:
        picture, zoom = letterbox(photo.pixels, side)
        found = detector.detect(picture)
        shared = overlaps(photo.boxes, np.array([d.box for d in found], float).reshape(-1, 4) / zoom)
        for box, labelled, fits in zip(photo.boxes, photo.landmarks, shared):
            if (
                not np.isfinite(labelled).all()
                or max(box[2:]) * zoom < MARKED_SIZE
                or fits.max(initial=0) < IOU
                or abs(tilt(labelled)) > LYING
            ):
                continue
            best = found[fits.argmax()]
            marks = best.landmarks / zoom
            if refiner is not None:
                _, (marks,), _ = refiner.refine(photo.pixels, np.array(best.box) / zoom, [best.score], zoom)
            errors.append(np.abs(marks - labelled).mean() / np.sqrt(box[2] * box[3]))
            tilts.append((tilt(labelled), tilt(marks)))
    labelled, ours = np.array(tilts).reshape(-1, 2).T
    tilted = np.abs(labelled) > TILTED
    counts = {"marked": len(errors), "tilted": int(tilted.sum())}
    if not tilted.any():
        return counts
    # Of constant tilts, as of an untrained network, there is none.
    correlation = np.corrcoef(labelled, ours)[0, 1] if ours.std() > 0 else 0
    figures = {
        "marks_error": 100 * np.mean(errors),
        "tilt": correlation,
        "tilt_off": np.median(np.abs(ours - labelled)[tilted]),
    }
    return counts | {name: round(float(value), 3) for name, value in figures.items()}


def validate(path, sets, sides=(320, 640)):
    """Figures of an ONNX file on named sets of photos: human at both sizes, the others at the smaller one; landmarks of the others."""
    detector, marked, figures = OnnxDetector(path), open_detector(path, MARKED_SCORE), {}
    for name, photos in sets.items():
        for side in sides if name == "human" else sides[:1]:
            seen = scores_of(detector, photos, side) | ({} if name == "human" else landmarks_of(marked, photos, side))
            figures |= {f"{name}_{side}_{key}": value for key, value in seen.items()}
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--refiner", type=Path, help="what has a second look at what the models find")
    parser.add_argument("--sides", type=int, nargs="+", default=[320, 640])
    options = parser.parse_args()
    _, held_out, human = split(load_photos(options.cache))
    refiner = options.refiner and detectors.Refiner(options.refiner)
    for path in options.models:
        detector, marked = OnnxDetector(path, refiner), open_detector(path, MARKED_SCORE)
        for side in options.sides:
            for name, photos in (("human", human), ("held out", held_out)):
                began = time.monotonic()
                figures = scores_of(detector, photos, side) | (
                    {} if name == "human" else landmarks_of(marked, photos, side, refiner)
                )
                print(f"{path.name} {side} {name}: {figures} {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
