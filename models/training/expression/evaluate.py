#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Figures of an exported model: PublicTest by both protocols, or another collection; or its speed.

python evaluate.py --data FOLDER [--model ../expression/model.onnx]
python evaluate.py --strangers STRANGERS.npz [--half 1] [--min-confidence 0.8] [--model ../expression/model.onnx]
python evaluate.py --time [--model ../expression/model.onnx]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from training.common.paths import MODELS
from training.expression.dataset import (
    FER2013_LABELS,
    FERPLUS_LABELS,
    FIVE_LABELS,
    PUBLIC_TEST,
    TRAINING,
    load_faces,
    load_strangers,
    normalise,
)

# Column of FERPLUS_LABELS for each of FER2013_LABELS (contempt has none).
FERPLUS_OF_FER2013 = [FERPLUS_LABELS.index(label) for label in FER2013_LABELS]


def torch_logits(network, images, batch=256):
    """Logits [N, classes] of each head of a torch network in evaluation mode, pictures [N, 48, 48] 0..255."""
    import torch

    device = next(network.parameters()).device
    network.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            x = torch.from_numpy(normalise(images[start : start + batch])).to(device)
            parts.append([head.float().cpu().numpy() for head in network(x)])
    return tuple(np.concatenate(head) for head in zip(*parts))


def _run_onnx(model, outputs, images, batch):
    """Some outputs of an ONNX file, or of an open `InferenceSession`, for pictures [N, 48, 48] 0..255."""
    import onnxruntime

    session = (
        model if hasattr(model, "run") else onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    )
    parts = [
        session.run(outputs, {"input": normalise(images[start : start + batch])})
        for start in range(0, len(images), batch)
    ]
    return tuple(np.concatenate(output) for output in zip(*parts))


def onnx_logits(model, images, batch=256):
    """(ferplus [N, 8], fer2013 [N, 7]) of an ONNX file, or of an open `InferenceSession`."""
    return _run_onnx(model, ["ferplus", "fer2013"], images, batch)


def onnx_scores(model, images, batch=256):
    """The probabilities [N, 8] that the element gives, of the same."""
    return _run_onnx(model, ["scores"], images, batch)[0]


def accuracies(ferplus, fer2013, faces):
    """Accuracy by both protocols: FER+ on the rows it counts, FER2013 on all rows."""
    counted = faces.ferplus_truth >= 0
    return {
        "ferplus": float((ferplus.argmax(1) == faces.ferplus_truth)[counted].mean()),
        "fer2013": float((fer2013.argmax(1) == faces.fer2013).mean()),
    }


def columns(logits, labels, classes):
    """Logits [N, len(classes)] of some classes from those of a head with these labels; -inf for a class it lacks."""
    missing = np.full(len(logits), -np.inf)
    return np.stack([logits[:, labels.index(name)] if name in labels else missing for name in classes], axis=1)


def strangers_accuracies(logits, labels, truth):
    """[accuracy over FER2013's seven classes, over five] of logits [N, classes] with these labels.

    `truth` [N] is in FER2013's order. Over five classes, only pictures of these count, and only these may be named.
    """
    kept = np.isin(truth, [FER2013_LABELS.index(name) for name in FIVE_LABELS])
    seven = columns(logits, labels, FER2013_LABELS)
    five = np.where(np.isin(FER2013_LABELS, FIVE_LABELS), seven, -np.inf)
    return [float((seven.argmax(1) == truth).mean()), float((five.argmax(1) == truth)[kept].mean())]


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def recalls(predicted, truth, classes):
    """Recall per class [classes]; nan where the class does not occur."""
    return np.array([(predicted[truth == c] == c).mean() if (truth == c).any() else np.nan for c in range(classes)])


def confusion(predicted, truth, classes):
    """Counts [truth, predicted]."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def calibration_error(probabilities, truth, bins=15):
    """Expected calibration error of the top class, equal-width bins; 0..1."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == truth
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - correct[index == b].mean()) * (index == b).mean() for b in np.unique(index)
    ]
    return float(sum(gaps))


