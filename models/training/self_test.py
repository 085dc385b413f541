#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of network, augmentation, framing and export on synthetic pictures: `python self_test.py` (seconds, needs no data).

What needs no torch is tested by `self_test_data.py`.
"""

import tempfile
import unittest
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from augmentation import augment
from combine import Rule, combined, priors
from dataset import normalise
from evaluate import log_softmax, onnx_logits, onnx_scores, torch_logits
from export_onnx import export
from framing import Square, crop, square_from_box, square_from_landmarks, turned
from network import ExpressionNet, count_cost, network_of, read_network
from onnx_file import unfold_batch_norm
from self_test_data import synthetic_faces
from train import Trainer, mean_scores


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

    def test_crop_of_a_turned_square_gives_the_picture_back(self):
        canvas = np.full((200, 200, 3), 90, np.uint8)
        # Smooth, and darker to the right than below.
        canvas[30:170, 40:180] = (220 - np.arange(140)[None, :] - 0.5 * np.arange(140)[:, None])[:, :, None]
        square = Square(110, 100, 90)
        tilted, found = turned(canvas, square, np.radians(30))
        self.assertAlmostEqual(np.degrees(found.roll), 30)
        self.assertGreater(int(tilted[100, 150, 0]), int(canvas[100, 150, 0]), "what was above comes to the right")
        far = np.abs(crop(tilted, found).astype(int) - crop(canvas, square))
        self.assertLess(far.max(), 4)

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


LOADER = """
import numpy as np

def load():
    random = np.random.default_rng(2)
    labels = np.arange(256) % 2
    stripes = np.where(np.arange(48) // 6 % 2, 200, 60)[None, :].repeat(48, 0)
    images = np.stack([stripes.T if label else stripes for label in labels]) + random.integers(-20, 21, (256, 48, 48))
    votes = np.zeros((256, 10), np.uint8)
    votes[np.arange(256), labels] = 10
    return images.astype(np.uint8), votes, np.where(labels, 3, 6), (np.arange(256) >= 192).astype(np.uint8), np.arange(256)
"""


class Training(unittest.TestCase):
    """On lying stripes, called happiness, and standing ones, called neutral."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "load.py").write_text(LOADER)

    def trainer(self, **changes):
        options = dict(
            data=self.folder, size="tiny", epochs=4, batch=16, learning_rate=0.03, weight_decay=5e-4, label_smoothing=0.1, mixup=0.0, ema=0.5, dropout=0.1,
            strength=0.3, small_epochs=1, start=None, teacher=None, teacher_share=0.5, threads=1, seed=1,
        )
        return Trainer(Namespace(**(options | changes)))

    def train(self, trainer, epochs):
        history = []
        for _ in range(epochs):
            history.append(sum(trainer.train_epoch()))
            trainer.epoch += 1
        return history

    def test_it_learns_and_goes_on_where_it_was(self):
        trainer = self.trainer()
        self.train(trainer, 2)
        trainer.save(self.folder / "last.pt")
        history = self.train(trainer, 2)
        self.assertEqual(trainer.validate()["ferplus"], 1.0)
        again = self.trainer()
        again.resume(self.folder / "last.pt")
        np.testing.assert_allclose(self.train(again, 2), history, rtol=1e-3)

    def test_it_learns_from_a_teacher_alone(self):
        teacher = self.trainer(epochs=3)
        self.train(teacher, 3)
        torch.save(teacher.average.state, self.folder / "final.pt")
        pupil = self.trainer(teacher=[self.folder / "final.pt"], teacher_share=1.0)
        # What the labels say must not matter.
        pupil.ferplus = pupil.ferplus.roll(1, 1)
        self.train(pupil, 4)
        self.assertEqual(pupil.validate()["ferplus"], 1.0)

    def test_teachers_scores_are_averaged(self):
        networks, x = [ExpressionNet("tiny").eval() for _ in range(2)], torch.randn(4, 1, 48, 48)
        both, each = mean_scores(networks, x), [mean_scores([network], x) for network in networks]
        for head in range(2):
            torch.testing.assert_close(both[head], (each[0][head] + each[1][head]) / 2)
            torch.testing.assert_close(both[head].sum(1), torch.ones(4))


    def test_it_goes_on_from_an_exported_file(self):
        first = self.trainer(epochs=3)
        self.train(first, 3)
        expected = first.validate()
        path = self.folder / "model.onnx"
        export(network_of(first.average.state), Rule(), priors(synthetic_faces()), path)
        x = torch.randn(4, 1, 48, 48)
        for ours, theirs in zip(read_network(path)(x), network_of(first.average.state)(x)):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
        second = self.trainer(start=path, epochs=3)
        self.assertEqual(second.validate(), expected)
        # In training mode too: its norms know what they see.
        pictures, *_ = second.batch(torch.arange(192))
        evaluated = second.network.eval()(pictures)
        for ours, theirs in zip(second.network.train()(pictures), evaluated):
            self.assertGreater(torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1], 0.95)
        self.assertLess(self.train(second, 1), self.train(self.trainer(), 1))

    def test_a_file_of_another_network_is_refused(self):
        path = self.folder / "model.onnx"
        export(ExpressionNet("tiny").eval(), Rule(), priors(synthetic_faces()), path)
        with self.assertRaisesRegex(ValueError, "model.onnx: .* expected, found"):
            unfold_batch_norm(ExpressionNet(), path)


class Network(unittest.TestCase):
    def test_cost_limits(self):
        parameters, multiply_adds = count_cost(ExpressionNet())
        self.assertLessEqual(parameters, 1.5e6)
        self.assertLessEqual(multiply_adds, 80e6)

    def test_light_and_contrast_do_not_matter(self):
        standardise, faces = ExpressionNet("tiny").standardise, torch.randn(4, 1, 48, 48)
        torch.testing.assert_close(standardise(faces), standardise(0.5 * faces - 1), atol=0.05, rtol=0)
        # What is nearly even is not blown up to a face.
        self.assertLess(standardise(0.001 * faces).abs().max(), 0.1)

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
