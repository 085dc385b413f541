# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of networks that ignore mirroring, of pairs of views, and of the training on them."""

import importlib.util
import json
import tempfile
import unittest
from argparse import Namespace
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from training.expression.labels import HEADS
from training.expression.mirrored import make_mirrored
from training.expression.network import ExpressionNet, count_cost, network_of, read_network
from training.expression.readers import TRAINING, read_arrays
from training.expression.students import Student, disagreement, symmetric_divergence
from training.expression.teacher_scores import write_scores
from training.expression.tests.synthetic import LOADER

if importlib.util.find_spec("cv2") is None:
    raise unittest.SkipTest("cv2 not installed")

from training.expression import pairs, steadier
from training.expression.ensemble import write_sheets
from training.expression.turned import pack_meshes, unpack_meshes
from training.geometry.turn import turn_by

SMALL = {name: 3 for name in pairs.PARTS}


def random_network(size):
    """A network with random weights and statistics."""
    network = ExpressionNet(size, heads=HEADS)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    network.train()(torch.randn(32, 1, 48, 48))
    return network.eval()


def synthetic_mesh(random):
    """A mesh [478, 3] of a face in the middle of the picture."""
    angle, radius = random.uniform(0, 2 * np.pi, 478), np.sqrt(random.uniform(0, 1, 478))
    x, y = 0.5 + 0.3 * radius * np.cos(angle), 0.5 + 0.35 * radius * np.sin(angle)
    return np.stack([x, y, -0.2 * np.sqrt(1 - radius**2)], 1)


def packed_folder(folder, count=40):
    """Write a folder as `pack` does, of random pictures."""
    random = np.random.default_rng(2)
    labels = {"votes": np.tile([6, 4, *[0] * 8], (count, 1)).astype(np.uint8), "fer2013": np.arange(count) % 7}
    labels |= {"triangles": random.integers(0, 478, (852, 3)), "contour": np.arange(36)}
    for name in ("training", "faces"):
        labels |= {f"{name}-{head}": np.full((count, n), 1 / n) for head, n in (("five", 5), ("seven", 7))}
        meshes = np.stack([synthetic_mesh(random) for _ in range(count - 10)])
        labels |= {f"mesh-{name}-{part}": values for part, values in pack_meshes(meshes).items()}
        labels[f"mesh-{name}-row"] = np.arange(10, count)
        side = 48 if name == "training" else pairs.PACKED_FACE
        write_sheets(random.integers(0, 256, (count, side, side), dtype=np.uint8), folder, name, quality=80)
    np.savez(folder / "labels.npz", **labels)
    torch.save({name: value.half() for name, value in random_network("half").state_dict().items()}, folder / "teacher.pt")


class Mirrored(unittest.TestCase):
    def test_scores_ignore_mirroring_at_the_cost_of_half(self):
        network, faces = random_network("even"), torch.randn(3, 1, 48, 48)
        make_mirrored(network)
        for straight, mirrored in zip(network(faces), network(faces.flip(3))):
            torch.testing.assert_close(straight, mirrored, atol=1e-5, rtol=1e-4)
        self.assertLessEqual(count_cost(network)[1], count_cost(ExpressionNet("half", heads=HEADS))[1])

    def test_a_mirrored_network_stays_as_it_is(self):
        network = random_network("even")
        make_mirrored(network)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        make_mirrored(network)
        for name, value in network.state_dict().items():
            torch.testing.assert_close(value, before[name])


class Losses(unittest.TestCase):
    def test_equal_views_do_not_disagree(self):
        logits = torch.randn(6, 8)
        self.assertAlmostEqual(float(symmetric_divergence(torch.cat([logits, logits]))), 0, places=5)
        one, other = torch.cat([logits, logits]), torch.cat([logits, logits.flip(1)])
        self.assertGreater(disagreement([one], [other]), disagreement([one], [one]))

    def test_the_second_view_is_near_the_first_or_its_mirror_image(self):
        ramp = torch.linspace(0, 1, 48).expand(1, 1, 48, 48)
        views = pairs.second_views(ramp.repeat(64, 1, 1, 1), torch.Generator().manual_seed(0))
        apart = torch.minimum((views - ramp).abs().amax((1, 2, 3)), (views - ramp.flip(3)).abs().amax((1, 2, 3)))
        self.assertLessEqual(float(apart.max()), 2.01 / 47)
        mirrored = (views - ramp).abs().amax((1, 2, 3)) > 0.5
        self.assertTrue(10 < mirrored.sum() < 54)


class Meshes(unittest.TestCase):
    def test_unpacked_meshes_are_near_the_packed_ones(self):
        random = np.random.default_rng(5)
        mean, changes = synthetic_mesh(random), random.normal(0, 0.01, (12, 478, 3))
        meshes = (mean + np.einsum("nk,kpd->npd", random.normal(size=(200, 12)), changes)).astype(np.float32)
        self.assertLess(np.abs(unpack_meshes(pack_meshes(meshes)) - meshes).max(), 0.01)


