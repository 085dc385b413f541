# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of what is measured about the steadiness of labels."""

import unittest

import numpy as np

from training.expression.steadiness import UNKNOWN, changed_shares, interval, moved, shown, unhappy


class Steadiness(unittest.TestCase):
    def test_a_moved_picture_repeats_its_edge(self):
        picture = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
        np.testing.assert_array_equal(moved(picture, 1, 0)[0], [[0, 0, 1], [3, 3, 4], [6, 6, 7]])
        np.testing.assert_array_equal(moved(picture, 0, -1)[0], [[3, 4, 5], [6, 7, 8], [6, 7, 8]])

    def test_labels_that_depend_on_a_side_or_a_place_change(self):
        images = np.zeros((4, 6, 6), np.uint8)
        images[:2, 2, 0] = 255  # two faces with a mark at the left edge
        by_side = lambda x: np.stack([x[:, :, :3].max((1, 2)) > 0, x.max((1, 2)) > 0])
        shares = changed_shares(by_side, images)
        np.testing.assert_allclose(shares["mirrored"], [0.5, 0])
        # The mark leaves the picture in one direction of four.
        np.testing.assert_allclose(shares["moved by a pixel"], [0.125, 0.125])

    def test_intervals_hold_the_share_and_shrink(self):
        low, high = interval(0.05, 100)
        self.assertTrue(0 < low < 0.05 < high < 0.12)
        self.assertLess(np.diff(interval(0.05, 10_000))[0], (high - low) / 5)
        self.assertAlmostEqual(interval(0.0, 50)[0], 0)

    def test_anger_and_sadness_are_counted(self):
        labels = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 0])  # sadness is 3, anger 4
        self.assertTrue(unhappy(labels).startswith("20.0 ("))

    def test_faces_below_the_confidence_of_their_output_are_unknown(self):
        scores = np.array([[0.6, *[0.4 / 7] * 7], [0.1, 0.34, *[0.56 / 6] * 6]])
        np.testing.assert_array_equal(shown([scores, scores], [0.35, 0.3]), [[0, UNKNOWN], [0, 1]])


if __name__ == "__main__":
    unittest.main()
