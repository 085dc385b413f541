#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test on synthetic pictures: `python self_test.py` (seconds, needs no data)."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from augmentation import augment
from dataset import FERPLUS_LABELS, Faces, majority_labels, normalise, soft_labels
from evaluate import accuracies, calibration_error, fit_temperature, log_softmax, onnx_logits, torch_logits
from export_onnx import export
from framing import Square, crop, square_from_box, square_from_landmarks
from network import ExpressionNet, count_cost


def votes(**columns):
    """One row of raw votes [1, 10] from names of expressions."""
    row = np.zeros((1, 10), np.uint8)
    names = (*FERPLUS_LABELS, "unknown", "not_a_face")
    for name, count in columns.items():
        row[0, names.index(name)] = count
    return row


class Labels(unittest.TestCase):
    def test_single_votes_are_dropped_and_the_rest_normalised(self):
        distribution, weight = soft_labels(votes(neutral=6, sadness=3, anger=1))
        np.testing.assert_allclose(distribution[0, [0, 3, 4]], [2 / 3, 1 / 3, 0])
        self.assertEqual(weight[0], 1)

    def test_votes_for_unknown_lower_the_weight(self):
        self.assertAlmostEqual(float(soft_labels(votes(neutral=6, unknown=4))[1][0]), 0.6)

    def test_ties_and_unknown_are_not_counted(self):
        self.assertEqual(majority_labels(votes(happiness=9))[0], 1)
        self.assertEqual(majority_labels(votes(neutral=5, sadness=5))[0], -1)
        self.assertEqual(majority_labels(votes(neutral=4, unknown=6))[0], -1)


class Pictures(unittest.TestCase):
    def test_augmented_pictures_stay_in_range_and_repeat_with_the_seed(self):
        faces = torch.rand(32, 1, 48, 48) * 255
        first, second = (augment(faces.clone(), torch.Generator().manual_seed(7)) for _ in range(2))
        self.assertEqual(first.shape, faces.shape)
        self.assertTrue(bool((first >= -0.01).all()) and bool((first <= 255.01).all()))
        self.assertTrue(torch.equal(first, second))

    def test_input_formula(self):
        np.testing.assert_array_equal(normalise(np.array([[[0, 128, 192]]])).ravel(), [-2, 0, 1])


class Framing(unittest.TestCase):
    def test_crop_of_the_pasted_square_gives_the_picture_back(self):
        picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
        canvas = np.full((200, 200, 3), 90, np.uint8)
        canvas[20:164, 30:174] = picture.repeat(3, 0).repeat(3, 1)[:, :, None]
        # at a scale of three the samples fall on pixel centres
        np.testing.assert_array_equal(crop(canvas, Square(30 + 72, 20 + 72, 144)), picture)

    def test_box_rule(self):
        square = square_from_box((10, 20, 30, 40), (1.5, 0.0, -0.1))
        self.assertEqual((square.x, square.y, square.side), (25, 36, 60))

    def test_landmark_rule_turns_with_the_face(self):
        upright = np.array([[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]], float)
        turned = upright @ np.array([[0, 1], [-1, 0]])
        square = square_from_landmarks(turned, (2.0, 0.0, -0.25), rotate=True)
        self.assertAlmostEqual(square.roll, np.pi / 2)
        self.assertAlmostEqual(square.x, 0.25 * np.sqrt(8))
        self.assertAlmostEqual(square.y, 0)


class Network(unittest.TestCase):
    def test_cost_limits(self):
        parameters, multiply_adds = count_cost(ExpressionNet())
        self.assertLessEqual(parameters, 1.5e6)
        self.assertLessEqual(multiply_adds, 80e6)

    def test_exported_file_gives_the_same_logits(self):
        network = ExpressionNet().train()
        network(torch.randn(64, 1, 48, 48))  # batch statistics that are not the initial ones
        pictures = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            export(network.eval(), Path(folder) / "model.onnx")
            for ours, theirs in zip(torch_logits(network, pictures), onnx_logits(Path(folder) / "model.onnx", pictures)):
                np.testing.assert_allclose(ours, theirs, atol=1e-4)


class Figures(unittest.TestCase):
    def test_rows_out_of_the_protocol_do_not_count(self):
        faces = Faces(np.zeros((3, 48, 48), np.uint8), None, None, np.array([0, 1, -1]), np.array([0, 1, 2]))
        figures = accuracies(np.eye(8)[[0, 0, 0]], np.eye(7)[[0, 1, 2]], faces)
        self.assertEqual(figures, {"ferplus": 0.5, "fer2013": 1.0})

    def test_temperature_mends_overconfidence(self):
        random = np.random.default_rng(3)
        logits = random.normal(size=(4000, 8))
        truth = np.array([random.choice(8, p=p) for p in np.exp(log_softmax(logits))])
        self.assertAlmostEqual(fit_temperature(logits * 2.5, truth), 2.5, delta=0.25)
        self.assertLess(calibration_error(np.exp(log_softmax(logits)), truth), 0.03)


if __name__ == "__main__":
    unittest.main()