class Packing(unittest.TestCase):
    def test_packed_data_are_those_of_the_training_split_and_of_faces_that_look_ahead(self):
        folder, random = Path(self.enterContext(tempfile.TemporaryDirectory())), np.random.default_rng(3)
        (folder / "load.py").write_text(LOADER)
        numbers = np.flatnonzero(read_arrays(folder).split == TRAINING)
        np.save(folder / "faces.npy", np.full((7, 72, 72), 100, np.uint8))
        np.savez(folder / "names.npz", name=np.array(["a", "b", "c"]))
        for name, count in (("training", len(numbers)), ("faces", 7)):
            write_scores(folder, name, {"five": np.full((count, 5), 0.2), "seven": np.full((count, 7), 1 / 7)})
        aside = np.diag([1.0, 1, 1, 1])
        aside[:3, :3] = turn_by(40, 0)
        for source, names in (("ferplus", [f"ferplus/{n}/{TRAINING}" for n in numbers[4:9]]), ("lfw", ["c", "a", "z"])):
            matrices = [np.eye(4)] * (len(names) - 1) + [aside]
            meshes = np.stack([synthetic_mesh(random) for _ in names])
            np.savez(folder / f"{source}-0.npz", name=np.array(names), matrix=matrices, mesh=meshes)
        options = Namespace(data=folder, lfw=folder, cache=folder, meshes=folder, packed=folder / "packed")
        options.teacher = steadier.SHIPPED
        topology = np.zeros((852, 3), int), np.arange(36)
        with mock.patch.object(pairs, "mesh_topology", lambda: topology):
            pairs.pack(options)
        stored = np.load(options.packed / "labels.npz")
        self.assertEqual(stored["votes"].shape, (len(numbers), 10))
        self.assertEqual(stored["faces-five"].shape, (3, 5))
        np.testing.assert_array_equal(stored["mesh-training-row"], [4, 5, 6, 7])
        np.testing.assert_array_equal(stored["mesh-faces-row"], [2, 0])
        self.assertEqual(pairs.read_sheets(options.packed, "faces", 3).shape, (3, pairs.PACKED_FACE, pairs.PACKED_FACE))
        teacher, shipped = pairs.read_teacher(options.packed / "teacher.pt"), read_network(steadier.SHIPPED)
        faces = torch.randn(2, 1, 48, 48)
        torch.testing.assert_close(teacher(faces)[0], shipped(faces)[0], atol=0.1, rtol=0.05)


class Training(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        packed_folder(self.folder)
        self.enterContext(mock.patch.dict(pairs.PARTS, SMALL))
        self.enterContext(mock.patch.object(pairs, "network_scores", self.scores))

    @staticmethod
    def scores(_networks, images, _framed):
        return {"ferplus": np.full((len(images), 8), 1 / 8), "fer2013": np.full((len(images), 7), 1 / 7)}

    def options(self, **changes):
        defaults = {"packed": self.folder, "results": self.folder / "run", "seconds": 0.0, "device": "cpu", "processes": 1}
        defaults |= {"limit": 30, "scale": 1.0, "students": ["half-4", "even-6"], "start": None, "rate": 1.0, "strength": 1.0}
        return Namespace(**defaults | changes)

    def test_a_short_run_writes_networks_that_another_continues(self):
        steadier.train(self.options())
        states = torch.load(self.folder / "run" / "students.pt")
        entry = json.loads((self.folder / "run" / "log.jsonl").read_text().splitlines()[-1])
        self.assertEqual(set(states), {"half-4", "even-6"})
        self.assertEqual(len(entry["even-6"]), 4)
        faces, even = torch.randn(2, 1, 48, 48), network_of(states["even-6"])
        torch.testing.assert_close(even(faces)[0], even(faces.flip(3))[0], atol=1e-5, rtol=1e-4)
        steadier.train(self.options(start=self.folder / "run" / "students.pt", students=["even-6"]))
        self.assertEqual(set(torch.load(self.folder / "run" / "students.pt")), {"even-6"})

    def test_turned_faces_have_the_targets_of_their_pictures(self):
        pictures = pairs.Pictures(self.folder, steadier.SHIPPED, "cpu", 1, limit=30)
        self.assertEqual(len(pictures.images["turned-training"]), 20)
        for whole, turned in zip(pictures.targets["training"], pictures.targets["turned-training"]):
            torch.testing.assert_close(turned, whole[10:30])
        x, targets = pictures.batch(0.5)
        self.assertEqual(x.shape, (2 * sum(SMALL.values()), 1, 48, 48))
        self.assertEqual([tuple(target.shape) for target in targets], [(12, len(labels)) for labels in HEADS.values()])

    def test_a_step_lowers_the_loss_and_the_average_follows(self):
        student = Student("even-2", "cpu", torch.randn(16, 1, 48, 48), steadier.SHIPPED)
        x, targets = torch.randn(24, 1, 48, 48), [torch.full((12, len(labels)), 0.0) for labels in HEADS.values()]
        for target in targets:
            target[:, 0] = 1
        rules = torch.zeros(sum(map(len, HEADS.values())), 16), torch.zeros(16)
        before = student.average.clone()
        losses = [float(student.figures(x, torch.tensor(0.1), *rules, *targets)[0]) for _ in range(6)]
        self.assertLess(losses[-1], losses[0])
        self.assertFalse(torch.equal(student.average, before))
        self.assertEqual(set(student.state()), set(student.network.state_dict()))


if __name__ == "__main__":
    unittest.main()
