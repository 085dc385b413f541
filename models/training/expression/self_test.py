#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of network, augmentation, framing and export on synthetic pictures: `python self_test.py` (seconds, needs no data).

What needs no torch is tested by `self_test_data.py`.
"""

import io
import tempfile
import unittest
from argparse import Namespace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

from training.expression import ensemble
from training.expression import teacher_scores
from training.expression.augmentation import augment, jpeg
from training.expression.combine import Rule, combined
from training.expression.dataset import HEADS, JOINT_HEAD, PUBLIC_TEST, TRAINING, load_faces, load_strangers, normalise
from training.expression.evaluate import log_softmax, onnx_logits, onnx_scores, torch_logits
from training.expression.export import export
from training.expression.framing import Square, crop, square_from_box, square_from_landmarks, turned
from training.expression.network import ExpressionNet, count_cost, network_of, read_network
from training.common.onnx_file import unfold_batch_norm
from training.expression.self_test_data import TEACHERS
from training.expression.teacher_scores import read_scores, write_scores
from training.expression.train import Trainer, mean_scores


class Pictures(unittest.TestCase):
    def test_augmented_pictures_stay_in_range_and_repeat_with_the_seed(self):
        faces = torch.rand(32, 1, 48, 48) * 255
        first, second = (augment(faces.clone(), torch.Generator().manual_seed(7)) for _ in range(2))
        self.assertEqual(first.shape, faces.shape)
        self.assertTrue(bool((first >= -0.01).all()) and bool((first <= 255.01).all()))
        self.assertTrue(torch.equal(first, second))

    def test_jpeg_is_what_pillow_makes_of_it(self):
        rows = torch.arange(48.0)
        picture = (128 + 90 * torch.sin(rows / 5)[:, None] * torch.cos(rows / 9))[None, None].round()
        for quality in (20, 75):
            stream = io.BytesIO()
            Image.fromarray(picture[0, 0].byte().numpy()).save(stream, "JPEG", quality=quality)
            far = jpeg(picture, torch.full((1, 1, 1, 1), float(quality)))[0, 0].numpy() - np.asarray(Image.open(stream))
            self.assertLess(np.abs(far).mean(), 0.6)

    def test_larger_pictures_are_framed_by_their_middle(self):
        large = torch.zeros(4, 1, 72, 72)
        large[:, :, 4:68, 4:68] = 200
        still = augment(large, torch.Generator().manual_seed(1), strength=0.0, framed=64 / 72)
        self.assertEqual(still.shape, (4, 1, 48, 48))
        self.assertGreater(float(still.mean()), 190)

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
            data=self.folder,
            size="tiny",
            epochs=4,
            minutes=1.0,
            batch=16,
            learning_rate=0.03,
            weight_decay=5e-4,
            label_smoothing=0.1,
            mixup=0.0,
            ema=0.5,
            dropout=0.1,
            strength=0.3,
            final_strength=None,
            small_epochs=1,
            start=None,
            teacher=None,
            teacher_share=0.5,
            cache=None,
            unlabelled_batch=8,
            strangers=None,
            compile=False,
            device="cpu",
            threads=1,
            seed=1,
        )
        return Trainer(Namespace(**(options | changes)))

    def train(self, trainer, epochs):
        history = []
        for _ in range(epochs):
            history.append(sum(trainer.train_epoch().values()))
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
        pupil.targets[0] = pupil.targets[0].roll(1, 1)
        self.train(pupil, 4)
        self.assertEqual(pupil.validate()["ferplus"], 1.0)

    def test_outside_scores_of_faces_without_labels_teach_the_other_heads(self):
        cache = self.folder / "cache"
        cache.mkdir()
        lying = np.arange(192) % 2 == 1
        stripes = np.where(np.arange(72) // 9 % 2, 200, 60).astype(np.uint8)[None, :].repeat(72, 0)
        np.save(cache / "faces.npy", np.stack([stripes.T if flat else stripes for flat in lying]))
        for name in ("training", "faces"):
            for head, labels in HEADS.items():
                classes = np.where(lying, labels.index("happiness"), labels.index("neutral"))
                np.save(cache / f"{name}-{head}.npy", np.eye(len(labels), dtype=np.float32)[classes])
        strangers = {"images": np.stack([stripes[:64, :64].T] * 4), "label": np.full(4, 3), "half": np.arange(4) % 2}
        np.savez(self.folder / "strangers.npz", **strangers)
        trainer = self.trainer(cache=cache, strangers=self.folder / "strangers.npz", final_strength=0.1)
        self.train(trainer, 4)
        figures = trainer.validate()
        self.assertEqual((figures["ferplus"], figures["fer2013"]), (1.0, 1.0))
        self.assertEqual(figures["strangers"], {head: [1.0, 1.0] for head in HEADS})

    def test_teachers_score_the_training_pictures_and_the_faces(self):
        (self.folder / "teachers.py").write_text(TEACHERS)
        torch.save(ExpressionNet("tiny").state_dict(), self.folder / "final.pt")
        np.save(self.folder / "faces.npy", np.random.default_rng(3).integers(0, 256, (5, 72, 72), dtype=np.uint8))
        places = {"--data": self.folder, "--cache": self.folder, "--teachers": self.folder}
        places |= {"--networks": self.folder / "final.pt"}
        with mock.patch("sys.argv", ["teacher_scores.py", *(str(part) for place in places.items() for part in place)]):
            teacher_scores.main()
        for name, count in (("training", 192), ("faces", 5)):
            for head, labels in HEADS.items():
                if (name, head) != ("training", JOINT_HEAD):
                    scores = np.load(self.folder / f"{name}-{head}.npy")
                    self.assertEqual((scores.shape, scores.dtype), ((count, len(labels)), np.float32))
                    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-3)

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
        export(network_of(first.average.state), Rule(), path)
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
        export(ExpressionNet("tiny").eval(), Rule(), path)
        with self.assertRaisesRegex(ValueError, "model.onnx: .* expected, found"):
            unfold_batch_norm(ExpressionNet(), path)


class Ensemble(unittest.TestCase):
    def test_packed_data_are_what_they_were(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "load.py").write_text(LOADER)
        random, counts = np.random.default_rng(4), {"training": 192, "faces": 5}
        np.save(folder / "faces.npy", np.full((5, 72, 72), 100, np.uint8))
        score = lambda count, heads: {head: random.random((count, len(HEADS[head]))) for head in heads}
        scores = {name: score(count, ensemble.SCORED[name]) for name, count in counts.items()}
        for name, values in scores.items():
            write_scores(folder, name, values)
        others = {"images": np.full((4, 64, 64), 7, np.uint8), "label": np.arange(4), "half": np.arange(4) % 2}
        np.savez(folder / "wild.npz", **others)
        places = Namespace(data=folder, cache=folder, strangers=folder / "wild.npz", packed=folder / "packed")
        ensemble.pack(places)
        ensemble.unpack(places.packed, folder / "work")
        for split, largest in ((PUBLIC_TEST, 0), (TRAINING, 40)):
            before, after = load_faces(folder, split), load_faces(folder / "work" / "arrays.npz", split)
            self.assertLessEqual(int(np.abs(before.images.astype(int) - after.images).max()), largest)
            np.testing.assert_array_equal(before.ferplus, after.ferplus)
            np.testing.assert_array_equal(before.fer2013, after.fer2013)
        for name, values in scores.items():
            for head, found in read_scores(folder / "work" / "cache", name, values).items():
                np.testing.assert_allclose(found, values[head], atol=1e-3)
        self.assertEqual(np.load(folder / "work" / "cache" / "faces.npy").shape, (5, 72, 72))
        self.assertEqual(load_strangers(folder / "work" / "strangers.npz", 0)[1].tolist(), [0, 2])
        # The next stage takes what was unpacked.
        (folder / "work" / "large-0").mkdir()
        torch.save(ExpressionNet("tiny").state_dict(), folder / "work" / "large-0" / "final.pt")
        ensemble.teach(["large-0"], Namespace(work=folder / "work", device="cpu"))
        taught = np.load(folder / "work" / "cache" / "faces-ferplus.npy")
        self.assertGreater(np.abs(taught - scores["faces"]["ferplus"]).max(), 0.01)


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
        network = ExpressionNet(heads=HEADS).train()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)  # no two alike, which the exporter would merge
        network(torch.randn(64, 1, 48, 48))  # batch statistics that are not the initial ones
        pictures = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path, rule = Path(folder) / "model.onnx", Rule((0.5, 0.4, 0.3, 0.2, 0.1), tuple(np.linspace(-1, 1, 8)), 0.7)
            export(network.eval(), rule, path)
            heads = torch_logits(network, pictures)
            for ours, theirs in zip(heads, onnx_logits(path, pictures)):
                np.testing.assert_allclose(ours, theirs, atol=1e-4)
            # Heads that are no outputs are in the file all the same, for training to go on from.
            for ours, theirs in zip(heads, torch_logits(read_network(path), pictures)):
                np.testing.assert_allclose(ours, theirs, atol=1e-3)
            scores = np.exp(log_softmax(combined(heads, rule)))
            np.testing.assert_allclose(scores, onnx_scores(path, pictures), atol=1e-5)


if __name__ == "__main__":
    unittest.main()
