# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a face's baseline is measured against, and what a baseline is worth.

    python -m training.expression.baseline --strangers STRANGERS.npz [--lfw LFW] [--model MODEL.onnx]

Prints the `[output.mean_log_scores]` of `model.toml`: for each class, the mean over its faces in half 0 of the strangers
of ln(score + FLOOR). With LFW, a folder as steadiness.py describes it, each person is calibrated with three neutral
pictures, as by the signal `calibrate`, and the table has what the others are called. LFW has no labels of expressions:
what two outside networks agree on is taken for the truth, and the network was taught by both.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from training.common.paths import MODELS
from training.expression.combine import OUTPUT_OF_PRIOR
from training.expression.dataset import PICTURE_SIDE, load_strangers
from training.expression.inference import onnx_scores
from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS, FIVE_LABELS, SEVEN_LABELS
from training.expression.unlabelled import FACE_SIDE, FRAMED_SIDE, read_sheets

# The constants of the same names in crates/core/src/expression/baseline.rs.
FLOOR, PRIOR_S, CALIBRATION_S, SHARPENING = 0.001, 3.0, 12.0, 0.2
NEUTRAL = FERPLUS_LABELS.index("neutral")
# Number of pictures that a person is calibrated with, and the minimum of all neutral ones.
CALIBRATED, MIN_NEUTRAL = 3, 6
MIN_CONFIDENCE = {"natural": 0.35, "balanced": 0.3}


def class_means(scores, labels):
    """{label: mean of ln(score + FLOOR) [8]} of scores [N, 8] of the strangers."""
    logs = np.log(scores + FLOOR)
    return {name: logs[labels == FER2013_LABELS.index(name)].mean(0) for name in FERPLUS_LABELS if name in FER2013_LABELS}


def corrected(scores, calm, means):
    """Scores [N, 8] of a person, given the scores of pictures that are called neutral, and the mean for neutral."""
    offset = (np.log(calm + FLOOR) - means).mean(0) * CALIBRATION_S / (CALIBRATION_S + PRIOR_S)
    gain = 1 + SHARPENING * CALIBRATION_S / (CALIBRATION_S + PRIOR_S)
    odds = np.exp(gain * (np.log(np.maximum(scores, 1e-12)) - offset))
    return odds / odds.sum(1, keepdims=True)


def load_lfw(folder):
    """(pictures [N, 48, 48], names of the people, agreed classes) of LFW's faces."""
    margin = (FACE_SIDE - FRAMED_SIDE) // 2
    shrink = lambda face: Image.fromarray(face).resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BOX)
    faces = read_sheets(folder)[:, margin:-margin, margin:-margin]
    stored = np.load(folder / "names.npz")
    names = np.array([name.rsplit("_", 1)[0] for name in stored["name"]])
    return np.stack([np.asarray(shrink(face)) for face in faces]), names, agreed(stored["retail0003"], stored["faceapi"])


def agreed(five, seven):
    """The class that both outside networks find, as an index into FERPLUS_LABELS, or -1."""
    first = np.array([FERPLUS_LABELS.index(label) for label in FIVE_LABELS])[five.argmax(1)]
    second = np.array([FERPLUS_LABELS.index(label) for label in SEVEN_LABELS])[seven.argmax(1)]
    return np.where(first == second, first, -1)


def calibrated_people(scores, truth, names, means):
    """(scores before, scores after, truth) of the pictures that people with enough neutral ones were not calibrated with."""
    parts = []
    for name in np.unique(names):
        rows = np.flatnonzero((names == name) & (truth >= 0))
        calm = rows[truth[rows] == NEUTRAL]
        if len(calm) >= MIN_NEUTRAL:
            rest = np.setdiff1d(rows, calm[:CALIBRATED])
            parts.append((scores[rest], corrected(scores[rest], scores[calm[:CALIBRATED]], means), truth[rest]))
    return tuple(np.concatenate(part) for part in zip(*parts))


def shares(scores, truth, min_confidence):
    """{what: share} of neutral and of other pictures."""
    label = np.where(scores.max(1) < min_confidence, -1, scores.argmax(1))
    neutral, grim = truth == NEUTRAL, np.isin(label, [FERPLUS_LABELS.index("sadness"), FERPLUS_LABELS.index("anger")])
    return {
        "neutral found": (label == truth)[neutral].mean(),
        "neutral called sad or angry": grim[neutral].mean(),
        "others found": (label == truth)[~neutral].mean(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    parser.add_argument("--strangers", type=Path, required=True, help="npz of labelled faces (load_strangers in dataset.py)")
    parser.add_argument("--lfw", type=Path, help="folder of LFW's faces and the outside networks' scores")
    options = parser.parse_args()
    images, labels = load_strangers(options.strangers, half=0)
    for prior, output in OUTPUT_OF_PRIOR.items():
        means = class_means(onnx_scores(options.model, images, output=output), labels)
        print(f"# {output}\n[output.mean_log_scores]")
        for name, row in means.items():
            print(f"{name} = [{', '.join(f'{value:.2f}' for value in row)}]")
        if options.lfw:
            faces, names, truth = load_lfw(options.lfw)
            scores = onnx_scores(options.model, faces, output=output)
            *people, truth = calibrated_people(scores, truth, names, means["neutral"])
            for when, scores in zip(("without", "calibrated"), people):
                found = shares(scores, truth, MIN_CONFIDENCE[prior])
                print(f"{when}, {len(truth)} pictures:", ", ".join(f"{what} {100 * share:.1f} %" for what, share in found.items()))


if __name__ == "__main__":
    main()
