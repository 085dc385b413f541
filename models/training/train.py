#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the expression network on both label sets at once.

    python train.py --data FOLDER --run FOLDER [--epochs 40] ...

The run folder receives `log.jsonl` (one line per epoch: losses, PublicTest figures, seconds),
`last.pt` (everything needed to go on: started again, training resumes there) and, at the end,
`final.pt` (the averaged weights alone, what `export_onnx.py` reads).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from augmentation import augment
from dataset import PIXEL_MEAN, PIXEL_SCALE, PUBLIC_TEST, TRAINING, load_faces
from evaluate import accuracies, torch_logits
from network import SIZES, ExpressionNet, count_cost, network_of, read_network
from onnx_file import renew_batch_norm
from optimisation import MovingAverage, decay_groups, learning_rate_factor


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder with load.py (see dataset.py)")
    parser.add_argument("--run", type=Path, required=True, help="folder for log and checkpoints")
    parser.add_argument("--size", choices=SIZES, default="default", help="of the network")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--label-smoothing", type=float, default=0.1, help="of the fer2013 head")
    parser.add_argument("--mixup", type=float, default=0.0, help="alpha of the beta distribution; 0 = off")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights, per step")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--strength", type=float, default=1.0, help="of the augmentations, 0..1")
    parser.add_argument("--small-epochs", type=int, default=0, help="first epochs on 40x40 pictures (faster)")
    parser.add_argument("--start", type=Path, help="weights (final.pt, or an exported .onnx) to begin with instead of random ones")
    parser.add_argument("--teacher", type=Path, nargs="+", help="weights (final.pt, or exported .onnx) of networks to learn from as well")
    parser.add_argument("--teacher-share", type=float, default=0.5, help="of the loss that compares with the teachers' mean scores, 0..1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def mix(x, ferplus, weight, fer2013, alpha, generator):
    """Mixup: each picture and its labels blended with another one of the batch."""
    share = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator))).beta(alpha, alpha)
    other = torch.randperm(len(x), generator=generator)
    blend = lambda a: share * a + (1 - share) * a[other]
    weighted = blend(ferplus * weight[:, None])
    weight = blend(weight)
    return blend(x), weighted / weight.clamp(min=1e-6)[:, None], weight, blend(fer2013)


def two_head_loss(logits, ferplus, weight, fer2013, smoothing):
    """Cross entropy with the FER+ soft label (weighted by its share of votes) plus that of FER2013."""
    ferplus_loss = (F.cross_entropy(logits[0].float(), ferplus, reduction="none") * weight).mean()
    fer2013_loss = F.cross_entropy(logits[1].float(), fer2013, label_smoothing=smoothing)
    return ferplus_loss, fer2013_loss


