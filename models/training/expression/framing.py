# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measure how a face detector's box and landmarks relate to the framing of the training pictures.

    python -m training.expression.framing --data DATA --centerface F.onnx [--yunet F.onnx] [--haar F.xml]
        [--emotion-face models/face/model.onnx] [--refiner models/face-refiner/model.onnx]
        [--model models/expression/model.onnx [--turn 0]] [--count 3000]

Training pictures are enlarged and pasted into larger canvases, so that the square of a perfect crop is known. Each
detector runs on the canvases, and the square is expressed relative to its box and landmarks.

With `--model`, the accuracy on PublicTest of detecting, cropping by rule and classifying is compared with that of the
known square. The faces are rotated by up to `--turn` degrees.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from training.common.face_model import EmotionFace
from training.common.reference_detectors import CenterFace, Haar, YuNet
from training.expression.dataset import load_faces
from training.expression.inference import onnx_logits
from training.expression.metrics import accuracies
from training.expression.readers import PUBLIC_TEST, TRAINING
from training.expression.squares import (
    Square,
    bilinear,
    crop,
    landmark_frame,
    landmark_size,
    square_from_box,
    square_from_landmarks,
)

CANVAS_SIDE = 320
FACE_SIDES = (112, 200)
BACKGROUNDS = ("plain", "edge", "gradient")


def background(kind, random):
    """An empty canvas, float [S, S]."""
    low, high = random.uniform(30, 220, 2)
    if kind == "gradient":
        return np.linspace(low, high, CANVAS_SIDE)[:, None].repeat(CANVAS_SIDE, 1)
    return np.full((CANVAS_SIDE, CANVAS_SIDE), low)


def paste(picture, random):
    """(canvas uint8 [S, S, 3], `Square` of the picture in it) for a picture [48, 48]."""
    side = int(random.integers(*FACE_SIDES))
    left, top = (int(v) for v in random.integers(40, CANVAS_SIDE - 40 - side + 1, 2))
    large = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
    kind = BACKGROUNDS[int(random.integers(len(BACKGROUNDS)))]
    if kind == "edge":
        right, bottom = CANVAS_SIDE - left - side, CANVAS_SIDE - top - side
        canvas = np.pad(large, ((top, bottom), (left, right)), mode="edge")
    else:
        canvas = background(kind, random)
        canvas[top : top + side, left : left + side] = large
    canvas = np.repeat(canvas.astype(np.uint8)[:, :, None], 3, axis=2)
    return canvas, Square(left + side / 2, top + side / 2, side)


def rotated(canvas, square, roll):
    """(canvas, square) rotated clockwise by `roll` radians about the square's centre; edge pixels are repeated."""
    x, y = np.meshgrid(np.arange(canvas.shape[1]) + 0.5 - square.x, np.arange(canvas.shape[0]) + 0.5 - square.y)
    cos, sin = np.cos(roll), np.sin(roll)
    plane = bilinear(canvas[:, :, 0].astype(np.float32), square.x + cos * x + sin * y, square.y - sin * x + cos * y)
    return np.repeat(plane.round().astype(np.uint8)[:, :, None], 3, axis=2), replace(square, roll=roll)


def find(detector, canvas, square):
    """The best detection with its centre inside the pasted picture, or None."""
    found = []
    for detection in detector.detect(canvas):
        x, y, w, h = detection.box
        if max(abs(x + w / 2 - square.x), abs(y + h / 2 - square.y)) < square.side / 2:
            found.append(detection)
    return max(found, key=lambda d: (d.score, d.box[3]), default=None)


