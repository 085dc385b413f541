# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the packed data of the ensemble."""

import tempfile
import unittest
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from training.expression import ensemble
from training.expression.dataset import load_faces, load_strangers
from training.expression.labels import HEADS
from training.expression.network import ExpressionNet
from training.expression.readers import PUBLIC_TEST, TRAINING
from training.expression.teacher_scores import read_scores, write_scores
from training.expression.tests.synthetic import LOADER


class Ensemble(unittest.TestCase):
    def test_unpacked_data_equal_the_packed_data(self):
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
        options = Namespace(data=folder, cache=folder, strangers=folder / "wild.npz", packed=folder / "packed")
        ensemble.pack(options)
        ensemble.unpack(options.packed, folder / "work")
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
        # The next stage accepts the unpacked data.
        (folder / "work" / "large-0").mkdir()
        torch.save(ExpressionNet("half").state_dict(), folder / "work" / "large-0" / "final.pt")
        ensemble.score_with_teachers(["large-0"], Namespace(work=folder / "work", device="cpu"))
        taught = np.load(folder / "work" / "cache" / "faces-ferplus.npy")
        self.assertGreater(np.abs(taught - scores["faces"]["ferplus"]).max(), 0.01)


if __name__ == "__main__":
    unittest.main()
