# SPDX-License-Identifier: MIT OR Apache-2.0
"""What cameras do to crops: size, blur, light, contrast, covered parts, noise (torch, crops float32 [N, 1, S, S] of 0..255)."""

import math

import torch
from torch.nn import functional

# Crops that share a size or a blur.
GROUP = 32
SMALL_SHARE, BLURRED_SHARE = 0.3, 0.12
SMALLEST = 18
BLUR_RADIUS = 4
LIT_SHARE, COVERED_SHARE = 0.4, 0.15
NOISE = 14.0


def chance():
    """A number of 0..1. It is drawn on the CPU, so that nothing waits for a GPU."""
    return torch.rand(1, device="cpu").item()


def shrink(crops):
    """Crops of faces that were as small as `SMALLEST` pixels in the frame."""
    side = crops.shape[-1]
    size = int(side * math.exp(-chance() * math.log(side / SMALLEST)))
    small = functional.interpolate(crops, size=size, mode="area")
    mode = "bilinear" if chance() < 0.5 else "bicubic"
    return functional.interpolate(small, size=side, mode=mode, align_corners=False)


def blur(crops):
    """Crops out of focus or, in every second group, moved along an axis."""
    distance = torch.arange(-BLUR_RADIUS, BLUR_RADIUS + 1).float()
    weights = torch.exp(-distance.square() / (2 * (0.4 + 1.8 * chance()) ** 2))
    weights /= weights.sum()
    pad = lambda maps, edges: functional.pad(maps, edges, mode="replicate")
    if chance() < 0.5:
        crops = functional.conv2d(pad(crops, (BLUR_RADIUS, BLUR_RADIUS, 0, 0)), weights.view(1, 1, 1, -1))
    return functional.conv2d(pad(crops, (0, 0, BLUR_RADIUS, BLUR_RADIUS)), weights.view(1, 1, -1, 1))


def sharpness(crops):
    """Groups of crops as small faces, as blurred ones, or as they are."""
    groups = []
    for group in crops.split(GROUP):
        drawn = chance()
        if drawn < SMALL_SHARE:
            group = shrink(group)
        elif drawn < SMALL_SHARE + BLURRED_SHARE:
            group = blur(group)
        groups.append(group)
    return torch.cat(groups)


def light(crops):
    """Contrast, brightness, light from a side, and gamma."""
    count, side = len(crops), crops.shape[-1]
    normal = lambda: torch.randn(count, 1, 1, 1)
    mean = crops.mean((1, 2, 3), keepdim=True)
    crops = (crops - mean) * torch.exp(0.3 * normal()) + mean + 20 * normal()
    ramp = torch.linspace(-1, 1, side)
    lit = (torch.rand(count, 1, 1, 1) < LIT_SHARE) * 0.25
    crops = crops * (1 + lit * (normal() * ramp.view(1, 1, 1, -1) + normal() * ramp.view(1, 1, -1, 1)))
    return 255 * (crops.clamp(0, 255) / 255).pow(torch.exp(0.25 * normal()))


def cover(crops):
    """A grey rectangle on some crops."""
    count, side = len(crops), crops.shape[-1]
    first = torch.rand(count, 2, 1) * side
    at = torch.arange(side)
    across, down = ((at >= first) & (at < first + torch.rand(count, 2, 1) * 35 + 8)).unbind(1)
    covered = across[:, None, :] & down[:, :, None] & (torch.rand(count, 1, 1) < COVERED_SHARE)
    return torch.where(covered[:, None], torch.rand(count, 1, 1, 1) * 255, crops)


def degrade(crops):
    """Crops as a camera might have seen them."""
    crops = cover(light(sharpness(crops)))
    noise = torch.rand(len(crops), 1, 1, 1).square() * NOISE
    return (crops + noise * torch.randn_like(crops)).clamp(0, 255)
