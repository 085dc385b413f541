# SPDX-License-Identifier: MIT OR Apache-2.0
"""Average faces as input of the networks, for test fixtures: they show nobody."""

import numpy as np
from PIL import Image

from training.common.paths import MODELS

BACKGROUND = 128


def over_grey(path):
    """An average face over mid grey, uint8 [96, 96]."""
    grey, alpha = (np.asarray(band).astype(np.uint32) for band in Image.open(path).split())
    return ((grey * alpha + BACKGROUND * (255 - alpha) + 127) // 255).astype(np.uint8)


def halve(picture):
    """Rounded means of 2x2 pixels, [48, 48], of a picture [96, 96]."""
    return (picture.astype(int).reshape(48, 2, 48, 2).sum((1, 3)) + 2) // 4


def average_face(name):
    """The average face of an expression over mid grey, [48, 48]."""
    return halve(over_grey(MODELS / "average-faces" / f"{name}.png"))
