# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of packed photos and of the views onto them."""

import importlib.util
import json
import math
import tempfile
import unittest
from pathlib import Path

import numpy as np

from training.face.crops import MIRRORED
from training.face.pack import SIDE, in_order, pack
from training.face.tests.synthetic import photo
from training.face.views import EMPTY, HARD, PLAIN, Labels, Views, labelled, matrix_of, target_weights


def packed_labels(photos, max_bytes=10**6):
    """Labels of photos, after they were packed."""
    with tempfile.TemporaryDirectory() as folder:
        pack(in_order(photos, []), Path(folder), max_bytes)
        index = json.loads((Path(folder) / "photos.json").read_text())
    return [Labels.of_entry(entry, (240, 180)) for entry in index]


class Packing(unittest.TestCase):
    def test_labels_survive_and_large_photos_are_reduced(self):
        (label,) = packed_labels([photo()])
        np.testing.assert_allclose(label.boxes, [[60, 40, 90, 80], [150, 90, 170, 114]])
        np.testing.assert_allclose(label.landmarks[0, 0], [69, 54], atol=0.1)
        (label,) = packed_labels([photo(size=(2 * SIDE, 300))])
        np.testing.assert_allclose(label.boxes[0], [30, 20, 45, 40])

    def test_photos_with_large_faces_come_first_and_the_size_is_kept(self):
        large = photo(boxes=((10, 10, 60, 70),))
        labels = packed_labels([photo(), large])
        self.assertEqual(len(labels[0].boxes), 1)
        self.assertEqual(len(packed_labels([photo()] * 50, max_bytes=3000)), len(packed_labels([photo()] * 90, 3000)))


class Geometry(unittest.TestCase):
    label = packed_labels([photo(ignore=((0, 0, 20, 20),))])[0]

    def look(self, centre, zoom=1.0, mirrored=False, roll=0.0, size=(64, 64)):
        return labelled(self.label, 0, matrix_of(np.array(centre), zoom, roll, 1.0, mirrored, *size), zoom, HARD, *size)

    def test_a_face_in_the_middle_keeps_its_box(self):
        view = self.look((75, 60), zoom=1.5)
        np.testing.assert_allclose(view.boxes, [[9.5, 2, 54.5, 62]])
        np.testing.assert_allclose(view.landmarks[0, 0], [32 + 1.5 * (69 - 75), 32 + 1.5 * (54 - 60)], atol=0.1)
        np.testing.assert_allclose(view.target, [32, 32, 60])

    def test_mirror_images_swap_right_and_left(self):
        plain, mirrored = self.look((80, 60)), self.look((80, 60), mirrored=True)
        np.testing.assert_allclose(mirrored.boxes[:, 0], 64 - plain.boxes[:, 2])
        np.testing.assert_allclose(mirrored.landmarks[0, :, 0], 64 - plain.landmarks[0, MIRRORED, 0], atol=1e-4)

    def test_cut_off_faces_have_the_box_of_what_is_visible(self):
        view = self.look((75 + 32, 60))
        np.testing.assert_allclose(view.boxes, [[0, 12, 15, 52]])
        self.assertTrue(np.isnan(view.landmarks).all())

    def test_faces_that_are_hardly_visible_are_ignored(self):
        view = self.look((75 + 42, 60))
        self.assertEqual(len(view.boxes), 0)
        np.testing.assert_allclose(view.ignore, [[0, 12, 5, 52]])

    def test_landmarks_turn_with_the_picture_and_boxes_stay_upright(self):
        view = self.look((75, 60), roll=math.radians(20))
        np.testing.assert_allclose(view.boxes, self.look((75, 60)).boxes)
        across = view.landmarks[0, 1] - view.landmarks[0, 0]
        self.assertAlmostEqual(math.degrees(math.atan2(across[1], across[0])), -20, delta=0.5)


class RandomViews(unittest.TestCase):
    def setUp(self):
        photos = [photo(), photo(boxes=(), source="animal", ignore=((10, 10, 90, 90),))]
        self.views = Views(packed_labels(photos), np.random.default_rng(3))

    def test_hard_views_aim_at_faces_that_are_large_and_often_cut_off(self):
        drawn = [self.views.draw(HARD, 160, 96) for _ in range(200)]
        shown = [view for view in drawn if len(view.boxes)]
        self.assertGreater(len(shown), 180)
        self.assertGreater(np.median([view.target[2] for view in shown]), 0.3 * 96)
        at_edge = [(view.boxes[:, :2] <= 0).any() or (view.boxes[:, 2:] >= [160, 96]).any() for view in shown]
        self.assertTrue(0.3 < np.mean(at_edge) < 0.8)

    def test_boxes_are_inside_the_picture(self):
        for kind in (PLAIN, HARD, EMPTY):
            for _ in range(50):
                view = self.views.draw(kind, 160, 96)
                for boxes in (view.boxes, view.ignore):
                    self.assertTrue((boxes >= 0).all() and (boxes <= [160, 96, 160, 96]).all())

    def test_what_a_teacher_saw_on_an_animal_is_no_face(self):
        views = [self.views.draw(EMPTY, 160, 96) for _ in range(60)]
        self.assertTrue(all(not len(view.ignore) for view in views if not len(self.views.photos[view.photo].boxes)))

    def test_profiles_are_drawn_more_often(self):
        label = packed_labels([photo()])[0]
        before = target_weights(label)
        label.profile[0] = True
        np.testing.assert_allclose(target_weights(label) / before, [4, 1])


@unittest.skipUnless(importlib.util.find_spec("cv2"), "OpenCV not installed")
class TurnedBoxes(unittest.TestCase):
    def test_a_box_follows_its_mesh_and_grows_towards_the_ear(self):
        from training.face.turned import MIN_ASPECT, NOSE, box_like

        mesh = np.random.default_rng(0).uniform(0.3, 0.7, (478, 3))
        mesh[0, :2], mesh[2, :2] = 0.3, 0.7
        box = np.array([0.28, 0.26, 0.44, 0.48])
        np.testing.assert_allclose(box_like(box, mesh, mesh + [0.1, 0, 0]), box + [0.1, 0, 0, 0])
        narrow = mesh * [0.25, 1, 1]
        for nose, grows_left in ((0.17, True), (0.08, False)):
            narrow[NOSE, 0] = nose
            x, _, width, height = box_like(box, mesh, narrow)
            self.assertAlmostEqual(width, MIN_ASPECT * height)
            self.assertEqual(x < 0.07 - 0.01, grows_left)


if __name__ == "__main__":
    unittest.main()
