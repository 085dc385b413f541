# SPDX-License-Identifier: MIT OR Apache-2.0
"""Augmentation of whole batches of grey faces, float [N, 1, H, W], pixel values 0..255.

Pictures and random generator are on the same device. The augmentations cover the differences between a training picture
and a webcam: the detector's crop (position, size, roll), light and contrast, small or blurred faces, noise,
compression, occlusion, and the background.
"""

import math

import torch
import torch.nn.functional as F

from training.expression.readers import PICTURE_SIDE

# JPEG's luminance quantisation table at quality 50 (ITU-T T.81, table K.1), and its discrete cosine transform below.
JPEG_BLOCK = 8
JPEG_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
_ANGLES = torch.arange(JPEG_BLOCK)[:, None] * (2 * torch.arange(JPEG_BLOCK) + 1) * (math.pi / (2 * JPEG_BLOCK))
COSINES = torch.cos(_ANGLES) * torch.full((JPEG_BLOCK, 1), 0.5).index_fill(0, torch.tensor(0), 0.125**0.5)


def _rand(shape, generator):
    return torch.rand(shape, generator=generator, device=generator.device)


def _uniform(shape, low, high, generator):
    return _rand(shape, generator) * (high - low) + low


def _chosen(count, probability, generator):
    """Indices of the pictures that an augmentation is applied to."""
    return torch.nonzero(_rand(count, generator) < probability).flatten()


