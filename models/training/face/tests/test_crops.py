# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the training crops."""

import unittest
from dataclasses import replace

import numpy as np

from training.face import crops
from training.face.crops import cut_rotated, mirror, photo_weights, random_crop
from training.face.tests.synthetic import RED, photo


class Crops(unittest.TestCase):
    def setUp(self):
        # The tests below find faces by their colour.
        self.degrade, self.cover = crops.degrade, crops.cover
        crops.degrade, crops.cover = lambda picture, rng: np.array(picture), lambda picture, crop, rng: None

    def tearDown(self):
        crops.degrade, crops.cover = self.degrade, self.cover

    def crop(self, seed, photos):
        return random_crop(photos, photo_weights(photos), 128, np.random.default_rng(seed))

    def test_labels_follow_the_pixels(self):
        seen = 0
        for seed in range(60):
            crop = self.crop(seed, [photo()])
            for (x, y, w, h), points in zip(crop.boxes, crop.landmarks):
                inside = np.round(np.clip([x + 0.25 * w, x + 0.75 * w, y + 0.25 * h, y + 0.75 * h], 0, 127)).astype(int)
                middle = crop.pixels[inside[2] : inside[3], inside[0] : inside[1]].reshape(-1, 3)
                if w < 8 or not len(middle):
                    continue
                self.assertLess(np.abs(middle - RED).mean(), 12, f"seed {seed}: box {x, y, w, h}")
                if not any(abs(edge - 32 * round(edge / 32)) < 0.5 for edge in (x, x + w)):  # not clipped by its tile
                    self.assertTrue(((points[:, 0] > x) & (points[:, 0] < x + w)).all(), f"seed {seed}")
                across, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
                self.assertGreater(
                    across[0] * down[1] - across[1] * down[0],
                    0,
                    "the person's right eye is on the left of an upright face",
                )
                seen += 1
        self.assertGreater(seen, 30)

    def test_landmarks_rotate_with_the_face(self):
        one = photo(((60, 40, 90, 120),))
        x, y = one.landmarks[0, 0].astype(int)
        one.pixels[y - 8 : y + 9, x - 8 : x + 9] = (10, 10, 250)
        rolls = []
        for seed in range(40):
            crop = cut_rotated(one, 1.0, (30, 20), 160, np.random.default_rng(seed))
            (right, left), (x, y) = crop.landmarks[0, :2], crop.landmarks[0, 0].round().astype(int)
            rolls.append(np.degrees(np.arctan2(*(left - right)[::-1])))
            # A quarter turn swaps width and height of the box.
            lying = abs(round(rolls[-1])) == 90
            np.testing.assert_allclose(crop.boxes[0, 2:], (120, 90) if lying else (90, 120), rtol=0.1)
            self.assertGreater(crop.pixels[y, x, 2], 200, f"seed {seed}: {rolls[-1]:.0f} degrees")
        self.assertGreater(np.std(rolls), 5)
        self.assertIn(0.0, np.round(rolls, 6))

    def test_a_crop_is_a_function_of_its_seed(self):
        first, again, other = (self.crop(seed, [photo()]) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first.pixels, again.pixels)
        np.testing.assert_array_equal(first.boxes, again.boxes)
        self.assertFalse(np.array_equal(first.pixels, other.pixels))

    def test_mirroring_twice_restores_the_crop(self):
        crop, again = self.crop(1, [photo()]), self.crop(1, [photo()])
        mirror(again)
        self.assertFalse(np.array_equal(crop.pixels, again.pixels))
        mirror(again)
        np.testing.assert_array_equal(crop.pixels, again.pixels)
        np.testing.assert_allclose(crop.boxes, again.boxes, atol=1e-3)
        np.testing.assert_allclose(crop.landmarks, again.landmarks, atol=1e-3)

    def test_boxes_of_teachers_on_photos_of_animals_are_background(self):
        disputed = [(20, 20, 60, 60)]
        self.assertTrue(any(len(self.crop(seed, [photo((), ignore=disputed)]).ignore) for seed in range(5)))
        self.assertFalse(any(len(self.crop(seed, [photo((), "animal", disputed)]).ignore) for seed in range(5)))

    def test_crops_aim_at_hard_negatives(self):
        blue = photo((), hard_negatives=[(60, 40, 30, 40, 0.5)])
        blue.pixels[40:80, 60:90] = (10, 10, 250)
        crops_with_blue = lambda one: sum(
            (self.crop(seed, [one]).pixels == (10, 10, 250)).all(-1).any() for seed in range(40)
        )
        self.assertGreater(
            crops_with_blue(blue), crops_with_blue(replace(blue, hard_negatives=blue.hard_negatives[:0]))
        )
        self.assertFalse(any(len(self.crop(seed, [blue]).boxes) for seed in range(10)))

    def test_missed_faces_are_sampled_more_often(self):
        easy, missed = (
            replace(photo(), mined_scores=np.array(found, np.float32)) for found in ((0.9, 0.9), (0.9, 0.2))
        )
        light, heavy = photo_weights([easy, missed])
        self.assertGreater(heavy, light)
        # The second face is smaller, so crops aim at the first one unless that has a high score.
        crops_with_large_face = lambda one: sum((self.crop(seed, [one]).boxes[:, 2] > 40).any() for seed in range(60))
        self.assertGreater(crops_with_large_face(easy), crops_with_large_face(missed))


if __name__ == "__main__":
    unittest.main()
