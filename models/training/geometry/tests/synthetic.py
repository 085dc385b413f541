# SPDX-License-Identifier: MIT OR Apache-2.0
"""Synthetic faces: light discs at all points on dark grey."""

import numpy as np

from training.geometry.faces import SIDE, Faces
from training.geometry.points import BLENDSHAPES, POINTS


def template():
    """The 70 points of an upright face in 0..1, symmetric about its middle."""
    points = np.zeros((POINTS, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([0.5 + 0.3 * np.cos(angle), 0.45 + 0.35 * np.sin(angle)], 1)
    for start, side in ((17, -1), (22, 1)):
        across = np.linspace(0.22, 0.06, 5) if side < 0 else np.linspace(0.06, 0.22, 5)
        points[start : start + 5] = np.stack([0.5 + side * across, np.full(5, 0.32)], 1)
    points[27:31] = [(0.5, y) for y in (0.4, 0.45, 0.5, 0.55)]
    points[31:36] = [(0.5 + x, 0.58) for x in (-0.06, -0.03, 0, 0.03, 0.06)]
    eye = np.array([(-0.05, 0), (-0.02, -0.02), (0.02, -0.02), (0.05, 0), (0.02, 0.02), (-0.02, 0.02)])
    points[36:42], points[42:48] = eye + (0.37, 0.4), eye + (0.63, 0.4)
    turn = np.pi - np.arange(12) * np.pi / 6
    points[48:60] = np.stack([0.5 + 0.12 * np.cos(turn), 0.68 - 0.05 * np.sin(turn)], 1)
    turn = np.pi - np.arange(8) * np.pi / 4
    points[60:68] = np.stack([0.5 + 0.09 * np.cos(turn), 0.68 - 0.02 * np.sin(turn)], 1)
    points[68:] = [(0.37, 0.4), (0.63, 0.4)]
    return points


def draw(points):
    """A picture uint8 [112, 112] with a disc at each point."""
    row, column = np.mgrid[:SIDE, :SIDE] + 0.5
    picture = np.full((SIDE, SIDE), 60, np.uint8)
    for x, y in points * SIDE:
        picture[(column - x) ** 2 + (row - y) ** 2 < 4] = 220
    return picture


def faces(count, seed=0):
    """`Faces` at random positions; the first blendshape is the position from left to right."""
    random = np.random.default_rng(seed)
    offset = random.uniform(-0.08, 0.08, (count, 1, 2)).astype(np.float32)
    points = template() + offset
    blendshapes = np.zeros((count, len(BLENDSHAPES)), np.float32)
    blendshapes[:, 0] = 0.5 + 5 * offset[:, 0, 0]
    return Faces(
        np.stack([draw(face) for face in points]),
        points,
        np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)),
        blendshapes,
        np.zeros(count, np.uint8),
        np.arange(count) % 4 == 0,
    )
