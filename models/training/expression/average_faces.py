# SPDX-License-Identifier: MIT OR Apache-2.0
"""Average faces, one for each expression, from the training split.

    python -m training.expression.average_faces --data DATA --centerface F.onnx [--model models/expression/model.onnx]
                                                [--output FOLDER]
    python -m training.expression.average_faces --check --centerface F.onnx [--model models/expression/model.onnx]

For each expression, the pictures with the highest agreement of the voters are aligned by their landmarks and normalised
in brightness and contrast. Those that correlate best with their common mean are averaged, mirror images included. Of
several such means, the one is written that the detector finds and that the model's output `scores` classifies with the
highest confidence. A mean of at least forty faces is a statistic and shows nobody.

The result is a 96x96 grey PNG with a soft-edged alpha channel. It is framed a little wider than a training picture, so
that the outline of the face is visible.

`--check` tells whether the detector finds each face in a plain frame, and how the model classifies it.
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageFilter

from training.common.paths import MODELS
from training.common.reference_detectors import CenterFace
from training.expression.dataset import load_faces
from training.expression.framing import CANVAS_SIDE
from training.expression.inference import onnx_logits, onnx_scores
from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS
from training.expression.metrics import log_softmax
from training.expression.readers import TRAINING
from training.expression.squares import bilinear, crop, square_from_box

EXPRESSION = MODELS / "expression"
SIDE = 96
PASTED_SIDE = 160
MAX_CANDIDATES = 300
MIN_AGREEMENT = 0.4
TYPICAL_PICTURES = 40
# All pairs of these two are tried: the number of pictures with the highest agreement, of which the most typical are
# averaged, and the side of the result relative to the framing of a training picture.
CANDIDATES = (90, 120, 300)
FRAMINGS = (1.2, 1.3)
BACKGROUNDS = (60, 128, 200)


def candidate_rows(faces, label):
    """Training rows of one expression, those with the highest agreement first."""
    share = faces.ferplus[:, label] * faces.ferplus_weight * (faces.ferplus_truth == label)
    agreed = np.count_nonzero(share >= MIN_AGREEMENT)
    return np.argsort(-share, kind="stable")[: min(MAX_CANDIDATES, agreed)]


def locate(detector, picture):
    """CenterFace's landmarks [5, 2] in pixels of a 48x48 picture, or None."""
    large = np.asarray(Image.fromarray(picture).resize((PASTED_SIDE, PASTED_SIDE), Image.Resampling.BICUBIC))
    margin = (CANVAS_SIDE - PASTED_SIDE) // 2
    canvas = np.pad(large, margin, mode="edge")
    found = detector.detect(np.repeat(canvas[:, :, None], 3, axis=2))
    if not found or found[0].score < 0.6:
        return None
    return (found[0].landmarks - margin) * (picture.shape[0] / PASTED_SIDE)


def fit_transform(source, target):
    """The affine map [2, 3] from source points [K, 2] to target points with the least squared error."""
    homogeneous = np.column_stack([source, np.ones(len(source))])
    return np.linalg.lstsq(homogeneous, target, rcond=None)[0].T


def warp(picture, landmarks, shape):
    """(aligned, covered), both [SIDE, SIDE]: the picture resampled so that its landmarks fall on `shape`.

    Landmarks and shape are in pixels of 48x48; `covered` is 1.0 inside the picture and 0.0 outside.
    """
    to_picture = fit_transform(shape, landmarks)
    steps = (np.arange(SIDE) + 0.5) * picture.shape[0] / SIDE
    x, y = np.meshgrid(steps, steps)
    points = to_picture @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    covered = (points > 0.5).all(0) & (points < picture.shape[0] - 0.5).all(0)
    aligned = bilinear(picture.astype(np.float32), points[0], points[1])
    return aligned.reshape(SIDE, SIDE), covered.reshape(SIDE, SIDE).astype(np.float64)


def soft_oval(half_width=0.46, half_height=0.48, softness=0.15, power=2.2):
    """Alpha [SIDE, SIDE] in 0..1: a superellipse (half axes as fractions of the side) with a soft edge."""
    steps = np.abs((np.arange(SIDE) + 0.5) / SIDE - 0.5)
    radius = ((steps / half_width) ** power + (steps[:, None] / half_height) ** power) ** (1 / power)
    return np.clip((1 - radius) / softness, 0, 1)


def typical_shape(all_landmarks):
    """The median landmarks [5, 2] of a class, made symmetric."""
    shape = np.median(all_landmarks, axis=0)
    mirrored = shape[[1, 0, 2, 4, 3]] * (-1, 1) + (48, 0)
    return (shape + mirrored) / 2


def aligned_pictures(pictures, all_landmarks, framing):
    """(aligned, covered) of all pictures and their mirror images, [2 N, SIDE, SIDE], normalised inside the oval."""
    shape = (typical_shape(all_landmarks) - 24) / framing + 24
    inside = soft_oval(0.49, 0.50, 0.10, 2.5) > 0.5  # the whole head, wider than the alpha channel
    aligned, covered = (np.array(part) for part in zip(*(warp(p, l, shape) for p, l in zip(pictures, all_landmarks))))
    faces = aligned[:, inside]
    aligned = (aligned - faces.mean(1)[:, None, None]) / np.maximum(10.0, faces.std(1))[:, None, None]
    return np.concatenate([aligned, aligned[:, :, ::-1]]), np.concatenate([covered, covered[:, :, ::-1]])


