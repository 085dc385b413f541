# SPDX-License-Identifier: MIT OR Apache-2.0
"""The landmark network: a look at one face in the frame's own pixels, since what finds faces in a reduced frame hardly tells how they tilt."""

import torch
from torch import nn

from facenet import Separable, conv_norm

# Pixels of the grey square that it sees.
SIDE = 32
# x, y of right eye, left eye, nose, right and left mouth corner where they often are, from the middle in sides of the square.
FIRST_GUESS = [-0.13, -0.09, 0.13, -0.09, 0.0, 0.05, -0.1, 0.15, 0.1, 0.15]


class MarkNet(nn.Module):
    """Luma [N, 1, SIDE, SIDE] to landmarks [N, 10], from the middle in sides of the square."""

    def __init__(self, widths=(16, 32, 64)):
        super().__init__()
        first, second, rest = widths
        self.body = nn.Sequential(
            conv_norm(1, first, 3, 2), nn.ReLU(inplace=True), conv_norm(first, second, 3, 2), nn.ReLU(inplace=True),
            Separable(second, rest), Separable(rest, rest),
            Separable(rest, rest, 2), Separable(rest, rest), Separable(rest, rest),
            nn.Flatten(),
        )
        self.head = nn.Linear(rest * (SIDE // 8) ** 2, 10)
        nn.init.normal_(self.head.weight, std=0.01)
        self.head.bias.data = torch.tensor(FIRST_GUESS)

    def forward(self, x):
        # How bright the face is, and how strong its contrast, says nothing.
        x = x - x.mean((2, 3), keepdim=True)
        x = x / (x.square().mean((2, 3), keepdim=True) + 1e-4).sqrt()
        return self.head(self.body(x))
