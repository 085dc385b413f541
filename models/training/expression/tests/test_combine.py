# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the combination of heads, and of metrics."""

import unittest

import numpy as np

from training.expression.combine import (
    BALANCED_CONTEMPT,
    CONTEMPT,
    NATURAL_CONTEMPT,
    Rule,
    calibrated,
    combined,
    fit_balanced,
    fit_natural,
    fit_rules,
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

    def test_each_rule_is_better_balanced_than_either_head(self):
        faces = synthetic_faces()
        heads = self.noisy_heads(faces)
        recall = lambda logits: np.nanmean(recalls(logits.argmax(1), faces.ferplus_truth, 8))
        for fit in (fit_natural, fit_balanced):
            rule = fit(heads, faces)
            self.assertGreater(recall(combined(heads, rule)), recall(heads[0]) + 0.05)
            self.assertTrue(all(weight > 0 for weight in rule.weights))

    def test_a_random_head_gets_no_weight(self):
        faces = synthetic_faces()
        ferplus, fer2013 = self.noisy_heads(faces)
        rule = fit_natural((ferplus, np.random.default_rng(1).normal(0, 3, fer2013.shape)), faces)
        self.assertLess(rule.weights[1], 0.02)
        self.assertGreater(rule.weights[0], 0.5)

    def test_strangers_make_a_rule_better_on_strangers(self):
        faces, others = synthetic_faces(), synthetic_faces(count=350, shares=(1 / 7,) * 7)
        heads = self.noisy_heads(faces)
        # On the strangers, the first head is random.
        strangers_logits = (np.random.default_rng(2).normal(0, 1, (len(others), 8)), self.noisy_heads(others)[1])
        accuracy = lambda rule: (combined(strangers_logits, rule).argmax(1) == others.ferplus_truth).mean()
        for fit in (fit_natural, fit_balanced):
            with_strangers = fit(heads, faces, (strangers_logits, others.fer2013))
            self.assertGreater(accuracy(with_strangers), accuracy(fit(heads, faces)))

    def test_neither_rule_favours_contempt_and_each_is_calibrated_on_its_own_faces(self):
        faces, others = synthetic_faces(), synthetic_faces(count=350, shares=(1 / 7,) * 7)
        heads = self.noisy_heads(faces)
        # The heads are less certain about the strangers.
        strangers = tuple(0.3 * head for head in self.noisy_heads(others))
        rules = fit_rules(heads, faces, heads, faces, (strangers, others.fer2013))
        self.assertLessEqual(rules["natural"].biases[CONTEMPT], NATURAL_CONTEMPT)
        self.assertLessEqual(rules["balanced"].biases[CONTEMPT], BALANCED_CONTEMPT)
        for prior, logits, truth in (("natural", heads, faces), ("balanced", strangers, others)):
            scores = np.exp(log_softmax(combined(logits, rules[prior])))
            self.assertLess(calibration_error(scores, truth.ferplus_truth), 0.1)

    def test_a_sharper_rule_gets_a_higher_temperature(self):
        faces = synthetic_faces()
        heads = self.noisy_heads(faces)
        rule = fit_natural(heads, faces)
        sharp = Rule(tuple(2 * np.array(rule.weights)), tuple(2 * np.array(rule.biases)))
        temperatures = [calibrated(each, heads, faces.ferplus_truth).temperature for each in (rule, sharp)]
        self.assertAlmostEqual(temperatures[1], 2 * temperatures[0], delta=0.1)


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
