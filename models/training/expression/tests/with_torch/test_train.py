# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of training and of teachers' scores."""

import tempfile
import unittest
from argparse import Namespace
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from training.common.onnx_file import unfold_batch_norm
from training.expression import teacher_scores
from training.expression.combine import Rule
from training.expression.export import export
from training.expression.labels import HEADS, JOINT_HEAD
from training.expression.network import ExpressionNet, network_of, read_network
from training.expression.teacher_scores import CONTEMPT_SHARE, joint_scores
from training.expression.tests.synthetic import LOADER, TEACHERS
from training.expression.train import JOINT_SHARE, TAUGHT_HEADS, Trainer, mean_scores


class Training(unittest.TestCase):
    """Training on horizontal stripes, labelled happiness, and vertical ones, labelled neutral."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "load.py").write_text(LOADER)

    def trainer(self, **changes):
        options = dict(
            data=self.folder,
            size="half",
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
            joint_targets=False,
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

    def test_a_resumed_run_continues_the_same_training(self):
        trainer = self.trainer()
        self.train(trainer, 2)
        trainer.save(self.folder / "last.pt")
        history = self.train(trainer, 2)
        self.assertEqual(trainer.validate()["ferplus"], 1.0)
        again = self.trainer()
        again.resume(self.folder / "last.pt")
        np.testing.assert_allclose(self.train(again, 2), history, rtol=1e-3)

    def test_a_network_learns_from_a_teacher_without_labels(self):
        teacher = self.trainer(epochs=3)
        self.train(teacher, 3)
        torch.save(teacher.average.state, self.folder / "final.pt")
        student = self.trainer(teacher=[self.folder / "final.pt"], teacher_share=1.0)
        # The labels must have no effect.
        student.targets[0] = student.targets[0].roll(1, 1)
        self.train(student, 4)
        self.assertEqual(student.validate()["ferplus"], 1.0)

    def test_scores_of_unlabelled_faces_teach_the_other_heads(self):
        cache = self.folder / "cache"
        cache.mkdir()
        horizontal = np.arange(192) % 2 == 1
        stripes = np.where(np.arange(72) // 9 % 2, 200, 60).astype(np.uint8)[None, :].repeat(72, 0)
        np.save(
            cache / "faces.npy", np.stack([stripes.T if is_horizontal else stripes for is_horizontal in horizontal])
        )
        for name in ("training", "faces"):
            for head, labels in HEADS.items():
                classes = np.where(horizontal, labels.index("happiness"), labels.index("neutral"))
                np.save(cache / f"{name}-{head}.npy", np.eye(len(labels), dtype=np.float32)[classes])
        strangers = {"images": np.stack([stripes[:64, :64].T] * 4), "label": np.full(4, 3), "half": np.arange(4) % 2}
        np.savez(self.folder / "strangers.npz", **strangers)
        trainer = self.trainer(cache=cache, strangers=self.folder / "strangers.npz", final_strength=0.1)
        self.train(trainer, 4)
        figures = trainer.validate()
        self.assertEqual((figures["ferplus"], figures["fer2013"]), (1.0, 1.0))
        self.assertEqual(figures["strangers"], {head: [1.0, 1.0] for head in HEADS})
        # On labelled pictures, `joint` learns a part of the joint scores and the rest of FER+'s labels.
        horizontal_label = np.eye(8, dtype=np.float32)[np.arange(192) % 2]
        np.save(cache / "training-joint.npy", horizontal_label[:, ::-1].copy())
        mixed = self.trainer(cache=cache).targets[-1]
        np.testing.assert_allclose(
            mixed, (1 - JOINT_SHARE) * horizontal_label + JOINT_SHARE * horizontal_label[:, ::-1], atol=1e-6
        )
        # With --joint-targets, the labelled heads have the targets of `joint`, of which one class is not in FER2013.
        joint = np.tile(np.float32([0.4, 0.1, 0, 0, 0, 0, 0, 0.5]), (192, 1))
        np.save(cache / "faces-joint.npy", joint)
        ferplus, fer2013, *_ = self.trainer(cache=cache, joint_targets=True).face_targets
        np.testing.assert_allclose(ferplus, joint)
        np.testing.assert_allclose(fer2013[0], [0, 0, 0, 0.2, 0, 0, 0.8])

    def test_teachers_score_training_pictures_and_unlabelled_faces(self):
        (self.folder / "teachers.py").write_text(TEACHERS)
        torch.save(ExpressionNet("half").state_dict(), self.folder / "final.pt")
        np.save(self.folder / "faces.npy", np.random.default_rng(3).integers(0, 256, (5, 72, 72), dtype=np.uint8))
        arguments = {"--data": self.folder, "--cache": self.folder, "--teachers": self.folder}
        arguments |= {"--networks": self.folder / "final.pt"}
        with mock.patch(
            "sys.argv", ["teacher_scores.py", *(str(part) for argument in arguments.items() for part in argument)]
        ):
            teacher_scores.main()
        for name, count in (("training", 192), ("faces", 5)):
            for head, labels in HEADS.items():
                scores = np.load(self.folder / f"{name}-{head}.npy")
                self.assertEqual((scores.shape, scores.dtype), ((count, len(labels)), np.float32))
                np.testing.assert_allclose(scores.sum(1), 1, atol=1e-3)

    def test_joint_scores_combine_all_teachers(self):
        random, frequencies = np.random.default_rng(7), np.array([0.2, 0.02, 0.18, 0.2, 0.15, 0.15, 0.1])
        taught = [head for head in HEADS if head != JOINT_HEAD]
        scores = {head: random.dirichlet(np.ones(len(HEADS[head])), 50) for head in taught}
        joint = joint_scores(scores, frequencies)
        np.testing.assert_allclose(joint.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(joint[:, 7], CONTEMPT_SHARE * scores["ferplus"][:, 7], rtol=1e-5)
        # Of two pictures that only retail-0003 tells apart, one has more happiness, and no other class beside its five.
        pair = {head: values[:1].repeat(2, 0) for head, values in scores.items()}
        pair["five"] = np.array([[0.2, 0.2, 0.2, 0.2, 0.2], [0.1, 0.6, 0.1, 0.1, 0.1]])
        even, happy = joint_scores(pair, frequencies)
        self.assertGreater(happy[1], even[1])
        np.testing.assert_allclose(happy[5:], even[5:], rtol=1e-5)
        # A class that is rare among the labels gains.
        rare = frequencies * np.array([1, 0.1, 1, 1, 1, 1, 1])
        self.assertTrue((joint_scores(scores, rare)[:, 5] > joint[:, 5]).all())

    def test_scores_of_several_teachers_are_averaged(self):
        networks, x = [ExpressionNet("half", heads=HEADS).eval() for _ in range(2)], torch.randn(4, 1, 48, 48)
        both, separate = mean_scores(networks, x), [mean_scores([network], x) for network in networks]
        self.assertEqual(len(both), len(TAUGHT_HEADS))
        for head in range(len(TAUGHT_HEADS)):
            torch.testing.assert_close(both[head], (separate[0][head] + separate[1][head]) / 2)
            torch.testing.assert_close(both[head].sum(1), torch.ones(4))
        # An older network without the other heads teaches only its own.
        self.assertEqual(len(mean_scores([networks[0], ExpressionNet("half").eval()], x)), 2)

    def test_training_starts_from_an_exported_file(self):
        first = self.trainer(epochs=3)
        self.train(first, 3)
        expected = first.validate()
        path = self.folder / "model.onnx"
        export(network_of(first.average.state), (Rule(), Rule()), path)
        x = torch.randn(4, 1, 48, 48)
        for ours, theirs in zip(read_network(path)(x), network_of(first.average.state)(x)):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
        second = self.trainer(start=path, epochs=3)
        self.assertEqual(second.validate(), expected)
        # The outputs in training mode are similar, because the batch norm statistics are renewed.
        pictures, *_ = second.batch(torch.arange(192))
        evaluated = second.network.eval()(pictures)
        for ours, theirs in zip(second.network.train()(pictures), evaluated):
            self.assertGreater(torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1], 0.95)
        self.assertLess(self.train(second, 1), self.train(self.trainer(), 1))

    def test_a_file_of_another_network_is_rejected(self):
        path = self.folder / "model.onnx"
        export(ExpressionNet("half").eval(), (Rule(), Rule()), path)
        with self.assertRaisesRegex(ValueError, "model.onnx: .* expected, found"):
            unfold_batch_norm(ExpressionNet(), path)


if __name__ == "__main__":
    unittest.main()
