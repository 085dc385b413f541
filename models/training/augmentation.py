# SPDX-License-Identifier: MIT OR Apache-2.0
"""Augmentations of whole batches of grey faces, float [N, 1, H, W], pixel values 0..255.

They stand for what differs between a training picture and a webcam: where the detector puts the crop
(place, size, roll), light and contrast, small or blurred faces, noise, compression, and things in front of the face.
"""

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


def _uniform(count, low, high, generator):
    return torch.rand(count, generator=generator) * (high - low) + low


def _chosen(count, probability, generator):
    """Indices of the pictures an augmentation applies to."""
    return torch.nonzero(torch.rand(count, generator=generator) < probability).flatten()


def random_affine(x, generator, degrees=20.0, shift=0.10, zoom=0.12, aspect=0.06):
    """Mirror, roll (uniform, +-degrees), shift (fraction of the side), zoom and aspect change.

    What lies outside the picture is filled by reflection: a real crop has background there.
    """
    n = len(x)
    angle = _uniform(n, -degrees, degrees, generator) * (math.pi / 180)
    scale = torch.exp(_uniform(n, -zoom, zoom, generator))
    stretch = torch.exp(_uniform(n, -aspect, aspect, generator))
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * stretch * mirror, -sin * stretch
    theta[:, 1, 0], theta[:, 1, 1] = sin / stretch * mirror, cos / stretch
    theta[:, :, 2] = torch.rand(n, 2, generator=generator) * (4 * shift) - 2 * shift
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def random_light(x, generator, gain=0.35, offset=30.0, gamma=0.35, probability=0.7):
    """Contrast about the picture's own mean, brightness, gamma; clipped to 0..255 like a sensor."""
    rows = _chosen(len(x), probability, generator)
    n = (len(rows), 1, 1, 1)
    part = x[rows]
    centre = part.mean((1, 2, 3), keepdim=True)
    part = (part - centre) * torch.exp(_uniform(n, -1.2 * gain, gain, generator)) + centre
    part = (part + _uniform(n, -offset, offset, generator)).clamp(0, 255)
    x[rows] = (part / 255).pow(torch.exp(_uniform(n, -gamma, gamma, generator))) * 255
    return x


def random_dark(x, generator, probability=0.08, least=0.08, most=0.4):
    """What a camera that has not adapted sees of a dark room: all levels times a small factor."""
    rows = _chosen(len(x), probability, generator)
    x[rows] = x[rows] * torch.exp(_uniform((len(rows), 1, 1, 1), math.log(least), math.log(most), generator))
    return x


def random_blur(x, generator, probability=0.12, kernel=5):
    """A small box of random length and direction (motion) on some of the pictures."""
    rows = _chosen(len(x), probability, generator)
    if len(rows) == 0:
        return x
    steps = torch.arange(kernel) - kernel // 2
    angle = _uniform((len(rows), 1, 1), 0, math.pi, generator)
    along = steps * torch.cos(angle) + steps[:, None] * torch.sin(angle)
    across = steps[:, None] * torch.cos(angle) - steps * torch.sin(angle)
    length = _uniform((len(rows), 1, 1), 0.5, 2.0, generator)
    width = _uniform((len(rows), 1, 1), 0.3, 0.9, generator)
    weight = torch.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))
    weight = (weight / weight.sum((1, 2), keepdim=True))[:, None]
    padded = F.pad(x[rows].transpose(0, 1), [kernel // 2] * 4, mode="replicate")
    x[rows] = F.conv2d(padded, weight, groups=len(rows)).transpose(0, 1)
    return x


def random_downscale(x, generator, probability=0.2, smallest=16):
    """Shrink some pictures to a smaller side and enlarge them again: a face far from the camera."""
    side = x.shape[-1]
    for rows in _chosen(len(x), probability, generator).chunk(4):
        if len(rows) == 0:
            continue
        small = int(torch.randint(smallest, side, (1,), generator=generator))
        part = F.interpolate(x[rows], size=(small, small), mode="bilinear", antialias=True)
        x[rows] = F.interpolate(part, size=(side, side), mode="bilinear")
    return x


def random_noise(x, generator, probability=0.2, strongest=12.0):
    """Gaussian sensor noise, standard deviation up to `strongest` grey levels."""
    rows = _chosen(len(x), probability, generator)
    strength = _uniform((len(rows), 1, 1, 1), 0, strongest, generator)
    x[rows] = (x[rows] + strength * torch.randn(x[rows].shape, generator=generator)).clamp(0, 255)
    return x


def random_jpeg(x, generator, probability=0.12, worst=15, best=60):
    """Compress some pictures, at a quality of `worst` to `best`, as cameras and streams do."""
    rows = _chosen(len(x), probability, generator)
    qualities = torch.randint(worst, best + 1, (len(rows),), generator=generator)
    for row, quality in zip(rows.tolist(), qualities.tolist()):
        stream = io.BytesIO()
        Image.fromarray(x[row, 0].round().clamp(0, 255).byte().numpy()).save(stream, "JPEG", quality=quality)
        x[row, 0] = torch.from_numpy(np.array(Image.open(stream))).to(x.dtype)
    return x


def random_erase(x, generator, probability=0.4, smallest=0.15, largest=0.45):
    """Cover one rectangle (sides as fractions of the picture's) with an even grey or with noise."""
    side = x.shape[-1]
    rows = _chosen(len(x), probability, generator)
    n = (len(rows), 1, 1, 1)
    height = _uniform(n, smallest, largest, generator) * side
    width = _uniform(n, smallest, largest, generator) * side
    top = torch.rand(n, generator=generator) * (side - height)
    left = torch.rand(n, generator=generator) * (side - width)
    line = torch.arange(side).float()
    y, x_axis = line.view(1, 1, -1, 1), line.view(1, 1, 1, -1)
    inside = (y >= top) & (y < top + height) & (x_axis >= left) & (x_axis < left + width)
    grain = _uniform(n, 0, 50, generator) * torch.randn(x[rows].shape, generator=generator)
    fill = (_uniform(n, 0, 255, generator) + grain).clamp(0, 255)
    x[rows] = torch.where(inside, fill, x[rows])
    return x


def augment(x, generator, strength=1.0):
    """All of the above in camera order; `strength` scales geometry and the chance of each degradation."""
    x = random_affine(x, generator, 20 * strength, 0.10 * strength, 0.12 * strength)
    x = random_light(x, generator, probability=0.7 * strength)
    x = random_dark(x, generator, probability=0.08 * strength)
    x = random_downscale(x, generator, probability=0.2 * strength)
    x = random_blur(x, generator, probability=0.12 * strength)
    x = random_noise(x, generator, probability=0.2 * strength)
    x = random_jpeg(x, generator, probability=0.12 * strength)
    return random_erase(x, generator, probability=0.4 * strength)