@torch.no_grad()
def mean_scores(networks, x):
    """(ferplus [N, 8], fer2013 [N, 7]) probabilities: the mean over trained networks."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        each = [network(x.to(memory_format=torch.channels_last)) for network in networks]
    return tuple(torch.stack([logits.float().softmax(1) for logits in head]).mean(0) for head in zip(*each))


class Trainer:
    """Network, optimiser, average and random state of one run."""

    def __init__(self, options):
        self.options = options
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.faces = load_faces(options.data, TRAINING)
        self.validation = load_faces(options.data, PUBLIC_TEST)
        self.images = torch.from_numpy(self.faces.images)[:, None]
        self.ferplus = torch.from_numpy(self.faces.ferplus)
        self.weight = torch.from_numpy(self.faces.ferplus_weight)
        self.fer2013 = F.one_hot(torch.from_numpy(self.faces.fer2013), 7).float()
        self.teachers = [read_network(weights).to(memory_format=torch.channels_last) for weights in options.teacher or ()]
        self.network = ExpressionNet(options.size, options.dropout).to(memory_format=torch.channels_last)
        if options.start:
            self.network.load_state_dict(read_network(options.start).state_dict())
            if options.start.suffix == ".onnx":
                rows = torch.randperm(len(self.faces), generator=self.generator)[:1024]
                renew_batch_norm(self.network, self.batch(rows)[0])
        self.average = MovingAverage(self.network, options.ema)
        self.optimizer = torch.optim.SGD(
            decay_groups(self.network, options.weight_decay), lr=options.learning_rate, momentum=0.9, nesterov=True
        )
        self.epoch = 0
        self.steps_per_epoch = len(self.faces) // options.batch

    def batch(self, rows):
        """Augmented, normalised pictures and labels of some rows."""
        x = augment(self.images[rows].float(), self.generator, self.options.strength)
        batch = (x - PIXEL_MEAN) * PIXEL_SCALE, self.ferplus[rows], self.weight[rows], self.fer2013[rows]
        if self.options.mixup > 0:
            batch = mix(*batch, self.options.mixup, self.generator)
        return batch

    def losses(self, x, *labels):
        """Loss of each head: by the labels, and by what the teachers say of the very same view."""
        small = F.interpolate(x, size=(40, 40), mode="bilinear", antialias=True) if self.epoch < self.options.small_epochs else x
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.network(small.to(memory_format=torch.channels_last))
        losses = two_head_loss(logits, *labels, self.options.label_smoothing)
        if not self.teachers:
            return losses
        taught = [F.cross_entropy(head.float(), scores) for head, scores in zip(logits, mean_scores(self.teachers, x))]
        return [torch.lerp(*pair, self.options.teacher_share) for pair in zip(losses, taught)]

    def set_learning_rate(self, step):
        total = self.options.epochs * self.steps_per_epoch
        factor = learning_rate_factor(step, total, self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor

    def train_epoch(self):
        """One pass over the training pictures; mean loss of each head."""
        self.network.train()
        order = torch.randperm(len(self.faces), generator=self.generator)
        sums = torch.zeros(2)
        began = time.monotonic()
        for step in range(self.steps_per_epoch):
            self.set_learning_rate(self.epoch * self.steps_per_epoch + step)
            rows = order[step * self.options.batch : (step + 1) * self.options.batch]
            losses = self.losses(*self.batch(rows))
            self.optimizer.zero_grad(set_to_none=True)
            sum(losses).backward()
            self.optimizer.step()
            self.average.update(self.network)
            sums += torch.stack([loss.detach() for loss in losses])
            show_progress(self.epoch, step + 1, self.steps_per_epoch, sums / (step + 1), began)
        return (sums / self.steps_per_epoch).tolist()

    def validate(self):
        """PublicTest accuracies of the averaged weights."""
        ferplus, fer2013 = torch_logits(network_of(self.average.state), self.validation.images)
        return accuracies(ferplus, fer2013, self.validation)

    def save(self, path):
        state = {
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "average": self.average.state,
            "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.rename(path)

    def resume(self, path):
        state = torch.load(path)
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self.average.state, self.average.steps = state["average"], state["average_steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])


def show_progress(epoch, step, steps, losses, began):
    """A progress bar on one terminal line, refreshed every ten steps."""
    if step % 10 and step != steps:
        return
    filled = 30 * step // steps
    left = (time.monotonic() - began) / step * (steps - step)
    bar = "#" * filled + "." * (30 - filled)
    text = f"\repoch {epoch + 1:3d} [{bar}] {step}/{steps} ferplus {losses[0]:.3f} fer2013 {losses[1]:.3f} {left:4.0f} s left"
    print(text, end="\n" if step == steps else "", flush=True)


def main():
    options = parse_arguments()
    options.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options)
    parameters, multiply_adds = count_cost(trainer.network)
    print(f"{len(trainer.faces)} training faces, {parameters / 1e6:.3f} M parameters, {multiply_adds / 1e6:.1f} M multiply-adds")
    last = options.run / "last.pt"
    if last.exists():
        trainer.resume(last)
    with open(options.run / "log.jsonl", "a") as log:
        while trainer.epoch < options.epochs:
            began = time.monotonic()
            losses = trainer.train_epoch()
            trainer.epoch += 1
            trainer.save(last)
            entry = {"epoch": trainer.epoch, "ferplus_loss": losses[0], "fer2013_loss": losses[1]}
            entry |= trainer.validate() | {"seconds": round(time.monotonic() - began, 1)}
            print(json.dumps(entry), file=log, flush=True)
            print(f"          PublicTest FER+ {entry['ferplus']:.4f}, FER2013 {entry['fer2013']:.4f}", flush=True)
    torch.save(trainer.average.state, options.run / "final.pt")


if __name__ == "__main__":
    main()
