# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the network, its training, and its exported, factorised and mixed forms."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training.common.onnx_file import fold_batch_norm
from training.face.calibrate import logistic
from training.face.cells import cell_grid, flatten
from training.face.export import export, largest_difference, load_network
from training.face.factorise import differences, factorised
from training.face.loss import losses
from training.face.mix import mix
from training.face.network import INNER_CHANNELS, FaceNet
from training.face.tests.synthetic import photo
from training.face.tests.with_torch.batch import SIDE, batch
from training.face.train import twin


class Calibration(unittest.TestCase):
    def test_the_logistic_curve_behind_the_hits_is_found(self):
        rng = np.random.default_rng(0)
        logits = rng.uniform(-4, 3, 40_000)
        hits = rng.random(len(logits)) < 1 / (1 + np.exp(-(2.5 * logits + 1.5)))
        np.testing.assert_allclose(logistic(logits, hits), [2.5, 1.5], rtol=0.05)


class Network(unittest.TestCase):
    def test_size(self):
        parameters = lambda network: sum(parameter.numel() for parameter in network.parameters())
        self.assertLess(parameters(FaceNet()), 107_000)
        self.assertLess(parameters(FaceNet(inner=INNER_CHANNELS)), 96_000)

    def test_maps_have_the_stated_shapes(self):
        maps = FaceNet().eval()(torch.zeros(2, 3, 96, 160))
        self.assertEqual(
            [tuple(one.shape) for one in maps], [(2, 15, 24, 40), (2, 15, 12, 20), (2, 15, 6, 10), (2, 15, 3, 5)]
        )
        self.assertEqual(flatten(maps).shape, (2, 24 * 40 + 12 * 20 + 6 * 10 + 3 * 5, 15))

    def test_exported_file_gives_the_same_maps(self):
        network = FaceNet().train()
        network(torch.rand(4, 3, 64, 64))  # changes the batch norm statistics
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(network.eval(), path)
            self.assertLess(largest_difference(network, path), 1e-3)

    def random_network(self):
        """A network with folded batch norm and random heads."""
        torch.manual_seed(0)
        network = FaceNet().train()
        network(torch.rand(4, 3, 64, 64))
        for head in network.heads:
            torch.nn.init.normal_(head.weight)
            torch.nn.init.normal_(head.bias)
        return fold_batch_norm(network.eval())

    def test_more_inner_channels_make_the_factorised_network_more_accurate(self):
        network, pictures = self.random_network(), torch.rand(2, 3, 64, 96)
        errors = {}
        for inner in ((2, 2), INNER_CHANNELS, (48, 96)):
            ours = flatten(factorised(network, [photo()], inner)(pictures)).transpose(1, 2)
            errors[inner] = [value.item() for value in differences(ours, flatten(network(pictures)).transpose(1, 2))]
        self.assertLess(max(errors[48, 96]), 1e-3)
        self.assertLess(errors[INNER_CHANNELS][0], errors[2, 2][0])
        self.assertGreater(errors[INNER_CHANNELS][0], 3e-3)

    def test_a_factorised_file_is_read_as_an_equivalent_network(self):
        network = factorised(self.random_network(), [photo()])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(network, path)
            self.assertLess(largest_difference(load_network(path), path), 1e-3)
            self.assertLess(largest_difference(network, path), 1e-3)

    def test_differences_of_boxes_are_weighted_by_the_score(self):
        targets = torch.zeros(1, 15, 2)
        targets[0, 0] = torch.tensor([-9.0, 3.0])
        score, boxes, landmarks = differences(targets + torch.tensor([5.0, 0.0]), targets)
        self.assertTrue(0 < score < 0.1 and boxes == landmarks == 0)
        self.assertGreater(differences(targets + torch.tensor([0.0, 5.0]), targets)[1], 4)

    def test_mixed_weights_are_an_interpolation(self):
        first, second, pictures = FaceNet().eval(), FaceNet().eval(), torch.rand(1, 3, 64, 64)
        for share, one in ((0, first), (1, second)):
            torch.testing.assert_close(mix(first, second, share)(pictures), one(pictures))
        torch.testing.assert_close(
            mix(first, second, 0.25).heads[2].weight, 0.75 * first.heads[2].weight + 0.25 * second.heads[2].weight
        )

    def test_a_twin_shares_only_the_weights(self):
        network = FaceNet()
        other = twin(network)
        other.train()(torch.rand(2, 3, 64, 64))[0].mean().backward()
        self.assertTrue(all(parameter.grad is None for parameter in network.parameters()))
        self.assertFalse(torch.equal(network.stem[0][1].running_mean, other.stem[0][1].running_mean))
        with torch.no_grad():
            network.heads[1].weight.add_(1)
        self.assertTrue(torch.equal(network.heads[1].weight, other.heads[1].weight))

    def test_a_network_can_memorise_a_batch(self):
        torch.manual_seed(0)
        network, (pictures, labels), grid = FaceNet().train(), batch(), cell_grid(SIDE, SIDE)
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        history = []
        for _ in range(60):
            values = torch.stack(losses(network(pictures / 255), labels, grid))
            history.append(values.detach())
            optimizer.zero_grad()
            (values * torch.tensor([1.0, 2.0, 1.0])).sum().backward()
            optimizer.step()
        for name, first, last in zip(
            ("score", "box", "landmarks"), torch.stack(history[:5]).mean(0), torch.stack(history[-5:]).mean(0)
        ):
            self.assertLess(last, 0.6 * first, name)


if __name__ == "__main__":
    unittest.main()
