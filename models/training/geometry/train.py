# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the geometry network.

    python -m training.geometry.train --cache CACHE --run RUN [--steps 15000] ...

CACHE holds the files of `teacher.py` and `turn.py`, and `empty.npz` of `empty.py`. RUN receives `log.jsonl` (a line for each
validation), `last.pt` (from which a restarted run continues) and, at the end, `final.pt` (the averaged weights).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from training.common.optimisation import MovingAverage, decay_groups, learning_rate_factor, mixed_precision
from training.geometry.batches import Batches, Labels, labelled_crops, to_tensors
from training.geometry.evaluate import held_out_crops, summary
from training.geometry.faces import load_faces
from training.geometry.loss import NAMES, WEIGHTS, shape_weights, losses
from training.geometry.network import GeometryNet, normalise
from training.geometry.recorded import RecordedStep

WARMUP = 300
SAVE_EVERY = 200
MAX_GRADIENT = 5.0
MIN_SPREAD = 0.02
FACES_FOR_MEAN = 2000


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=15000)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights, per step")
    parser.add_argument("--start", type=Path, help="initial weights (final.pt)")
    parser.add_argument("--validate-every", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda")
    parser.add_argument("--batch-scale", type=int, default=1, help="factor of the faces in a batch; 4 suits a GPU")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


class Trainer:
    """Network, optimiser and averaged weights of a run.

    All tensors are on the device of the run, except those of the validation.
    """

    def __init__(self, options):
        self.options, self.step = options, 0
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.held_out = held_out_crops(options.cache)
        torch.set_default_device(options.device)
        faces = load_faces(options.cache)
        training = faces[~faces.held_out]
        empty = np.load(options.cache / "empty.npz")["image"]
        self.batches = Batches(training, load_faces(options.cache, "turned-"), empty, options.batch_scale)
        print(f"{len(training)} faces, {len(self.batches.turned[0])} turned, {len(self.held_out[0])} held out", flush=True)
        shapes = torch.as_tensor(training.blendshapes)
        self.spread, self.shape_weights = shapes.std(0).clamp_min(MIN_SPREAD), shape_weights()
        chosen = training[np.random.default_rng(options.seed).permutation(len(training))[:FACES_FOR_MEAN]]
        _, labels = labelled_crops(to_tensors(chosen))
        self.network = GeometryNet(labels.points.mean(0).flatten(), (shapes.mean(0), self.spread)).to(memory_format=torch.channels_last)
        if options.start:
            self.network.load_state_dict(torch.load(options.start, weights_only=True))
        self.average = MovingAverage(self.network, options.ema)
        is_gpu = torch.device(options.device).type == "cuda"
        parameters = decay_groups(self.network, options.weight_decay)
        self.optimizer = torch.optim.AdamW(parameters, lr=torch.tensor(options.learning_rate), capturable=is_gpu)
        self.update = RecordedStep(self.update_weights) if is_gpu else self.update_weights

    def update_weights(self, crops, points, pose, blendshapes):
        """Make a step of the optimiser; return the four losses and the mean error of the points."""
        self.optimizer.zero_grad(set_to_none=True)
        with mixed_precision(crops.device.type, cache_enabled=False):
            maps = self.network.maps(crops)
        labels = Labels(points, pose, blendshapes)
        values, error = losses(self.network.outputs(maps), labels, self.spread, self.shape_weights)
        sum(weight * value for weight, value in zip(WEIGHTS, values)).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        return torch.cat([values.detach(), error[None]])

    def train_step(self):
        """Make one step; return what `update_weights` does."""
        factor = learning_rate_factor(self.step, self.options.steps, WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"].fill_(self.options.learning_rate * factor)
        crops, labels = self.batches.draw()
        crops = normalise(crops).contiguous(memory_format=torch.channels_last)
        self.network.train()
        values = self.update(crops, labels.points, labels.pose, labels.blendshapes)
        self.average.update(self.network)
        self.step += 1
        return values

    def averaged(self):
        """The network with averaged weights, on the CPU."""
        with torch.device("cpu"):
            network = GeometryNet()
        network.load_state_dict(self.average.state)
        return network.eval()

    def figures(self):
        """Figures of the averaged weights on the held-out faces."""
        with torch.device("cpu"):
            return summary(self.averaged(), *self.held_out)

    def save(self, path):
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state,
            "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.rename(path)

    def resume(self, path):
        state = torch.load(path, weights_only=False)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load(state["average"], state["average_steps"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])


def main():
    options = parse_arguments()
    options.run.mkdir(parents=True, exist_ok=True)
    trainer, last = Trainer(options), options.run / "last.pt"
    if last.exists():
        trainer.resume(last)
    sums, count, started = torch.zeros(len(NAMES) + 1), 0, time.monotonic()
    while trainer.step < options.steps:
        sums, count = sums + trainer.train_step(), count + 1
        finished = trainer.step == options.steps
        if trainer.step % SAVE_EVERY == 0 or finished:
            trainer.save(last)
        if trainer.step % options.validate_every and not finished:
            continue
        means = [round(value, 3) for value in (sums / count).tolist()]
        entry = {"step": trainer.step, "seconds": round(time.monotonic() - started)} | dict(zip((*NAMES, "error"), means))
        entry |= trainer.figures()
        print(json.dumps(entry), flush=True)
        with open(options.run / "log.jsonl", "a") as log:
            print(json.dumps(entry), file=log)
        sums, count, started = torch.zeros(len(NAMES) + 1), 0, time.monotonic()
    torch.save(trainer.averaged().state_dict(), options.run / "final.pt")


if __name__ == "__main__":
    main()
