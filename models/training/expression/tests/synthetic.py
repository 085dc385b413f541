# SPDX-License-Identifier: MIT OR Apache-2.0
"""Synthetic faces, data sets and teachers."""

import numpy as np

from training.expression.dataset import Faces
from training.expression.labels import FERPLUS_OF_FER2013
from training.expression.readers import PUBLIC_TEST, TRAINING, Arrays

# A `load.py` with horizontal stripes, labelled happiness, and vertical ones, labelled neutral.
LOADER = """
import numpy as np

def load():
    random = np.random.default_rng(2)
    labels = np.arange(256) % 2
    stripes = np.where(np.arange(48) // 6 % 2, 200, 60)[None, :].repeat(48, 0)
    images = np.stack([stripes.T if label else stripes for label in labels]) + random.integers(-20, 21, (256, 48, 48))
    votes = np.zeros((256, 10), np.uint8)
    votes[np.arange(256), labels] = 10
    split = (np.arange(256) >= 192).astype(np.uint8)
    return images.astype(np.uint8), votes, np.where(labels, 3, 6), split, np.arange(256)
"""
# A `teachers.py`.
TEACHERS = """
import numpy as np

RETAIL_LABELS = ["neutral", "happiness", "sadness", "surprise", "anger"]
FACEAPI_LABELS = ["neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise"]

def retail0003(images):
    return np.array([[0.6, 0.4, 0, 0, 0] if image[0, 0] else [1, 0, 0, 0, 0] for image in images])

def faceapi(images, batch):
    return np.tile([0.9, 0.1, 0, 0, 0, 0, 0], (len(images), 1))
"""


def synthetic_faces(count=2000, shares=(0.4, 0.3, 0.12, 0.08, 0.05, 0.03, 0.02)):
    """Faces with empty pictures and unbalanced classes, on which votes and labels agree."""
    ferplus = np.random.default_rng(5).choice(len(shares), count, p=shares)
    fer2013 = np.array([FERPLUS_OF_FER2013.index(label) for label in range(len(shares))])[ferplus]
    return Faces(
        np.zeros((count, 48, 48), np.uint8),
        np.eye(8, dtype=np.float32)[ferplus],
        np.ones(count, np.float32),
        ferplus,
        fer2013,
    )


def synthetic_arrays():
    """24 uniform pictures of all classes, with votes for their class."""
    labels = np.arange(24) % 7
    votes = np.zeros((24, 10), np.uint8)
    votes[np.arange(24), np.array(FERPLUS_OF_FER2013)[labels]] = 10
    images = np.arange(24, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(48, 2)
    return Arrays(images, votes, labels, np.array([TRAINING] * 16 + [PUBLIC_TEST] * 8, np.uint8))
