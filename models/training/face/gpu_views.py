# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures of views, sampled and degraded by torch, so that a GPU makes whole batches.

All functions take pictures [N, 3, H, W] with values 0..1 and draw random values for each picture.
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from training.face.pack import SIDE

# A photo and its copies of half and a quarter of the size; the smallest zoom of each.
LEVELS, MIN_ZOOMS = 3, (0.7, 0.35, 0.0)
# Motion blur is the mean of 2 ** `DOUBLINGS` pictures.
DOUBLINGS = 5
# Quantisation of JPEG for luminance; for colour, twice as coarse.
JPEG_ROWS = (16, 12, 14, 14, 18, 24, 49, 72), (11, 12, 13, 17, 22, 35, 64, 92)
TO_YCC = [[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]]


class Photos:
    """Photos of `pack.py` on a device, as uint8 [N, 3, SIDE, SIDE] and smaller copies."""

    def __init__(self, data, index, device):
        self.device = device
        self.sizes = np.zeros((len(index), 2), int)
        self.levels = [
            torch.zeros((len(index), 3, SIDE >> level, SIDE >> level), dtype=torch.uint8, device=device)
            for level in range(LEVELS)
        ]
        for number, entry in enumerate(index):
            picture = Image.open(io.BytesIO(data[entry["start"] : entry["start"] + entry["length"]])).convert("RGB")
            self.sizes[number] = picture.size
            pixels = torch.from_numpy(np.array(picture)).to(device).permute(2, 0, 1)[None].float()
            for level, store in enumerate(self.levels):
                if level:
                    pixels = F.avg_pool2d(pixels, 2, ceil_mode=True, count_include_pad=False)
                store[number, :, : pixels.shape[2], : pixels.shape[3]] = pixels[0].round().to(torch.uint8)

    def sample(self, photos, matrices, zooms, width, height):
        """(pictures of views, True where the photo is [N, 1, H, W]); what lies outside of it has one colour."""
        x, y = torch.meshgrid(
            torch.arange(width, device=self.device) + 0.5, torch.arange(height, device=self.device) + 0.5, indexing="xy"
        )
        grid = torch.stack([x, y, torch.ones_like(x)], -1)
        matrices = torch.as_tensor(matrices, dtype=torch.float32).to(self.device)
        sizes = torch.as_tensor(self.sizes[photos], dtype=torch.float32).to(self.device)
        points = torch.einsum("hwk,nik->nhwi", grid, matrices)
        pictures = torch.empty((len(photos), 3, height, width), device=self.device)
        level_of = np.array([next(i for i, low in enumerate(MIN_ZOOMS) if zoom >= low) for zoom in zooms])
        for level, store in enumerate(self.levels):
            chosen = np.nonzero(level_of == level)[0]
            if not len(chosen):
                continue
            rows = torch.as_tensor(chosen).to(self.device)
            canvas = store[torch.as_tensor(np.asarray(photos)[chosen]).to(self.device)].float() / 255
            normal = points[rows] * (2 / SIDE) - 1
            pictures[rows] = F.grid_sample(canvas, normal, "bilinear", "border", False)
        inside = ((points >= 0) & (points < sizes[:, None, None])).all(-1)[:, None]
        colour = torch.rand((len(photos), 3, 1, 1), device=self.device)
        colour = colour * (torch.rand((len(photos), 1, 1, 1), device=self.device) < 0.4)
        return torch.where(inside, pictures, colour), inside


def uniform(pictures, low, high, channels=1):
    return low + (high - low) * torch.rand((len(pictures), channels, 1, 1), device=pictures.device)


def chance(pictures, share):
    return uniform(pictures, 0, 1) < share


def shifted(pictures, offsets):
    """Pictures moved by offsets [N, 2] in pixels; edge pixels are repeated."""
    height, width = pictures.shape[2:]
    move = torch.zeros((len(pictures), 2, 3), device=pictures.device)
    move[:, 0, 0] = move[:, 1, 1] = 1
    move[:, :, 2] = offsets * 2 / torch.tensor([width, height], device=pictures.device)
    return F.grid_sample(pictures, F.affine_grid(move, pictures.shape, False), "bilinear", "border", False)


def motion_blur(pictures, lengths):
    """Pictures blurred along lines [N, 2] in pixels, evenly."""
    for doubling in range(DOUBLINGS):
        offsets = lengths / 2 ** (doubling + 2)
        pictures = (shifted(pictures, offsets) + shifted(pictures, -offsets)) / 2
    return pictures


def moving_faces(pictures, targets):
    """Pictures in which the face, or all, has moved by up to a quarter of the face's size during the exposure.

    targets  [N, 3], centre and size of a face
    """
    size = torch.where(targets[:, 2] > 0, targets[:, 2], 0.6 * pictures.shape[2])
    angle = torch.rand(len(pictures), device=pictures.device) * 2 * torch.pi
    length = size * 0.25 * torch.rand(len(pictures), device=pictures.device)
    blurred = motion_blur(pictures, length[:, None] * torch.stack([angle.cos(), angle.sin()], -1))
    y, x = (torch.arange(side, device=pictures.device) + 0.5 for side in pictures.shape[2:])
    distance = (
        (x[None, None] - targets[:, 0, None, None]) ** 2 + (y[None, :, None] - targets[:, 1, None, None]) ** 2
    ).sqrt()
    around = torch.sigmoid((1.0 - distance / size.clamp(min=1)[:, None, None]) * 8)[:, None]
    everything = chance(pictures, 0.5) | (targets[:, 2] == 0)[:, None, None, None]
    return torch.lerp(pictures, blurred, torch.where(everything, 1.0, around))


