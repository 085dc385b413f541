# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layers that the networks share."""

from torch import nn


def conv_norm(inputs, outputs, kernel=3, stride=1, groups=1):
    """A convolution without bias and its batch norm, which the export folds into the convolution.

    `kernel` is a side or (height, width); an even one of 4 has the border of 3.
    """
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    border = ((height - 1) // 2, (width - 1) // 2)
    conv = nn.Conv2d(inputs, outputs, (height, width), stride, border, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))
