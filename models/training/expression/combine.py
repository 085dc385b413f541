# SPDX-License-Identifier: MIT OR Apache-2.0
"""The scores that the element reports: all heads in one, by a rule for each prior.

Each head has its own labels and its own class frequencies. A rule combines the heads log-linearly:

    z[class] = sum over the heads that have the class of weight[head] * log_softmax(head)[class]  +  bias[class]
    scores   = softmax(z / temperature)

A head adds nothing to classes that it lacks (contempt, for all but `ferplus` and `joint`); the biases correct for that.

There are two priors, assumptions about how frequent the classes are. `natural` is for faces in front of a camera, two of
three of which are neutral or happy. `balanced` is for collections in which all classes are equally frequent. The weights
and biases of each rule minimise a sum of two cross entropies, each a mean over pictures:

| prior | first term | second term: half 0 of the strangers and their mirror images | temperature fitted to |
|---|---|---|---|
| natural | FER+ votes; equal weight for all classes | `NATURAL_STRANGERS`; classes weigh what they have in the votes | PublicTest, FER+ protocol |
| balanced | FER2013's labels; weight of a class: its frequency to the power of -0.5 | `BALANCED_STRANGERS`; equal weight for all classes | half 0 |

The first term is over the training pictures, augmented with a fixed seed because the network has memorised the plain ones.
The strangers are faces of another collection, with equally many pictures of each class and none of contempt. Contempt is no
working class: one in four faces that a fitted bias calls contempt is. Neither rule favours it.
"""

from dataclasses import dataclass, replace

import numpy as np

from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS, FERPLUS_OF_FER2013, HEADS
from training.expression.metrics import fit_temperature, log_softmax

CLASSES, CONTEMPT = len(FERPLUS_LABELS), FERPLUS_LABELS.index("contempt")
# The name of the exported output of each prior; the first one is the default.
OUTPUT_OF_PRIOR = {"natural": "scores", "balanced": "balanced"}
# Weights of the second term. From 0.25 on, `natural` recognises less than 80 % of PublicTest's neutral faces.
NATURAL_STRANGERS, BALANCED_STRANGERS = 0.1, 2.0
# Maximum bias of contempt.
NATURAL_CONTEMPT, BALANCED_CONTEMPT = 0.0, -3.0
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


def votes_evidence(logits, faces):
    """The `Evidence` of the votes of training pictures, with equal weight for all classes."""
    votes = faces.ferplus * faces.ferplus_weight[:, None]
    weights = (votes / np.maximum(votes.sum(0), 1)).sum(1) / np.maximum(votes.sum(1), 1e-6)
    return Evidence(features(logits), votes * (weights / weights.sum())[:, None])


def labels_evidence(logits, labels, weights):
    """The `Evidence` of faces with one label each, an index into FER2013_LABELS, and the relative weight of each class."""
    weights = np.asarray(weights, float)[labels]
    targets = np.eye(len(FER2013_LABELS))[labels] * (weights / weights.sum())[:, None]
    return Evidence(features(logits)[:, FERPLUS_OF_FER2013], targets)


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


def fit(heads, first, second, strength, contempt):
    """The rule of a prior, without the temperature.

    first, second  `Evidence` of both terms; the second may be None
    strength       weight of the second term
    contempt       maximum bias of contempt
    """
    parts = [(first.values, first.targets)]
    if second:
        parts.append((second.values, second.targets * strength))
    rule = minimise(parts, heads)
    return replace(rule, biases=(*rule.biases[:CONTEMPT], min(rule.biases[CONTEMPT], contempt)))


def fit_natural(training_logits, training, strangers=None):
    """The `Rule` of the prior `natural`, without the temperature.

    training_logits  logits of each head of the augmented training pictures `training`
    strangers        (logits of each head, labels) of half 0; without it, only the first term counts
    """
    frequencies = (training.ferplus * training.ferplus_weight[:, None]).sum(0)[FERPLUS_OF_FER2013]
    second = strangers and labels_evidence(*strangers, frequencies)
    first = votes_evidence(training_logits, training)
    return fit(len(training_logits), first, second, NATURAL_STRANGERS, NATURAL_CONTEMPT)


def fit_balanced(training_logits, training, strangers=None):
    """The `Rule` of the prior `balanced`; see `fit_natural`."""
    counts = np.bincount(training.fer2013, minlength=len(FER2013_LABELS))
    first = labels_evidence(training_logits, training.fer2013, np.maximum(counts, 1) ** -0.5)
    second = strangers and labels_evidence(*strangers, np.ones(len(FER2013_LABELS)))
    return fit(len(training_logits), first, second, BALANCED_STRANGERS, BALANCED_CONTEMPT)


def calibrated(rule, logits, truth):
    """The rule with the temperature that fits faces with these logits of each head; `truth` [N] is in FERPLUS_LABELS."""
    return replace(rule, temperature=fit_temperature((combined(logits, rule), truth)))


def protocol_truth(faces):
    """(rows that count, their classes) by the FER+ protocol, or by FER2013's labels in a data set without votes."""
    counted = faces.ferplus_truth >= 0
    if counted.any():
        return counted, faces.ferplus_truth[counted]
    return np.ones(len(counted), bool), np.array(FERPLUS_OF_FER2013)[faces.fer2013]


def fit_rules(training_logits, training, test_logits, test, strangers=None):
    """{prior: `Rule`} by the protocol above; `strangers` as in `fit_natural`."""
    counted, truth = protocol_truth(test)
    of_test = tuple(head[counted] for head in test_logits)
    balanced = (strangers[0], np.array(FERPLUS_OF_FER2013)[strangers[1]]) if strangers else (of_test, truth)
    return {
        "natural": calibrated(fit_natural(training_logits, training, strangers), of_test, truth),
        "balanced": calibrated(fit_balanced(training_logits, training, strangers), *balanced),
    }


def describe(rule):
    """The rule in one line."""
    weights = ", ".join(f"{head} {weight:.3f}" for head, weight in zip(HEADS, rule.weights))
    biases = ", ".join(f"{label} {bias:+.2f}" for label, bias in zip(FERPLUS_LABELS, rule.biases))
    return f"weights {weights}; biases {biases}; temperature {rule.temperature:.3f}"
