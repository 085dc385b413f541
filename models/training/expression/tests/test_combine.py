# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the combination of heads, and of metrics."""

import unittest

import numpy as np

from training.expression.combine import (
    FERPLUS_COST,
    Rule,
    calibrated,
    combined,
    ferplus_accuracy,
    fit_rule,
    strangers_evidence,
)
from training.expression.dataset import Faces
from training.expression.labels import FERPLUS_LABELS, FIVE_LABELS, HEADS
from training.expression.metrics import accuracies, calibration_error, fit_temperature, log_softmax, recalls
from training.expression.tests.synthetic import synthetic_faces


class Combining(unittest.TestCase):
    def noisy_heads(self, faces, seed=6):
        """Logits of the first two heads: the truth, the log frequency of the classes, and noise."""
        random = np.random.default_rng(seed)
        logits = []
        for truth, classes in ((faces.ferplus_truth, 8), (faces.fer2013, 7)):
            prior = np.log(np.maximum(np.bincount(truth, minlength=classes), 1) / len(truth))
            logits.append(2.0 * np.eye(classes)[truth] + prior + random.normal(0, 1.5, (len(truth), classes)))
        return tuple(logits)

    def test_a_head_adds_nothing_to_classes_that_it_lacks(self):
        heads = [np.zeros((1, len(labels))) for labels in HEADS.values()]
        logits = combined(heads, Rule((0.0, 0.0, 1.0, 0.0, 0.0), tuple(range(8)), 2.0))[0]
        lacking = [label not in FIVE_LABELS for label in FERPLUS_LABELS]
        np.testing.assert_allclose(logits, (np.arange(8) + np.where(lacking, 0, np.log(1 / 5))) / 2)

    def test_the_rule_is_better_balanced_than_either_head(self):
        faces = synthetic_faces()
        heads = self.noisy_heads(faces)
        recall = lambda logits: np.nanmean(recalls(logits.argmax(1), faces.ferplus_truth, 8))
        rule = fit_rule(heads, faces)
        self.assertGreater(recall(combined(heads, rule)), recall(heads[0]) + 0.05)
        self.assertTrue(all(weight > 0 for weight in rule.weights))

    def test_a_random_head_gets_no_weight(self):
        faces = synthetic_faces()
        ferplus, fer2013 = self.noisy_heads(faces)
        rule = fit_rule((ferplus, np.random.default_rng(1).normal(0, 3, fer2013.shape)), faces)
        self.assertLess(rule.weights[1], 0.02)
        self.assertGreater(rule.weights[0], 0.5)

    def test_strangers_change_the_rule_within_the_allowed_cost(self):
        faces, others = synthetic_faces(), synthetic_faces(count=350, shares=(1 / 7,) * 7)
        heads = self.noisy_heads(faces)
        # On the strangers, the first head is random.
        strangers_logits = (np.random.default_rng(2).normal(0, 1, (len(others), 8)), self.noisy_heads(others)[1])
        evidence = strangers_evidence(strangers_logits, others.fer2013)
        without, with_strangers = fit_rule(heads, faces), fit_rule(heads, faces, evidence)
        accuracy = lambda rule: (combined(strangers_logits, rule).argmax(1) == others.ferplus_truth).mean()
        self.assertGreater(accuracy(with_strangers), accuracy(without))
        minimum = ferplus_accuracy(heads[0], faces) - FERPLUS_COST
        self.assertGreaterEqual(ferplus_accuracy(combined(heads, with_strangers), faces), minimum)

    def test_temperature_is_fitted_to_two_collections(self):
        faces = synthetic_faces()
        heads = self.noisy_heads(faces)
        rule = fit_rule(heads, faces)
        sharp = Rule(tuple(2 * np.array(rule.weights)), tuple(2 * np.array(rule.biases)))
        found = calibrated(sharp, heads, faces, strangers_evidence(heads, faces.fer2013)).temperature
        self.assertAlmostEqual(found, 2 * calibrated(rule, heads, faces).temperature, delta=0.1)


class Metrics(unittest.TestCase):
    def test_rows_outside_the_protocol_do_not_count(self):
        faces = Faces(np.zeros((3, 48, 48), np.uint8), None, None, np.array([0, 1, -1]), np.array([0, 1, 2]))
        figures = accuracies(np.eye(8)[[0, 0, 0]], np.eye(7)[[0, 1, 2]], faces)
        self.assertEqual(figures, {"ferplus": 0.5, "fer2013": 1.0})

    def test_temperature_corrects_overconfidence(self):
        random = np.random.default_rng(3)
        logits = random.normal(size=(4000, 8))
        truth = np.array([random.choice(8, p=p) for p in np.exp(log_softmax(logits))])
        self.assertAlmostEqual(fit_temperature((logits * 2.5, truth)), 2.5, delta=0.25)
        self.assertLess(calibration_error(np.exp(log_softmax(logits)), truth), 0.03)


if __name__ == "__main__":
    unittest.main()
