# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the network and of the exported file."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training.expression.combine import Rule, combined
from training.expression.export import export
from training.expression.inference import onnx_logits, onnx_scores, torch_logits
from training.expression.labels import HEADS
from training.expression.metrics import log_softmax
from training.expression.network import ExpressionNet, count_cost, read_network


class Network(unittest.TestCase):
    def test_cost_limits(self):
        parameters, multiply_adds = count_cost(ExpressionNet())
        self.assertLessEqual(parameters, 1.5e6)
        self.assertLessEqual(multiply_adds, 80e6)
        self.assertLessEqual(count_cost(ExpressionNet("half"))[1], 40e6)

    def test_standardised_pictures_do_not_depend_on_light_and_contrast(self):
        standardise, faces = ExpressionNet("half").standardise, torch.randn(4, 1, 48, 48)
        torch.testing.assert_close(standardise(faces), standardise(0.5 * faces - 1), atol=0.05, rtol=0)
        # A nearly uniform picture is not amplified.
        self.assertLess(standardise(0.001 * faces).abs().max(), 0.1)

    def test_exported_file_gives_the_same_logits(self):
        network = ExpressionNet(heads=HEADS).train()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)  # the exporter merges equal weights
        network(torch.randn(64, 1, 48, 48))  # changes the batch norm statistics
        pictures = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path, rule = Path(folder) / "model.onnx", Rule((0.5, 0.4, 0.3, 0.2, 0.1), tuple(np.linspace(-1, 1, 8)), 0.7)
            other = Rule((0.1, 0.2, 0.3, 0.4, 0.5), tuple(np.linspace(1, -1, 8)), 1.2)
            export(network.eval(), (rule, other), path)
            heads = torch_logits(network, pictures)
            for ours, theirs in zip(heads, onnx_logits(path, pictures)):
                np.testing.assert_allclose(ours, theirs, atol=1e-4)
            # The file also holds the heads without an output, for further training.
            for ours, theirs in zip(heads, torch_logits(read_network(path), pictures)):
                np.testing.assert_allclose(ours, theirs, atol=1e-3)
            for expected, output in ((rule, "scores"), (other, "balanced")):
                scores = np.exp(log_softmax(combined(heads, expected)))
                np.testing.assert_allclose(scores, onnx_scores(path, pictures, output=output), atol=1e-5)


if __name__ == "__main__":
    unittest.main()