def light(pictures):
    """Random gain, gamma and colour; some pictures are dark, some are grey or have little contrast."""
    gamma = uniform(pictures, -0.5, 0.5).exp()
    dark = chance(pictures, 0.15)
    gain = torch.where(dark, uniform(pictures, 0.15, 0.5), uniform(pictures, -0.4, 0.4).exp())
    pictures = pictures.clamp(1e-4, 1) ** gamma * gain * uniform(pictures, -0.15, 0.15, 3).exp()
    squash = chance(pictures, 0.25)
    pictures = torch.where(
        squash, (pictures - 0.5) * uniform(pictures, 0.25, 0.8) + uniform(pictures, 0.3, 0.6), pictures
    )
    grey = chance(pictures, 0.12)
    return torch.where(grey, pictures.mean(1, keepdim=True), pictures).clamp(0, 1)


def contrast(pictures):
    """Pictures with more contrast: lit faces in front of a dark room."""
    middle = uniform(pictures, 0.25, 0.55)
    return ((pictures - middle) * uniform(pictures, 1.2, 2.2) + middle * uniform(pictures, 0.5, 1.0)).clamp(0, 1)


def cosines(device):
    """The 8x8 matrix of the discrete cosine transform."""
    k = torch.arange(8, device=device, dtype=torch.float32)
    matrix = torch.cos((2 * k[None] + 1) * k[:, None] * torch.pi / 16) / 2
    matrix[0] /= 2**0.5
    return matrix


def jpeg(pictures, coarseness):
    """Pictures as after compression; `coarseness` [N, 1, 1, 1] multiplies the quantisation of JPEG's quality 50."""
    count, _, height, width = pictures.shape
    to_ycc, dct = torch.tensor(TO_YCC, device=pictures.device), cosines(pictures.device)
    colours = torch.einsum("ij,njhw->nihw", to_ycc, pictures * 255)
    blocks = colours.reshape(count, 3, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    rows = torch.tensor(JPEG_ROWS, device=pictures.device, dtype=torch.float32)
    table = (rows[0][:, None] * rows[1][None]).sqrt()
    table = torch.stack([table, 2 * table, 2 * table])[None, :, None, None] * coarseness[..., None, None]
    quantised = ((dct @ blocks @ dct.T) / table).round() * table
    blocks = dct.T @ quantised @ dct
    colours = blocks.permute(0, 1, 2, 4, 3, 5).reshape(count, 3, height, width)
    return (torch.einsum("ij,njhw->nihw", torch.linalg.inv(to_ycc), colours) / 255).clamp(0, 1)


def with_backgrounds(pictures, inside, backgrounds):
    """Pictures, most of which show a part of one without a face, of index `backgrounds`, outside of their photo."""
    if not len(backgrounds):
        return pictures
    chosen = backgrounds[torch.randint(len(backgrounds), (len(pictures),), device=pictures.device)]
    return torch.where(inside | chance(pictures, 0.3), pictures, pictures[chosen])


def unsharp(pictures):
    """Pictures with fewer details: out of focus, or enlarged."""
    reduced = F.avg_pool2d(pictures, 2)
    if torch.rand(()) < 0.4:
        reduced = F.avg_pool2d(reduced, 2)
    return F.interpolate(reduced, size=pictures.shape[2:], mode="bilinear")


def some(pictures, share, change):
    """Pictures, of which a random choice of about this share, always as many, is changed."""
    count = round(share * len(pictures))
    if not count:
        return pictures
    rows = torch.randperm(len(pictures), device=pictures.device)[:count]
    return pictures.index_copy(0, rows, change(pictures[rows], rows))


def degrade(pictures, targets):
    """Hard pictures: moving, out of focus, lit otherwise, noisy, compressed."""
    pictures = some(pictures, 0.15, lambda chosen, rows: unsharp(chosen))
    pictures = some(pictures, 0.5, lambda chosen, rows: moving_faces(chosen, targets[rows]))
    pictures = some(pictures, 0.2, lambda chosen, rows: contrast(chosen))
    pictures = some(pictures, 0.5, lambda chosen, rows: light(chosen))
    noise = lambda chosen, rows: (chosen + torch.randn_like(chosen) * uniform(chosen, 0.005, 0.05)).clamp(0, 1)
    pictures = some(pictures, 0.15, noise)
    return some(pictures, 0.35, lambda chosen, rows: jpeg(chosen, uniform(chosen, -1.5, 1.4).exp()))


def degrade_plain(pictures):
    """Plain pictures: a few have other light or are compressed."""
    pictures = some(pictures, 0.3, lambda chosen, rows: light(chosen))
    return some(pictures, 0.1, lambda chosen, rows: jpeg(chosen, uniform(chosen, -2.0, 0.7).exp()))
