# SPDX-License-Identifier: MIT OR Apache-2.0
"""A batch of synthetic crops."""

import numpy as np

from training.face.batches import collate
from training.face.crops import photo_weights, random_crop
from training.face.tests.synthetic import photo

SIDE = 128


def batch(count=4):
    """(pictures uint8 [N, 3, S, S], labels) of crops with at least one face each."""
    photos, rng = [photo()], np.random.default_rng(0)
    crops = (random_crop(photos, photo_weights(photos), SIDE, rng) for _ in range(100))
    return collate([crop for crop in crops if len(crop.boxes)][:count])
