# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of unlabelled faces, outside teachers and strangers."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.dataset import load_strangers
from training.expression.labels import FER2013_LABELS, FIVE_LABELS
from training.expression.metrics import strangers_accuracies
from training.expression.outside_teachers import TEMPERATURES, mean_scores, read_teachers
from training.expression.tests.synthetic import TEACHERS
from training.expression.unlabelled import cut_photos, read_sheets


class Unlabelled(unittest.TestCase):
    """Unlabelled faces and the outside networks that score them."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_sheets_are_read_row_by_row_up_to_the_last_face(self):
        greys = (np.arange(2000) % 251).astype(np.uint8).reshape(40, 50)
        Image.fromarray(greys.repeat(72, 0).repeat(72, 1)).save(self.folder / "sheet-00.webp", lossless=True)
        np.savez(self.folder / "names.npz", name=np.array(["somebody"] * 60))
        faces = read_sheets(self.folder)
        self.assertEqual(faces.shape, (60, 72, 72))
        np.testing.assert_array_equal(faces[:, 36, 36], np.arange(60))

    def test_large_faces_of_photos_are_cut_upright(self):
        picture = np.full((200, 240), 50, np.uint8)
        picture[60:140, 80:160] = 200
        (self.folder / "photos").mkdir()
        Image.fromarray(picture).save(self.folder / "photos" / "one.png")
        rolled = [[120, 80], [120, 120], [125, 100], [150, 80], [150, 120]]
        faces = [{"box": [80, 60, 80, 80], "landmarks": rolled}, {"box": [0, 0, 20, 23]}]
        (self.folder / "labels.json").write_text(json.dumps({"one.png": {"faces": faces}, "none.png": {"faces": []}}))
        cut = cut_photos(self.folder)
        self.assertEqual(cut.shape, (1, 72, 72))
        # The box fills the middle 64 pixels, with a margin around it.
        np.testing.assert_array_equal(cut[0, 36, [1, 8, 36, 63, 70]], [50, 200, 200, 200, 50])

    def test_outside_scores_are_softened_and_averaged_over_views_and_mirror_images(self):
        (self.folder / "teachers.py").write_text(TEACHERS)
        image = np.zeros((1, 4, 4), np.uint8)
        image[0, :, 0] = 9
        scores = mean_scores(read_teachers(self.folder), [image])
        np.testing.assert_allclose(scores["five"][0, :2], [0.8, 0.2], atol=1e-4)
        ratio = scores["seven"][0, 0] / scores["seven"][0, 1]
        self.assertAlmostEqual(ratio, 9 ** (1 / TEMPERATURES["seven"]), places=3)

    def test_outside_networks_with_other_labels_are_rejected(self):
        swapped = TEACHERS.replace('"neutral", "happiness"', '"happiness", "neutral"')
        (self.folder / "teachers.py").write_text(swapped)
        with self.assertRaisesRegex(ValueError, "teachers.py: expected labels neutral, happiness, .*, found happiness"):
            read_teachers(self.folder)

    def test_strangers_are_read_by_half(self):
        images = np.arange(4, dtype=np.uint8)[:, None, None].repeat(64, 1).repeat(64, 2)
        np.savez(self.folder / "strangers.npz", images=images, label=np.arange(4), half=np.arange(4) % 2)
        found, labels = load_strangers(self.folder / "strangers.npz", half=1)
        self.assertEqual((found.shape, labels.tolist(), found[:, 0, 0].tolist()), ((2, 48, 48), [1, 3], [1, 3]))

    def test_accuracy_of_strangers_over_seven_and_five_classes(self):
        truth = np.array([FER2013_LABELS.index(name) for name in ("anger", "fear", "neutral", "happiness")])
        # Fear is predicted twice; over five classes, neutral is next.
        fear = [0, 0, 9, 0, 0, 0, 1]
        logits = np.array([fear, fear, [0, 0, 0, 0, 0, 0, 9], [0, 0, 0, 9, 0, 0, 0]], float)
        np.testing.assert_allclose(strangers_accuracies(logits, FER2013_LABELS, truth), [3 / 4, 2 / 3])
        np.testing.assert_allclose(strangers_accuracies(logits[:, [6, 3, 4, 5, 0]], FIVE_LABELS, truth), [2 / 4, 2 / 3])


if __name__ == "__main__":
    unittest.main()
