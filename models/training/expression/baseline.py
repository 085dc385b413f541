# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a face's baseline is measured against, and what a baseline is worth.

    python -m training.expression.baseline --strangers STRANGERS.npz [--lfw LFW] [--model MODEL.onnx]

Prints the `[output.mean_log_scores]` of `model.toml`: for each class, the mean over its faces in half 0 of the strangers of
ln(score + FLOOR). With LFW, a folder as steadiness.py describes it, each person is calibrated with three neutral pictures,
as by the signal `calibrate`, and the table has what the others are called. LFW has no labels of expressions: what two
outside networks agree on is taken for the truth, and the network was taught by both.

No open collection has many labelled expressions of one person. So the last table is a simulation: pictures of half 0, with
an offset for each person. Offsets vary as those of LFW's people with neutral pictures do, times `OFFSET`. With that factor,
and with the spread of the pictures times `SPREAD`, subtracting each person's own mean helps as much as it does on posed
pictures of ten people that are not open: from 53 to 62 %.
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
FLOOR, PRIOR_S, CALIBRATION_S, SHARPENING = 0.001, 2.0, 12.0, 0.3
NEUTRAL = FERPLUS_LABELS.index("neutral")
HOLD_S, HOLD_CHANGE, FRAME_S, SHOWN_S = 2.0, 0.25, 0.1, 2.0
LABEL_LEAD, BASELINE_LEAD = 1.25, 0.1
SPREAD, OFFSET, PEOPLE, SEED = 0.9, 2.0, 1000, 5
# Minimum number of neutral pictures of a person whose offset counts.
MIN_OFFSET = 4
# Share of each class in front of a camera, in the order of FERPLUS_LABELS without contempt.
NATURAL = (0.55, 0.2, 0.07, 0.07, 0.05, 0.02, 0.04)
# Number of pictures that a person is calibrated with, and the minimum of all neutral ones.
CALIBRATED, MIN_NEUTRAL = 3, 6
MIN_CONFIDENCE = {"natural": 0.35, "balanced": 0.3}


def class_means(scores, labels):
    """{label: mean of ln(score + FLOOR) [8]} of scores [N, 8] of the strangers."""
    logs = np.log(scores + FLOOR)
    return {
        name: logs[labels == FER2013_LABELS.index(name)].mean(0) for name in FERPLUS_LABELS if name in FER2013_LABELS
    }


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
    return (
        np.stack([np.asarray(shrink(face)) for face in faces]),
        names,
        agreed(stored["retail0003"], stored["faceapi"]),
    )


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


def log_scores(scores):
    return np.log(np.maximum(scores, 1e-4))


