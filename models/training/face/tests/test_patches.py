# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the patches for the refiner."""

import unittest

import numpy as np

from training.common.detection import Detection
from training.common.face_model import crop_square
from training.face.cut_patches import found_boxes, patch_row
from training.face.tests.synthetic import photo


class Patches(unittest.TestCase):
    def test_a_square_repeats_the_edge_of_the_picture(self):
        one = photo(((60, 40, 32, 32),))
        self.assertTrue((crop_square(one.pixels, (76, 56), 32, 16)[1:-1, 1:-1] == one.pixels[56, 76]).all())
        corner = crop_square(one.pixels, (0, 0), 64, 16)
        self.assertEqual((corner.shape, set(corner.ravel().tolist())), ((16, 16, 3), {90}))
        half = crop_square(one.pixels, (60, 56), 16.5, 32)
        self.assertTrue((half[:, :15] == 90).all() and (half[:, 18:] != 90).any(2).all())

    def test_boxes_are_hits_disputed_or_misses(self):
        class Detector:
            def candidates(self, picture):
                zoom = picture.shape[1] / 240
                # The first face, background, a disputed box, half of the second face, and a box that is too small.
                boxes = np.array(
                    [[60, 41, 30, 40], [10, 100, 20, 24], [200, 10, 20, 20], [160, 92, 20, 24], [5, 5, 6, 6]], float
                )
                return boxes * zoom, np.zeros((5, 5, 2)), np.array([0.9, 0.5, 0.8, 0.7, 0.6])

        class Teacher:
            def detect(self, picture):
                zoom = picture.shape[1] / 240
                return [Detection((200 * zoom, 10 * zoom, 20 * zoom, 20 * zoom), None, 0.5)]

        cut = lambda **of: [
            (score, round(float(label), 3), face)
            for _, score, label, face in found_boxes(Detector(), photo(**of), [Teacher()] * 2, np.random.default_rng(0))
        ]
        face, disputed, miss = (0.9, 1, 0), (0.8, round(1 / (1 + np.exp(-0.68)), 3), None), (0.5, 0, None)
        found = sorted(cut(ignore=[(200, 10, 20, 20)]), key=lambda one: -one[0])
        self.assertEqual(
            found,
            [face] * 2 + [disputed] * 2 + [miss] * 2,
            "once at each input size that does not enlarge the photo much",
        )
        self.assertNotIn(disputed, cut(ignore=[(190, 0, 50, 50)]), "a box in an ignored crowd is not used")
        self.assertEqual(set(cut(source="shA")), {face}, "sources with unlabelled faces have no misses")
        self.assertEqual({label for _, label, _ in cut(source="animal", boxes=(), ignore=[(200, 10, 20, 20)])}, {0})

    def test_a_row_has_the_position_of_the_face_in_the_square(self):
        one = photo()
        row = patch_row(one, np.array([60.0, 41, 30, 40]), 0.9, 1.0, 0)
        np.testing.assert_allclose(row["faces"] * 2.4 * 40, [0, -1, 30, 40], atol=1e-5)
        np.testing.assert_allclose(row["landmarks"] * 2.4 * 40 + (75, 61), one.landmarks[0], atol=1e-4)
        self.assertTrue(np.isnan(patch_row(one, np.array([10.0, 100, 20, 24]), 0.5, 0.0, None)["faces"]).all())


if __name__ == "__main__":
    unittest.main()
