# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the face network.

    python -m training.face.train --cache CACHE --run RUN [--steps 30000] ...

RUN receives `log.jsonl` (one line per validation: losses, average precision, false boxes, seconds), `last.pt` (the
state from which a restarted run continues, also with more steps) and, at the end, `final.pt` (the averaged weights, the
input of export.py).
"""

import argparse
import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from training.common.onnx_file import renew_batch_norm
from training.common.optimisation import MovingAverage, decay_groups, learning_rate_factor, mixed_precision
from training.face.batches import Batches
from training.face.cells import cell_grid
from training.face.evaluate import validate
from training.face.export import export, load_network
from training.face.loss import losses
from training.face.network import FaceNet
from training.face.photos import load_photos, split

WARMUP = 500
SAVE_EVERY = 250
LOSSES = ("score", "box", "landmarks")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--run", type=Path, required=True, help="folder for log and checkpoints")
    parser.add_argument("--steps", type=int, default=30000)
    parser.add_argument(
        "--minutes", type=float, help="duration of the schedule, instead of steps, for a machine with other work"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=256, help="side of most crops, in pixels")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--box-weight", type=float, default=2.0)
    parser.add_argument("--landmark-weight", type=float, default=5.0)
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights, per step")
    parser.add_argument("--start", type=Path, help="initial weights (final.pt or an exported .onnx)")
    parser.add_argument("--validate-every", type=int, default=1000)
    parser.add_argument(
        "--only",
        type=int,
        default=0,
        help="train and validate on this number of photos, to test that they can be learnt",
    )
    parser.add_argument(
        "--threads", type=int, default=1, choices=(1, 2), help="with 2, each thread takes half of each batch"
    )
    parser.add_argument(
        "--frozen",
        type=int,
        default=0,
        choices=(0, 2, 4),
        help="number of frozen layers of the stem, which saves a third of the time",
    )
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def twin(network):
    """A copy that shares the memory of the weights and has its own gradients and batch norm statistics."""
    other = copy.deepcopy(network)
    for theirs, ours in zip(other.parameters(), network.parameters()):
        theirs.data = ours.data
    return other


class Trainer:
    """Network, optimiser and averaged weights of a run."""

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
        # Each half of a batch has its own thread: threads that share each operation wait for each other.
        self.twins = self.network, twin(self.network)
        self.pool = ThreadPoolExecutor(options.threads, initializer=torch.set_num_threads, initargs=(1,))
        self.average = MovingAverage(self.network, options.ema)
        self.optimizer = torch.optim.AdamW(decay_groups(self.network, options.weight_decay), lr=options.learning_rate)
        self.weights = torch.tensor([1.0, options.box_weight, options.landmark_weight])
        self.grids = {side: cell_grid(side, side) for side in (options.side, 2 * options.side)}
        self.step, self.seconds = 0, 0.0

    def progress(self):
        """The finished part of the schedule, 0..1."""
        return self.seconds / (60 * self.options.minutes) if self.options.minutes else self.step / self.options.steps

    def backward(self, network, half):
        """Add the gradients of half a batch to the network's and return its three losses."""
        pictures, labels = half
        with mixed_precision("cpu"):
            maps = network(pictures.to(memory_format=torch.channels_last) / 255)
        values = torch.stack(losses(maps, labels, self.grids[pictures.shape[-1]]))
        (values * self.weights).sum().div(2).backward()
        return values.detach()

    def train_step(self, halves):
        """Make one step and return the three losses."""
        factor = learning_rate_factor(self.progress(), 1.0, 0.0) * min(1.0, (self.step + 1) / WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor
        for network in self.twins:
            network.train().zero_grad(set_to_none=True)
            network.stem[: self.options.frozen].eval()
        values = torch.stack(list(self.pool.map(self.backward, self.twins, halves))).mean(0)
        for ours, theirs in zip(*(network.parameters() for network in self.twins)):
            if ours.requires_grad:
                ours.grad += theirs.grad
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return values

    def validate(self, path):
        """Figures of the averaged weights, measured on the exported file."""
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
    """Writes a JSON line per validation, with the mean losses since the last one."""

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
    started = time.monotonic()
    for halves in batches:
        step_losses = trainer.train_step(halves)
        trainer.seconds += time.monotonic() - started
        log.add(step_losses, trainer)
        finished = trainer.progress() >= 1
        if trainer.step % SAVE_EVERY == 0 or finished:
            trainer.save(last)
        if trainer.step % options.validate_every == 0 or finished:
            log.write(trainer, trainer.validate(options.run / "last.onnx"))
        if finished:
            break
        started = time.monotonic()
    torch.save(trainer.average.state, options.run / "final.pt")


if __name__ == "__main__":
    main()
