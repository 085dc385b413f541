#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the face network.

    python train.py --cache FOLDER --run FOLDER [--steps 30000] ...

The run folder receives `log.jsonl` (one line per validation: losses, average precision, false boxes, seconds), `last.pt`
(everything needed to go on: started again, training resumes there, also with more steps) and, at the end, `final.pt` (the
averaged weights alone, what `export_face.py` reads).
"""

import argparse
import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from training.face.crops import mirror, photo_weights, random_crop
from training.face.export import export, load_network
from training.face.network import STRIDES, FaceNet
from training.face.loss import cells, losses
from training.common.onnx_file import renew_batch_norm
from training.common.optimisation import FAST_BFLOAT16, MovingAverage, decay_groups, learning_rate_factor
from training.face.photos import load_photos, split
from training.face.evaluate import validate

WARMUP = 500
SAVE_EVERY = 250
# Every so many steps the crops are twice as wide and high, and a quarter as many: faces of half a large frame are else hardly seen.
LARGE_EVERY = 5
LOSSES = ("score", "box", "landmarks")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--run", type=Path, required=True, help="folder for log and checkpoints")
    parser.add_argument("--steps", type=int, default=30000)
    parser.add_argument(
        "--minutes", type=float, help="wall time of the whole schedule, instead of steps: for a machine that others use"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=256, help="of most crops")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--box-weight", type=float, default=2.0)
    parser.add_argument("--landmark-weight", type=float, default=5.0)
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights, per step")
    parser.add_argument(
        "--start", type=Path, help="weights (final.pt, or an exported .onnx) to begin with instead of random ones"
    )
    parser.add_argument("--validate-every", type=int, default=1000)
    parser.add_argument(
        "--only", type=int, default=0, help="train and validate on so many photos alone, to see that it can learn them"
    )
    parser.add_argument(
        "--threads", type=int, default=1, choices=(1, 2), help="a second one learns from half of each batch"
    )
    parser.add_argument(
        "--frozen",
        type=int,
        default=0,
        choices=(0, 2, 4),
        help="layers of the stem that stay as --start has them, which saves a third of the time",
    )
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


class Batches(IterableDataset):
    """Batches of crops from step `first` on, in two halves; batch n depends on the seed and n alone.

    Every crop is used twice, the second time mirrored and a batch later: making one costs nearly as much as learning from it.
    """

    def __init__(self, photos, options, first):
        self.photos, self.options, self.first = photos, options, first

    def __iter__(self):
        weights, step = photo_weights(self.photos), self.first
        before = self.crops(weights, step - 1)
        while True:
            crops = self.crops(weights, step)
            yield collate(crops), collate(before)
            for crop in crops:
                mirror(crop)
            before, step = crops, step + 1

    def crops(self, weights, step):
        rng = np.random.default_rng([self.options.seed, step + 1])
        times = 1 if (step + 1) % LARGE_EVERY else 2
        return [
            random_crop(self.photos, weights, times * self.options.side, rng)
            for _ in range(max(1, self.options.batch // 2 // times**2))
        ]


def collate(crops):
    """(pictures uint8 [N, 3, S, S], labels as `losses` wants them) of crops of one size."""
    boxes = np.concatenate([crop.boxes for crop in crops])
    labels = {
        "faces": np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1).astype(np.float32),
        "picture": np.repeat(np.arange(len(crops)), [len(crop.boxes) for crop in crops]),
        # A face that the teachers were less sure of may be none, or one that is hard to see.
        "confidence": np.clip(0.6 + 0.5 * np.concatenate([crop.scores for crop in crops]), 0, 1).astype(np.float32),
        "landmarks": np.concatenate([crop.landmarks for crop in crops]).astype(np.float32),
        "ignored": np.stack([ignored_cells(crop.ignore, crop.pixels.shape[0]) for crop in crops]),
    }
    pictures = torch.from_numpy(np.stack([crop.pixels for crop in crops])).permute(0, 3, 1, 2)
    return pictures, {name: torch.from_numpy(values) for name, values in labels.items()}


def ignored_cells(boxes, side):
    """Cells [A] of which some part of the inner half lies in one of the boxes."""
    maps = []
    for stride in STRIDES:
        ignored = np.zeros((side // stride, side // stride), bool)
        for x, y, w, h in boxes:
            left, top = max(int(x / stride + 0.25), 0), max(int(y / stride + 0.25), 0)
            ignored[top : int((y + h) / stride + 0.75), left : int((x + w) / stride + 0.75)] = True
        maps.append(ignored.ravel())
    return np.concatenate(maps)


def twin(network):
    """A copy with the same weights, in the same memory, and gradients and statistics of its own."""
    other = copy.deepcopy(network)
    for theirs, ours in zip(other.parameters(), network.parameters()):
        theirs.data = ours.data
    return other


class Trainer:
    """Network, optimiser and average of one run."""

    def __init__(self, options):
        self.options = options
        torch.set_num_threads(1)
        torch.manual_seed(options.seed)
        training, held_out, human = split(load_photos(options.cache))
        if options.only:
            training = held_out = human = [photo for photo in human if len(photo.boxes)][: options.only]
        self.training, self.validation = training, {"human": human, "held_out": held_out}
        self.network = FaceNet().to(memory_format=torch.channels_last)
        if options.start:
            self.network.load_state_dict(load_network(options.start).state_dict())
            (pictures, _), _ = next(iter(Batches(training, options, 0)))
            renew_batch_norm(self.network, pictures / 255)
        self.network.stem[: options.frozen].requires_grad_(False)
        # Each half of a batch is learnt from on a thread of its own: two threads that share every operation wait for each other.
        self.twins, self.pool = (self.network, twin(self.network)), ThreadPoolExecutor(
            options.threads, initializer=torch.set_num_threads, initargs=(1,)
        )
        self.average = MovingAverage(self.network, options.ema)
        self.optimizer = torch.optim.AdamW(decay_groups(self.network, options.weight_decay), lr=options.learning_rate)
        self.weights = torch.tensor([1.0, options.box_weight, options.landmark_weight])
        self.grids = {side: cells(side, side) for side in (options.side, 2 * options.side)}
        self.step, self.seconds = 0, 0.0

    def progress(self):
        """How much of the schedule is done, 0..1."""
        return self.seconds / (60 * self.options.minutes) if self.options.minutes else self.step / self.options.steps

    def learn(self, network, half):
        """The three losses of half a batch, whose gradients are added to the network's."""
        pictures, labels = half
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=FAST_BFLOAT16):
            maps = network(pictures.to(memory_format=torch.channels_last) / 255)
        each = torch.stack(losses(maps, labels, self.grids[pictures.shape[-1]]))
        (each * self.weights).sum().div(2).backward()
        return each.detach()

    def train_step(self, halves):
        """One step; the three losses."""
        factor = learning_rate_factor(self.progress(), 1.0, 0.0) * min(1.0, (self.step + 1) / WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor
        for network in self.twins:
            network.train().zero_grad(set_to_none=True)
            network.stem[: self.options.frozen].eval()
        each = torch.stack(list(self.pool.map(self.learn, self.twins, halves))).mean(0)
        for ours, theirs in zip(*(network.parameters() for network in self.twins)):
            if ours.requires_grad:
                ours.grad += theirs.grad
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return each

    def validate(self, path):
        """Figures of the averaged weights, by way of the file that is to be used."""
        network = FaceNet()
        network.load_state_dict(self.average.state)
        export(network.eval(), path)
        return validate(path, self.validation)

    def save(self, path):
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state,
            "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "torch_random": torch.get_rng_state(),
            "options": vars(self.options),
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.rename(path)

    def resume(self, path):
        state = torch.load(path, weights_only=False)
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.average.state, self.average.steps = state["average"], state["average_steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_random"])


class Log:
    """Means of the losses since the last line, one JSON line per validation."""

    def __init__(self, path):
        self.path = path
        self.clear()

    def clear(self):
        self.sums, self.count = torch.zeros(len(LOSSES)), 0

    def means(self):
        return {f"{name}_loss": round(value, 4) for name, value in zip(LOSSES, (self.sums / self.count).tolist())}

    def add(self, losses, trainer):
        self.sums += losses
        self.count += 1
        if trainer.step % 50 == 0:
            print(f"step {trainer.step} ({trainer.progress():.1%}) {self.means()} {trainer.seconds:.0f} s", flush=True)

    def write(self, trainer, figures):
        entry = {"step": trainer.step, "seconds": round(trainer.seconds)} | self.means() | figures
        with open(self.path, "a") as log:
            print(json.dumps(entry), file=log)
        print(json.dumps(entry), flush=True)
        self.clear()


def main():
    options = parse_arguments()
    options.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options)
    last = options.run / "last.pt"
    if last.exists():
        trainer.resume(last)
    batches = DataLoader(
        Batches(trainer.training, options, trainer.step), batch_size=None, num_workers=1, prefetch_factor=4
    )
    log = Log(options.run / "log.jsonl")
    began = time.monotonic()
    for halves in batches:
        each = trainer.train_step(halves)
        trainer.seconds += time.monotonic() - began
        log.add(each, trainer)
        finished = trainer.progress() >= 1
        if trainer.step % SAVE_EVERY == 0 or finished:
            trainer.save(last)
        if trainer.step % options.validate_every == 0 or finished:
            log.write(trainer, trainer.validate(options.run / "last.onnx"))
        if finished:
            break
        began = time.monotonic()
    torch.save(trainer.average.state, options.run / "final.pt")


if __name__ == "__main__":
    main()
