# SPDX-License-Identifier: MIT OR Apache-2.0
"""Augmented batches of the patches that `cut_patches.py` writes."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from training.face.crops import MIRRORED
from training.face.cut_patches import PATCH_SIDE
from training.face.cut_patches import REACH as PATCH_REACH
from training.face.refiner import REACH, SIDE

# Number of faces and of other boxes in a batch.
FACES, OTHERS = 110, 146
# Share of the views that are rotated; standard deviation and maximum of the angle in degrees.
ROTATED_SHARE, ROLL_DEVIATION, MAX_ROLL = 0.8, 25.0, 60.0
# Standard deviations of the logarithm of the scale, and of the shift in units of the longer side of the box.
SCALE_DEVIATION, SHIFT_DEVIATION = 0.09, 0.05
# The teachers' landmarks of small faces are mostly noise. The weight of a face grows from its minimum at the first
# size, in pixels, to 1 at the second.
LANDMARKS_FROM, LANDMARKS_FULL, MIN_LANDMARK_WEIGHT = 8.0, 48.0, 0.03


def views(patches, boxes, landmarks):
    """Patches [N, 3, 64, 64], 0..1, mirrored, rotated, scaled and shifted.

    Returns (pictures [N, 3, 32, 32], boxes [N, 4], landmarks [N, 5, 2]).
    """
    count = len(patches)
    roll = (ROLL_DEVIATION * torch.randn(count)).clamp(-MAX_ROLL, MAX_ROLL).deg2rad()
    roll = roll * (torch.rand(count) < ROTATED_SHARE)
    share = REACH / PATCH_REACH * (SCALE_DEVIATION * torch.randn(count).clamp(-2, 2)).exp()
    shift = SHIFT_DEVIATION / PATCH_REACH * torch.randn(count, 2).clamp(-2, 2)
    side = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    # From a point in the view to one in the patch, both relative to the centre: mirror, rotate, scale, shift.
    rotation = torch.stack([roll.cos() * side, -roll.sin(), roll.sin() * side, roll.cos()], 1).view(-1, 2, 2)
    transform = rotation * share[:, None, None]
    theta = torch.cat([transform, 2 * shift[:, :, None]], 2)
    grid = F.affine_grid(theta, (count, patches.shape[1], SIDE, SIDE), align_corners=False)
    pictures = F.grid_sample(patches, grid, padding_mode="border", align_corners=False)
    to_view = lambda points: (points - shift[:, None]) @ transform.inverse().transpose(1, 2)
    landmarks = to_view(landmarks)
    boxes = torch.cat([to_view(boxes[:, None, :2])[:, 0], boxes[:, 2:] / share[:, None]], 1)
    return pictures, boxes, torch.where((side < 0)[:, None, None], landmarks[:, MIRRORED], landmarks)


def reduce_resolution(pictures):
    """Downscale some groups of pictures [N, 3, 32, 32] and enlarge them again, not always equally along both sides."""
    groups = list(pictures.chunk(8))
    for index in range(len(groups)):
        if torch.rand(1) < 0.45:
            size = torch.randint(7, 28, (2,)) if torch.rand(1) < 0.3 else torch.randint(7, 28, (1,)).expand(2)
            reduced = F.interpolate(groups[index], size=size.tolist(), mode="bilinear", antialias=True)
            groups[index] = F.interpolate(reduced, size=(SIDE, SIDE), mode="bilinear")
    return torch.cat(groups)


def degrade(pictures):
    """Pictures [N, 3, 32, 32], 0..1, with random changes of resolution, light and colour, noise and occlusion."""
    count = len(pictures)
    chosen = lambda probability: (torch.rand(count, 1, 1, 1) < probability).float()
    uniform = lambda low, high, channels=1: low + (high - low) * torch.rand(count, channels, 1, 1)
    pictures = reduce_resolution(pictures)
    lit, dark = chosen(0.6), chosen(0.07)
    pictures = pictures.clamp(1e-4, 1) ** (uniform(-0.4, 0.4) * lit).exp()
    pictures = pictures * ((uniform(-0.4, 0.4) * lit).exp() * (1 - dark) + uniform(0.08, 0.4) * dark)
    pictures = pictures * (uniform(-0.2, 0.2, 3) * chosen(0.4)).exp()
    grey = chosen(0.15)
    pictures = pictures * (1 - grey) + grey * pictures.mean(1, keepdim=True)
    pictures = pictures + uniform(0, 0.05) * chosen(0.2) * torch.randn_like(pictures)
    for index in torch.nonzero(torch.rand(count) < 0.08).flatten().tolist():
        (x, y), (width, height) = torch.randint(2, SIDE - 4, (2,)).tolist(), torch.randint(4, 14, (2,)).tolist()
        pictures[index, :, y : y + height, x : x + width] = torch.rand(3, 1, 1)
    return (255 * pictures.clamp(0, 1)).round() / 255


@dataclass(frozen=True)
class Batch:
    """Pictures and targets of N boxes.

    pictures   [N, 3, 32, 32], 0..1
    labels     [N], probability that the box is a face
    is_face    bool [N], True where the box is known to be a face
    boxes      [N, 4], as `faces` of cut_patches.py, relative to the picture
    landmarks  [N, 5, 2], also relative to the picture
    weights    [N], weight of the landmarks
    """

    pictures: torch.Tensor
    labels: torch.Tensor
    is_face: torch.Tensor
    boxes: torch.Tensor
    landmarks: torch.Tensor
    weights: torch.Tensor


class Patches:
    """The files of `cut_patches.py`; gives random batches."""

    def __init__(self, folder):
        stored = np.load(folder / "boxes.npz")
        self.labels, self.boxes, self.landmarks = (
            torch.from_numpy(stored[name]) for name in ("labels", "faces", "landmarks")
        )
        shape = (len(self.labels), PATCH_SIDE, PATCH_SIDE, 3)
        self.pictures = np.memmap(folder / "pictures.u8", np.uint8, "r", shape=shape)
        scores, sizes, animals, masked = (
            torch.from_numpy(stored[name]).double() for name in ("scores", "sizes", "animals", "masked")
        )
        self.is_face = self.labels == 1
        known = self.landmarks.isfinite().all(2).all(1)
        weights = (sizes - LANDMARKS_FROM) / (LANDMARKS_FULL - LANDMARKS_FROM)
        self.weights = weights.clamp(MIN_LANDMARK_WEIGHT, 1).float() * known
        # Large and masked faces are drawn more often, and misses with a high score or on animals.
        frequency = torch.where(
            self.is_face, (1 + masked) * (sizes / 20).clamp(0.5, 2), (0.15 + scores) * (1 + 5 * animals)
        )
        groups = self.is_face.nonzero()[:, 0], (~self.is_face).nonzero()[:, 0]
        self.cumulative = [(indices, frequency[indices].cumsum(0)) for indices in groups]

    def draw(self, count, indices, sums):
        """Random indices, by their cumulative frequencies."""
        return indices[torch.searchsorted(sums, torch.rand(count, dtype=sums.dtype) * sums[-1])]

    def batch(self, faces=FACES, others=OTHERS):
        """A random, augmented `Batch`."""
        chosen = torch.cat([self.draw(count, *group) for group, count in zip(self.cumulative, (faces, others))])
        patches = torch.from_numpy(self.pictures[chosen.numpy()]).permute(0, 3, 1, 2).float() / 255
        pictures, boxes, landmarks = views(patches, self.boxes[chosen], self.landmarks[chosen])
        labels, is_face, weights = self.labels[chosen], self.is_face[chosen], self.weights[chosen]
        return Batch(degrade(pictures), labels, is_face, boxes, landmarks, weights)