def random_affine(x, generator, degrees=20.0, shift=0.10, zoom=0.12, aspect=0.06, framed=1.0):
    """Mirror, roll (uniform, +-degrees), shift (fraction of the side), zoom and change of aspect, to [N, 1, 48, 48].

    The middle of each picture, the fraction `framed` of its side, is framed like a training picture. Reflection fills
    the area outside the picture, where a real crop has background.
    """
    n = len(x)
    angle = _uniform(n, -degrees, degrees, generator) * (math.pi / 180)
    scale = framed * torch.exp(_uniform(n, -zoom, zoom, generator))
    stretch = torch.exp(_uniform(n, -aspect, aspect, generator))
    mirror = torch.where(_rand(n, generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = x.new_zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * stretch * mirror, -sin * stretch
    theta[:, 1, 0], theta[:, 1, 1] = sin / stretch * mirror, cos / stretch
    theta[:, :, 2] = framed * _uniform((n, 2), -2 * shift, 2 * shift, generator)
    grid = F.affine_grid(theta, (n, 1, PICTURE_SIDE, PICTURE_SIDE), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def random_background(x, generator, probability=0.2, black=0.7, framed=1.0):
    """Replace the area outside a rough outline of the face, flatter at the top, by black or a uniform grey.

    An expression does not depend on the background, and some sources deliver faces without one.
    """
    rows = _chosen(len(x), probability, generator)
    n = (len(rows), 1, 1, 1)
    line = torch.linspace(-1, 1, x.shape[-1], device=x.device) / framed
    across = line.view(1, 1, 1, -1) / _uniform(n, 0.75, 1.0, generator)
    down = (line.view(1, 1, -1, 1) - _uniform(n, -0.06, 0.1, generator)) / _uniform(n, 0.85, 1.05, generator)
    across = across + _uniform(n, -0.12, 0.12, generator) * down
    exponent = torch.where(down < 0, _uniform(n, 2.5, 6.0, generator), _uniform(n, 1.8, 2.6, generator))
    outside = across.abs().pow(exponent) + down.abs().pow(exponent) > 1
    grey = _uniform(n, 0, 255, generator) * (_rand(n, generator) >= black)
    x[rows] = torch.where(outside, grey, x[rows])
    return x


def random_light(x, generator, gain=0.35, offset=30.0, gamma=0.35, probability=0.7):
    """Change contrast about the picture's mean, brightness and gamma; clip to 0..255 as a sensor does."""
    rows = _chosen(len(x), probability, generator)
    n = (len(rows), 1, 1, 1)
    part = x[rows]
    centre = part.mean((1, 2, 3), keepdim=True)
    part = (part - centre) * torch.exp(_uniform(n, -1.2 * gain, gain, generator)) + centre
    part = (part + _uniform(n, -offset, offset, generator)).clamp(0, 255)
    x[rows] = (part / 255).pow(torch.exp(_uniform(n, -gamma, gamma, generator))) * 255
    return x


def random_dark(x, generator, probability=0.08, min_gain=0.08, max_gain=0.4):
    """Multiply all levels by a small gain, like a camera in a dark room before it adapts."""
    rows = _chosen(len(x), probability, generator)
    gain = torch.exp(_uniform((len(rows), 1, 1, 1), math.log(min_gain), math.log(max_gain), generator))
    x[rows] = x[rows] * gain
    return x


def random_blur(x, generator, probability=0.12, kernel=5):
    """Blur some pictures by a small Gaussian of random length, width and direction (motion)."""
    rows = _chosen(len(x), probability, generator)
    if len(rows) == 0:
        return x
    steps = torch.arange(kernel, device=x.device) - kernel // 2
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


def random_downscale(x, generator, probability=0.2, min_side=16):
    """Shrink some pictures and enlarge them again, like a face far from the camera."""
    side = x.shape[-1]
    for rows in _chosen(len(x), probability, generator).chunk(4):
        if len(rows) == 0:
            continue
        reduced = int(_uniform(1, min_side, side, generator))
        part = F.interpolate(x[rows], size=(reduced, reduced), mode="bilinear", antialias=True)
        x[rows] = F.interpolate(part, size=(side, side), mode="bilinear")
    return x


def random_noise(x, generator, probability=0.2, max_deviation=12.0):
    """Add Gaussian sensor noise with a standard deviation of up to `max_deviation` grey levels."""
    rows = _chosen(len(x), probability, generator)
    deviation = _uniform((len(rows), 1, 1, 1), 0, max_deviation, generator)
    x[rows] = (x[rows] + deviation * torch.randn(x[rows].shape, generator=generator, device=x.device)).clamp(0, 255)
    return x


def jpeg(x, quality):
    """Pictures [N, 1, H, W] after JPEG compression at qualities [N, 1, 1, 1] of 1..100; sides are multiples of 8."""
    n, _, height, width = x.shape
    cosines, luminance = COSINES.to(x.device), JPEG_LUMINANCE.to(x.device)
    blocks = x.view(n, height // JPEG_BLOCK, JPEG_BLOCK, width // JPEG_BLOCK, JPEG_BLOCK).transpose(2, 3).flatten(1, 2)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = (luminance * scale + 0.5).floor().clamp(1, 255)
    frequencies = cosines @ (blocks - 128) @ cosines.T
    blocks = cosines.T @ ((frequencies / table).round() * table) @ cosines + 128
    rows = blocks.unflatten(1, (height // JPEG_BLOCK, width // JPEG_BLOCK)).transpose(2, 3)
    return rows.reshape(x.shape).round().clamp(0, 255)


def random_jpeg(x, generator, probability=0.12, min_quality=15, max_quality=60):
    """Compress some pictures at a random quality, as cameras and streams do."""
    rows = _chosen(len(x), probability, generator)
    x[rows] = jpeg(x[rows].round(), _uniform((len(rows), 1, 1, 1), min_quality, max_quality + 1, generator).floor())
    return x


def random_erase(x, generator, probability=0.4, min_side=0.15, max_side=0.45):
    """Cover a rectangle of some pictures, sides as fractions of the picture's, with uniform grey or noise."""
    side = x.shape[-1]
    rows = _chosen(len(x), probability, generator)
    n = (len(rows), 1, 1, 1)
    height = _uniform(n, min_side, max_side, generator) * side
    width = _uniform(n, min_side, max_side, generator) * side
    top = _rand(n, generator) * (side - height)
    left = _rand(n, generator) * (side - width)
    line = torch.arange(side, device=x.device).float()
    y, x_axis = line.view(1, 1, -1, 1), line.view(1, 1, 1, -1)
    inside = (y >= top) & (y < top + height) & (x_axis >= left) & (x_axis < left + width)
    grain = _uniform(n, 0, 50, generator) * torch.randn(x[rows].shape, generator=generator, device=x.device)
    fill = (_uniform(n, 0, 255, generator) + grain).clamp(0, 255)
    x[rows] = torch.where(inside, fill, x[rows])
    return x


def augment(x, generator, strength=1.0, framed=1.0):
    """All of the above, in the order in which a camera applies them, from [N, 1, S, S] to [N, 1, 48, 48].

    `strength` scales geometry and the probability of each degradation; `framed` is that of `random_affine`.
    """
    x = random_background(x, generator, probability=0.2 * strength, framed=framed)
    x = random_affine(x, generator, 20 * strength, 0.10 * strength, 0.12 * strength, framed=framed)
    x = random_light(x, generator, probability=0.7 * strength)
    x = random_dark(x, generator, probability=0.08 * strength)
    x = random_downscale(x, generator, probability=0.2 * strength)
    x = random_blur(x, generator, probability=0.12 * strength)
    x = random_noise(x, generator, probability=0.2 * strength)
    x = random_jpeg(x, generator, probability=0.12 * strength)
    return random_erase(x, generator, probability=0.4 * strength)