def fit_temperature(*sets):
    """The softmax temperature of least negative log likelihood (scores = softmax(logits / temperature)).

    Each set is a pair (logits [N, classes], truth [N]) and counts alike.
    """
    candidates = np.exp(np.linspace(np.log(0.3), np.log(3.0), 231))
    loss = lambda logits, truth: -log_softmax(logits)[np.arange(len(truth)), truth].mean()
    losses = [sum(loss(logits / t, truth) for logits, truth in sets) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def as_fer2013(ferplus):
    """FER+ scores [N, 8] in the order of FER2013's seven labels [N, 7]; contempt is left out."""
    return ferplus[:, FERPLUS_OF_FER2013]


def combinations(ferplus, fer2013, ferplus_prior, fer2013_prior):
    """Name to scores [N, 7] in FER2013's order: each head, and ways to combine both.

    Priors are class frequencies of the training split; subtracting their logarithm (logit adjustment)
    turns a head trained on unbalanced classes into one that takes every class as equally likely.
    """
    a, b = as_fer2013(log_softmax(ferplus)), log_softmax(fer2013)
    a_prior, b_prior = np.log(ferplus_prior[FERPLUS_OF_FER2013]), np.log(fer2013_prior)
    named = {"ferplus head": a, "fer2013 head": b}
    for share in (0.25, 0.5, 0.75):
        named[f"mean of logs, {share:g} ferplus + {1 - share:g} fer2013"] = share * a + (1 - share) * b
    for strength in (0.5, 1.0):
        named[f"ferplus head, adjusted by {strength:g} prior"] = a - strength * a_prior
        named[f"fer2013 head, adjusted by {strength:g} prior"] = b - strength * b_prior
        both = 0.5 * (a - strength * a_prior) + 0.5 * (b - strength * b_prior)
        named[f"mean of both adjusted by {strength:g} prior"] = both
    return named


def print_table(header, rows):
    """A Markdown table; floats as percentages with one decimal."""
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{100 * c:.1f}" if isinstance(c, float) else str(c) for c in row) + " |")
    print()


def print_head(name, logits, truth, labels):
    """Accuracy, recalls, confusion matrix and calibration of one head."""
    predicted = logits.argmax(1)
    temperature = fit_temperature((logits, truth))
    before = calibration_error(np.exp(log_softmax(logits)), truth)
    after = calibration_error(np.exp(log_softmax(logits / temperature)), truth)
    recall = recalls(predicted, truth, len(labels))
    print(
        f"## {name}: accuracy {100 * (predicted == truth).mean():.2f} % of {len(truth)}, macro-recall {100 * recall.mean():.1f} %"
    )
    print(
        f"temperature {temperature:.3f}, expected calibration error {100 * before:.1f} % before, {100 * after:.1f} % after\n"
    )
    rows = zip(labels, (float(r) for r in recall), *confusion(predicted, truth, len(labels)).T.tolist())
    print_table(["truth \\ predicted", "recall %", *labels], rows)


def print_combinations(ferplus, fer2013, faces, training):
    """Macro-recall, least recall and accuracy over FER2013's seven labels for each combination."""
    ferplus_prior = (training.ferplus * training.ferplus_weight[:, None]).mean(0)
    fer2013_prior = np.bincount(training.fer2013, minlength=7) / len(training)
    rows = []
    for name, scores in combinations(ferplus, fer2013, ferplus_prior / ferplus_prior.sum(), fer2013_prior).items():
        recall = recalls(scores.argmax(1), faces.fer2013, 7)
        accuracy = float((scores.argmax(1) == faces.fer2013).mean())
        rows.append([name, float(recall.mean()), float(recall.min()), accuracy])
    print("## Both heads on FER2013's seven labels")
    print_table(["scores", "macro-recall %", "least recall %", "accuracy %"], rows)


def print_strangers(model, path, half, min_confidence):
    """Accuracy of each output on half of another collection; calibration and coverage of the scores."""
    images, truth = load_strangers(path, half)
    ferplus, fer2013 = onnx_logits(model, images)
    scores = onnx_scores(model, images)
    outputs = {"scores": (scores, FERPLUS_LABELS), "ferplus": (ferplus, FERPLUS_LABELS)}
    outputs["fer2013"] = (fer2013, FER2013_LABELS)
    rows = [[name, *strangers_accuracies(*output, truth)] for name, output in outputs.items()]
    print_table(["output", "seven classes %", "five classes %"], rows)
    classes = np.array(FERPLUS_OF_FER2013)[truth]
    print(f"calibration error of the scores: {100 * calibration_error(scores, classes):.1f} %")
    answered = scores.max(1) >= min_confidence
    right = (scores.argmax(1) == classes)[answered].mean() if answered.any() else np.nan
    share = f"{100 * answered.mean():.1f} % answered, {100 * right:.1f} % of them right"
    print(f"from a confidence of {min_confidence:g}: {share}")


def print_times(model, repeats=300):
    """Milliseconds a face on one core, median and best of many runs, for a few batch sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    for batch in (1, 5, 16):
        pictures = np.random.default_rng(0).integers(0, 256, (batch, 48, 48), dtype=np.uint8)
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            onnx_logits(session, pictures)
            times.append((time.perf_counter() - began) * 1e3 / batch)
        print(f"batch {batch:2d}: median {np.median(times):.2f}, best {min(times):.2f} ms a face")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data")
    parser.add_argument("--model", default=MODELS / "expression" / "model.onnx")
    parser.add_argument("--strangers", type=Path, help="npz of another collection (see dataset.py)")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="of the strangers: 0 chose, 1 reports")
    parser.add_argument("--min-confidence", type=float, default=0.8)
    parser.add_argument("--time", action="store_true", help="only measure speed")
    options = parser.parse_args()
    if options.time:
        return print_times(options.model)
    if options.strangers:
        return print_strangers(options.model, options.strangers, options.half, options.min_confidence)
    faces = load_faces(options.data, PUBLIC_TEST)
    ferplus, fer2013 = onnx_logits(options.model, faces.images)
    counted = faces.ferplus_truth >= 0
    print_head("FER+", ferplus[counted], faces.ferplus_truth[counted], FERPLUS_LABELS)
    print_head("FER2013", fer2013, faces.fer2013, FER2013_LABELS)
    print_combinations(ferplus, fer2013, faces, load_faces(options.data, TRAINING))


if __name__ == "__main__":
    main()
