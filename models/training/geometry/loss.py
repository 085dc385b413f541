# SPDX-License-Identifier: MIT OR Apache-2.0
"""Losses of landmarks, pose, blendshapes and trust."""

import torch
from torch.nn import functional

from training.geometry.points import BLENDSHAPES, OUTER_CORNERS, POINTS, TAUGHT_BLENDSHAPES

NAMES = ("landmarks", "pose", "blendshapes", "trust")
WEIGHTS = (1.0, 0.5, 6.0, 0.5)
# Distance of a point, in percent of the eye distance, up to which its loss is quadratic.
QUADRATIC = 2.0
# Eyes of a profile nearly coincide; their distance counts as at least this part of the crop.
MIN_EYE_DISTANCE = 0.15
DEGREES, ROLL_WEIGHT = 4.0, 1.5
# Blendshapes that applications rely on most, and their weight; the others have 1.
IMPORTANT, IMPORTANT_WEIGHT = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen"), 3.0
# Error of a blendshape, in its spreads, up to which its loss is quadratic. Beyond, the loss still grows: were it cut off, a
# blendshape that starts far away would never learn.
QUADRATIC_SPREADS = 2.0
# Mean distance of the points, in percent of the eye distance, at which the trust is 0.
UNTRUSTED = 20.0


def trust_of(error):
    """The trust that an error of the points deserves, in percent of the eye distance: 1 without error, 0 from 20 %."""
    return (1 - error / UNTRUSTED).clamp(0, 1)


def shape_weights():
    """The weights [51] of the blendshapes that have a teacher."""
    return torch.tensor([IMPORTANT_WEIGHT if name in IMPORTANT else 1.0 for name in BLENDSHAPES[:TAUGHT_BLENDSHAPES]])


def losses(outputs, labels, spread, weights):
    """(the four losses [4], mean error of the points in percent of the eye distance).

    outputs  of N + M crops, of which the last M show no face
    labels   of N crops
    spread   [52] standard deviation of each blendshape
    weights  [51] of `shape_weights`
    """
    points, pose, blendshapes, trust = outputs
    count = len(labels.points)
    eyes = (labels.points[:, OUTER_CORNERS[0]] - labels.points[:, OUTER_CORNERS[1]]).norm(dim=1)
    offset = points[:count].view(-1, POINTS, 2) - labels.points
    offset = offset * (100 / eyes.clamp_min(MIN_EYE_DISTANCE))[:, None, None]
    distance = offset.abs()
    of_points = torch.where(distance < QUADRATIC, distance.square() / (2 * QUADRATIC), distance - QUADRATIC / 2).mean()
    of_angles = functional.smooth_l1_loss(pose[:count] / DEGREES, labels.pose / DEGREES, reduction="none")
    yaw, pitch, roll = of_angles.mean(0)
    of_pose = (yaw + pitch + ROLL_WEIGHT * roll) / 3
    of_shapes = ((blendshapes[:count] - labels.blendshapes) / spread)[:, :TAUGHT_BLENDSHAPES]
    of_shapes = functional.huber_loss(of_shapes, torch.zeros_like(of_shapes), reduction="none", delta=QUADRATIC_SPREADS)
    of_shapes = (of_shapes * weights).mean()
    error = offset.detach().norm(dim=2).mean(1)
    deserved = torch.cat([trust_of(error), torch.zeros(len(trust) - count)])
    of_trust = functional.binary_cross_entropy(trust[:, 0].clamp(1e-4, 1 - 1e-4), deserved)
    return torch.stack([of_points, of_pose, of_shapes, of_trust]), error.mean()
