# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of square crops."""

import unittest

import numpy as np

from training.expression.framing import rotated
from training.expression.squares import Square, crop, square_from_box, square_from_landmarks


class Framing(unittest.TestCase):
    def test_crop_of_the_pasted_square_restores_the_picture(self):
        picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
        canvas = np.full((200, 200, 3), 90, np.uint8)
        canvas[20:164, 30:174] = picture.repeat(3, 0).repeat(3, 1)[:, :, None]
        # At a scale of 3, the samples fall on pixel centres.
        np.testing.assert_array_equal(crop(canvas, Square(30 + 72, 20 + 72, 144)), picture)

    def test_crop_of_a_rotated_square_restores_the_picture(self):
        canvas = np.full((200, 200, 3), 90, np.uint8)
        # A smooth gradient, steeper to the right than downwards.
        canvas[30:170, 40:180] = (220 - np.arange(140)[None, :] - 0.5 * np.arange(140)[:, None])[:, :, None]
        square = Square(110, 100, 90)
        tilted, found = rotated(canvas, square, np.radians(30))
        self.assertAlmostEqual(np.degrees(found.roll), 30)
        self.assertGreater(int(tilted[100, 150, 0]), int(canvas[100, 150, 0]), "the top moves to the right")
        difference = np.abs(crop(tilted, found).astype(int) - crop(canvas, square))
        self.assertLess(difference.max(), 4)

    def test_box_rule(self):
        square = square_from_box((10, 20, 30, 40), (1.5, 0.0, -0.1))
        self.assertEqual((square.x, square.y, square.side), (25, 36, 60))

    def test_landmark_rule_rotates_with_the_face(self):
        upright = np.array([[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]], float)
        rolled = upright @ np.array([[0, 1], [-1, 0]])
        square = square_from_landmarks(rolled, (2.0, 0.0, -0.25), rotate=True)
        self.assertAlmostEqual(square.roll, np.pi / 2)
        self.assertAlmostEqual(square.x, 0.25 * np.sqrt(8))
        self.assertAlmostEqual(square.y, 0)


if __name__ == "__main__":
    unittest.main()
