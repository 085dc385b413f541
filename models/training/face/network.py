# SPDX-License-Identifier: MIT OR Apache-2.0
"""The face network: dense convolutions down to stride 8, depthwise separable ones below, a small pyramid and one head per stride.

Where a CPU spends its time decided the shape: channels are multiples of 16 (one AVX-512 register of ONNX Runtime's blocked
layout), nothing but convolutions, ReLU, additions and nearest upsampling is used, and once the network is trained, the two
convolutions that take most of the time are done in two parts each.
"""

import torch
import torch.nn.functional as F
from torch import nn

STRIDES = (4, 8, 16, 32)
# Channels of a head: score logit; x, y of the centre and log width, height; x, y of five landmarks.
CHANNELS = 1 + 4 + 10
# The convolutions that `take_apart.py` does in two parts, those to stride 4 and to stride 8, and how many channels then lie between.
HALVING, BETWEEN = ("stem.2", "stages.0.0.0"), (16, 32)
# What an untrained head says of every cell: rather no face; else one in its middle, two strides wide, with landmarks where they often are.
FIRST_GUESS = [-4.6, 0.5, 0.5, 0.7, 0.7, 0.1, 0.3, 0.9, 0.3, 0.5, 0.6, 0.2, 0.95, 0.8, 0.95]


def conv_norm(inputs, outputs, kernel=3, stride=1, groups=1):
    """Convolution without bias, batch norm (folded into the convolution on export)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )


class Separable(nn.Module):
    """Pointwise, then depthwise convolution, with a shortcut where the shape stays."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.pointwise = conv_norm(inputs, outputs, 1)
        self.depthwise = conv_norm(outputs, outputs, 3, stride, groups=outputs)
        self.shortcut = inputs == outputs and stride == 1

    def forward(self, x):
        y = self.depthwise(torch.relu_(self.pointwise(x)))
        return torch.relu_(y + x if self.shortcut else y)


def halving(inputs, outputs, between):
    """A 3x3 convolution of stride 2 with batch norm, or, through `between` channels, one along the rows and one along the columns."""
    if between is None:
        return conv_norm(inputs, outputs, 3, 2)
    along_rows = nn.Conv2d(inputs, between, (1, 3), (1, 2), (0, 1), bias=False)
    along_columns = nn.Conv2d(between, outputs, (3, 1), (2, 1), (1, 0), bias=False)
    return nn.Sequential(along_rows, nn.Sequential(along_columns, nn.BatchNorm2d(outputs)))


def double(x):
    """Both sides twice as long."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


class FaceNet(nn.Module):
    """RGB [N, 3, H, W] 0..1, sides multiples of 32, to one map [N, 15, H / s, W / s] for each stride s.

    The convolutions of `HALVING` are whole, or in parts with so many channels `between`.
    """

    def __init__(self, stem=16, widths=(32, 64, 64, 64), depths=(1, 3, 2, 2), neck=64, between=(None, None)):
        super().__init__()
        self.stem = nn.Sequential(
            conv_norm(3, stem, 3, 2),
            nn.ReLU(inplace=True),
            halving(stem, widths[0], between[0]),
            nn.ReLU(inplace=True),
            *[Separable(widths[0], widths[0]) for _ in range(depths[0])],
        )
        self.stages = nn.ModuleList()
        for inputs, outputs, depth in zip(widths, widths[1:], depths[1:]):
            if inputs < 64:
                down = nn.Sequential(halving(inputs, outputs, between[1]), nn.ReLU(inplace=True))
            else:
                down = Separable(inputs, outputs, 2)
            self.stages.append(nn.Sequential(down, *[Separable(outputs, outputs) for _ in range(depth)]))
        self.laterals = nn.ModuleList(Separable(width, neck) for width in widths[1:])
        # What the pyramid tells the finest level, which is the stem's, of fewer channels.
        self.narrow = conv_norm(neck, widths[0], 1)
        widths = (widths[0], *[neck] * len(self.stages))
        self.towers = nn.ModuleList(Separable(width, width) for width in widths)
        self.heads = nn.ModuleList(nn.Conv2d(width, CHANNELS, 1) for width in widths)
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            head.bias.data = torch.tensor(FIRST_GUESS)

    def forward(self, x):
        x = stem = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        merged, above = [], None
        for level, lateral in zip(levels[::-1], self.laterals[::-1]):
            above = lateral(level if above is None else level + double(above))
            merged.insert(0, above)
        merged.insert(0, stem + double(self.narrow(above)))
        return [head(tower(level)) for level, tower, head in zip(merged, self.towers, self.heads)]


@torch.no_grad()
def whole(network):
    """The same as a network in parts, with its convolutions whole."""
    state = network.state_dict()
    for name in HALVING:
        first, second = state.pop(f"{name}.0.weight"), state.pop(f"{name}.1.0.weight")
        state |= {
            f"{name}.1.{part}": state.pop(f"{name}.1.1.{part}")
            for part in network.get_submodule(f"{name}.1.1").state_dict()
        }
        state[f"{name}.0.weight"] = torch.einsum("oby,bix->oiyx", second[..., 0], first[:, :, 0])
    joined = FaceNet()
    joined.load_state_dict(state)
    return joined
