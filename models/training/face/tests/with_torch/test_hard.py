# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of pictures made by torch, and of training on hard views."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training.face.blend import blended
from training.face.evaluate_hard import Found, hard_views
from training.face.export import export
from training.face.gpu_views import contrast, degrade, jpeg, light, motion_blur, moving_faces, with_backgrounds
from training.face.hard import HardTrainer, load_factorised, parse_arguments, train
from training.face.network import INNER_CHANNELS, FaceNet
from training.face.pack import in_order, pack
from training.face.tests.synthetic import photo


class Degradation(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.pictures = torch.rand(3, 3, 64, 96)

    def test_motion_blur_draws_a_point_as_a_line_of_its_length(self):
        picture = torch.zeros(1, 3, 64, 96)
        picture[..., 32, 48] = 1
        blurred = motion_blur(picture, torch.tensor([[16.0, 0.0]]))[0, 0]
        self.assertAlmostEqual(blurred.sum().item(), 1, places=3)
        columns = (blurred.sum(0) > 0.01).nonzero().flatten()
        self.assertTrue(15 <= columns.max() - columns.min() <= 18)
        self.assertTrue((blurred[[30, 34]] < 1e-3).all())

    def test_still_pictures_stay(self):
        still = motion_blur(self.pictures, torch.zeros(3, 2))
        torch.testing.assert_close(still, self.pictures, atol=1e-4, rtol=0)

    def test_what_is_far_from_a_moving_face_can_stay_sharp(self):
        targets = torch.tensor([[16.0, 16.0, 12.0]]).repeat(200, 1)
        changed = (moving_faces(self.pictures[:1].repeat(200, 1, 1, 1), targets) - self.pictures[:1]).abs()
        far, near = changed[:, :, 40:, 60:].mean((1, 2, 3)), changed[:, :, 10:22, 10:22].mean((1, 2, 3))
        self.assertTrue(0.3 < (far < 1e-3).float().mean() < 0.7)
        self.assertGreater((near > 1e-2).float().mean(), 0.8)

    def test_compression_changes_fine_detail_most_if_it_is_coarse(self):
        fine, coarse = (
            (jpeg(self.pictures, torch.full((3, 1, 1, 1), strength)) - self.pictures).abs().mean()
            for strength in (0.02, 4.0)
        )
        self.assertLess(fine, 0.02)
        self.assertGreater(coarse, 5 * fine)
        flat = torch.full((1, 3, 16, 16), 0.5)
        torch.testing.assert_close(jpeg(flat, torch.ones(1, 1, 1, 1)), flat, atol=0.05, rtol=0)

    def test_values_stay_between_black_and_white(self):
        for change in (light, contrast, lambda pictures: degrade(pictures, torch.zeros(3, 3))):
            changed = change(self.pictures)
            self.assertTrue((changed >= 0).all() and (changed <= 1).all())
            self.assertEqual(changed.shape, self.pictures.shape)

    def test_backgrounds_appear_outside_of_the_photo_alone(self):
        inside = torch.zeros(3, 1, 64, 96, dtype=torch.bool)
        inside[..., :48] = True
        filled = with_backgrounds(self.pictures, inside, torch.tensor([1]))
        torch.testing.assert_close(filled[..., :48], self.pictures[..., :48])
        self.assertTrue(any((filled[index, :, :, 48:] == self.pictures[1, :, :, 48:]).all() for index in (0, 2)))


class Training(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        animal = photo(boxes=(), source="animal", ignore=((10, 10, 90, 90),))
        pack(in_order([photo(), animal], []), self.folder, 10**6)
        torch.manual_seed(0)
        network = FaceNet(inner=INNER_CHANNELS)
        # Equal weights would be stored only once.
        network(torch.rand(4, 3, 64, 64))
        for head in network.heads:
            head.bias.data += 0.01 * torch.randn(len(head.bias))
        export(network.eval(), self.folder / "start.onnx")

    def options(self, *more):
        common = ["--data", self.folder, "--start", self.folder / "start.onnx", "--run", self.folder / "run"]
        common += ["--device", "cpu", "--pixels", 200_000, "--workers", 0, "--hard-share", 0.5]
        return parse_arguments([str(value) for value in (*common, *more)])

    def test_photos_are_sampled_where_their_labels_are(self):
        trainer = HardTrainer(self.options())
        label = trainer.labels[1]
        middle, zoom = label.boxes[0].reshape(2, 2).mean(0), 1.0
        matrix = np.concatenate([np.eye(2) / zoom, (middle - 16)[:, None]], 1)[None]
        pictures, inside = trainer.photos.sample([1], matrix, [zoom], 32, 32)
        self.assertTrue(inside.all())
        self.assertGreater(pictures[0, 0, 4:28, 4:28].mean(), 0.8)
        self.assertLess(pictures[0, 1, 4:28, 4:28].mean(), 0.2)

    def test_a_run_saves_weights_that_can_be_blended_and_measured(self):
        steps = train(self.options("--seconds", 3))
        self.assertGreater(steps, 0)
        start, state = load_factorised(self.folder / "start.onnx"), torch.load(self.folder / "run" / "hard-100.pt")
        name = "heads.3.weight"
        own = start.state_dict()[name].clone()
        self.assertFalse(torch.equal(own, state[name]))
        half = blended(start, [state], 0.5).state_dict()[name]
        torch.testing.assert_close(half, (own + state[name]) / 2)

    def test_coarse_training_keeps_the_fine_parts(self):
        trainer = HardTrainer(self.options("--coarse"))
        frozen = {name for name, value in trainer.network.named_parameters() if not value.requires_grad}
        for name in ("stem.0.0.weight", "stages.0.0.0.0.weight", "heads.0.weight", "towers.1.pointwise.0.weight"):
            self.assertIn(name, frozen)
        self.assertNotIn("heads.2.weight", frozen)
        self.assertNotIn("stages.1.0.pointwise.0.weight", frozen)

    def test_recall_is_counted_by_kind(self):
        found = Found(self.folder / "start.onnx", None)
        for picture, view, label in hard_views(self.folder, 12, 1):
            found.look(picture, view, label)
        self.assertEqual(found.empty, 4)
        self.assertEqual(
            len(found.scores["all"]), len(found.scores.get("whole", [])) + len(found.scores.get("cut off", []))
        )
        self.assertIn("false per 100 (4)", found.figures())


if __name__ == "__main__":
    unittest.main()
