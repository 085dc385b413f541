#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""How a face detector's result relates to the framing of the training pictures.

    python framing.py --data FOLDER --centerface F.onnx [--yunet F.onnx] [--haar F.xml] [--emotion-face ../face/model.onnx]
                      [--refiner ../face-refiner/model.onnx]
                      [--model ../expression/model.onnx [--turn 0]] [--count 3000]

Training pictures are pasted, enlarged, into larger canvases, so that the square that makes a good crop is known;
each detector is run on the canvases, and the square is expressed relative to the detector's box and landmarks.
With `--model`, accuracy on PublicTest of detect, crop by rule, classify is compared with the known square, for faces that are
turned by up to `--turn` degrees.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.dataset import PUBLIC_TEST, TRAINING, load_faces
from training.common.detectors import CenterFace, EmotionFace, Haar, YuNet

CANVAS_SIDE = 320
FACE_SIDES = (112, 200)
BACKGROUNDS = ("plain", "edge", "gradient")


@dataclass(frozen=True)
class Square:
    """A square crop in pixels: centre, side, clockwise roll in radians (y points down)."""

    x: float
    y: float
    side: float
    roll: float = 0.0


# ---- canvases -------------------------------------------------------------------------------


def background(kind, random):
    """An empty canvas, float [S, S]."""
    low, high = random.uniform(30, 220, 2)
    if kind == "gradient":
        return np.linspace(low, high, CANVAS_SIDE)[:, None].repeat(CANVAS_SIDE, 1)
    return np.full((CANVAS_SIDE, CANVAS_SIDE), low)


def paste(picture, random):
    """(canvas uint8 [S, S, 3], the `Square` the picture [48, 48] went to)."""
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


def turned(canvas, square, roll):
    """(canvas turned clockwise by `roll` radians about the square's centre, the square turned with it); its edge is repeated."""
    x, y = np.meshgrid(np.arange(canvas.shape[1]) + 0.5 - square.x, np.arange(canvas.shape[0]) + 0.5 - square.y)
    cos, sin = np.cos(roll), np.sin(roll)
    plane = bilinear(canvas[:, :, 0].astype(np.float32), square.x + cos * x + sin * y, square.y - sin * x + cos * y)
    return np.repeat(plane.round().astype(np.uint8)[:, :, None], 3, axis=2), replace(square, roll=roll)


def find(detector, canvas, square):
    """The best detection whose centre lies inside the pasted picture, or None."""
    found = []
    for detection in detector.detect(canvas):
        x, y, w, h = detection.box
        if max(abs(x + w / 2 - square.x), abs(y + h / 2 - square.y)) < square.side / 2:
            found.append(detection)
    return max(found, key=lambda d: (d.score, d.box[3]), default=None)


# ---- crops ----------------------------------------------------------------------------------


def landmark_frame(landmarks):
    """(centre [2], eye-to-mouth distance, eye distance, roll) of five landmarks.

    The centre is midway between the eyes' midpoint and the mouth corners' midpoint; the roll is that of
    the line from the right eye to the left eye.
    """
    eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
    across = landmarks[1] - landmarks[0]
    return (eyes + mouth) / 2, np.hypot(*(mouth - eyes)), np.hypot(*across), np.arctan2(across[1], across[0])


def square_from_landmarks(landmarks, rule, rotate=False):
    """The crop by `rule` = (side, offset_x, offset_y), in units of `landmark_size`."""
    centre, _, _, roll = landmark_frame(landmarks)
    size = landmark_size(landmarks)
    roll = roll if rotate else 0.0
    side, offset_x, offset_y = (value * size for value in rule)
    cos, sin = np.cos(roll), np.sin(roll)
    return Square(centre[0] + cos * offset_x - sin * offset_y, centre[1] + sin * offset_x + cos * offset_y, side, roll)


def landmark_size(landmarks):
    """Root of the sum of squares of eye-to-mouth distance and eye distance: steadier under yaw and pitch than either."""
    _, height, width, _ = landmark_frame(landmarks)
    return float(np.hypot(height, width))


def square_from_box(box, rule):
    """The crop by `rule` = (side, offset_x, offset_y), in units of the box height."""
    x, y, w, h = box
    side, offset_x, offset_y = rule
    return Square(x + w / 2 + offset_x * h, y + h / 2 + offset_y * h, side * h)


