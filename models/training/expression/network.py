# SPDX-License-Identifier: MIT OR Apache-2.0
"""The expression network: a small ResNet with squeeze and excitation, and a linear head for each set of labels."""

import torch
import torch.nn.functional as F
from torch import nn

from training.common.layers import conv_norm
from training.common.onnx_file import initializers, unfold_batch_norm
from training.expression.dataset import PIXEL_SCALE
from training.expression.labels import HEADS, LABELLED_HEADS


class Standardise(nn.Module):
    """Normalises each picture of [N, 1, H, W] to mean 0 and deviation 1, against changes of light and contrast.

    Pictures whose deviation is about `NOISE_LEVEL` grey levels or less are mostly noise, so theirs stays below 1.
    Values are clipped to `MAX_DEVIATIONS`, so that eight bits resolve the remaining range.
    """

    NOISE_LEVEL, MAX_DEVIATIONS = 4.0, 4.0

    def forward(self, x):
        x = F.instance_norm(x, eps=(self.NOISE_LEVEL * PIXEL_SCALE) ** 2)
        return x.clamp(-self.MAX_DEVIATIONS, self.MAX_DEVIATIONS)


class SqueezeExcite(nn.Module):
    """Channel gates in 0..1 from the global average of a feature map [N, C, H, W]."""

    def __init__(self, channels, reduction=8):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        squeezed = torch.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.expand(squeezed))


def norm_of(layer):
    """The batch norm at the end of `conv_norm` or of `factorised_conv_norm`."""
    return layer[-1] if isinstance(layer[-1], nn.BatchNorm2d) else norm_of(layer[-1])


def factorised_conv_norm(inputs, inner, outputs, stride=1, width=3):
    """A 1x3 convolution to a few inner channels, and a 3x1 convolution of these with its batch norm.

    width  of the first kernel, 3 or 4
    """
    along_rows = nn.Conv2d(inputs, inner, (1, width), (1, stride), (0, 1), bias=False)
    along_columns = nn.Conv2d(inner, outputs, (3, 1), (stride, 1), (1, 0), bias=False)
    return nn.Sequential(along_rows, nn.Sequential(along_columns, nn.BatchNorm2d(outputs)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, channel gates, and a shortcut (averaged and projected where the shape changes).

    With `inner`, both convolutions are factorised: see `factorised_conv_norm`. `halving` is the width of a kernel that
    halves the map.
    """

    def __init__(self, inputs, outputs, stride=1, inner=None, halving=3):
        super().__init__()
        if inner:
            width = halving if stride == 2 else 3
            self.first = factorised_conv_norm(inputs, inner, outputs, stride, width)
            self.second = factorised_conv_norm(outputs, inner, outputs)
        else:
            self.first = conv_norm(inputs, outputs, 3, stride)
            self.second = conv_norm(outputs, outputs)
        nn.init.zeros_(norm_of(self.second).weight)
        self.gate = SqueezeExcite(outputs)
        pool = [nn.AvgPool2d(2, 2)] if stride == 2 else []
        project = [conv_norm(inputs, outputs, 1)] if inputs != outputs else []
        self.shortcut = nn.Sequential(*pool, *project)

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        return torch.relu(self.gate(y) + self.shortcut(x))


# Channels and stride of the stem; channels and number of residual blocks of the stages. Each stage halves the map of
# the one before. The first stages of `fine`, which costs as much as `default`, and of `large` have full resolution.
# `half`, which is shipped, is `default` with factorised convolutions, which have `inner` channels in each stage:
# factorise.py makes it from a trained `default`. `default` and `large` are teachers. `even` costs what `half` does; its
# kernels that halve the map are 4 wide, so that a mirrored picture can have the mirrored map: see mirrored.py.
SIZES = {
    "even": {
        "stem": 16,
        "stride": 2,
        "widths": (48, 80, 128),
        "depths": (1, 2, 2),
        "inner": (30, 44, 74),
        "halving": 4,
    },
    "half": {"stem": 16, "stride": 2, "widths": (48, 80, 128), "depths": (1, 2, 2), "inner": (32, 48, 80)},
    "default": {"stem": 16, "stride": 2, "widths": (48, 80, 128), "depths": (1, 2, 2)},
    "fine": {"stem": 16, "stride": 1, "widths": (16, 32, 64, 128), "depths": (1, 2, 2, 2)},
    "large": {"stem": 32, "stride": 1, "widths": (32, 64, 128, 256), "depths": (2, 2, 2, 2)},
}


class ExpressionNet(nn.Module):
    """Takes grey faces [N, 1, 48, 48], value = (pixel - 128) / 64; returns the logits [N, classes] of each head.

    `size` is one of `SIZES`; `heads` are the first few names of `HEADS`.
    """

    def __init__(self, size="default", dropout=0.3, heads=LABELLED_HEADS):
        super().__init__()
        stem, stride, widths, depths = (SIZES[size][part] for part in ("stem", "stride", "widths", "depths"))
        inner, halving = SIZES[size].get("inner", [None] * len(widths)), SIZES[size].get("halving", 3)
        self.standardise = Standardise()
        second = conv_norm(stem, widths[0], (3, halving if stride == 2 else 3), stride)
        self.stem = nn.Sequential(conv_norm(1, stem), nn.ReLU(), second, nn.ReLU())
        blocks, channels = [], widths[0]
        for stage, (width, depth, between) in enumerate(zip(widths, depths, inner)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(channels, width, stride, between, halving))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.heads = tuple(heads)
        for head in self.heads:
            self.add_module(head, nn.Linear(channels, len(HEADS[head])))

    def forward(self, x):
        features = self.dropout(F.adaptive_avg_pool2d(self.blocks(self.stem(self.standardise(x))), 1).flatten(1))
        return tuple(self.get_submodule(head)(features) for head in self.heads)


def network_of(state):
    """A network with the given weights, which determine its size and heads, in evaluation mode."""
    heads = [head for head in HEADS if f"{head}.weight" in state]
    for size in SIZES:
        network = ExpressionNet(size, heads=heads)
        if {name: value.shape for name, value in network.state_dict().items()} == {
            name: value.shape for name, value in state.items()
        }:
            network.load_state_dict(state)
            return network.eval()
    raise ValueError(f"the weights fit none of the sizes {', '.join(SIZES)}")


def read_network(path):
    """The network of a `final.pt` or an exported `.onnx`, in evaluation mode."""
    if path.suffix != ".onnx":
        return network_of(torch.load(path))
    stored = initializers(path)
    heads = [head for head in HEADS if f"{head}.weight" in stored]
    for size in SIZES:
        network = ExpressionNet(size, heads=heads)
        try:
            unfold_batch_norm(network, path)
        except ValueError as mismatch:
            error = mismatch
        else:
            return network.eval()
    raise error


def count_cost(network, side=48):
    """(number of parameters, multiply-adds per picture) of a network."""
    multiply_adds = 0

    def count(module, _inputs, output):
        nonlocal multiply_adds
        positions = output[0, 0].numel() if output.dim() == 4 else 1
        multiply_adds += positions * module.weight.numel()

    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    was_training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, side, side))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in network.parameters()), multiply_adds
