# SPDX-License-Identifier: MIT OR Apache-2.0
"""The scores that the element reports: all heads in one.

Each head has its own labels and its own class frequencies. The scores combine the heads log-linearly:

    z[class] = sum over the heads that have the class of weight[head] * log_softmax(head)[class]  +  bias[class]
    scores   = softmax(z / temperature)

A head adds nothing to classes that it lacks (contempt, for all but `ferplus` and `joint`); the biases correct for that.

Protocol (EXPERIMENTS.md has its history):

1. Non-negative weights and biases minimise a sum of two cross entropies, each a mean over pictures. The first covers
   the training pictures, augmented with a fixed seed because the network has memorised the plain ones. The FER+ votes
   are its soft labels, and all classes have equal weight. The second covers half 0 of the strangers (faces of another
   collection, with equally many pictures of each class and none of contempt) and their mirror images.
2. The second term has the largest weight of a grid that costs at most `FERPLUS_COST` of the ferplus head's own accuracy
   on the augmented training pictures. A larger weight makes more neutral faces come out as fear or sadness.
3. The bias of contempt is the largest of a grid that costs the other classes at most `CONTEMPT_COST` of macro-recall.
4. The temperature is fitted to PublicTest by the FER+ protocol and to half 0, with equal weight.
"""

from dataclasses import dataclass, replace

import numpy as np

from training.expression.labels import FERPLUS_LABELS, FERPLUS_OF_FER2013, HEADS
from training.expression.metrics import fit_temperature, log_softmax, recalls

CLASSES, CONTEMPT = len(FERPLUS_LABELS), FERPLUS_LABELS.index("contempt")
FERPLUS_COST = 0.03
STRANGERS_WEIGHTS = (4.0, 2.0, 1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.0)
CONTEMPT_BIASES = tuple(np.arange(-3.0, 4.1, 0.25).tolist())
CONTEMPT_COST = 0.005
# Penalty on squared weights and biases. Without it, the bias of a class that never occurs is undetermined.
DECAY = 1e-3
NEWTON_STEPS = 30


@dataclass(frozen=True)
class Rule:
    """The parameters of the formula above; weights are in the order of `HEADS`."""

    weights: tuple = (0.5, 0.5)
    biases: tuple = (0.0,) * CLASSES
    temperature: float = 1.0


@dataclass(frozen=True)
class Evidence:
    """Pictures with labels of C classes, to fit a rule to.

    values   [N, C, heads + 8]  the logits of the scores of these classes are values @ (weights, biases)
    targets  [N, C]             soft labels times the weight of each picture
    """

    values: np.ndarray
    targets: np.ndarray


def columns_of(head):
    """The class of each output of a head, as an index into FERPLUS_LABELS."""
    return [FERPLUS_LABELS.index(label) for label in HEADS[head]]


def linear(rule):
    """(matrix [8, outputs], bias [8]) from the concatenated log-probabilities of all heads to the scores' logits."""
    blocks = [weight * np.eye(CLASSES)[:, columns_of(head)] for head, weight in zip(HEADS, rule.weights)]
    return np.concatenate(blocks, axis=1) / rule.temperature, np.array(rule.biases) / rule.temperature


def combined(logits, rule):
    """Logits of the scores [N, 8] from the logits of each head."""
    matrix, bias = linear(rule)
    return np.concatenate([log_softmax(head) for head in logits], axis=1) @ matrix.T + bias


def features(logits):
    """`Evidence.values` [N, 8, heads + 8] from the logits of each head."""
    values = np.zeros((len(logits[0]), CLASSES, len(logits) + CLASSES))
    for index, (head, values_of_head) in enumerate(zip(HEADS, logits)):
        values[:, columns_of(head), index] = log_softmax(values_of_head.astype(float))
    values[:, np.arange(CLASSES), len(logits) + np.arange(CLASSES)] = 1
    return values


def training_evidence(logits, faces):
    """The `Evidence` of augmented training pictures: their votes, with equal weight for all classes."""
    votes = faces.ferplus * faces.ferplus_weight[:, None]
    weights = (votes / np.maximum(votes.sum(0), 1)).sum(1) / np.maximum(votes.sum(1), 1e-6)
    return Evidence(features(logits), votes * (weights / weights.sum())[:, None])


def strangers_evidence(logits, labels):
    """The `Evidence` of faces with one label each, an index into FER2013_LABELS; all faces have equal weight."""
    return Evidence(features(logits)[:, FERPLUS_OF_FER2013], np.eye(len(FERPLUS_OF_FER2013))[labels] / len(labels))


