# SPDX-License-Identifier: MIT OR Apache-2.0
"""Networks whose scores are the same for a picture and its mirror image.

The channels of each layer are pairs: the second half has what the first half would have for the mirrored picture, mirrored.
Then the second half of each convolution's filters are the mirrored filters of the first, with the halves of their inputs
swapped; everything else has the same weights in both halves. It needs kernels of even width where a layer halves the map
(size `even` of network.py), because a kernel of odd width would be off the middle by one pixel.

Such weights stay such weights under gradient descent if they are made so after each step. The exported file is an ordinary
network, and costs what any other of its size does.
"""

import torch


def swapped(tensor, axis):
    """A tensor with the halves of an axis swapped; an axis of length 1, the picture's, stays."""
    length = tensor.shape[axis]
    return tensor if length == 1 else tensor.roll(length // 2, axis)


def mirror_image(name, value, heads):
    """A weight as it would be in the network that sees the mirrored picture, in the order of the pairs."""
    part = name.split(".")[0]
    if part in heads:
        return swapped(value, 1) if value.dim() == 2 else value
    value = swapped(value, 0)
    return swapped(value, 1).flip(3) if value.dim() == 4 else value


@torch.no_grad()
def make_mirrored(network):
    """Replace all weights and statistics of a network by the nearest ones that ignore mirroring."""
    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point and value.dim() > 0:
            value.add_(mirror_image(name, value, network.heads)).mul_(0.5)
