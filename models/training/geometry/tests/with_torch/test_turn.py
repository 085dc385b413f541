# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of turned faces."""

import importlib.util
import unittest

import numpy as np

from training.geometry.points import angles

if importlib.util.find_spec("cv2") is None:
    raise unittest.SkipTest("cv2 not installed")

from training.geometry.turn import FLIP, Turner, random_turn, turn_by


class Turned(unittest.TestCase):
    def test_turns_are_to_the_persons_left_and_up(self):
        for yaw, pitch in ((30, 0), (0, 20)):
            turned = FLIP @ turn_by(yaw, pitch) @ FLIP
            np.testing.assert_allclose(angles(turned), (yaw, pitch, 0), atol=1e-6)

    def test_a_turned_face_moves_its_nose_and_its_pixels(self):
        # A disc of points around a nose that lies before it.
        angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        mesh = np.full((478, 3), 0.5)
        mesh[:36] = np.stack([0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle), np.zeros(36)], 1)
        mesh[36] = 0.5, 0.5, -0.2
        triangles = np.array([(i, (i + 1) % 36, 36) for i in range(36)])
        picture = np.full((112, 112), 50, np.uint8)
        picture[52:60, 52:60] = 250
        turner = Turner(triangles, np.arange(36))
        drawn, turned = turner.turn(picture, mesh, turn_by(30, 0))
        self.assertGreater(turned[36, 0], 0.58)
        bright = np.argwhere(drawn > 200).mean(0)
        self.assertAlmostEqual(bright[1] / 112, turned[36, 0], delta=0.04)
        self.assertAlmostEqual(bright[0] / 112, 0.5, delta=0.02)
        still, same = turner.turn(picture, mesh, np.eye(3))
        np.testing.assert_allclose(same[:37], mesh[:37], atol=1e-9)
        self.assertLess(np.abs(still.astype(int) - picture).mean(), 2)

    def test_random_turns_cover_the_range(self):
        random = np.random.default_rng(0)
        yaws = [angles(FLIP @ random_turn(np.eye(3), random) @ FLIP)[0] for _ in range(200)]
        self.assertTrue(max(yaws) > 50 and min(yaws) < -50)


if __name__ == "__main__":
    unittest.main()
