# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crops of faces as the plugin makes them, by five landmarks, with the points and the pose moved along (torch)."""

import torch
from torch.nn import functional

from training.geometry.network import SIDE
from training.geometry.points import LEFT_EYE, LEFT_MOUTH, NOSE_TIP, RIGHT_EYE, RIGHT_MOUTH

# The square by five landmarks, [framing.landmarks] in models/face-geometry/model.toml.
SIDE_OF_SIZE, OFFSET_OF_SIZE = 2.05, 0.08


def five_landmarks(points):
    """The landmarks [N, 5, 2] of a detector: eyes, nose, corners of the mouth, the person's right first."""
    eyes = points[:, RIGHT_EYE].mean(1), points[:, LEFT_EYE].mean(1)
    return torch.stack([*eyes, points[:, NOSE_TIP], points[:, RIGHT_MOUTH], points[:, LEFT_MOUTH]], 1)


def frame(landmarks):
    """(centre [N, 2], side [N], roll [N]) of the squares by five landmarks, as `LandmarkFraming` computes them."""
    right, left = landmarks[:, 0], landmarks[:, 1]
    eyes, mouth = (right + left) / 2, (landmarks[:, 3] + landmarks[:, 4]) / 2
    down, across = mouth - eyes, left - right
    size = (down.square().sum(1) + across.square().sum(1)).sqrt()
    roll = torch.atan2(across[:, 1] - down[:, 0], across[:, 0] + down[:, 1])
    direction = torch.stack([-roll.sin(), roll.cos()], 1)
    center = (eyes + mouth) / 2 + OFFSET_OF_SIZE * size[:, None] * direction
    return center, SIDE_OF_SIZE * size, roll


def sample(images, center, side, roll, size=SIDE):
    """Squares float32 [N, 1, size, size], 0..255, of pictures uint8 [N, S, S]; pixels at the edge are repeated."""
    cos, sin = roll.cos() * side, roll.sin() * side
    move = torch.stack(
        [torch.stack([cos, -sin, center[:, 0] * 2 - 1], 1), torch.stack([sin, cos, center[:, 1] * 2 - 1], 1)], 1
    )
    grid = functional.affine_grid(move, (len(images), 1, size, size), align_corners=False)
    return functional.grid_sample(images[:, None].float(), grid, padding_mode="border", align_corners=False)


def move_points(points, center, side, roll):
    """Points [N, K, 2] of the pictures in 0..1 of the squares."""
    offset = points - center[:, None]
    cos, sin = roll.cos()[:, None], roll.sin()[:, None]
    turned = torch.stack(
        [cos * offset[..., 0] + sin * offset[..., 1], cos * offset[..., 1] - sin * offset[..., 0]], -1
    )
    return turned / side[:, None, None] + 0.5


def turn_upright(rotation, roll):
    """The rotations [N, 3, 3] of faces in squares that are rotated by `roll`, clockwise as seen by the viewer."""
    cos, sin, zero, one = roll.cos(), roll.sin(), torch.zeros_like(roll), torch.ones_like(roll)
    rows = [torch.stack(row, 1) for row in ((cos, -sin, zero), (sin, cos, zero), (zero, zero, one))]
    return torch.stack(rows, 1) @ rotation


def angles(rotation):
    """`points.angles` of tensors: yaw, pitch and roll [N, 3] in degrees."""
    yaw = torch.atan2(rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = torch.asin(rotation[:, 1, 2].clamp(-1, 1))
    roll = -torch.atan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return torch.rad2deg(torch.stack([yaw, pitch, roll], 1))
