# SPDX-License-Identifier: MIT OR Apache-2.0
"""The network: convolutions over a grey face of 80x80 pixels, and linear layers behind them.

Blendshapes have two layers of their own, which also see maps of two finer grids: a lid or a gaze is a matter of a pixel.
"""

import torch
from torch import nn

from training.common.layers import conv_norm
from training.geometry.points import BLENDSHAPES, POINTS, TAUGHT_BLENDSHAPES

SIDE = 80
PIXEL_MEAN, PIXEL_SCALE = 128.0, 1 / 64
WIDTHS, BLOCKS, LAST_WIDTH = (16, 40, 80, 112), (1, 2, 2), 64
# Number of the first layers of `fine`, which end at the grid of 20x20 cells; `fine` ends at 10x10, `coarse` at 5x5.
EARLY_LAYERS = 2 + BLOCKS[0]
# Of the network for blendshapes: maps of the grids of 10x10 and 20x20 cells, and values between its layers.
DETAIL_WIDTH, FINEST_WIDTH, SHAPE_WIDTH = 8, 6, 128
# Ranges of the outputs, so that the linear layer's own are alike: parts of the crop, and degrees. Blendshapes have their own.
POINT_RANGE, ANGLE_RANGE = 0.25, 30.0
COORDINATES, ANGLES = 2 * POINTS, 3
OUTPUTS = {"landmarks": COORDINATES, "pose": ANGLES, "blendshapes": len(BLENDSHAPES), "trust": 1}
LINEAR_OUTPUTS = [COORDINATES, ANGLES, 1]


def normalise(pixels):
    """The network's input for pixels of 0..255."""
    return (pixels - PIXEL_MEAN) * PIXEL_SCALE


class Block(nn.Module):
    """A residual block of a 1x3 and a 3x1 convolution."""

    def __init__(self, width):
        super().__init__()
        self.across, self.down = (
            nn.Sequential(nn.Conv2d(width, width, kernel, padding=padding, bias=False), nn.BatchNorm2d(width))
            for kernel, padding in (((1, 3), (0, 1)), ((3, 1), (1, 0)))
        )

    def forward(self, maps):
        return torch.relu(maps + self.down(torch.relu(self.across(maps))))


class Step(nn.Module):
    """A convolution and its ReLU."""

    def __init__(self, inputs, outputs, kernel=3, stride=2):
        super().__init__()
        self.conv = conv_norm(inputs, outputs, kernel, stride)

    def forward(self, maps):
        return torch.relu(self.conv(maps))


def stages(widths, blocks):
    """Layers from each width to the next one, each of which halves the size of the maps and is followed by its blocks."""
    for inputs, outputs, count in zip(widths, widths[1:], blocks):
        yield Step(inputs, outputs)
        yield from (Block(outputs) for _ in range(count))


class GeometryNet(nn.Module):
    """From crops float32 [N, 1, 80, 80] to the four outputs of `OUTPUTS`.

    landmarks    [N, 140] x and y of each point in 0..1 of the crop
    pose         [N, 3]   yaw, pitch and roll in degrees
    blendshapes  [N, 52]  0..1; the last one, which has no teacher, is always 0
    trust        [N, 1]   0..1

    In training, blendshapes are not limited to 0..1: a value beyond would learn nothing.
    """

    def __init__(self, mean_points=None, shapes=None):
        """mean_points [140], and the (mean, spread) [52] of the blendshapes, of the training faces."""
        super().__init__()
        first, *widths, last = WIDTHS
        self.fine = nn.Sequential(Step(1, first), *stages([first, *widths], BLOCKS))
        self.coarse = nn.Sequential(*stages([widths[-1], last], BLOCKS[-1:]), Step(last, LAST_WIDTH, kernel=1, stride=1))
        self.detail = Step(widths[-1], DETAIL_WIDTH, kernel=1, stride=1)
        self.finest = Step(widths[0], FINEST_WIDTH, kernel=1, stride=1)
        cells = (SIDE // 2 ** len(WIDTHS)) ** 2
        self.linear = nn.Linear(LAST_WIDTH * cells, sum(LINEAR_OUTPUTS))
        self.shapes = nn.Sequential(
            nn.Linear((LAST_WIDTH + 4 * DETAIL_WIDTH + 16 * FINEST_WIDTH) * cells, SHAPE_WIDTH),
            nn.ReLU(),
            nn.Linear(SHAPE_WIDTH, len(BLENDSHAPES)),
        )
        mean_points = torch.full((COORDINATES,), 0.5) if mean_points is None else mean_points
        self.register_buffer("mean_points", mean_points)
        mean, spread = shapes or (torch.zeros(len(BLENDSHAPES)), torch.ones(len(BLENDSHAPES)))
        taught = torch.arange(len(BLENDSHAPES)) < TAUGHT_BLENDSHAPES
        self.register_buffer("shape_mean", mean * taught)
        self.register_buffer("shape_spread", spread * taught)

    def maps(self, crops):
        """The maps of the three grids, from the coarsest to the finest, as float32 [N, values]."""
        early = self.fine[:EARLY_LAYERS](crops)
        fine = self.fine[EARLY_LAYERS:](early)
        return [maps.flatten(1).float() for maps in (self.coarse(fine), self.detail(fine), self.finest(early))]

    def outputs(self, maps):
        """The four outputs for `maps`. In bfloat16, the points would be rounded to a quarter of a percent of the eye distance."""
        points, pose, trust = self.linear(maps[0]).split(LINEAR_OUTPUTS, 1)
        shapes = self.shapes(torch.cat(maps, 1)) * self.shape_spread + self.shape_mean
        return (
            points * POINT_RANGE + self.mean_points,
            pose * ANGLE_RANGE,
            shapes if self.training else shapes.clamp(0, 1),
            torch.sigmoid(trust),
        )

    def forward(self, crops):
        return self.outputs(self.maps(crops))


def multiply_adds(network):
    """Multiplications of one crop."""
    counts = []

    def count(module, _given, output):
        weights = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.in_features
        counts.append(output[0].numel() * weights)

    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 1, SIDE, SIDE))
    for hook in hooks:
        hook.remove()
    return sum(counts)
