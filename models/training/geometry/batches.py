# SPDX-License-Identifier: MIT OR Apache-2.0
"""Batches for training: crops of labelled faces, of turned faces, and of pictures without a face."""

from dataclasses import dataclass

import torch

from training.geometry.crops import angles, five_landmarks, frame, move_points, sample, turn_upright
from training.geometry.degradation import degrade
from training.geometry.points import MIRRORED_BLENDSHAPES, MIRRORED_POINTS

# Faces of a batch, of each kind, at a scale of 1.
LABELLED, TURNED, EMPTY = 128, 104, 24
# How often a face of each of `faces.SOURCES` is drawn.
SOURCE_WEIGHTS = (4.0, 1.6, 0.7)
# Errors of a detector's landmarks, in eye distances; and the part of crops that are framed by a box instead.
LANDMARK_ERROR, BOX_SHARE = 0.03, 0.2
# Factors of a rotation in a mirrored picture.
MIRRORED_SIGNS = [[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]


@dataclass(frozen=True)
class Labels:
    """points [N, 70, 2] in 0..1 of the crop; pose [N, 3] in degrees; blendshapes [N, 52]."""

    points: torch.Tensor
    pose: torch.Tensor
    blendshapes: torch.Tensor


def to_tensors(faces):
    """(image, points, rotation, blendshapes) of `Faces`, on the default device."""
    return tuple(torch.as_tensor(array) for array in (faces.image, faces.points, faces.rotation, faces.blendshapes))


def mirror(image, points, rotation, blendshapes):
    """Half of the faces mirrored."""
    chosen = torch.rand(len(image)) < 0.5
    mirrored = points[:, MIRRORED_POINTS].clone()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return (
        torch.where(chosen[:, None, None], image.flip(2), image),
        torch.where(chosen[:, None, None], mirrored, points),
        torch.where(chosen[:, None, None], rotation * torch.tensor(MIRRORED_SIGNS), rotation),
        torch.where(chosen[:, None], blendshapes[:, MIRRORED_BLENDSHAPES], blendshapes),
    )


def shaken_frame(points):
    """The squares of faces as detectors with their errors frame them."""
    count, landmarks = len(points), five_landmarks(points)
    eyes = (landmarks[:, 0] - landmarks[:, 1]).norm(dim=1)
    center, side, roll = frame(landmarks + torch.randn_like(landmarks) * LANDMARK_ERROR * eyes[:, None, None])
    by_box = torch.rand(count) < BOX_SHARE
    side = side * torch.exp(torch.randn(count) * torch.where(by_box, 0.13, 0.06))
    center = center + torch.randn(count, 2) * (torch.where(by_box, 0.06, 0.025) * side)[:, None]
    roll = torch.where(by_box, torch.randn(count) * 0.1, roll + torch.randn(count) * 0.08)
    return center, side, roll


def crop_faces(image, points, rotation, blendshapes, square):
    """(crops [N, 1, 80, 80], labels) of faces in squares (centre, side, roll)."""
    labels = Labels(move_points(points, *square), angles(turn_upright(rotation, square[2])), blendshapes)
    return sample(image, *square), labels


def labelled_crops(faces):
    """(crops, labels) of tensors of faces, framed by their own points, without random changes."""
    return crop_faces(*faces, frame(five_landmarks(faces[1])))


def empty_crops(pictures, count):
    """Random squares of pictures [N, S, S] without a face."""
    chosen = torch.randint(len(pictures), (count,))
    center, side = torch.rand(count, 2) * 0.4 + 0.3, torch.rand(count) * 0.5 + 0.4
    return sample(pictures[chosen], center, side, torch.randn(count) * 0.5)


class Batches:
    """Random batches of (crops, labels). The crops without a face are the last ones and have no labels."""

    def __init__(self, faces, turned, empty, scale=1):
        self.faces, self.turned = to_tensors(faces), to_tensors(turned)
        self.weights = torch.tensor(SOURCE_WEIGHTS)[torch.as_tensor(faces.source).long()]
        self.empty, self.scale = torch.as_tensor(empty), scale

    def draw(self):
        chosen = torch.multinomial(self.weights, self.scale * LABELLED, replacement=True)
        turned = torch.randint(len(self.turned[0]), (self.scale * TURNED,))
        parts = zip((field[chosen] for field in self.faces), (field[turned] for field in self.turned))
        image, points, rotation, blendshapes = mirror(*map(torch.cat, parts))
        crops, labels = crop_faces(image, points, rotation, blendshapes, shaken_frame(points))
        return degrade(torch.cat([crops, empty_crops(self.empty, self.scale * EMPTY)])), labels
