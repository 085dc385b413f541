#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of network, augmentation, framing and export on synthetic pictures: `python self_test.py` (seconds, needs no data).

What needs no torch is tested by `self_test_data.py`.
"""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from augmentation import augment
from combine import Rule, combined, priors
from dataset import normalise
from evaluate import log_softmax, onnx_logits, onnx_scores, torch_logits
from export_onnx import export
from framing import Square, crop, square_from_box, square_from_landmarks
from network import ExpressionNet, count_cost
from self_test_data import synthetic_faces


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
            path, rule, log_priors = Path(folder) / "model.onnx", Rule(temperature=0.7), priors(synthetic_faces())
            export(network.eval(), rule, log_priors, path)
            heads = torch_logits(network, pictures)
            for ours, theirs in zip(heads, onnx_logits(path, pictures)):
                np.testing.assert_allclose(ours, theirs, atol=1e-4)
            scores = np.exp(log_softmax(combined(*heads, rule, log_priors)))
            np.testing.assert_allclose(scores, onnx_scores(path, pictures), atol=1e-5)


if __name__ == "__main__":
    unittest.main()
