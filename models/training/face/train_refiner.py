# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the refiner and export it.

    python -m training.face.train_refiner --boxes FOLDER [--output models/face-refiner/model.onnx] [--minutes 60]

FOLDER was written by `cut_patches.py`. The sha256 in the `model.toml` of the output's folder is updated. `evaluate.py
--refiner` measures the result.

Input: `input` float32 [N, 3, 32, 32], RGB 0..255 of squares 1.6 times the longer side of a box. Outputs: `score` [N,
1], to be added to the detector's logit; `box` [N, 4], centre, width and height; `landmarks` [N, 10], x, y of right eye,
left eye, nose, right and left mouth corner. Positions are relative to the centre of the square, lengths in units of its
side.
"""

import argparse
import copy
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import nn

from training.common.onnx_file import OPSET, fold_batch_norm, write_digest
from training.common.optimisation import MovingAverage, decay_groups, learning_rate_factor
from training.common.paths import MODELS
from training.face.refiner import BOX, LANDMARKS, REACH, SCORE, SIDE, Refiner
from training.face.refiner_batches import Patches

# Share of the schedule in which the learning rate rises.
WARMUP = 0.01
# Errors above these, in units of the side of the square, have a linear loss instead of a quadratic one.
LINEAR_FROM_BOX, LINEAR_FROM_LANDMARK = 0.0125, 0.01
# Weights of the losses of boxes and landmarks; that of the score is 1.
BOX_WEIGHT, LANDMARK_WEIGHT = 3 * REACH, 8 * REACH
# Share of the refiner's logit that is added to the detector's, which saw more of the picture, and an offset.
LOGIT_SHARE, LOGIT_OFFSET = 0.4, -1.08


def losses(outputs, batch):
    """Losses (of the score, of the boxes, of the landmarks) of outputs [N, 15], and the mean error of the landmarks.

    The latter is the mean distance along an axis in units of the side of the square. Boxes and landmarks count on faces
    only.
    """
    score = F.binary_cross_entropy_with_logits(outputs[:, SCORE][:, 0], 0.98 * batch.labels + 0.01)
    target = torch.cat([batch.boxes[batch.is_face, :2], batch.boxes[batch.is_face, 2:].log()], 1)
    box = F.smooth_l1_loss(outputs[batch.is_face, BOX], target, beta=LINEAR_FROM_BOX)
    error = (outputs[:, LANDMARKS].view(-1, 5, 2) - batch.landmarks).nan_to_num()
    landmarks = F.smooth_l1_loss(error, torch.zeros_like(error), beta=LINEAR_FROM_LANDMARK, reduction="none")
    mean = lambda values: (values.mean((1, 2)) * batch.weights).sum() / batch.weights.sum()
    return score, box, mean(landmarks), mean(error.detach().abs())


class Deployed(nn.Module):
    """The refiner with the inputs and outputs of the exported file."""

    def __init__(self, network):
        super().__init__()
        self.network = copy.deepcopy(network)
        head = self.network.head
        head.weight.data[SCORE] *= LOGIT_SHARE
        head.bias.data[SCORE] = LOGIT_SHARE * head.bias.data[SCORE] + LOGIT_OFFSET

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


def train(network, patches, options):
    """Train the network and return (averaged weights, number of steps)."""
    average = MovingAverage(network, 0.999)
    optimizer = torch.optim.AdamW(decay_groups(network, 0.03), lr=options.learning_rate)
    # A thread makes the next batch during the step.
    pool = ThreadPoolExecutor(1)
    started, step, history, next_batch = time.monotonic(), 0, [], pool.submit(patches.batch)
    while (progress := (time.monotonic() - started) / (60 * options.minutes)) < 1:
        batch, next_batch = next_batch.result(), pool.submit(patches.batch)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_factor(progress, 1.0, 0.0) * min(1.0, progress / WARMUP)
        outputs = network(batch.pictures.to(memory_format=torch.channels_last))
        score, box, landmarks, error = losses(outputs, batch)
        optimizer.zero_grad()
        (score + BOX_WEIGHT * box + LANDMARK_WEIGHT * landmarks).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network)
        step += 1
        history.append((score.item(), box.item(), 100 * REACH * error.item()))
        if step % 500 == 0:
            score, box, error = np.mean(history[-500:], axis=0)
            means = f"score {score:.4f}, box {box:.4f}, landmark error {error:.2f} % of the box"
            print(f"step {step} ({progress:.0%}): {means}", flush=True)
    return average.state, step


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--boxes", type=Path, required=True, help="folder written by cut_patches.py")
    parser.add_argument("--output", type=Path, default=MODELS / "face-refiner" / "model.onnx")
    parser.add_argument("--minutes", type=float, default=60, help="duration of the training")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    patches, network = Patches(options.boxes), Refiner().to(memory_format=torch.channels_last)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{len(patches.is_face)} boxes, {patches.is_face.sum()} of them faces, {parameters} parameters", flush=True)
    weights, steps = train(network, patches, options)
    network.load_state_dict(weights)
    export(network, options.output)
    print(f"{steps} steps, {options.output}")


if __name__ == "__main__":
    main()
