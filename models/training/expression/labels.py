# SPDX-License-Identifier: MIT OR Apache-2.0
"""The classes of the label sets and of the network's heads, and the FER+ protocol for votes."""

import numpy as np

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTE_COLUMNS = FERPLUS_LABELS + ("unknown", "not-a-face")
FER2013_LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
# Index into FERPLUS_LABELS of each of FER2013_LABELS, which lack contempt.
FERPLUS_OF_FER2013 = [FERPLUS_LABELS.index(label) for label in FER2013_LABELS]
# Classes of the outside networks that act as teachers (outside_teachers.py): retail-0003's and face-api.js's.
FIVE_LABELS = ("neutral", "happiness", "sadness", "surprise", "anger")
SEVEN_LABELS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
# Classes of each head of the network, in the order of its outputs. The first two learn from the two label sets, each of
# the next two from an outside network. The last learns the joint scores of all teachers, on labelled pictures together
# with FER+'s labels.
HEADS = {
    "ferplus": FERPLUS_LABELS,
    "fer2013": FER2013_LABELS,
    "five": FIVE_LABELS,
    "seven": SEVEN_LABELS,
    "joint": FERPLUS_LABELS,
}
LABELLED_HEADS, OUTSIDE_HEADS, JOINT_HEAD = ("ferplus", "fer2013"), ("five", "seven"), "joint"


def without_outliers(votes):
    """Votes [N, 10] as float32, with single votes set to 0 (the outlier rule of FER+'s authors)."""
    votes = votes.astype(np.float32)
    votes[votes <= 1] = 0
    return votes


def soft_labels(votes):
    """(distribution [N, 8], weight [N]) from raw votes [N, 10]."""
    votes = without_outliers(votes)
    expressions = votes[:, : len(FERPLUS_LABELS)]
    expression_votes = expressions.sum(axis=1)
    distribution = expressions / np.maximum(expression_votes, 1)[:, None]
    weight = expression_votes / np.maximum(votes.sum(axis=1), 1)
    return distribution.astype(np.float32), weight.astype(np.float32)


def majority_labels(votes):
    """The FER+ test label [N]: the unique maximum of the ten columns, or -1.

    -1 marks the rows that the protocol does not count: a tie, `unknown` or `not-a-face`.
    """
    votes = without_outliers(votes)
    winner = votes.argmax(axis=1)
    unique = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    counted = unique & (winner < len(FERPLUS_LABELS))
    return np.where(counted, winner, -1).astype(np.int64)


def votes_of_labels(fer2013):
    """Ten votes [N, 10] for the single label of each picture, to train on where nobody voted."""
    votes = np.zeros((len(fer2013), len(VOTE_COLUMNS)), np.uint8)
    votes[np.arange(len(fer2013)), np.array(FERPLUS_OF_FER2013)[fer2013]] = 10
    return votes
