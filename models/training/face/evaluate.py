# SPDX-License-Identifier: MIT OR Apache-2.0
"""Average precision and landmark errors of face detectors on the validation photos, in Python.

    python -m training.face.evaluate --cache CACHE MODEL.onnx ... [--refiner models/face-refiner/model.onnx]
                                     [--sides 320 640]

The longer side of each photo is resized to the given sides. Faces, and boxes that match none, count from 16 px in a
photo of 640 px, landmarks from a face size of 24 px in the network's input. The precisions in the model card come from
`emotion-evaluate`.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from training.common.boxes import pairwise_iou, suppress
from training.common.detection import open_session
from training.common.face_model import EmotionFace, Refiner
from training.common.reference_detectors import CenterFace, YuNet
from training.face.metrics import MIN_IOU, average_precision, match, tilt
from training.face.photos import ANIMAL_SOURCES, letterbox, load_photos, split

MIN_SCORE = 0.01
# Landmarks are measured on faces of at least this size, in pixels of the input, and this score.
MIN_LANDMARK_SIZE, MIN_LANDMARK_SCORE = 24, 0.3
# A face is tilted above the first angle in degrees, and excluded above the second.
MIN_TILT, MAX_TILT = 10, 60


def open_detector(path, min_score):
    """The face network, YuNet or CenterFace, whichever the file is, with `min_score` as its threshold."""
    names = [value.name for value in open_session(str(path)).get_outputs()]
    kind = EmotionFace if "stride_8" in names else YuNet if len(names) == 12 else CenterFace
    return kind(str(path), min_score)


class OnnxDetector:
    """A detector that returns arrays of boxes and scores, with an optional refiner."""

    def __init__(self, path, refiner=None):
        self.detector, self.refiner = (
            open_detector(path, Refiner.min_candidate_score(MIN_SCORE) if refiner else MIN_SCORE),
            refiner,
        )

    def detect(self, picture):
        """(boxes [N, 4] as x, y, width, height; scores [N])"""
        if isinstance(self.detector, EmotionFace):
            return suppress(*self.detector.candidates(picture)[::2])[:2]
        found = self.detector.detect(picture)
        return np.array([d.box for d in found], float).reshape(-1, 4), np.array([d.score for d in found])

    def detect_on(self, photo, side):
        """(boxes [N, 4] in pixels of the photo, scores [N]), best first, with a longer side of the input of `side`."""
        picture, zoom = letterbox(photo.pixels, side)
        boxes, scores = self.detect(picture)
        if self.refiner is None:
            return boxes / zoom, scores
        boxes, _, scores = self.refiner.refine(photo.pixels, boxes / zoom, scores, zoom)
        return boxes, scores


def scores_of(detector, photos, side):
    """Average precision and, at a score of .5, recall, precision and boxes per 100 photos of animals without people."""
    results, faces, animal_boxes, animal_photos = [], 0, 0, 0
    for photo in photos:
        boxes, scores = detector.detect_on(photo, side)
        if photo.source in ANIMAL_SOURCES:
            if not len(photo.boxes):
                animal_photos += 1
                animal_boxes += int((scores >= 0.5).sum())
            continue
        found, count = match(photo, boxes, scores)
        results += found
        faces += count
    reported = [hit for score, hit in results if score >= 0.5]
    figures = {
        "ap": average_precision(results, faces),
        "recall": sum(reported) / max(faces, 1),
        "precision": sum(reported) / max(len(reported), 1),
    }
    if animal_photos:
        figures["animals"] = 100 * animal_boxes / animal_photos
    return {name: round(value, 4) for name, value in figures.items()}


def is_measured(box, landmarks, zoom):
    """True for a labelled face that is large and upright enough to measure its landmarks."""
    return (
        np.isfinite(landmarks).all() and max(box[2:]) * zoom >= MIN_LANDMARK_SIZE and abs(tilt(landmarks)) <= MAX_TILT
    )


def landmarks_of(detector, photos, side, refiner=None):
    """Landmark errors of the detected faces, with the landmarks of the refiner if there is one.

    marked       number of faces
    tilted       number of tilted faces
    marks_error  mean distance along an axis, in percent of the size of the face
    tilt         correlation of the predicted and labelled tilts
    tilt_off     median error of the tilt of tilted faces, in degrees
    """
    errors, tilts = [], []
    for photo in photos:
        picture, zoom = letterbox(photo.pixels, side)
        detections = detector.detect(picture)
        detected = np.array([d.box for d in detections], float).reshape(-1, 4) / zoom
        for box, labelled, ious in zip(photo.boxes, photo.landmarks, pairwise_iou(photo.boxes, detected)):
            if ious.max(initial=0) < MIN_IOU or not is_measured(box, labelled, zoom):
                continue
            best = detections[ious.argmax()]
            landmarks = best.landmarks / zoom
            if refiner is not None:
                _, (landmarks,), _ = refiner.refine(photo.pixels, np.array(best.box) / zoom, [best.score], zoom)
            errors.append(np.abs(landmarks - labelled).mean() / np.sqrt(box[2] * box[3]))
            tilts.append((tilt(labelled), tilt(landmarks)))
    labelled, predicted = np.array(tilts).reshape(-1, 2).T
    tilted = np.abs(labelled) > MIN_TILT
    counts = {"marked": len(errors), "tilted": int(tilted.sum())}
    if not tilted.any():
        return counts
    # Constant tilts, as of an untrained network, have no correlation.
    correlation = np.corrcoef(labelled, predicted)[0, 1] if predicted.std() > 0 else 0
    figures = {
        "marks_error": 100 * np.mean(errors),
        "tilt": correlation,
        "tilt_off": np.median(np.abs(predicted - labelled)[tilted]),
    }
    return counts | {name: round(float(value), 3) for name, value in figures.items()}


def validate(path, sets, sides=(320, 640)):
    """Figures of an ONNX file on named sets of photos: `human` at all sides, others at the first, with landmarks."""
    detector, landmark_detector, figures = OnnxDetector(path), open_detector(path, MIN_LANDMARK_SCORE), {}
    for name, photos in sets.items():
        for side in sides if name == "human" else sides[:1]:
            seen = scores_of(detector, photos, side) | (
                {} if name == "human" else landmarks_of(landmark_detector, photos, side)
            )
            figures |= {f"{name}_{side}_{key}": value for key, value in seen.items()}
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--refiner", type=Path, help="refiner of the detections")
    parser.add_argument("--sides", type=int, nargs="+", default=[320, 640])
    options = parser.parse_args()
    _, held_out, human = split(load_photos(options.cache))
    refiner = options.refiner and Refiner(options.refiner)
    for path in options.models:
        detector, landmark_detector = OnnxDetector(path, refiner), open_detector(path, MIN_LANDMARK_SCORE)
        for side in options.sides:
            for name, photos in (("human", human), ("held out", held_out)):
                started = time.monotonic()
                figures = scores_of(detector, photos, side) | (
                    {} if name == "human" else landmarks_of(landmark_detector, photos, side, refiner)
                )
                print(f"{path.name} {side} {name}: {figures} {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
