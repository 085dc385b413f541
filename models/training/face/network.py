# SPDX-License-Identifier: MIT OR Apache-2.0
"""The face network: dense convolutions to stride 8, depthwise separable ones below, a small pyramid, a head per stride.

The shape follows from the time that its parts take on a CPU. Channels are multiples of 16 (one AVX-512 register of ONNX
Runtime's blocked layout). There are only convolutions, ReLU, additions and nearest-neighbour upsampling. In the trained
network, the two most expensive convolutions are factorised.
"""

import torch
import torch.nn.functional as F
from torch import nn

from training.common.layers import conv_norm

STRIDES = (4, 8, 16, 32)
# Channels of a head: score logit; x, y of the centre and logarithm of width and height; x, y of five landmarks.
CHANNELS = 1 + 4 + 10
# The convolutions to stride 4 and to stride 8, which `factorise.py` splits, and the channels between the two parts.
FACTORISED, INNER_CHANNELS = ("stem.2", "stages.0.0.0"), (16, 32)
# Output of an untrained head for each cell: a low score, and a centred face of twice the stride with average landmarks.
INITIAL_OUTPUT = [-4.6, 0.5, 0.5, 0.7, 0.7, 0.1, 0.3, 0.9, 0.3, 0.5, 0.6, 0.2, 0.95, 0.8, 0.95]


class Separable(nn.Module):
    """A pointwise and a depthwise convolution, with a shortcut if they keep the shape."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.pointwise = conv_norm(inputs, outputs, 1)
        self.depthwise = conv_norm(outputs, outputs, 3, stride, groups=outputs)
        self.shortcut = inputs == outputs and stride == 1

    def forward(self, x):
        y = self.depthwise(torch.relu_(self.pointwise(x)))
        return torch.relu_(y + x if self.shortcut else y)


def downsampling(inputs, outputs, inner):
    """A 3x3 convolution of stride 2 with batch norm.

    If `inner` is not None, it is factorised: one convolution along the rows and one along the columns, with `inner`
    channels between them.
    """
    if inner is None:
        return conv_norm(inputs, outputs, 3, 2)
    along_rows = nn.Conv2d(inputs, inner, (1, 3), (1, 2), (0, 1), bias=False)
    along_columns = nn.Conv2d(inner, outputs, (3, 1), (2, 1), (1, 0), bias=False)
    return nn.Sequential(along_rows, nn.Sequential(along_columns, nn.BatchNorm2d(outputs)))


def upsample(x):
    """Upsample a map to twice its width and height."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


class FaceNet(nn.Module):
    """Takes RGB [N, 3, H, W] 0..1, sides multiples of 32; returns a map [N, 15, H / s, W / s] for each stride s.

    The convolutions of `FACTORISED` have these `inner` channels; None stands for a 3x3 convolution.
    """

    def __init__(self, stem=16, widths=(32, 64, 64, 64), depths=(1, 3, 2, 2), neck=64, inner=(None, None)):
        super().__init__()
        self.stem = nn.Sequential(
            conv_norm(3, stem, 3, 2),
            nn.ReLU(inplace=True),
            downsampling(stem, widths[0], inner[0]),
            nn.ReLU(inplace=True),
            *[Separable(widths[0], widths[0]) for _ in range(depths[0])],
        )
        self.stages = nn.ModuleList()
        for inputs, outputs, depth in zip(widths, widths[1:], depths[1:]):
            if inputs < 64:
                down = nn.Sequential(downsampling(inputs, outputs, inner[1]), nn.ReLU(inplace=True))
            else:
                down = Separable(inputs, outputs, 2)
            self.stages.append(nn.Sequential(down, *[Separable(outputs, outputs) for _ in range(depth)]))
        self.laterals = nn.ModuleList(Separable(width, neck) for width in widths[1:])
        # From the pyramid to the finest level, the stem's, which has fewer channels.
        self.narrow = conv_norm(neck, widths[0], 1)
        widths = (widths[0], *[neck] * len(self.stages))
        self.towers = nn.ModuleList(Separable(width, width) for width in widths)
        self.heads = nn.ModuleList(nn.Conv2d(width, CHANNELS, 1) for width in widths)
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            head.bias.data = torch.tensor(INITIAL_OUTPUT)

    def forward(self, x):
        x = stem = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        pyramid, above = [], None
        for level, lateral in zip(levels[::-1], self.laterals[::-1]):
            above = lateral(level if above is None else level + upsample(above))
            pyramid.insert(0, above)
        pyramid.insert(0, stem + upsample(self.narrow(above)))
        return [head(tower(level)) for level, tower, head in zip(pyramid, self.towers, self.heads)]


@torch.no_grad()
def merged(network):
    """An equivalent of a factorised network with 3x3 convolutions."""
    state = network.state_dict()
    for name in FACTORISED:
        first, second = state.pop(f"{name}.0.weight"), state.pop(f"{name}.1.0.weight")
        state |= {
            f"{name}.1.{part}": state.pop(f"{name}.1.1.{part}")
            for part in network.get_submodule(f"{name}.1.1").state_dict()
        }
        state[f"{name}.0.weight"] = torch.einsum("oby,bix->oiyx", second[..., 0], first[:, :, 0])
    result = FaceNet()
    result.load_state_dict(state)
    return result
