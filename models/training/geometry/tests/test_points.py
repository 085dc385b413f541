# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the order of points, blendshapes and angles."""

import unittest

import numpy as np

from training.geometry.faces import is_held_out, mean_distance
from training.geometry.points import (
    BLENDSHAPES,
    CONTOUR,
    INNER_POINTS,
    MIRRORED_BLENDSHAPES,
    MIRRORED_POINTS,
    POINTS,
    angles,
    points_of_mesh,
)
from training.geometry.tests.synthetic import template


class Points(unittest.TestCase):
    def test_mirroring_a_symmetric_face_changes_nothing(self):
        face = template()
        mirrored = face[MIRRORED_POINTS] * [-1, 1] + [1, 0]
        np.testing.assert_allclose(mirrored, face, atol=1e-6)

    def test_mirroring_exchanges_left_and_right(self):
        for index, name in enumerate(BLENDSHAPES):
            mirrored = BLENDSHAPES[MIRRORED_BLENDSHAPES[index]]
            self.assertEqual(name.endswith("Left"), mirrored.endswith("Right"), name)
            self.assertEqual(MIRRORED_BLENDSHAPES[MIRRORED_BLENDSHAPES[index]], index)

    def test_names_are_arkits_in_alphabetical_order(self):
        self.assertEqual(len(BLENDSHAPES), 52)
        self.assertEqual(BLENDSHAPES, sorted(BLENDSHAPES))

    def test_the_points_are_those_of_the_mesh(self):
        mesh = np.random.default_rng(0).random((2, 478, 3))
        points = points_of_mesh(mesh)
        self.assertEqual(points.shape, (2, POINTS, 3))
        np.testing.assert_allclose(points[:, 17:], mesh[:, INNER_POINTS])
        ends = points[:, [0, 16]], mesh[:, [CONTOUR[0], CONTOUR[-1]]]
        np.testing.assert_allclose(*ends)
        middle = len(CONTOUR) // 2
        np.testing.assert_allclose(points[:, 8], mesh[:, CONTOUR[middle]])

    def test_angles_have_the_documented_signs(self):
        one = np.radians(30)
        cos, sin = np.cos(one), np.sin(one)
        # The third column is the direction of the nose: x to the right of the picture, y up, z towards the camera.
        left = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        up = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
        clockwise = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        for rotation, expected in ((left, (30, 0, 0)), (up, (0, 30, 0)), (clockwise, (0, 0, 30))):
            np.testing.assert_allclose(angles(rotation), expected, atol=1e-6)

    def test_all_pictures_of_a_person_are_on_one_side_of_the_split(self):
        self.assertEqual(is_held_out("Some_Person_0001.jpg"), is_held_out("Some_Person_0012.jpg"))
        self.assertTrue(is_held_out("ferplus/12/1") and not is_held_out("ferplus/12/0"))
        self.assertTrue(is_held_out("street/a.webp/0") and not is_held_out("ppl/a.webp/0"))

    def test_errors_are_in_parts_of_the_eye_distance(self):
        face = template()[None]
        self.assertAlmostEqual(float(mean_distance(face + [0.036, 0], face)[0]), 0.1, places=5)


if __name__ == "__main__":
    unittest.main()
