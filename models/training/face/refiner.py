# SPDX-License-Identifier: MIT OR Apache-2.0
"""The refiner: a second look at one box in the frame's own pixels, of which the detector saw a reduced frame."""

import torch
import torch.nn.functional as F
from torch import nn

from training.face.network import Separable, conv_norm

# Pixels of the square that it sees, and how much longer that is than the longer side of the box.
SIDE, REACH = 32, 1.6
# Values for each box: the logit that it is a face; centre from the middle of the square in its sides, and logarithm of width and height
# in its sides; x, y of right eye, left eye, nose, right and left mouth corner, as the centre.
SCORE, BOX, LANDMARKS = slice(0, 1), slice(1, 5), slice(5, 15)
# Where that often is.
FIRST_GUESS = [0.0, 0.0, 0.0, -0.57, -0.47, -0.12, -0.09, 0.12, -0.09, 0.0, 0.05, -0.1, 0.15, 0.1, 0.15]


class Refiner(nn.Module):
    """RGB [N, 3, SIDE, SIDE] of 0..`white` to values [N, 15]."""

    def __init__(self, widths=(16, 32, 64, 96)):
        super().__init__()
        first, second, third, rest = widths
        self.body = nn.Sequential(
            conv_norm(3, first, 3, 2),
            nn.ReLU(inplace=True),
            conv_norm(first, second, 3, 2),
            nn.ReLU(inplace=True),
            Separable(second, third),
            Separable(third, third),
            Separable(third, third),
            Separable(third, rest, 2),
            Separable(rest, rest),
            Separable(rest, rest),
            nn.Flatten(),
        )
        self.head = nn.Linear(rest * (SIDE // 8) ** 2, len(FIRST_GUESS))
        nn.init.normal_(self.head.weight, std=0.01)
        self.head.bias.data = torch.tensor(FIRST_GUESS)

    def forward(self, x, white=1.0):
        # How bright the picture is, and how strong its contrast, says nothing.
        even = F.instance_norm(x.flatten(1)[:, None], eps=1e-4 * white**2)
        return self.head(self.body(even.view(-1, 3, SIDE, SIDE)))
