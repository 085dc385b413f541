# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layers that the networks share."""

from torch import nn


def conv_norm(inputs, outputs, kernel=3, stride=1, groups=1):
    """A convolution without bias and its batch norm, which the export folds into the convolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )
