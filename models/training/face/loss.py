# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which cells answer for which face, and what they are told.

Cells [A] are those of all strides one after the other, rows first. Assignment is SimOTA (Ge et al., "YOLOX", 2021) for a
whole batch at once: each face takes the cells near its centre, on the strides that suit its size, that cost least now; how
many depends on how well they fit already. A cell's target score is the overlap that it reaches.
"""

import torch
import torch.nn.functional as F

from training.face.network import STRIDES

# Sizes (square root of the area) of the faces that a stride answers for, in units of the stride.
SIZE_RANGE = {4: (0.0, 4.0), 8: (1.25, 7.0), 16: (1.5, 7.5), 32: (2.25, 1e9)}
MOST_CELLS = 10
IOU_COST = 3.0
CENTRE_COST = 0.2
NEVER = 1e6
# Landmarks count from faces of this size on, in pixels, and fully on faces larger by so much.
MARKS_FROM, MARKS_FULL = 8.0, 40.0


def cells(height, width):
    """(x, y of the cells' corners [A, 2] in pixels, strides [A]) for an input of that size."""
    corners, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        corners.append(torch.stack([x, y], -1).reshape(-1, 2).float() * stride)
        strides.append(torch.full((len(corners[-1]),), float(stride)))
    return torch.cat(corners), torch.cat(strides)


def flatten(maps):
    """Maps [N, C, H, W] of all strides to [N, A, C]."""
    return torch.cat([one.flatten(2).transpose(1, 2) for one in maps], 1).float()


def decode(outputs, corners, strides):
    """(boxes [..., A, 4] as corners, landmarks [..., A, 5, 2]) in pixels from outputs [..., A, 15] of cells [A]."""
    centre = corners + outputs[..., 1:3] * strides[:, None]
    half = outputs[..., 3:5].clamp(-4, 5).exp() * strides[:, None] / 2
    landmarks = corners[:, None] + outputs[..., 5:].unflatten(-1, (5, 2)) * strides[:, None, None]
    return torch.cat([centre - half, centre + half], -1), landmarks


def paired_iou(boxes, others):
    """Intersection over union of boxes [..., 4] with as many others, as corners."""
    shared = (
        (torch.minimum(boxes[..., 2:], others[..., 2:]) - torch.maximum(boxes[..., :2], others[..., :2]))
        .clamp(min=0)
        .prod(-1)
    )
    area = lambda corners: (corners[..., 2:] - corners[..., :2]).prod(-1)
    return shared / (area(boxes) + area(others) - shared).clamp(min=1e-6)


@torch.no_grad()
def assign(logits, boxes, faces, picture, corners, strides):
    """(pictures [P], cells [P], faces [P], overlaps [P]) of the cells that answer for a face, and each face's best overlap [F].

    logits [N, A]; boxes [N, A, 4] as predicted; faces [F, 4] as labelled, both as corners; picture [F] of each face.
    """
    middle = corners + strides[:, None] / 2
    centre, size = (faces[:, :2] + faces[:, 2:]) / 2, faces[:, 2:] - faces[:, :2]
    distance = (middle - centre[:, None]).abs()
    reach = torch.maximum(strides[:, None] * 1.01, 0.3 * size[:, None])
    scale = size.prod(-1).sqrt()[:, None] / strides
    low = torch.tensor([SIZE_RANGE[stride][0] for stride in STRIDES])
    high = torch.tensor([SIZE_RANGE[stride][1] for stride in STRIDES])
    level = torch.bucketize(strides, torch.tensor(STRIDES, dtype=torch.float))
    candidate = (distance < reach).all(-1) & (scale >= low[level]) & (scale < high[level])
    # From here on only the candidates count: a few cells for each face.
    face, cell = candidate.nonzero(as_tuple=True)
    iou = paired_iou(faces[face], boxes[picture[face], cell])
    score = logits[picture[face], cell].sigmoid()
    cost = F.binary_cross_entropy(score.clamp(1e-4, 1 - 1e-4), iou, reduction="none") * (score - iou).abs()
    cost = cost - IOU_COST * (iou + 1e-6).log() + CENTRE_COST * (distance / reach)[face, cell].square().sum(-1)
    fits, costs = torch.zeros(candidate.shape), torch.full(candidate.shape, NEVER)
    fits[face, cell], costs[face, cell] = iou, cost
    count = min(MOST_CELLS, candidate.shape[1])
    wanted = fits.topk(count, 1)[0].sum(1).round().clamp(min=1)
    least, where = costs.topk(count, 1, largest=False)
    taken = (torch.arange(count) < wanted[:, None]) & (least < NEVER)
    face, rank = taken.nonzero(as_tuple=True)
    cell, cost = where[face, rank], least[face, rank]
    # A cell that several faces want answers for the one that it costs least.
    place = picture[face] * candidate.shape[1] + cell
    lowest = torch.full((logits.numel(),), NEVER).scatter_reduce(0, place, cost, "amin")
    face, cell = face[cost <= lowest[place]], cell[cost <= lowest[place]]
    overlap = fits[face, cell]
    best = torch.zeros(len(faces)).scatter_reduce(0, face, overlap, "amax")
    return picture[face], cell, face, overlap, best


def box_loss(boxes, faces):
    """EIoU (Zhang et al., 2021): 1 - IoU plus the squared distances of centres, widths and heights over the common hull's."""
    low, high = torch.minimum(boxes[:, :2], faces[:, :2]), torch.maximum(boxes[:, 2:], faces[:, 2:])
    hull = (high - low).square().clamp(min=1e-6)
    shared = (
        (torch.minimum(boxes[:, 2:], faces[:, 2:]) - torch.maximum(boxes[:, :2], faces[:, :2])).clamp(min=0).prod(-1)
    )
    size, wanted = boxes[:, 2:] - boxes[:, :2], faces[:, 2:] - faces[:, :2]
    iou = shared / (size.prod(-1) + wanted.prod(-1) - shared).clamp(min=1e-6)
    offset = (boxes[:, :2] + boxes[:, 2:] - faces[:, :2] - faces[:, 2:]) / 2
    return 1 - iou + offset.square().sum(-1) / hull.sum(-1) + ((size - wanted).square() / hull).sum(-1)


def losses(maps, labels, grid):
    """Score, box and landmark loss of a batch, each a mean per face.

    maps      outputs of the network
    labels    all faces of the batch: faces [F, 4] as corners, picture [F], confidence [F], landmarks [F, 5, 2] (NaN: unknown);
              and ignored [N, A]: cells that learn nothing unless a face takes them
    grid      what `cells` gives for this input size
    """
    outputs = flatten(maps)
    logits = outputs[..., 0]
    picture, cell, face, iou, best = assign(
        logits.detach(), decode(outputs.detach(), *grid)[0], labels["faces"], labels["picture"], *grid
    )
    boxes, landmarks = decode(outputs[picture, cell], *(values[cell] for values in grid))
    # Near 1 on the best cell of a face, less on those that fit less.
    weight = labels["confidence"][face] * (0.5 + 0.5 * best[face]) * (iou / best[face].clamp(min=1e-6))
    target = torch.zeros_like(logits).index_put((picture, cell), weight)
    learns = (~labels["ignored"]).index_put((picture, cell), torch.tensor(True))
    # Quality focal loss (Li et al., 2020): what is right already counts little.
    focal = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (logits.sigmoid() - target).square()
    total = weight.sum().clamp(min=1.0)
    wanted = labels["faces"][face]
    fit = box_loss(boxes, wanted)
    points = labels["landmarks"][face]
    side = (wanted[:, 2:] - wanted[:, :2]).prod(-1).sqrt()
    # On small faces the teachers' landmarks are mostly noise, which would drown what large ones teach of tilt.
    known = weight * points.isfinite().all(-1).all(-1) * ((side - MARKS_FROM) / MARKS_FULL).clamp(0, 1)
    error = (landmarks - points.nan_to_num()) / side[:, None, None]
    marks = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").mean((-1, -2))
    return (
        (focal * learns).sum() / total,
        (fit * weight).sum() / total,
        (marks * known).sum() / known.sum().clamp(min=1.0),
    )