def crop(canvas, square, side=48):
    """The grey crop uint8 [side, side]: bilinear samples on a grid fine enough for the scale, averaged per pixel.

    Outside the canvas its edge is repeated.
    """
    fine = max(1, int(np.ceil(square.side / side)))
    steps = (np.arange(side * fine) + 0.5) / (side * fine) - 0.5
    u, v = np.meshgrid(steps * square.side, steps * square.side)
    cos, sin = np.cos(square.roll), np.sin(square.roll)
    samples = bilinear(canvas[:, :, 0].astype(np.float32), square.x + cos * u - sin * v, square.y + sin * u + cos * v)
    return samples.reshape(side, fine, side, fine).mean((1, 3)).round().clip(0, 255).astype(np.uint8)


def bilinear(plane, x, y):
    """Samples of a plane [H, W] at points in pixels (pixel centres at .5)."""
    height, width = plane.shape
    x, y = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    a, b = x - left, y - top
    upper = plane[top, left] * (1 - a) + plane[top, left + 1] * a
    lower = plane[top + 1, left] * (1 - a) + plane[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b


# ---- measuring ------------------------------------------------------------------------------


def spread(values):
    """'median (quarter .. three quarters)'."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:+.3f} ({low:+.3f} .. {high:+.3f}), relative spread {(high - low) / max(1e-6, abs(middle)):.3f}"


def relative_to_boxes(pairs):
    """Per (detection, square): side over height, over sqrt(area), over width; offsets over height. [N, 5]."""
    table = []
    for detection, square in pairs:
        x, y, w, h = detection.box
        offsets = (square.x - x - w / 2) / h, (square.y - y - h / 2) / h
        table.append((square.side / h, square.side / np.sqrt(w * h), square.side / w, *offsets))
    return np.array(table)


def relative_to_landmarks(pairs):
    """Per pair: side over size, over eye-to-mouth, over eye distance; offsets over size, level and along the face; roll. [N, 8]."""
    table = []
    for detection, square in pairs:
        centre, height, width, roll = landmark_frame(detection.landmarks)
        size = landmark_size(detection.landmarks)
        dx, dy = (square.x - centre[0]) / size, (square.y - centre[1]) / size
        along = np.cos(roll) * dx + np.sin(roll) * dy, -np.sin(roll) * dx + np.cos(roll) * dy
        table.append((square.side / size, square.side / height, square.side / width, dx, dy, *along, np.degrees(roll)))
    return np.array(table)


def median_rules(pairs):
    """{'box': rule, 'landmarks': rule, 'rotated': rule} from the medians; a face has no preferred side, so offset_x is 0."""
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
    """Print each detector's relation and return {name: rules}."""
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
    """{'box', 'turned box', 'landmarks', 'rotated': Square} as far as the detection allows."""
    box = square_from_box(detection.box, rules["box"])
    squares = {"box": box}
    if detection.landmarks is not None:
        squares["turned box"] = Square(box.x, box.y, box.side, landmark_frame(detection.landmarks)[3])
        squares["landmarks"] = square_from_landmarks(detection.landmarks, rules["landmarks"])
        squares["rotated"] = square_from_landmarks(detection.landmarks, rules["rotated"], rotate=True)
    return squares


def measure_accuracy(detectors, rules, faces, model, count, turn):
    """Print the accuracy of every rule, on the rows each detector found, beside that of the known square; faces are turned by up to
    `turn` degrees."""
    from training.expression.evaluate import accuracies, onnx_logits

    crops = {name: {} for name in detectors}
    rows = {name: [] for name in detectors}
    random = np.random.default_rng(3)
    for row, canvas, square in pasted(faces, count, seed=2):
        if turn:
            canvas, square = turned(canvas, square, np.radians(random.uniform(-turn, turn)))
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
                f"| {name} | {rule} | {len(subset)} | {100 * figures['ferplus']:.2f} | {100 * figures['fer2013']:.2f} |",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--centerface", type=Path, required=True)
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--haar", type=Path)
    parser.add_argument("--emotion-face", type=Path)
    parser.add_argument("--refiner", type=Path, help="what has a second look at what --emotion-face finds")
    parser.add_argument("--model", help="measure accuracy too, with this ONNX file")
    parser.add_argument(
        "--turn", type=float, default=0.0, help="degrees that the faces are turned by at most to measure accuracy"
    )
    parser.add_argument(
        "--count", type=int, default=3000, help="pictures to paste (accuracy: all of PublicTest at most)"
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
