# SPDX-License-Identifier: MIT OR Apache-2.0
"""Square crops of faces: where they lie by a detector's box or landmarks, and their pixels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Square:
    """A square crop in pixels: centre, side, and clockwise roll in radians (y points down)."""

    x: float
    y: float
    side: float
    roll: float = 0.0


def landmark_frame(landmarks):
    """(centre [2], eye-to-mouth distance, eye distance, roll) of five landmarks.

    The centre is halfway between the midpoints of the eyes and of the mouth corners. The roll is that of the line from
    the right eye to the left eye.
    """
    eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
    across = landmarks[1] - landmarks[0]
    return (eyes + mouth) / 2, np.hypot(*(mouth - eyes)), np.hypot(*across), np.arctan2(across[1], across[0])


def square_from_landmarks(landmarks, rule, rotate=False):
    """The crop by `rule` = (side, offset_x, offset_y) in units of `landmark_size`."""
    centre, _, _, roll = landmark_frame(landmarks)
    size = landmark_size(landmarks)
    roll = roll if rotate else 0.0
    side, offset_x, offset_y = (value * size for value in rule)
    cos, sin = np.cos(roll), np.sin(roll)
    return Square(centre[0] + cos * offset_x - sin * offset_y, centre[1] + sin * offset_x + cos * offset_y, side, roll)


def landmark_size(landmarks):
    """The root of the sum of squares of eye-to-mouth distance and eye distance.

    It varies less with yaw and pitch than either distance.
    """
    _, height, width, _ = landmark_frame(landmarks)
    return float(np.hypot(height, width))


def square_from_box(box, rule):
    """The crop by `rule` = (side, offset_x, offset_y) in units of the box height."""
    x, y, w, h = box
    side, offset_x, offset_y = rule
    return Square(x + w / 2 + offset_x * h, y + h / 2 + offset_y * h, side * h)


def crop(canvas, square, side=48):
    """The grey crop uint8 [side, side]: bilinear samples on a grid as fine as the canvas, averaged for each pixel.

    Edge pixels are repeated outside the canvas.
    """
    fine = max(1, int(np.ceil(square.side / side)))
    steps = (np.arange(side * fine) + 0.5) / (side * fine) - 0.5
    u, v = np.meshgrid(steps * square.side, steps * square.side)
    cos, sin = np.cos(square.roll), np.sin(square.roll)
    samples = bilinear(canvas[:, :, 0].astype(np.float32), square.x + cos * u - sin * v, square.y + sin * u + cos * v)
    return samples.reshape(side, fine, side, fine).mean((1, 3)).round().clip(0, 255).astype(np.uint8)


def bilinear(plane, x, y):
    """Samples of a plane [H, W] at points in pixels; pixel centres are at .5."""
    height, width = plane.shape
    x, y = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    a, b = x - left, y - top
    upper = plane[top, left] * (1 - a) + plane[top, left + 1] * a
    lower = plane[top + 1, left] * (1 - a) + plane[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b