def softmax(logs):
    odds = np.exp(logs - logs.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def offsets(scores, truth, names, generator):
    """Offsets [PEOPLE, 8] of log-scores that vary as those of LFW's people do."""
    groups = [log_scores(scores[(names == name) & (truth == NEUTRAL)]) for name in np.unique(names[truth == NEUTRAL])]
    groups = [group for group in groups if len(group) >= MIN_OFFSET]
    noise = np.cov(np.concatenate([group - group.mean(0) for group in groups]).T) * np.mean(
        [1 / len(group) for group in groups]
    )
    values, vectors = np.linalg.eigh(np.cov(np.array([group.mean(0) for group in groups]).T) - noise)
    return OFFSET * generator.standard_normal((PEOPLE, 8)) * np.sqrt(np.maximum(values, 0)) @ vectors.T


def sequences(generator):
    """{what people show: classes [PEOPLE, pictures] as indices into FERPLUS_LABELS}."""
    rows = lambda make: np.stack([make() for _ in range(PEOPLE)])
    return {
        "neutral, then the others": rows(lambda: np.r_[0, 0, 0, np.repeat(1 + generator.permutation(6), 3)]),
        "all alike": rows(lambda: generator.permutation(np.repeat(np.arange(7), 3))),
        "as in front of a camera": rows(lambda: generator.choice(7, 40, p=NATURAL)),
        "neutral alone": rows(lambda: np.zeros(40, int)),
    }


def pictures(shown, scores, labels, shifts, generator):
    """Scores [PEOPLE, pictures, 8] of people who show these classes."""
    logs = log_scores(scores)
    pools = [logs[labels == FER2013_LABELS.index(name)] for name in FERPLUS_LABELS[:7]]
    drawn = np.stack(
        [
            [pools[c].mean(0) + SPREAD * (pools[c][generator.integers(len(pools[c]))] - pools[c].mean(0)) for c in row]
            for row in shown
        ]
    )
    return softmax(drawn + shifts[:, None])


def labels_of(scores, means, min_confidence, has_baseline):
    """Labels [PEOPLE, pictures] at the end of each picture, -1 for unknown: what baseline.rs and smoothing.rs do."""
    people, count, _ = scores.shape
    total, weight, held_s = np.zeros((people, 8)), np.zeros((people, 1)), np.zeros((people, 1))
    start, last, result = scores[:, 0], None, np.zeros((people, count), int)
    for number in range(count):
        now = scores[:, number]
        is_new = np.abs(now - start).sum(1, keepdims=True) / 2 > HOLD_CHANGE
        held_s, start = np.where(is_new, 0, held_s), np.where(is_new, now, start)
        for _ in range(round(SHOWN_S / FRAME_S) if has_baseline else 0):
            gained = HOLD_S * (np.exp(-held_s / HOLD_S) - np.exp(-(held_s + FRAME_S) / HOLD_S))
            found = softmax(np.log(now) - total / (weight + PRIOR_S))[:, :7]
            deviation = np.log(now + FLOOR) - found / found.sum(1, keepdims=True) @ means
            total, weight, held_s = total + gained * deviation, weight + gained, held_s + FRAME_S
        certainty = weight / (weight + PRIOR_S)
        known = softmax((1 + SHARPENING * certainty) * (np.log(now) - total / (weight + PRIOR_S)))
        best = known.argmax(1)
        if last is not None:
            lead = LABEL_LEAD + BASELINE_LEAD * certainty[:, 0]
            best = np.where(known.max(1) < lead * known[np.arange(people), last], last, best)
        last = best
        result[:, number] = np.where(known[np.arange(people), best] < min_confidence, -1, best)
    return result


def print_simulation(scores, labels, shifts, means, min_confidence):
    """Print how many pictures after the third are right, without and with a baseline."""
    generator = np.random.default_rng(SEED)
    for what, shown in sequences(generator).items():
        seen = pictures(shown, scores, labels, shifts, generator)
        right = [(labels_of(seen, means, min_confidence, has) == shown)[:, 3:].mean() for has in (False, True)]
        print(f"{what}: {100 * right[0]:.1f} % without, {100 * right[1]:.1f} % with a baseline")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    parser.add_argument(
        "--strangers", type=Path, required=True, help="npz of labelled faces (load_strangers in dataset.py)"
    )
    parser.add_argument("--lfw", type=Path, help="folder of LFW's faces and the outside networks' scores")
    options = parser.parse_args()
    images, labels = load_strangers(options.strangers, half=0)
    for prior, output in OUTPUT_OF_PRIOR.items():
        known = onnx_scores(options.model, images, output=output)
        means = class_means(known, labels)
        print(f"# {output}\n[output.mean_log_scores]")
        for name, row in means.items():
            print(f"{name} = [{', '.join(f'{value:.2f}' for value in row)}]")
        if options.lfw:
            faces, names, truth = load_lfw(options.lfw)
            scores = onnx_scores(options.model, faces, output=output)
            *people, shown = calibrated_people(scores, truth, names, means["neutral"])
            for when, part in zip(("without", "calibrated"), people):
                found = shares(part, shown, MIN_CONFIDENCE[prior])
                print(
                    f"{when}, {len(shown)} pictures:",
                    ", ".join(f"{what} {100 * share:.1f} %" for what, share in found.items()),
                )
            shifts = offsets(scores, truth, names, np.random.default_rng(SEED))
            print_simulation(known, labels, shifts, np.array(list(means.values())), MIN_CONFIDENCE[prior])


if __name__ == "__main__":
    main()
