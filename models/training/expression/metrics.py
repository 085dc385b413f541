# SPDX-License-Identifier: MIT OR Apache-2.0
"""Accuracy, recall and calibration of logits and probabilities."""

import numpy as np

from training.expression.labels import FER2013_LABELS, FIVE_LABELS


def accuracies(ferplus, fer2013, faces):
    """Accuracy by both protocols: FER+ over the rows that it counts, FER2013 over all rows."""
    counted = faces.ferplus_truth >= 0
    return {
        "ferplus": float((ferplus.argmax(1) == faces.ferplus_truth)[counted].mean()),
        "fer2013": float((fer2013.argmax(1) == faces.fer2013).mean()),
    }


def logits_of_classes(logits, labels, classes):
    """The logits [N, len(classes)] of `classes` from a head with these labels; -inf for missing classes."""
    missing = np.full(len(logits), -np.inf)
    return np.stack([logits[:, labels.index(name)] if name in labels else missing for name in classes], axis=1)


def strangers_accuracies(logits, labels, truth):
    """[accuracy over FER2013's seven classes, over five] of logits [N, classes] with these labels.

    `truth` [N] has indices into FER2013_LABELS. The accuracy over five classes covers only pictures of these classes,
    and the prediction is the best of the five.
    """
    in_five = np.isin(truth, [FER2013_LABELS.index(name) for name in FIVE_LABELS])
    seven = logits_of_classes(logits, labels, FER2013_LABELS)
    five = np.where(np.isin(FER2013_LABELS, FIVE_LABELS), seven, -np.inf)
    return [float((seven.argmax(1) == truth).mean()), float((five.argmax(1) == truth)[in_five].mean())]


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def recalls(predicted, truth, classes):
    """Recall of each class [classes]; NaN for a class that does not occur."""
    return np.array([(predicted[truth == c] == c).mean() if (truth == c).any() else np.nan for c in range(classes)])


def confusion(predicted, truth, classes):
    """Counts [truth, predicted]."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def calibration_error(probabilities, truth, bins=15):
    """Expected calibration error of the top class over bins of equal width; 0..1."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == truth
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - correct[index == b].mean()) * (index == b).mean() for b in np.unique(index)
    ]
    return float(sum(gaps))


def fit_temperature(*sets):
    """The softmax temperature with the lowest negative log likelihood (scores = softmax(logits / temperature)).

    Each set is a pair (logits [N, classes], truth [N]). All sets have equal weight.
    """
    candidates = np.exp(np.linspace(np.log(0.3), np.log(3.0), 231))
    loss = lambda logits, truth: -log_softmax(logits)[np.arange(len(truth)), truth].mean()
    losses = [sum(loss(logits / t, truth) for logits, truth in sets) for t in candidates]
    return float(candidates[int(np.argmin(losses))])
