# SPDX-License-Identifier: MIT OR Apache-2.0
"""Assignment of output cells to faces: SimOTA (Ge et al., "YOLOX", 2021) for a whole batch at once.

Each face gets the cells with the lowest cost among those near its centre on the strides that suit its size. The better
the boxes of these cells fit already, the more of them a face gets.
"""

import torch
import torch.nn.functional as F

from training.face.network import STRIDES

# Range of the sizes (square root of the area) of the faces of a stride, in units of the stride.
SIZE_RANGE = {4: (0.0, 4.0), 8: (1.25, 7.0), 16: (1.5, 7.5), 32: (2.25, 1e9)}
# Maximum number of cells of a face.
MAX_CELLS = 10
IOU_COST = 3.0
CENTRE_COST = 0.2
# Cost of a cell that is no candidate.
NO_CANDIDATE = 1e6


def paired_iou(boxes, others):
    """Intersection over union of each box [..., 4] with the other box of the same index, both as corners."""
    low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    intersection = (high - low).clamp(min=0).prod(-1)
    area = lambda corners: (corners[..., 2:] - corners[..., :2]).prod(-1)
    return intersection / (area(boxes) + area(others) - intersection).clamp(min=1e-6)


@torch.no_grad()
def assign(logits, boxes, faces, picture, corners, strides):
    """(pictures [P], cells [P], faces [P], IoUs [P]) of the assigned cells, and the best IoU of each face [F].

    logits   [N, A]
    boxes    [N, A, 4] predicted boxes as corners
    faces    [F, 4] labelled boxes as corners
    picture  [F] picture of each face
    """
    centres = corners + strides[:, None] / 2
    centre, size = (faces[:, :2] + faces[:, 2:]) / 2, faces[:, 2:] - faces[:, :2]
    distance = (centres - centre[:, None]).abs()
    radius = torch.maximum(strides[:, None] * 1.01, 0.3 * size[:, None])
    scale = size.prod(-1).sqrt()[:, None] / strides
    low, high = (torch.tensor(ends, device=faces.device) for ends in zip(*(SIZE_RANGE[stride] for stride in STRIDES)))
    level = torch.bucketize(strides, torch.tensor(STRIDES, dtype=torch.float, device=faces.device))
    candidate = (distance < radius).all(-1) & (scale >= low[level]) & (scale < high[level])
    # From here on, only the candidates are handled: a few cells for each face.
    face, cell = candidate.nonzero(as_tuple=True)
    iou = paired_iou(faces[face], boxes[picture[face], cell])
    score = logits[picture[face], cell].sigmoid()
    cost = F.binary_cross_entropy(score.clamp(1e-4, 1 - 1e-4), iou, reduction="none") * (score - iou).abs()
    cost = cost - IOU_COST * (iou + 1e-6).log() + CENTRE_COST * (distance / radius)[face, cell].square().sum(-1)
    ious, costs = faces.new_zeros(candidate.shape), faces.new_full(candidate.shape, NO_CANDIDATE)
    ious[face, cell], costs[face, cell] = iou, cost
    count = min(MAX_CELLS, candidate.shape[1])
    counts = ious.topk(count, 1)[0].sum(1).round().clamp(min=1)
    lowest_costs, candidates = costs.topk(count, 1, largest=False)
    assigned = (torch.arange(count, device=faces.device) < counts[:, None]) & (lowest_costs < NO_CANDIDATE)
    face, rank = assigned.nonzero(as_tuple=True)
    cell, cost = candidates[face, rank], lowest_costs[face, rank]
    # A cell that suits several faces goes to the one with the lowest cost.
    flat_cell = picture[face] * candidate.shape[1] + cell
    lowest = faces.new_full((logits.numel(),), NO_CANDIDATE).scatter_reduce(0, flat_cell, cost, "amin")
    face, cell = face[cost <= lowest[flat_cell]], cell[cost <= lowest[flat_cell]]
    assigned_iou = ious[face, cell]
    best = faces.new_zeros(len(faces)).scatter_reduce(0, face, assigned_iou, "amax")
    return picture[face], cell, face, assigned_iou, best
