#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the landmark network and export it.

    python train_marks.py --faces FACES.npz --output ../../face-landmarks/model.onnx [--minutes 25]

FACES is what `cut_faces.py` made. The file takes `input` float32 [N, 1, 32, 32], luma 0..1 of squares 1.5 times the longer side of
a box, and gives `landmarks` [N, 10]: x, y of right eye, left eye, nose, right and left mouth corner, from the square's middle in its
sides. The `sha256` line of the `model.toml` beside it is brought up to date. `score.py --landmarks` tells how good they are.
"""

import argparse
import hashlib
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F

sys.path.append(str(Path(__file__).resolve().parent.parent))

import cut_faces
from crops import MIRRORED
from detectors import Landmarks
from marknet import SIDE, MarkNet
from onnx_file import OPSET, fold_batch_norm, write_digest
from optimisation import MovingAverage, decay_groups, learning_rate_factor

BATCH = 256
WARMUP = 0.01
# Standard deviations: of the turn in degrees, of the scale's logarithm, of the shift in sides of the square that was cut.
TURN, SCALE, SHIFT = 25.0, 0.08, 0.03
# On small faces the teachers' landmarks are mostly noise: what a face counts grows from one size in pixels to the other.
COUNTS_FROM, COUNTS_FULLY = 8.0, 48.0
# Error, in sides of the square, from which on it costs evenly.
EVEN = 0.01


def views(pictures, landmarks):
    """(pictures [N, 1, 32, 32] 0..1, landmarks [N, 5, 2]) of faces as they were cut, [N, 64, 64] 0..1, turned, mirrored, moved, scaled."""
    count = len(pictures)
    roll = (TURN * torch.randn(count)).clamp(-60, 60).deg2rad()
    share = Landmarks.REACH / cut_faces.REACH * (SCALE * torch.randn(count).clamp(-2, 2)).exp()
    shift = SHIFT * torch.randn(count, 2).clamp(-2, 2)
    side = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    # From a place in the view to one in the picture, both from the middle: mirror, turn, shrink, move.
    turn = torch.stack([roll.cos() * side, -roll.sin(), roll.sin() * side, roll.cos()], 1).view(-1, 2, 2) * share[:, None, None]
    grid = F.affine_grid(torch.cat([turn, 2 * shift[:, :, None]], 2), (count, 1, SIDE, SIDE), align_corners=False)
    seen = F.grid_sample(pictures[:, None], grid, padding_mode="border", align_corners=False)
    marks = (landmarks - shift[:, None]) @ turn.inverse().transpose(1, 2)
    return seen, torch.where((side < 0)[:, None, None], marks[:, MIRRORED], marks)


def degrade(pictures):
    """Fewer pixels, light, noise, and something in front of some, as cameras and people would have it; [N, 1, 32, 32] 0..1."""
    count, some = len(pictures), lambda chance: (torch.rand(len(pictures), 1, 1, 1) < chance).float()
    parts = list(pictures.chunk(8))
    for index in range(len(parts)):
        if torch.rand(1) < 0.3:
            size = torch.randint(10, 28, (2,)) if torch.rand(1) < 0.3 else torch.randint(10, 28, (1,)).expand(2)
            small = F.interpolate(parts[index], size=size.tolist(), mode="bilinear", antialias=True)
            parts[index] = F.interpolate(small, size=(SIDE, SIDE), mode="bilinear")
    pictures = torch.cat(parts).clamp(1e-4, 1)
    gamma = (0.5 * some(0.6) * (2 * torch.rand(count, 1, 1, 1) - 1)).exp()
    gain = (0.5 * some(0.6) * (2 * torch.rand(count, 1, 1, 1) - 1)).exp() * (1 - 0.85 * some(0.07))
    # Light from one side.
    slope = 0.6 * some(0.3) * (2 * torch.rand(count, 1, 1, 1) - 1) * torch.linspace(-1, 1, SIDE)
    pictures = pictures**gamma * gain * (1 + slope)
    pictures = pictures + 0.06 * some(0.25) * torch.rand(count, 1, 1, 1) * torch.randn_like(pictures)
    for index in torch.nonzero(torch.rand(count) < 0.1).flatten().tolist():
        (x, y), (width, height) = torch.randint(0, SIDE - 4, (2,)).tolist(), torch.randint(4, 14, (2,)).tolist()
        pictures[index, :, y : y + height, x : x + width] = torch.rand(1)
    return (255 * pictures.clamp(0, 1)).round() / 255


def loss_of(found, landmarks, weights):
    """Mean over faces, and the mean distance along an axis, in sides of the square."""
    error = found.view(-1, 5, 2) - landmarks
    even = F.smooth_l1_loss(error, torch.zeros_like(error), beta=EVEN, reduction="none").mean((1, 2))
    return (even * weights).sum() / weights.sum(), (error.detach().abs().mean((1, 2)) * weights).sum() / weights.sum()


class Faces:
    """What `cut_faces.py` made; gives random batches."""

    def __init__(self, path):
        stored = np.load(path)
        self.pictures, self.landmarks = torch.from_numpy(stored["pictures"]), torch.from_numpy(stored["landmarks"])
        self.weights = ((torch.from_numpy(stored["sizes"]) - COUNTS_FROM) / (COUNTS_FULLY - COUNTS_FROM)).clamp(0.02, 1)

    def batch(self, count=BATCH):
        """(pictures, landmarks, weights)"""
        # Half of the weight is in how often a face is drawn, so that no step is spent on noise.
        chosen = torch.multinomial(self.weights.sqrt(), count, replacement=True)
        pictures, landmarks = views(self.pictures[chosen].float() / 255, self.landmarks[chosen])
        return degrade(pictures), landmarks, self.weights[chosen].sqrt()


def export(network, path):
    """Write the ONNX file and its checksum."""
    torch.onnx.export(
        fold_batch_norm(network.eval()), (torch.zeros(2, 1, SIDE, SIDE),), str(path), input_names=["input"], output_names=["landmarks"],
        dynamic_axes={"input": {0: "N"}, "landmarks": {0: "N"}}, opset_version=OPSET, dynamo=False,
    )
    onnx.checker.check_model(str(path), full_check=True)
    write_digest(path.with_name("model.toml"), hashlib.sha256(path.read_bytes()).hexdigest())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parents[2] / "face-landmarks" / "model.onnx")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    faces, network = Faces(options.faces), MarkNet().to(memory_format=torch.channels_last)
    print(f"{len(faces.weights)} faces, {sum(parameter.numel() for parameter in network.parameters())} parameters", flush=True)
    average = MovingAverage(network, 0.999)
    optimizer = torch.optim.AdamW(decay_groups(network, 0.02), lr=options.learning_rate)
    # The next batch is made while this one is learnt from.
    pool = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
    began, step, errors, following = time.monotonic(), 0, [], pool.submit(faces.batch)
    while (progress := (time.monotonic() - began) / (60 * options.minutes)) < 1:
        (pictures, landmarks, weights), following = following.result(), pool.submit(faces.batch)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_factor(progress, 1.0, 0.0) * min(1.0, progress / WARMUP)
        loss, error = loss_of(network(pictures.to(memory_format=torch.channels_last)), landmarks, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(network)
        step += 1
        errors.append(error.item())
        if step % 250 == 0:
            print(f"step {step} ({progress:.0%}): {100 * np.mean(errors[-250:]) * Landmarks.REACH:.2f} % of the box", flush=True)
    network.load_state_dict(average.state)
    export(network, options.output)
    print(f"{step} steps, {options.output}")


if __name__ == "__main__":
    main()
