# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the augmentation."""

import io
import unittest

import numpy as np
import torch
from PIL import Image

from training.expression.augmentation import augment, jpeg
from training.expression.dataset import normalise


class Augmentation(unittest.TestCase):
    def test_augmentation_keeps_the_range_and_depends_on_the_seed_only(self):
        faces = torch.rand(32, 1, 48, 48) * 255
        first, second = (augment(faces.clone(), torch.Generator().manual_seed(7)) for _ in range(2))
        self.assertEqual(first.shape, faces.shape)
        self.assertTrue(bool((first >= -0.01).all()) and bool((first <= 255.01).all()))
        self.assertTrue(torch.equal(first, second))

    def test_jpeg_matches_pillow(self):
        rows = torch.arange(48.0)
        picture = (128 + 90 * torch.sin(rows / 5)[:, None] * torch.cos(rows / 9))[None, None].round()
        for quality in (20, 75):
            stream = io.BytesIO()
            Image.fromarray(picture[0, 0].byte().numpy()).save(stream, "JPEG", quality=quality)
            difference = jpeg(picture, torch.full((1, 1, 1, 1), float(quality)))[0, 0].numpy() - np.asarray(
                Image.open(stream)
            )
            self.assertLess(np.abs(difference).mean(), 0.6)

    def test_larger_pictures_are_framed_by_their_centre(self):
        large = torch.zeros(4, 1, 72, 72)
        large[:, :, 4:68, 4:68] = 200
        unchanged = augment(large, torch.Generator().manual_seed(1), strength=0.0, framed=64 / 72)
        self.assertEqual(unchanged.shape, (4, 1, 48, 48))
        self.assertGreater(float(unchanged.mean()), 190)

    def test_input_formula(self):
        np.testing.assert_array_equal(normalise(np.array([[[0, 128, 192]]])).ravel(), [-2, 0, 1])


if __name__ == "__main__":
    unittest.main()
