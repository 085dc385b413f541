# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measure an exported model: accuracy on PublicTest by both protocols or on the strangers, or its speed.

    python -m training.expression.evaluate --data DATA [--model MODEL.onnx]
    python -m training.expression.evaluate --strangers STRANGERS.npz [--half 1] [--model MODEL.onnx]
    python -m training.expression.evaluate --time [--model MODEL.onnx]

The model is `models/expression/model.onnx` by default.
"""

import argparse
from pathlib import Path

import numpy as np

from training.common.detection import open_session
from training.common.paths import MODELS
from training.common.timing import print_times
from training.expression.combine import OUTPUT_OF_PRIOR
from training.expression.dataset import load_faces, load_strangers
from training.expression.inference import onnx_logits, onnx_scores
from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS, FERPLUS_OF_FER2013
from training.expression.metrics import (
    calibration_error,
    confusion,
    fit_temperature,
    log_softmax,
    recalls,
    strangers_accuracies,
)
from training.expression.readers import PUBLIC_TEST, TRAINING

# Lower ends of the ranges of scores for which accuracy is printed.
SCORE_RANGES = (0.0, 0.35, 0.5, 0.65, 0.8, 0.9)


def as_fer2013(ferplus):
    """FER+ scores [N, 8] in the order of FER2013's seven labels, without contempt [N, 7]."""
    return ferplus[:, FERPLUS_OF_FER2013]


def combinations(ferplus, fer2013, ferplus_prior, fer2013_prior):
    """{name: scores [N, 7] in FER2013's order} of each head and of ways to combine both.

    Priors are class frequencies of the training split. Subtracting their logarithm (logit adjustment) corrects for
    training on unbalanced classes: all classes become equally likely a priori.
    """
    a, b = as_fer2013(log_softmax(ferplus)), log_softmax(fer2013)
    a_prior, b_prior = np.log(ferplus_prior[FERPLUS_OF_FER2013]), np.log(fer2013_prior)
    combined = {"ferplus head": a, "fer2013 head": b}
    for share in (0.25, 0.5, 0.75):
        combined[f"mean of logs, {share:g} ferplus + {1 - share:g} fer2013"] = share * a + (1 - share) * b
    for strength in (0.5, 1.0):
        combined[f"ferplus head, adjusted by {strength:g} prior"] = a - strength * a_prior
        combined[f"fer2013 head, adjusted by {strength:g} prior"] = b - strength * b_prior
        both = 0.5 * (a - strength * a_prior) + 0.5 * (b - strength * b_prior)
        combined[f"mean of both adjusted by {strength:g} prior"] = both
    return combined


def print_table(header, rows):
    """Print a Markdown table, with floats as percentages with one decimal."""
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{100 * c:.1f}" if isinstance(c, float) else str(c) for c in row) + " |")
    print()


def print_head(name, logits, truth, labels):
    """Print accuracy, recalls, confusion matrix and calibration of one head."""
    predicted = logits.argmax(1)
    temperature = fit_temperature((logits, truth))
    before = calibration_error(np.exp(log_softmax(logits)), truth)
    after = calibration_error(np.exp(log_softmax(logits / temperature)), truth)
    recall = recalls(predicted, truth, len(labels))
    print(
        f"## {name}: accuracy {100 * (predicted == truth).mean():.2f} % of {len(truth)}, "
        f"macro-recall {100 * recall.mean():.1f} %"
    )
    print(
        f"temperature {temperature:.3f}, "
        f"expected calibration error {100 * before:.1f} % before, {100 * after:.1f} % after\n"
    )
    rows = zip(labels, (float(r) for r in recall), *confusion(predicted, truth, len(labels)).T.tolist())
    print_table(["truth \\ predicted", "recall %", *labels], rows)