def spread(values):
    """Median, first and third quartile, and their difference relative to the median, as text."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:+.3f} ({low:+.3f} .. {high:+.3f}), relative spread {(high - low) / max(1e-6, abs(middle)):.3f}"


def relative_to_boxes(pairs):
    """For each (detection, square): side / height, side / sqrt(area), side / width, offsets / height, [N, 5]."""
    table = []
    for detection, square in pairs:
        x, y, w, h = detection.box
        offsets = (square.x - x - w / 2) / h, (square.y - y - h / 2) / h
        table.append((square.side / h, square.side / np.sqrt(w * h), square.side / w, *offsets))
    return np.array(table)


def relative_to_landmarks(pairs):
    """For each (detection, square): side / size, / eye-to-mouth, / eye distance; offsets / size; roll, [N, 8].

    The offsets are those along the axes of the picture, then those along the axes of the face.
    """
    table = []
    for detection, square in pairs:
        centre, height, width, roll = landmark_frame(detection.landmarks)
        size = landmark_size(detection.landmarks)
        dx, dy = (square.x - centre[0]) / size, (square.y - centre[1]) / size
        along = np.cos(roll) * dx + np.sin(roll) * dy, -np.sin(roll) * dx + np.cos(roll) * dy
        table.append((square.side / size, square.side / height, square.side / width, dx, dy, *along, np.degrees(roll)))
    return np.array(table)


def median_rules(pairs):
    """{'box': rule, 'landmarks': rule, 'rotated': rule} from the medians, with offset_x 0: faces are symmetric."""
    boxes = np.median(relative_to_boxes(pairs), axis=0)
    rules = {"box": (boxes[0], 0.0, boxes[4])}
    if pairs[0][0].landmarks is not None:
        marks = np.median(relative_to_landmarks(pairs), axis=0)
        rules["landmarks"] = (marks[0], 0.0, marks[4])
        rules["rotated"] = (marks[0], 0.0, marks[6])
    return rules


def print_relations(name, pairs, count):
    print(f"\n## {name}: {len(pairs)} of {count} found")
    labels = [
        "box: side / height",
        "box: side / sqrt(w h)",
        "box: side / width",
        "box: offset x / height",
        "box: offset y / height",
    ]
    for label, column in zip(labels, relative_to_boxes(pairs).T):
        print(f"{label:34s} {spread(column)}")
    if pairs[0][0].landmarks is None:
        return
    labels = ["side / size", "side / eye-to-mouth", "side / eye distance", "offset x / size", "offset y / size"]
    labels += ["offset across the face / size", "offset along the face / size", "roll, degrees"]
    for label, column in zip(labels, relative_to_landmarks(pairs).T):
        print(f"landmarks: {label:23s} {spread(column)}")
    roll = np.abs(relative_to_landmarks(pairs)[:, 7])
    print(f"|roll| median {np.median(roll):.1f}, 90 % below {np.percentile(roll, 90):.1f} degrees")


def pasted(faces, count, seed):
    """(row, canvas, square) of `count` random rows."""
    random = np.random.default_rng(seed)
    for row in random.permutation(len(faces))[:count]:
        yield int(row), *paste(faces.images[row], random)


def measure_relations(detectors, faces, count):
    """Print the relations of each detector and return {name: rules}."""
    pairs = {name: [] for name in detectors}
    for _row, canvas, square in pasted(faces, count, seed=1):
        for name, detector in detectors.items():
            detection = find(detector, canvas, square)
            if detection is not None:
                pairs[name].append((detection, square))
    for name, found in pairs.items():
        print_relations(name, found, count)
    return {name: median_rules(found) for name, found in pairs.items()}


def squares_by_rule(detection, rules):
    """{'box', 'turned box', 'landmarks', 'rotated': Square}; only the first without landmarks."""
    box = square_from_box(detection.box, rules["box"])
    squares = {"box": box}
    if detection.landmarks is not None:
        squares["turned box"] = Square(box.x, box.y, box.side, landmark_frame(detection.landmarks)[3])
        squares["landmarks"] = square_from_landmarks(detection.landmarks, rules["landmarks"])
        squares["rotated"] = square_from_landmarks(detection.landmarks, rules["rotated"], rotate=True)
    return squares


def measure_accuracy(detectors, rules, faces, model, count, turn):
    """Print the accuracy of each rule and of the known square, over the rows where each detector finds the face.

    The faces are rotated by up to `turn` degrees.
    """
    crops = {name: {} for name in detectors}
    rows = {name: [] for name in detectors}
    random = np.random.default_rng(3)
    for row, canvas, square in pasted(faces, count, seed=2):
        if turn:
            canvas, square = rotated(canvas, square, np.radians(random.uniform(-turn, turn)))
        for name, detector in detectors.items():
            detection = find(detector, canvas, square)
            if detection is None:
                continue
            rows[name].append(row)
            for rule, found in {"known": square, **squares_by_rule(detection, rules[name])}.items():
                crops[name].setdefault(rule, []).append(crop(canvas, found))
    print("\n| detector | rule | found | FER+ % | FER2013 % |\n|---|---|---|---|---|")
    for name in detectors:
        subset = faces.subset(np.array(rows[name]))
        for rule, pictures in {"direct": subset.images, **crops[name]}.items():
            figures = accuracies(*onnx_logits(model, np.asarray(pictures)), subset)
            print(
                f"| {name} | {rule} | {len(subset)} | {100 * figures['ferplus']:.2f} "
                f"| {100 * figures['fer2013']:.2f} |",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--centerface", type=Path, required=True)
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--haar", type=Path)
    parser.add_argument("--emotion-face", type=Path)
    parser.add_argument("--refiner", type=Path, help="refiner of the detections of --emotion-face")
    parser.add_argument("--model", help="measure accuracy as well, with this ONNX file")
    parser.add_argument(
        "--turn", type=float, default=0.0, help="maximum rotation of the faces in degrees, for accuracy"
    )
    parser.add_argument(
        "--count", type=int, default=3000, help="number of pictures to paste (for accuracy, at most all of PublicTest)"
    )
    options = parser.parse_args()
    detectors = {"centerface": CenterFace(options.centerface)}
    if options.yunet:
        detectors["yunet"] = YuNet(options.yunet)
    if options.haar:
        detectors["haar"] = Haar(options.haar)
    if options.emotion_face:
        detectors["emotion-face"] = EmotionFace(options.emotion_face, refiner=options.refiner)
    rules = measure_relations(detectors, load_faces(options.data, TRAINING), options.count)
    for name, found in rules.items():
        for rule, values in found.items():
            print(
                f"{name} {rule}: "
                + ", ".join(f"{key} = {value:.3f}" for key, value in zip(("side", "offset_x", "offset_y"), values))
            )
    if options.model:
        measure_accuracy(
            detectors, rules, load_faces(options.data, PUBLIC_TEST), options.model, options.count, options.turn
        )


if __name__ == "__main__":
    main()