def loss_and_slopes(parameters, parts):
    """(loss, gradient, Hessian) of the penalty and of the cross entropies of `parts`, which are (values, targets)."""
    loss, gradient, hessian = 0.5 * DECAY * (parameters**2).sum(), DECAY * parameters, DECAY * np.eye(len(parameters))
    for values, targets in parts:
        log_scores = log_softmax(values @ parameters)
        scores, mass = np.exp(log_scores), targets.sum(axis=1, keepdims=True)
        loss = loss - (targets * log_scores).sum()
        gradient = gradient + np.einsum("nc,nck->k", scores * mass - targets, values)
        centred = values - np.einsum("nc,nck->nk", scores, values)[:, None]
        flat = (centred * np.sqrt(scores * mass)[:, :, None]).reshape(-1, len(parameters))
        hessian = hessian + flat.T @ flat
    return loss, gradient, hessian


def minimise(parts, heads):
    """The rule with the lowest loss, by Newton's method with step halving; weights are clipped at 0."""
    parameters = np.concatenate([np.full(heads, 1 / heads), np.zeros(CLASSES)])
    loss, gradient, hessian = loss_and_slopes(parameters, parts)
    for _ in range(NEWTON_STEPS):
        free = (parameters > 0) | (gradient < 0) | (np.arange(len(parameters)) >= heads)
        step = np.zeros(len(parameters))
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        for halving in range(10):
            moved = parameters - step / 2**halving
            moved[:heads] = moved[:heads].clip(min=0)
            found = loss_and_slopes(moved, parts)
            if found[0] <= loss:
                break
        change, parameters = np.abs(moved - parameters).max(), moved
        loss, gradient, hessian = found
        if change < 1e-5:
            break
    return Rule(tuple(parameters[:heads].tolist()), tuple(parameters[heads:].tolist()))


def rule_by_weight(training_logits, training, strangers=None):
    """A function from the weight of the second term to the `Rule` with the lowest loss; see `fit_rule`."""
    first = training_evidence(training_logits, training)
    parts = [(first.values, first.targets)]

    def rule(weight):
        second = [(strangers.values, strangers.targets * weight)] if strangers and weight else []
        return minimise(parts + second, len(training_logits))

    return rule


def ferplus_accuracy(logits, faces):
    """Accuracy of logits [N, 8] by the FER+ protocol, or by FER2013's labels in a data set without votes."""
    counted = faces.ferplus_truth >= 0
    truth = np.where(counted, faces.ferplus_truth, np.array(FERPLUS_OF_FER2013)[faces.fer2013])
    right = logits.argmax(1) == truth
    return right[counted].mean() if counted.any() else right.mean()


def votes_macro_recall(logits, faces):
    """Macro-recall by the majority of the votes over all classes except contempt, which may be predicted."""
    counted = faces.ferplus_truth >= 0
    return np.nanmean(np.delete(recalls(logits[counted].argmax(1), faces.ferplus_truth[counted], CLASSES), CONTEMPT))


def with_contempt(rule, logits, faces):
    """The rule with the largest bias of contempt that costs the other classes at most `CONTEMPT_COST`."""
    if not (faces.ferplus_truth == CONTEMPT).any():
        return rule
    biased = lambda bias: replace(rule, biases=(*rule.biases[:CONTEMPT], bias, *rule.biases[CONTEMPT + 1 :]))
    quality = lambda bias: votes_macro_recall(combined(logits, biased(bias)), faces)
    minimum = quality(-np.inf) - CONTEMPT_COST
    return biased(max((bias for bias in CONTEMPT_BIASES if quality(bias) >= minimum), default=CONTEMPT_BIASES[0]))


def fit_rule(training_logits, training, strangers=None):
    """The `Rule` of the protocol above, without the temperature.

    training_logits  logits of each head of the augmented training pictures `training`
    strangers        `Evidence` of half 0; without it, only the first term counts
    """
    rule_of = rule_by_weight(training_logits, training, strangers)
    minimum = ferplus_accuracy(training_logits[0], training) - FERPLUS_COST
    for weight in STRANGERS_WEIGHTS if strangers else (0.0,):
        rule = with_contempt(rule_of(weight), training_logits, training)
        if ferplus_accuracy(combined(training_logits, rule), training) >= minimum:
            break
    return rule


def calibrated(rule, test_logits, test, strangers=None):
    """The rule with the temperature that minimises the cross entropy of the test faces and, equally, the strangers."""
    counted = test.ferplus_truth >= 0
    truth = test.ferplus_truth if counted.any() else np.array(FERPLUS_OF_FER2013)[test.fer2013]
    rows = counted if counted.any() else np.ones(len(truth), bool)
    sets = [(combined(test_logits, rule)[rows], truth[rows])]
    if strangers:
        sets.append((strangers.values @ np.array(rule.weights + rule.biases), strangers.targets.argmax(1)))
    return replace(rule, temperature=fit_temperature(*sets))


def describe(rule):
    """The rule in one line."""
    weights = ", ".join(f"{head} {weight:.3f}" for head, weight in zip(HEADS, rule.weights))
    biases = ", ".join(f"{label} {bias:+.2f}" for label, bias in zip(FERPLUS_LABELS, rule.biases))
    return f"weights {weights}; biases {biases}; temperature {rule.temperature:.3f}"
