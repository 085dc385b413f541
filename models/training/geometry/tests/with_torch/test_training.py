# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of crops, losses, training and export."""

import tempfile
import unittest
from argparse import Namespace
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from training.geometry import train
from training.geometry.batches import Batches, labelled_crops, mirror, to_tensors
from training.geometry.crops import angles, turn_upright
from training.geometry.degradation import degrade
from training.geometry.evaluate import closed_eyes, figures, run
from training.geometry.export import export, export_verified, load_network
from training.geometry.linear import store_linear
from training.geometry.loss import shape_weights, losses, trust_of
from training.geometry.network import OUTPUTS, SIDE, GeometryNet, multiply_adds
from training.geometry.points import BLENDSHAPES
from training.geometry.quantize import BLENDSHAPE_LAYERS
from training.geometry.tests.synthetic import faces


class Crops(unittest.TestCase):
    def test_the_points_move_with_the_pixels(self):
        crops, labels = labelled_crops(to_tensors(faces(3)))
        for crop, points in zip(crops, labels.points):
            at = (points * SIDE).long()
            self.assertGreater(crop[0][at[:, 1], at[:, 0]].min(), 120)

    def test_a_mirrored_batch_still_fits_its_pixels(self):
        torch.manual_seed(0)
        tensors = mirror(*to_tensors(faces(8)))
        crops, labels = labelled_crops(tensors)
        at = (labels.points * SIDE).long()
        values = torch.stack([crop[0][points[:, 1], points[:, 0]] for crop, points in zip(crops, at)])
        self.assertGreater(values.min(), 120)

    def test_a_face_that_is_tilted_in_the_frame_is_upright_in_its_square(self):
        roll = torch.tensor([0.3])
        cos, sin = roll.cos().item(), roll.sin().item()
        clockwise = torch.tensor([[[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]])
        self.assertAlmostEqual(angles(clockwise)[0, 2].item(), np.degrees(0.3), places=3)
        self.assertAlmostEqual(angles(turn_upright(clockwise, roll))[0, 2].item(), 0, places=4)

    def test_degraded_crops_stay_in_range(self):
        torch.manual_seed(0)
        crops = degrade(torch.rand(70, 1, SIDE, SIDE) * 255)
        self.assertEqual(crops.shape, (70, 1, SIDE, SIDE))
        self.assertTrue(0 <= crops.min() and crops.max() <= 255 and crops.isfinite().all())


class Losses(unittest.TestCase):
    def test_the_labels_themselves_have_no_loss_and_deserve_trust(self):
        _, labels = labelled_crops(to_tensors(faces(4)))
        trust = torch.cat([torch.full((4, 1), 1 - 1e-4), torch.full((2, 1), 1e-4)])
        more = lambda values: torch.cat([values.flatten(1), torch.zeros(2, values[0].numel())])
        outputs = more(labels.points), more(labels.pose), more(labels.blendshapes), trust
        values, error = losses(outputs, labels, torch.ones(52), shape_weights())
        self.assertLess(values.max(), 1e-3)
        self.assertEqual(error, 0)
        self.assertEqual(trust_of(torch.tensor([0.0, 10.0, 40.0])).tolist(), [1, 0.5, 0])


class Training(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def trainer(self, **changes):
        options = dict(cache=self.folder, run=self.folder / "run", steps=60, learning_rate=3e-3, weight_decay=0.0, ema=0.5)
        options |= dict(start=None, validate_every=60, threads=1, device="cpu", batch_scale=1, seed=1)
        (self.folder / "run").mkdir(exist_ok=True)
        np.savez(self.folder / "empty.npz", image=np.full((4, 112, 112), 60, np.uint8))
        with (
            mock.patch.object(train, "load_faces", lambda *_: faces(64)),
            mock.patch.object(train, "held_out_crops", lambda _: (*labelled_crops(to_tensors(faces(16, 5))), faces(16, 5))),
            mock.patch("training.geometry.batches.LABELLED", 12),
            mock.patch("training.geometry.batches.TURNED", 4),
        ):
            return train.Trainer(Namespace(**(options | changes)))

    def test_training_moves_the_points_and_continues_where_it_stopped(self):
        with mock.patch("training.geometry.batches.LABELLED", 12), mock.patch("training.geometry.batches.TURNED", 4):
            trainer = self.trainer()
            first = trainer.train_step()
            for _ in range(30):
                last = trainer.train_step()
            self.assertLess(last[0], first[0])
            trainer.save(self.folder / "last.pt")
            other = self.trainer(seed=2)
            other.resume(self.folder / "last.pt")
            self.assertEqual(other.step, 31)
            for name, value in trainer.averaged().state_dict().items():
                self.assertTrue(torch.equal(value, other.averaged().state_dict()[name]), name)

    def test_the_exported_file_has_the_outputs_of_the_network(self):
        torch.manual_seed(0)
        torch.save(GeometryNet().state_dict(), self.folder / "final.pt")
        network = load_network(self.folder / "final.pt")
        export_verified(network, self.folder / "model.onnx")
        crops, labels = labelled_crops(to_tensors(faces(5)))
        for ours, theirs in zip(run(network, crops), run(self.folder / "model.onnx", crops)):
            np.testing.assert_allclose(ours, theirs, atol=2e-3)
        self.assertIn("[trust]", (self.folder / "model.onnx.modelinfo").read_text())

    def test_compact_linear_layers_change_the_outputs_little(self):
        torch.manual_seed(0)
        network, path = GeometryNet().eval(), self.folder / "model.onnx"
        export(network, path)
        size = path.stat().st_size
        store_linear(path, in_8_bits=BLENDSHAPE_LAYERS)
        self.assertLess(path.stat().st_size, 0.6 * size)
        crops, _ = labelled_crops(to_tensors(faces(5)))
        for tolerance, ours, theirs in zip((1e-3, 0.1, 5e-3, 1e-3), run(network, crops), run(path, crops)):
            self.assertTrue(0 < np.abs(ours - theirs).max() < tolerance)

    def test_the_network_stays_within_its_budget(self):
        network = GeometryNet()
        self.assertLess(multiply_adds(network), 25e6)
        outputs = network.eval()(torch.zeros(2, 1, SIDE, SIDE))
        self.assertEqual([values.shape[1] for values in outputs], list(OUTPUTS.values()))
        self.assertTrue((outputs[2][:, -1] == 0).all())

    def test_closed_eyes_are_counted_by_both_limits(self):
        expected, predicted = np.zeros((2, 4, 52), np.float32)
        blinks = slice(BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight") + 1)
        expected[:, blinks] = np.array([0.6, 0.7, 0.2, 0.1])[:, None]
        predicted[:, blinks] = np.array([0.5, 0.3, 0.5, 0.1])[:, None]
        found = closed_eyes(predicted, expected)
        self.assertIn("closed eyes: 2 of 4 faces; 50 % of those found are closed, 50 % of the closed ones are found", found)

    def test_figures_of_perfect_outputs_are_perfect(self):
        _, labels = labelled_crops(to_tensors(faces(16)))
        outputs = [labels.points.flatten(1).numpy(), labels.pose.numpy(), labels.blendshapes.numpy(), np.ones((16, 1))]
        outputs[3][0] = 0.9
        found = figures(outputs, labels, np.ones(16, bool))
        self.assertEqual((found["error"], found["pose_error"], found["median_correlation"]), (0, [0, 0, 0], 1))


if __name__ == "__main__":
    unittest.main()
