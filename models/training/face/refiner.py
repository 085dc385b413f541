# SPDX-License-Identifier: MIT OR Apache-2.0
"""The refiner: it looks at a box again in the pixels of the frame, while the detector saw a reduced frame."""

import torch
import torch.nn.functional as F
from torch import nn

from training.common.layers import conv_norm
from training.face.network import Separable

# Side of the input in pixels, and side of the square that it shows in units of the longer side of the box.
SIDE, REACH = 32, 1.6
# Outputs for each box: score logit; x, y of the centre and logarithm of width and height; x, y of right eye, left eye,
# nose, right and left mouth corner. Positions are relative to the centre of the square, lengths in units of its side.
SCORE, BOX, LANDMARKS = slice(0, 1), slice(1, 5), slice(5, 15)
# Typical outputs, to start from.
INITIAL_OUTPUT = [0.0, 0.0, 0.0, -0.57, -0.47, -0.12, -0.09, 0.12, -0.09, 0.0, 0.05, -0.1, 0.15, 0.1, 0.15]


class Reduction(nn.Module):
    """A depthwise convolution of stride 2 and a pointwise one, which has a quarter of the positions to compute."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.depthwise = conv_norm(inputs, inputs, 3, 2, groups=inputs)
        self.pointwise = conv_norm(inputs, outputs, 1)

    def forward(self, x):
        return torch.relu_(self.pointwise(self.depthwise(x)))


class Refiner(nn.Module):
    """Takes RGB [N, 3, SIDE, SIDE] of 0..`white`; returns the outputs [N, 15]."""

    def __init__(self, widths=(16, 32, 64, 96)):
        super().__init__()
        first, second, third, fourth = widths
        self.body = nn.Sequential(
            conv_norm(3, first, 3, 2),
            nn.ReLU(inplace=True),
            conv_norm(first, second, 3, 2),
            nn.ReLU(inplace=True),
            Separable(second, third),
            Separable(third, third),
            Reduction(third, fourth),
            Separable(fourth, fourth),
            nn.Flatten(),
        )
        self.head = nn.Linear(fourth * (SIDE // 8) ** 2, len(INITIAL_OUTPUT))
        nn.init.normal_(self.head.weight, std=0.01)
        self.head.bias.data = torch.tensor(INITIAL_OUTPUT)

    def forward(self, x, white=1.0):
        # Brightness and contrast of the picture carry no information.
        return self.head(self.body(F.layer_norm(x, (3, SIDE, SIDE), eps=1e-4 * white**2)))
