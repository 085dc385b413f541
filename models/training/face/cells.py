# SPDX-License-Identifier: MIT OR Apache-2.0
"""The network's output cells [A]: those of all strides one after the other, row by row."""

import torch

from training.face.network import STRIDES


def cell_grid(height, width):
    """(x, y of the top left corners of the cells [A, 2] in pixels, strides [A]) for an input of this size."""
    corners, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        corners.append(torch.stack([x, y], -1).reshape(-1, 2).float() * stride)
        strides.append(torch.full((len(corners[-1]),), float(stride)))
    return torch.cat(corners), torch.cat(strides)


def flatten(maps):
    """Values [N, A, C] of all cells from the maps [N, C, H, W] of all strides."""
    return torch.cat([values.flatten(2).transpose(1, 2) for values in maps], 1).float()


def decode(outputs, corners, strides):
    """(boxes [..., A, 4] as corners, landmarks [..., A, 5, 2]) in pixels from outputs [..., A, 15]."""
    centre = corners + outputs[..., 1:3] * strides[:, None]
    half = outputs[..., 3:5].clamp(-4, 5).exp() * strides[:, None] / 2
    landmarks = corners[:, None] + outputs[..., 5:].unflatten(-1, (5, 2)) * strides[:, None, None]
    return torch.cat([centre - half, centre + half], -1), landmarks
