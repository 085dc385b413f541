# SPDX-License-Identifier: MIT OR Apache-2.0
"""Losses of scores, boxes and landmarks. The target score of an assigned cell is its IoU with the face."""

import torch
import torch.nn.functional as F

from training.face.assignment import assign
from training.face.cells import decode, flatten

# Landmarks have a weight that grows from 0 at the first size of a face, in pixels, to 1 at a size larger by the second.
LANDMARKS_FROM, LANDMARKS_RANGE = 8.0, 40.0


def box_loss(boxes, faces):
    """EIoU (Zhang et al., 2021): 1 - IoU + squared distances of centres, widths and heights relative to the hull."""
    low, high = torch.minimum(boxes[:, :2], faces[:, :2]), torch.maximum(boxes[:, 2:], faces[:, 2:])
    hull = (high - low).square().clamp(min=1e-6)
    inner_low, inner_high = torch.maximum(boxes[:, :2], faces[:, :2]), torch.minimum(boxes[:, 2:], faces[:, 2:])
    intersection = (inner_high - inner_low).clamp(min=0).prod(-1)
    size, face_size = boxes[:, 2:] - boxes[:, :2], faces[:, 2:] - faces[:, :2]
    iou = intersection / (size.prod(-1) + face_size.prod(-1) - intersection).clamp(min=1e-6)
    offset = (boxes[:, :2] + boxes[:, 2:] - faces[:, :2] - faces[:, 2:]) / 2
    return 1 - iou + offset.square().sum(-1) / hull.sum(-1) + ((size - face_size).square() / hull).sum(-1)


def losses(maps, labels, grid):
    """The (score, box, landmark) losses of a batch, each a mean over its faces.

    maps      outputs of the network
    labels    all faces of the batch: faces [F, 4] as corners, picture [F], confidence [F], landmarks [F, 5, 2] (NaN if
              unknown); and ignored [N, A]: cells without a score loss, unless they are assigned to a face
    grid      `cell_grid` of the input size
    """
    outputs = flatten(maps)
    logits = outputs[..., 0]
    picture, cell, face, iou, best = assign(
        logits.detach(), decode(outputs.detach(), *grid)[0], labels["faces"], labels["picture"], *grid
    )
    boxes, landmarks = decode(outputs[picture, cell], *(values[cell] for values in grid))
    # Near 1 for the best cell of a face, lower for cells with a lower IoU.
    weight = labels["confidence"][face] * (0.5 + 0.5 * best[face]) * (iou / best[face].clamp(min=1e-6))
    target = torch.zeros_like(logits).index_put((picture, cell), weight)
    has_loss = (~labels["ignored"]).index_put((picture, cell), torch.ones_like(cell, dtype=torch.bool))
    # Quality focal loss (Li et al., 2020): scores that are nearly right have little weight.
    focal = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (logits.sigmoid() - target).square()
    total = weight.sum().clamp(min=1.0)
    faces = labels["faces"][face]
    box_losses = box_loss(boxes, faces)
    points = labels["landmarks"][face]
    side = (faces[:, 2:] - faces[:, :2]).prod(-1).sqrt()
    # The teachers' landmarks of small faces are mostly noise, which would outweigh the tilt of large ones.
    landmark_weight = (
        weight * points.isfinite().all(-1).all(-1) * ((side - LANDMARKS_FROM) / LANDMARKS_RANGE).clamp(0, 1)
    )
    error = (landmarks - points.nan_to_num()) / side[:, None, None]
    landmark_losses = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").mean((-1, -2))
    return (
        (focal * has_loss).sum() / total,
        (box_losses * weight).sum() / total,
        (landmark_losses * landmark_weight).sum() / landmark_weight.sum().clamp(min=1.0),
    )
