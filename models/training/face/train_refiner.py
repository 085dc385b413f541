#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the refiner and export it.

    python train_refiner.py --boxes FOLDER --output ../../face-refiner/model.onnx [--minutes 60]

FOLDER is what `cut_boxes.py` wrote. The file takes `input` float32 [N, 3, 32, 32], RGB 0..255 of squares 1.6 times the longer side of a
box, and gives `score` [N, 1], what is to be added to the detector's logit; `box` [N, 4], centre from the square's middle and width and
height, in its sides; `landmarks` [N, 10], x, y of right eye, left eye, nose, right and left mouth corner, likewise from the middle. The
`sha256` line of the `model.toml` beside it is brought up to date. `score.py --refiner` tells how good it is.
"""

import argparse
import copy
import hashlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import nn

from training.common.paths import MODELS
from training.face import cut_patches as cut_boxes
from training.face.crops import MIRRORED
from training.common.onnx_file import OPSET, fold_batch_norm, write_digest
from training.common.optimisation import MovingAverage, decay_groups, learning_rate_factor
from training.face.refiner import BOX, LANDMARKS, REACH, SCORE, SIDE, Refiner

# Of a batch: faces, and what is none.
FACES, OTHERS = 110, 146
WARMUP = 0.01
# Of views: how many are turned, and standard deviations of the turn in degrees, of the scale's logarithm, of the shift in sides of a box.
TURNED, TURN, MOST_TURN = 0.8, 25.0, 60.0
SCALE, SHIFT = 0.09, 0.05
# Error, in sides of the square, from which on it costs evenly, and what boxes and landmarks count beside the score.
EVEN_BOX, EVEN_LANDMARK = 0.0125, 0.01
COUNT_BOX, COUNT_LANDMARKS = 3 * REACH, 8 * REACH
# On small faces the teachers' landmarks are mostly noise: what a face counts grows from one size in pixels to the other.
COUNTS_FROM, COUNTS_FULLY = 8.0, 48.0
# What of the refiner's logit is added to that of the detector, which saw more of the picture, and what to all of them.
SHARE, BIAS = 0.4, -1.08


def views(pictures, boxes, landmarks):
    """(pictures [N, 3, 32, 32], boxes [N, 4], landmarks [N, 5, 2]) of what was cut, [N, 3, 64, 64] 0..1, turned, mirrored, moved and scaled."""
    count = len(pictures)
    roll = (TURN * torch.randn(count)).clamp(-MOST_TURN, MOST_TURN).deg2rad() * (torch.rand(count) < TURNED)
    share = REACH / cut_boxes.REACH * (SCALE * torch.randn(count).clamp(-2, 2)).exp()
    shift = SHIFT / cut_boxes.REACH * torch.randn(count, 2).clamp(-2, 2)
    side = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    # From a place in the view to one in the picture, both from the middle: mirror, turn, shrink, move.
    turn = (
        torch.stack([roll.cos() * side, -roll.sin(), roll.sin() * side, roll.cos()], 1).view(-1, 2, 2)
        * share[:, None, None]
    )
    grid = F.affine_grid(
        torch.cat([turn, 2 * shift[:, :, None]], 2), (count, pictures.shape[1], SIDE, SIDE), align_corners=False
    )
    seen = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    back = lambda points: (points - shift[:, None]) @ turn.inverse().transpose(1, 2)
    marks = back(landmarks)
    boxes = torch.cat([back(boxes[:, None, :2])[:, 0], boxes[:, 2:] / share[:, None]], 1)
    return seen, boxes, torch.where((side < 0)[:, None, None], marks[:, MIRRORED], marks)


def degrade(pictures):
    """Fewer pixels, light, colour, noise, and something in front of some, as cameras and people would have it; [N, 3, 32, 32] 0..1."""
    count = len(pictures)
    some = lambda chance: (torch.rand(count, 1, 1, 1) < chance).float()
    between = lambda low, high, channels=1: low + (high - low) * torch.rand(count, channels, 1, 1)
    parts = list(pictures.chunk(8))
    for index in range(len(parts)):
        if torch.rand(1) < 0.45:
            size = torch.randint(7, 28, (2,)) if torch.rand(1) < 0.3 else torch.randint(7, 28, (1,)).expand(2)
            small = F.interpolate(parts[index], size=size.tolist(), mode="bilinear", antialias=True)
            parts[index] = F.interpolate(small, size=(SIDE, SIDE), mode="bilinear")
    pictures, lit, dark = torch.cat(parts), some(0.6), some(0.07)
    pictures = pictures.clamp(1e-4, 1) ** (between(-0.4, 0.4) * lit).exp()
    pictures = pictures * ((between(-0.4, 0.4) * lit).exp() * (1 - dark) + between(0.08, 0.4) * dark)
    pictures = pictures * (between(-0.2, 0.2, 3) * some(0.4)).exp()
    grey = some(0.15)
    pictures = pictures * (1 - grey) + grey * pictures.mean(1, keepdim=True)
    pictures = pictures + between(0, 0.05) * some(0.2) * torch.randn_like(pictures)
    for index in torch.nonzero(torch.rand(count) < 0.08).flatten().tolist():
        (x, y), (width, height) = torch.randint(2, SIDE - 4, (2,)).tolist(), torch.randint(4, 14, (2,)).tolist()
        pictures[index, :, y : y + height, x : x + width] = torch.rand(3, 1, 1)
    return (255 * pictures.clamp(0, 1)).round() / 255


def losses(values, labels, hits, boxes, landmarks, counts):
    """(of the score, of the boxes, of the landmarks) of values [N, 15]; boxes and landmarks of faces only, landmarks [N, 5, 2] each as much as
    `counts` says; and their mean distance along an axis in sides of the square."""
    score = F.binary_cross_entropy_with_logits(values[:, SCORE][:, 0], 0.98 * labels + 0.01)
    wanted = torch.cat([boxes[hits, :2], boxes[hits, 2:].log()], 1)
    box = F.smooth_l1_loss(values[hits, BOX], wanted, beta=EVEN_BOX)
    error = (values[:, LANDMARKS].view(-1, 5, 2) - landmarks).nan_to_num()
    even = F.smooth_l1_loss(error, torch.zeros_like(error), beta=EVEN_LANDMARK, reduction="none").mean((1, 2))
    weigh = lambda amounts: (amounts * counts).sum() / counts.sum()
    return score, box, weigh(even), weigh(error.detach().abs().mean((1, 2)))


class Boxes:
    """What `cut_boxes.py` wrote; gives random batches."""

    def __init__(self, folder):
        stored = np.load(folder / "boxes.npz")
        self.labels, self.boxes, self.landmarks = (
            torch.from_numpy(stored[name]) for name in ("labels", "faces", "landmarks")
        )
        shape = (len(self.labels), cut_boxes.PICTURE, cut_boxes.PICTURE, 3)
        self.pictures = np.memmap(folder / "pictures.u8", np.uint8, "r", shape=shape)
        scores, sizes = (torch.from_numpy(stored[name]).double() for name in ("scores", "sizes"))
        animals, masked = (torch.from_numpy(stored[name]).double() for name in ("animals", "masked"))
        self.hits = self.labels == 1
        known = self.landmarks.isfinite().all(2).all(1)
        self.counts = ((sizes - COUNTS_FROM) / (COUNTS_FULLY - COUNTS_FROM)).clamp(0.03, 1).float() * known
        # Small faces less often, masked ones more, what looks most like a face most.
        often = torch.where(self.hits, (1 + masked) * (sizes / 20).clamp(0.5, 2), (0.15 + scores) * (1 + 5 * animals))
        self.draws = [
            (indices, often[indices].cumsum(0)) for indices in (self.hits.nonzero()[:, 0], (~self.hits).nonzero()[:, 0])
        ]

    def batch(self, faces=FACES, others=OTHERS):
        """(pictures [N, 3, 32, 32] 0..1, how likely faces [N], which are [N], boxes [N, 4], landmarks [N, 5, 2], what these count [N])"""
        draw = lambda indices, sums, count: indices[
            torch.searchsorted(sums, torch.rand(count, dtype=sums.dtype) * sums[-1])
        ]
        chosen = torch.cat([draw(*some, count) for some, count in zip(self.draws, (faces, others))])
        pictures = torch.from_numpy(self.pictures[chosen.numpy()]).permute(0, 3, 1, 2).float() / 255
        pictures, boxes, landmarks = views(pictures, self.boxes[chosen], self.landmarks[chosen])
        return degrade(pictures), self.labels[chosen], self.hits[chosen], boxes, landmarks, self.counts[chosen]


class Deployed(nn.Module):
    """The refiner as the file has it."""

    def __init__(self, network):
        super().__init__()
        self.network = copy.deepcopy(network)
        head = self.network.head
        head.weight.data[SCORE] *= SHARE
        head.bias.data[SCORE] = SHARE * head.bias.data[SCORE] + BIAS

    def forward(self, x):
        score, centre, size, landmarks = self.network(x, white=255).split([1, 2, 2, 10], 1)
        return score, torch.cat([centre, size.exp()], 1), landmarks


def export(network, path):
    """Write the ONNX file and its checksum."""
    names = ["score", "box", "landmarks"]
    torch.onnx.export(
        Deployed(fold_batch_norm(network.eval())),
        (torch.zeros(2, 3, SIDE, SIDE),),
        str(path),
        input_names=["input"],
        output_names=names,
        dynamic_axes={name: {0: "N"} for name in ("input", *names)},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path), full_check=True)
    write_digest(path.with_name("model.toml"), hashlib.sha256(path.read_bytes()).hexdigest())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--boxes", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=MODELS / "face-refiner" / "model.onnx")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    boxes, network = Boxes(options.boxes), Refiner().to(memory_format=torch.channels_last)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{len(boxes.hits)} boxes, {boxes.hits.sum()} of them faces, {parameters} parameters", flush=True)
    average = MovingAverage(network, 0.999)
    optimizer = torch.optim.AdamW(decay_groups(network, 0.03), lr=options.learning_rate)
    # The next batch is made while this one is learnt from.
    pool = ThreadPoolExecutor(1)
    began, step, history, following = time.monotonic(), 0, [], pool.submit(boxes.batch)
    while (progress := (time.monotonic() - began) / (60 * options.minutes)) < 1:
        (pictures, *labels), following = following.result(), pool.submit(boxes.batch)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_factor(progress, 1.0, 0.0) * min(1.0, progress / WARMUP)
        score, box, landmarks, error = losses(network(pictures.to(memory_format=torch.channels_last)), *labels)
        optimizer.zero_grad()
        (score + COUNT_BOX * box + COUNT_LANDMARKS * landmarks).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network)
        step += 1
        history.append((score.item(), box.item(), REACH * error.item()))
        if step % 500 == 0:
            score, box, error = np.mean(history[-500:], axis=0)
            print(
                f"step {step} ({progress:.0%}): score {score:.4f}, box {box:.4f}, landmarks off by {100 * error:.2f} % of the box",
                flush=True,
            )
    network.load_state_dict(average.state)
    export(network, options.output)
    print(f"{step} steps, {options.output}")


if __name__ == "__main__":
    main()