def most_typical(aligned, count, rounds=4):
    """Indices of the `count` pictures that correlate best with their own mean, found by iteration."""
    inside = soft_oval(0.49, 0.50, 0.10, 2.5) > 0.5  # the whole head, wider than the alpha channel
    faces = aligned[:, inside]
    chosen = np.arange(len(faces))
    for _ in range(rounds):
        mean = faces[chosen].mean(0)
        correlations = [np.corrcoef(face, mean)[0, 1] for face in faces]
        chosen = np.argsort(correlations)[::-1][:count]
    return chosen


def average(aligned, covered):
    """Mean of the most typical pictures, mirror images among them, float [SIDE, SIDE], grey levels 0..255."""
    chosen = most_typical(aligned, 2 * TYPICAL_PICTURES)
    weight = covered[chosen] + 0.05  # repeated edge pixels are better than none
    return stretch((aligned[chosen] * weight).sum(0) / weight.sum(0))


def stretch(mean, low=20, high=230):
    """Map the 1st and 99th percentile of the grey levels inside the oval to `low` and `high`."""
    darkest, lightest = np.percentile(mean[soft_oval() > 0.5], (1, 99))
    return np.clip((mean - darkest) / (lightest - darkest) * (high - low) + low, 0, 255)


def as_picture(mean):
    """Grey and alpha, sharpened because averaging blurs."""
    grey = Image.fromarray(mean.round().astype(np.uint8)).filter(ImageFilter.UnsharpMask(2, 160, 0))
    alpha = Image.fromarray((soft_oval() * 255).round().astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def located_class(detector, faces, label):
    """(pictures, landmarks [N, 5, 2]) of the faces of one expression that the detector finds."""
    rows = candidate_rows(faces, label)
    found = [(faces.images[row], locate(detector, faces.images[row])) for row in rows]
    pictures, landmarks = zip(*((picture, points) for picture, points in found if points is not None))
    return pictures, np.array(landmarks)


def paste_average(face, background, side=170):
    """An average face (grey and alpha) at `side` px in the middle of a plain canvas, uint8 [S, S, 3]."""
    face = face.resize((side, side), Image.Resampling.BICUBIC)
    canvas = Image.new("L", (CANVAS_SIDE, CANVAS_SIDE), background)
    corner = (CANVAS_SIDE - side) // 2
    canvas.paste(face.getchannel("L"), (corner, corner), face.getchannel("A"))
    return np.repeat(np.asarray(canvas)[:, :, None], 3, axis=2)


def outputs_by_background(face, detector, session):
    """A result for each background: (detector's score, scores [8], ferplus [8], fer2013 [7]), all probabilities.

    The result is None if the face is not found.
    """
    rule = tomllib.loads((EXPRESSION / "model.toml").read_text())["framing"]["box"]["centerface"]
    rule = rule["side_of_height"], 0.0, rule["offset_y_of_height"]
    results = []
    for background in BACKGROUNDS:
        canvas = paste_average(face, background)
        found = detector.detect(canvas)
        if not found:
            results.append(None)
            continue
        picture = crop(canvas, square_from_box(found[0].box, rule))[None]
        heads = (np.exp(log_softmax(head))[0] for head in onnx_logits(session, picture))
        results.append((found[0].score, onnx_scores(session, picture)[0], *heads))
    return results


def quality(face, label, detector, session):
    """The minimum over the backgrounds of the detector's score times the score of the class; 0 if not found."""
    return min(
        result[0] * result[1][label] if result else 0.0 for result in outputs_by_background(face, detector, session)
    )


def best_average(pictures, landmarks, label, detector, session):
    """(quality, average face) of the best of several means."""
    attempts = []
    for candidates in CANDIDATES:
        for framing in FRAMINGS:
            face = as_picture(average(*aligned_pictures(pictures[:candidates], landmarks[:candidates], framing)))
            attempts.append((quality(face, label, detector, session), face))
    return max(attempts, key=lambda attempt: attempt[0])


def check(folder, detector, session):
    """Print the detector's score and the model's class for each average face on dark, mid and light grey."""
    for name in FERPLUS_LABELS:
        results = []
        for result in outputs_by_background(Image.open(folder / f"{name}.png"), detector, session):
            if result is None:
                results.append("not found")
                continue
            score, *outputs = result
            names = zip(outputs, (FERPLUS_LABELS, FERPLUS_LABELS, FER2013_LABELS))
            results.append(
                ", ".join(
                    [
                        f"face {score:.2f}",
                        *(f"{labels[output.argmax()]} {output.max():.2f}" for output, labels in names),
                    ]
                )
            )
        print(f"{name:10s} " + "; ".join(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data")
    parser.add_argument("--centerface", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=EXPRESSION / "model.onnx")
    parser.add_argument(
        "--check", action="store_true", help="check the existing average faces instead of making new ones"
    )
    parser.add_argument("--output", type=Path, default=MODELS / "average-faces")
    options = parser.parse_args()
    detector = CenterFace(options.centerface)
    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    if not options.check:
        make(options, detector, session)
    check(options.output, detector, session)


def make(options, detector, session):
    """Write the eight pictures."""
    options.output.mkdir(parents=True, exist_ok=True)
    faces = load_faces(options.data, TRAINING)
    for label, name in enumerate(FERPLUS_LABELS):
        pictures, landmarks = located_class(detector, faces, label)
        value, face = best_average(pictures, landmarks, label, detector, session)
        face.save(options.output / f"{name}.png", optimize=True)
        print(f"{name}: {TYPICAL_PICTURES} of {len(pictures)} pictures, quality {value:.2f}", flush=True)


if __name__ == "__main__":
    main()
