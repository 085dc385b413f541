# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the refiner and export it.

    python -m training.face.train_refiner --boxes FOLDER [--teacher REFINER.onnx] [--output models/face-refiner/model.onnx]
                                          [--minutes 60]

FOLDER was written by `cut_patches.py`. REFINER.onnx is an earlier file of this script, perhaps of a larger network. It
gives the first weights of the layers that fit, and its outputs are learnt beside the labels. The sha256 in the
`model.toml` of the output's folder is updated. `evaluate.py --refiner` measures the result.

Input: `input` float32 [N, 3, 32, 32], RGB 0..255 of squares 1.6 times the longer side of a box. Outputs: `score` [N,
1], to be added to the detector's logit; `box` [N, 4], centre, width and height; `landmarks` [N, 10], x, y of right eye,
left eye, nose, right and left mouth corner. Positions are relative to the centre of the square, lengths in units of its
side.
"""

import argparse
import copy
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import nn

from training.common.detection import open_session
from training.common.onnx_file import (
    OPSET,
    conv_norm_pairs,
    fold_batch_norm,
    initializers,
    renew_batch_norm,
    write_digest,
)
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
# With a teacher: share of the losses that its boxes and landmarks have, the labels have the rest; weight of its logit.
TEACHER_SHARE, TEACHER_SCORE_WEIGHT = 0.5, 0.3
# Number of batches that the norms are set by, when the first weights are the teacher's.
NORM_BATCHES = 4


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


def _name(block, layer):
    """The name of a folded convolution in an exported file."""
    return ".".join(filter(None, ("body", str(block), layer, "0")))


class Teacher:
    """An exported refiner whose outputs another one learns."""

    def __init__(self, path):
        self.path, self.session = path, open_session(str(path))

    def outputs(self, pictures):
        """The outputs [N, 15] of the network before its export, for pictures [N, 3, 32, 32] of 0..1."""
        score, box, landmarks = self.session.run(None, {"input": 255 * pictures.numpy()})
        score, sizes = (score - LOGIT_OFFSET) / LOGIT_SHARE, np.log(box[:, 2:])
        return torch.from_numpy(np.concatenate([score, box[:, :2], sizes, landmarks], 1))

    @torch.no_grad()
    def start(self, network, pictures):
        """Give a network the weights of the head, and of the blocks with the same layers in the same order.

        The norms are set by the pictures. Blocks that the teacher does not have keep their weights.
        """
        stored, index = initializers(self.path), 0
        last = max(int(name.split(".")[1]) for name in stored if name.startswith("body."))
        for block in network.body:
            pairs = conv_norm_pairs(block)
            fits = lambda other: pairs and all(
                stored.get(_name(other, layer) + ".weight", np.empty(0)).shape == conv.weight.shape
                for layer, (conv, _) in pairs.items()
            )
            found = next((other for other in range(index, last + 1) if fits(other)), None)
            if found is None:
                continue
            index = found + 1
            for layer, (conv, norm) in pairs.items():
                conv.weight.copy_(torch.tensor(stored[_name(found, layer) + ".weight"]))
                norm.weight.fill_((1 + norm.eps) ** 0.5)
                norm.bias.copy_(torch.tensor(stored[_name(found, layer) + ".bias"]))
        head = network.head
        head.weight.copy_(torch.tensor(stored["head.weight"]))
        head.bias.copy_(torch.tensor(stored["head.bias"]))
        head.weight[SCORE] /= LOGIT_SHARE
        head.bias[SCORE] = (head.bias[SCORE] - LOGIT_OFFSET) / LOGIT_SHARE
        renew_batch_norm(network, pictures)


def distances(outputs, targets):
    """Distances (of the scores, of the boxes, of the landmarks) of outputs [N, 15] from a teacher's.

    Boxes and landmarks count by the teacher's probability of a face.
    """
    weights = targets[:, SCORE].sigmoid()[:, 0]

    def mean(part, linear_from):
        errors = F.smooth_l1_loss(outputs[:, part], targets[:, part], beta=linear_from, reduction="none").mean(1)
        return (errors * weights).sum() / weights.sum()

    scores = F.smooth_l1_loss(outputs[:, SCORE], targets[:, SCORE])
    return scores, mean(BOX, LINEAR_FROM_BOX), mean(LANDMARKS, LINEAR_FROM_LANDMARK)


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
    write_digest(path)


def train(network, patches, teacher, options):
    """Train the network and return (averaged weights, number of steps); the teacher may be None."""
    if teacher:
        teacher.start(network, torch.cat([patches.batch().pictures for _ in range(NORM_BATCHES)]))
    average = MovingAverage(network, 0.999)
    optimizer = torch.optim.AdamW(decay_groups(network, 0.03), lr=options.learning_rate)

    def prepare():
        batch = patches.batch()
        return batch, teacher and teacher.outputs(batch.pictures)

    # A thread makes the next batch during the step.
    pool = ThreadPoolExecutor(1)
    started, step, history, prepared = time.monotonic(), 0, [], pool.submit(prepare)
    while (progress := (time.monotonic() - started) / (60 * options.minutes)) < 1:
        (batch, targets), prepared = prepared.result(), pool.submit(prepare)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_factor(progress, 1.0, 0.0) * min(1.0, progress / WARMUP)
        outputs = network(batch.pictures.to(memory_format=torch.channels_last))
        score, box, landmarks, error = losses(outputs, batch)
        loss = score + BOX_WEIGHT * box + LANDMARK_WEIGHT * landmarks
        if teacher:
            of_scores, of_boxes, of_landmarks = distances(outputs, targets)
            taught = BOX_WEIGHT * of_boxes + LANDMARK_WEIGHT * of_landmarks
            loss = (1 - TEACHER_SHARE) * loss + TEACHER_SHARE * taught + TEACHER_SCORE_WEIGHT * of_scores
        optimizer.zero_grad()
        loss.backward()
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
    parser.add_argument("--teacher", type=Path, help="an earlier refiner to learn from")
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
    weights, steps = train(network, patches, options.teacher and Teacher(options.teacher), options)
    network.load_state_dict(weights)
    export(network, options.output)
    print(f"{steps} steps, {options.output}")


if __name__ == "__main__":
    main()
