# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of what a baseline is worth."""

import unittest

import numpy as np

from training.expression.baseline import NEUTRAL, agreed, corrected, labels_of, shares

# Scores of a face of each class that is like others: 0.65 for its class.
TYPICAL = np.full((7, 8), 0.05) + 0.6 * np.eye(7, 8)
MEANS = np.log(TYPICAL + 0.001)


def of_person(classes, factor):
    """Scores of these classes by somebody whose sadness is `factor` times as probable as that of others."""
    scores = TYPICAL[classes].copy()
    scores[:, 3] *= factor
    return scores / scores.sum(1, keepdims=True)


class Baseline(unittest.TestCase):
    def test_a_calibrated_person_is_neutral(self):
        calm, sad = of_person([NEUTRAL] * 3, 30), of_person([3], 30)
        self.assertEqual(calm[0].argmax(), 3)
        self.assertEqual(corrected(calm, calm, MEANS[NEUTRAL])[0].argmax(), NEUTRAL)
        self.assertEqual(corrected(sad, calm, MEANS[NEUTRAL])[0].argmax(), 3)

    def test_a_baseline_is_learnt_from_what_a_person_shows(self):
        shown = np.array([[0, 1, 3, 4, 0, 1, 2, 3, 0]])
        seen = of_person(shown[0], 20)[None]
        right = [(labels_of(seen, MEANS, 0.3, has) == shown)[0, 4:].mean() for has in (False, True)]
        self.assertLess(right[0], 0.8)
        self.assertEqual(right[1], 1)

    def test_low_scores_are_unknown(self):
        seen = np.full((1, 2, 8), 1 / 8)
        np.testing.assert_array_equal(labels_of(seen, MEANS, 0.3, False), [[-1, -1]])
        self.assertEqual(shares(seen[0], np.array([0, 1]), 0.3)["others found"], 0)

    def test_only_classes_that_both_networks_find_count(self):
        five, seven = np.eye(5)[[0, 2]], np.eye(7)[[0, 1]]
        np.testing.assert_array_equal(agreed(five, seven), [0, -1])


if __name__ == "__main__":
    unittest.main()
