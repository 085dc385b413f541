# SPDX-License-Identifier: MIT OR Apache-2.0
"""The style class of each label."""

import itertools

from .records import UNKNOWN, UNSCORED

# Classes in page.html, with the names that models use for the expression.
EXPRESSIONS = {
    "neutral": "neutral neutrality calm",
    "happiness": "happiness happy joy",
    "surprise": "surprise surprised",
    "sadness": "sadness sad",
    "anger": "anger angry",
    "disgust": "disgust disgusted",
    "fear": "fear fearful afraid",
    "contempt": "contempt contemptuous",
}


class Colours:
    """Maps labels to style classes; a label that is not in EXPRESSIONS gets the first unused class."""

    def __init__(self, labels):
        self.classes = {UNKNOWN: "unknown", UNSCORED: "unscored"}
        for label in labels:
            known = [name for name, synonyms in EXPRESSIONS.items() if label.lower() in synonyms.split()]
            self.classes.setdefault(label, known[0] if known else "")
        unused = [name for name in EXPRESSIONS if name not in self.classes.values()]
        spare = itertools.cycle(unused or EXPRESSIONS)
        self.classes = {label: name or next(spare) for label, name in self.classes.items()}

    def __getitem__(self, label):
        return self.classes[label]
