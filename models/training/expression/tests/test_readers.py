# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of labels and readers."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.dataset import load_faces
from training.expression.labels import FERPLUS_LABELS, majority_labels, soft_labels
from training.expression.readers import PICTURE_SIDE, PUBLIC_TEST, TRAINING, read_arrays


def votes(**columns):
    """One row of raw votes [1, 10] from names of expressions."""
    row = np.zeros((1, 10), np.uint8)
    names = (*FERPLUS_LABELS, "unknown", "not_a_face")
    for name, count in columns.items():
        row[0, names.index(name)] = count
    return row


class Labels(unittest.TestCase):
    def test_single_votes_are_dropped_and_the_rest_normalised(self):
        distribution, weight = soft_labels(votes(neutral=6, sadness=3, anger=1))
        np.testing.assert_allclose(distribution[0, [0, 3, 4]], [2 / 3, 1 / 3, 0])
        self.assertEqual(weight[0], 1)

    def test_votes_for_unknown_lower_the_weight(self):
        self.assertAlmostEqual(float(soft_labels(votes(neutral=6, unknown=4))[1][0]), 0.6)

    def test_ties_and_unknown_are_not_counted(self):
        self.assertEqual(majority_labels(votes(happiness=9))[0], 1)
        self.assertEqual(majority_labels(votes(neutral=5, sadness=5))[0], -1)
        self.assertEqual(majority_labels(votes(neutral=4, unknown=6))[0], -1)


class Readers(unittest.TestCase):
    """Each form of the data set, written with a few rows and read."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write_csv(self, votes):
        pixels = " ".join(str(i % 256) for i in range(PICTURE_SIDE**2))
        lines = ["emotion,pixels,Usage", f"3,{pixels},Training", f"6,{pixels},PublicTest", f"2,{pixels},PrivateTest"]
        (self.folder / "fer2013.csv").write_text("\n".join(lines) + "\n")
        if votes:
            rows = ["Usage,Image name," + ",".join([*FERPLUS_LABELS, "unknown", "NF"])]
            rows += [
                "Training,a.png,0,9,1,0,0,0,0,0,0,0",
                "PublicTest,b.png,8,0,0,2,0,0,0,0,0,0",
                "PrivateTest,,0,0,0,0,0,0,0,0,0,10",
            ]
            (self.folder / "fer2013new.csv").write_text("\n".join(rows[: 1 + votes]) + "\n")

    def test_csv_with_votes(self):
        self.write_csv(votes=3)
        faces = load_faces(self.folder, PUBLIC_TEST)
        self.assertEqual((len(faces), faces.fer2013[0], faces.ferplus_truth[0]), (1, 6, 0))
        np.testing.assert_allclose(faces.ferplus[0, [0, 3]], [0.8, 0.2])
        self.assertEqual(faces.images[0, 1, 2], (PICTURE_SIDE + 2) % 256)

    def test_csv_without_votes_has_soft_labels_and_no_ferplus_truth(self):
        self.write_csv(votes=0)
        faces = load_faces(self.folder / "fer2013.csv", TRAINING)
        self.assertEqual((faces.ferplus[0].argmax(), faces.ferplus_weight[0], faces.ferplus_truth[0]), (1, 1.0, -1))

    def test_a_different_number_of_votes_is_rejected(self):
        self.write_csv(votes=2)
        with self.assertRaisesRegex(ValueError, "a line for each of 3 pictures, found 2"):
            read_arrays(self.folder)

    def test_kaggle_folders(self):
        for split, label in (("train", "happy"), ("train", "sad"), ("test", "angry")):
            (self.folder / split / label).mkdir(parents=True)
            Image.new("L", (48, 48), 77).save(self.folder / split / label / "1.png")
        arrays = read_arrays(self.folder)
        self.assertEqual(
            sorted(zip(arrays.split.tolist(), arrays.fer2013.tolist())),
            [(TRAINING, 3), (TRAINING, 4), (PUBLIC_TEST, 0)],
        )
        self.assertIsNone(arrays.votes)

    def test_an_unknown_form_is_rejected_with_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "expected load.py, fer2013.csv .* found none"):
            read_arrays(self.folder)


if __name__ == "__main__":
    unittest.main()