def print_combinations(ferplus, fer2013, faces, training):
    """Print macro-recall, lowest recall and accuracy over FER2013's seven labels for each combination."""
    ferplus_prior = (training.ferplus * training.ferplus_weight[:, None]).mean(0)
    fer2013_prior = np.bincount(training.fer2013, minlength=7) / len(training)
    rows = []
    for name, scores in combinations(ferplus, fer2013, ferplus_prior / ferplus_prior.sum(), fer2013_prior).items():
        recall = recalls(scores.argmax(1), faces.fer2013, 7)
        accuracy = float((scores.argmax(1) == faces.fer2013).mean())
        rows.append([name, float(recall.mean()), float(recall.min()), accuracy])
    print("## Both heads on FER2013's seven labels")
    print_table(["scores", "macro-recall %", "lowest recall %", "accuracy %"], rows)


def print_strangers(model, path, half):
    """Print the accuracy of each output on half of the strangers, and what the labels of each prior are worth."""
    images, truth = load_strangers(path, half)
    ferplus, fer2013 = onnx_logits(model, images)
    by_prior = {output: onnx_scores(model, images, output=output) for output in OUTPUT_OF_PRIOR.values()}
    outputs = {name: (scores, FERPLUS_LABELS) for name, scores in by_prior.items()}
    outputs |= {"ferplus": (ferplus, FERPLUS_LABELS), "fer2013": (fer2013, FER2013_LABELS)}
    rows = [[name, *strangers_accuracies(*output, truth)] for name, output in outputs.items()]
    print_table(["output", "seven classes %", "five classes %"], rows)
    print_worth(by_prior, np.array(FERPLUS_OF_FER2013)[truth])


def print_worth(by_prior, truth):
    """Print, for each prior, calibration and how many of the labels of each range of scores are right."""
    rows = []
    for name, scores in by_prior.items():
        top, right = scores.max(1), scores.argmax(1) == truth
        ranges = [(top >= low) & (top < high) for low, high in zip(SCORE_RANGES, (*SCORE_RANGES[1:], np.inf))]
        worth = [f"{100 * in_range.mean():.0f}: {100 * right[in_range].mean():.0f}" for in_range in ranges]
        rows.append([name, calibration_error(scores, truth), *worth])
    print("share of the faces with a top score from the given one on, %: of these right, %")
    print_table(["output", "calibration error %", *(f"from {low:g}" for low in SCORE_RANGES)], rows)


def one_run(session, batch):
    """A function that runs the model on random faces."""
    pictures = np.random.default_rng(0).integers(0, 256, (batch, 48, 48), dtype=np.uint8)
    return lambda: onnx_logits(session, pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data")
    parser.add_argument("--model", default=MODELS / "expression" / "model.onnx")
    parser.add_argument(
        "--strangers", type=Path, help="npz of labelled faces from another collection (load_strangers in dataset.py)"
    )
    parser.add_argument(
        "--half",
        type=int,
        choices=(0, 1),
        default=1,
        help="half of the strangers to measure: 0 served choices, 1 is for reports",
    )
    parser.add_argument("--time", action="store_true", help="measure only the speed")
    options = parser.parse_args()
    if options.time:
        session = open_session(str(options.model))
        return print_times(lambda batch: one_run(session, batch))
    if options.strangers:
        return print_strangers(options.model, options.strangers, options.half)
    faces = load_faces(options.data, PUBLIC_TEST)
    ferplus, fer2013 = onnx_logits(options.model, faces.images)
    counted = faces.ferplus_truth >= 0
    print_head("FER+", ferplus[counted], faces.ferplus_truth[counted], FERPLUS_LABELS)
    print_head("FER2013", fer2013, faces.fer2013, FER2013_LABELS)
    by_prior = {name: onnx_scores(options.model, faces.images[counted], output=name) for name in OUTPUT_OF_PRIOR.values()}
    print_worth(by_prior, faces.ferplus_truth[counted])
    print_combinations(ferplus, fer2013, faces, load_faces(options.data, TRAINING))


if __name__ == "__main__":
    main()
