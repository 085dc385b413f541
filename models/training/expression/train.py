# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the expression network on both label sets at once, and on teachers' scores of unlabelled faces.

    python -m training.expression.train --data DATA --run RUN [--epochs 40] ...

With `--cache`, a folder written by unlabelled.py and teacher_scores.py, the network has five heads (`HEADS` in
labels.py). Those of the two label sets also learn from scores of our own networks, two learn from scores of outside
networks, and one from the joint scores of all teachers. Each batch then holds unlabelled faces as well.

RUN receives `log.jsonl` (one line per epoch: losses, validation figures, seconds), `last.pt` (the state from which a
restarted run continues) and, at the end, `final.pt` (the averaged weights, the input of export.py).
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from training.common.onnx_file import fold_batch_norm, renew_batch_norm
from training.common.optimisation import MovingAverage, decay_groups, learning_rate_factor, mixed_precision
from training.expression.augmentation import augment
from training.expression.dataset import PIXEL_MEAN, PIXEL_SCALE, load_faces, load_strangers
from training.expression.inference import torch_logits
from training.expression.labels import FERPLUS_OF_FER2013, HEADS, JOINT_HEAD, LABELLED_HEADS
from training.expression.metrics import accuracies, strangers_accuracies
from training.expression.network import SIZES, ExpressionNet, count_cost, network_of, read_network
from training.expression.readers import PUBLIC_TEST, TRAINING
from training.expression.teacher_scores import read_scores
from training.expression.unlabelled import FACE_SIDE, FACES_FILE, FRAMED_SIDE

# Heads that networks given by --teacher teach: the first ones. Their `joint` may have learnt other targets.
TAUGHT_HEADS = [head for head in HEADS if head != JOINT_HEAD]
# Share of the joint scores in the targets of the head `joint` on labelled pictures; the rest is FER+'s soft label.
JOINT_SHARE = 0.65


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data set in any form that readers.py reads")
    parser.add_argument("--run", type=Path, required=True, help="folder for log and checkpoints")
    parser.add_argument("--size", choices=SIZES, default="default", help="size of the network")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="time limit: stop before an epoch that would exceed it"
    )
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--label-smoothing", type=float, default=0.1, help="label smoothing of the fer2013 head")
    parser.add_argument("--mixup", type=float, default=0.0, help="alpha of mixup's beta distribution; 0 disables mixup")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights, per step")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--strength", type=float, default=1.0, help="strength of the augmentations, 0..1")
    parser.add_argument("--final-strength", type=float, help="strength at the end; it changes linearly")
    parser.add_argument(
        "--small-epochs", type=int, default=0, help="number of first epochs on 40x40 pictures, which are faster"
    )
    parser.add_argument("--start", type=Path, help="initial weights (final.pt or an exported .onnx)")
    parser.add_argument("--teacher", type=Path, nargs="+", help="weights of networks that score each view as well")
    parser.add_argument(
        "--teacher-share",
        type=float,
        default=0.5,
        help="weight of the teachers in the targets of labelled pictures, 0..1",
    )
    parser.add_argument(
        "--cache", type=Path, help="folder with unlabelled faces and teachers' scores (teacher_scores.py)"
    )
    parser.add_argument(
        "--unlabelled-batch", type=int, default=48, help="number of unlabelled faces added to each batch"
    )
    parser.add_argument(
        "--joint-targets",
        action="store_true",
        help="on unlabelled faces, ferplus and fer2013 learn the joint scores of all teachers instead of our own",
    )
    parser.add_argument(
        "--strangers", type=Path, help="npz of labelled faces from another collection, for validation (dataset.py)"
    )
    parser.add_argument("--compile", action="store_true", help="compile the network, which makes it a sixth faster")
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda")
    parser.add_argument("--threads", type=int, default=2, help="number of CPU threads")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def mix(x, targets, alpha, generator):
    """Mixup: each picture and its targets are blended with another one of the batch."""
    seed = torch.randint(2**31, (1,), generator=generator, device=x.device)
    share = np.random.default_rng(int(seed)).beta(alpha, alpha)
    other = torch.randperm(len(x), generator=generator, device=x.device)
    blend = lambda a: share * a + (1 - share) * a[other]
    return blend(x), [blend(target) for target in targets]


def label_targets(faces, smoothing):
    """Targets from the labels: FER+'s soft label times its weight [N, 8], and FER2013's smoothed label [N, 7]."""
    ferplus = torch.from_numpy(faces.ferplus * faces.ferplus_weight[:, None])
    fer2013 = F.one_hot(torch.from_numpy(faces.fer2013), 7).float()
    return [ferplus, fer2013 * (1 - smoothing) + smoothing / 7]


def score_tensors(cache, name, heads):
    """Teachers' scores [N, classes] of each head in `heads`, from a cache of teacher_scores.py."""
    return [torch.from_numpy(scores) for scores in read_scores(cache, name, heads).values()]


def labelled_scores(joint):
    """Scores [N, 8] and [N, 7] of the labelled heads from joint scores [N, 8]: FER2013 has no contempt."""
    fer2013 = joint[:, FERPLUS_OF_FER2013]
    return [joint, fer2013 / fer2013.sum(1, keepdim=True)]


def cross_entropy(logits, target):
    """Mean cross entropy with targets [N, classes]; rows with a sum below 1 have less weight."""
    return -(target * logits.float().log_softmax(1)).sum(1).mean()


@torch.no_grad()
def mean_scores(networks, x):
    """Mean probabilities of trained networks for each head that all of them have, except `joint`."""
    with mixed_precision(x.device.type):
        outputs = [network(x.to(memory_format=torch.channels_last))[: len(TAUGHT_HEADS)] for network in networks]
    return tuple(torch.stack([logits.float().softmax(1) for logits in head]).mean(0) for head in zip(*outputs))


class Trainer:
    """Network, optimiser, averaged weights and random state of a run."""

    def __init__(self, options):
        self.options = options
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.generator = torch.Generator(options.device).manual_seed(options.seed)
        self.epoch = 0
        self.read_pictures()
        self.validation = load_faces(options.data, PUBLIC_TEST)
        self.strangers = load_strangers(options.strangers, half=0) if options.strangers else None
        self.teachers = [self.placed(fold_batch_norm(read_network(weights))) for weights in options.teacher or ()]
        heads = HEADS if options.cache else LABELLED_HEADS
        self.network = self.placed(ExpressionNet(options.size, options.dropout, heads))
        if options.start:
            self.start_from(options.start)
        self.forward = torch.compile(self.network) if options.compile else self.network
        self.average = MovingAverage(self.network, options.ema)
        self.optimizer = torch.optim.SGD(
            decay_groups(self.network, options.weight_decay), lr=options.learning_rate, momentum=0.9, nesterov=True
        )
        self.steps_per_epoch = len(self.images) // options.batch

    def placed(self, network):
        """A network on the device, with its weights in the faster memory format."""
        return network.to(self.options.device, memory_format=torch.channels_last)

    def read_pictures(self):
        """Read pictures uint8 [N, 1, 48, 48], unlabelled faces uint8 [M, 1, 72, 72] and targets [N or M, classes]."""
        training, cache, share = load_faces(self.options.data, TRAINING), self.options.cache, self.options.teacher_share
        on_device = lambda array: torch.as_tensor(array).to(self.options.device)
        self.images = on_device(training.images)[:, None]
        targets = label_targets(training, self.options.label_smoothing)
        if cache:
            *scores, joint = score_tensors(cache, "training", HEADS)
            blended = [torch.lerp(*pair, share) for pair in zip(targets, scores)]
            targets = [*blended, *scores[len(blended) :], torch.lerp(targets[0], joint, JOINT_SHARE)]
            self.faces = on_device(np.load(cache / FACES_FILE))[:, None]
            face_scores = score_tensors(cache, "faces", HEADS)
            if self.options.joint_targets:
                face_scores[: len(LABELLED_HEADS)] = labelled_scores(face_scores[-1])
            self.face_targets = [on_device(target) for target in face_scores]
        self.targets = [on_device(target) for target in targets]

    def start_from(self, path):
        """Load the weights of a file; heads that it lacks stay random."""
        missing, unexpected = self.network.load_state_dict(read_network(path).state_dict(), strict=False)
        if unexpected or any(name.split(".")[0] not in HEADS for name in missing):
            raise ValueError(f"{path}: not a network of the size {self.options.size}")
        if path.suffix == ".onnx":
            rows = self.shuffled()[:1024]
            renew_batch_norm(self.network, self.batch(rows)[0])

    def batch(self, rows):
        """(pictures [B, 1, 48, 48], targets of each head): some rows and unlabelled faces, augmented and normalised."""
        strength = self.strength()
        x = augment(self.images[rows].float(), self.generator, strength)
        targets = [target[rows] for target in self.targets]
        if self.options.cache:
            count = (self.options.unlabelled_batch,)
            chosen = torch.randint(len(self.faces), count, generator=self.generator, device=self.options.device)
            x = torch.cat([x, augment(self.faces[chosen].float(), self.generator, strength, FRAMED_SIDE / FACE_SIDE)])
            targets = [torch.cat([target, faces[chosen]]) for target, faces in zip(targets, self.face_targets)]
        x = (x - PIXEL_MEAN) * PIXEL_SCALE
        return mix(x, targets, self.options.mixup, self.generator) if self.options.mixup > 0 else (x, targets)

    def shuffled(self):
        """The rows of the training pictures in random order."""
        return torch.randperm(len(self.images), generator=self.generator, device=self.options.device)

    def strength(self):
        """The strength of the augmentations in this epoch."""
        first, last = self.options.strength, self.options.final_strength
        return first if last is None else first + (last - first) * self.epoch / max(1, self.options.epochs - 1)

    def losses(self, x, targets):
        """The loss of each head, by the targets and by the teachers' scores of the same views."""
        reduced = (
            F.interpolate(x, size=(40, 40), mode="bilinear", antialias=True)
            if self.epoch < self.options.small_epochs
            else x
        )
        with mixed_precision(x.device.type):
            logits = self.forward(reduced.to(memory_format=torch.channels_last))
        losses = [cross_entropy(*pair) for pair in zip(logits, targets)]
        if self.teachers:
            for head, scores in enumerate(mean_scores(self.teachers, x)[: len(losses)]):
                losses[head] = torch.lerp(losses[head], cross_entropy(logits[head], scores), self.options.teacher_share)
        return losses

    def set_learning_rate(self, step):
        total = self.options.epochs * self.steps_per_epoch
        factor = learning_rate_factor(step, total, self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor

    def train_epoch(self):
        """Train on each training picture once and return {head: mean loss}."""
        self.network.train()
        order, sums = self.shuffled(), torch.zeros(len(self.network.heads), device=self.options.device)
        started = time.monotonic()
        for step in range(self.steps_per_epoch):
            self.set_learning_rate(self.epoch * self.steps_per_epoch + step)
            rows = order[step * self.options.batch : (step + 1) * self.options.batch]
            losses = self.losses(*self.batch(rows))
            self.optimizer.zero_grad(set_to_none=True)
            sum(losses).backward()
            self.optimizer.step()
            self.average.update(self.network)
            sums += torch.stack([loss.detach() for loss in losses])
            show_progress(self.epoch, step + 1, self.steps_per_epoch, sums / (step + 1), started)
        return dict(zip(self.network.heads, (sums / self.steps_per_epoch).tolist()))

    def validate(self):
        """Accuracies of the averaged weights on PublicTest and, if given, those of each head on the strangers."""
        network = network_of(self.average.state).to(self.options.device)
        ferplus, fer2013 = torch_logits(network, self.validation.images)[: len(LABELLED_HEADS)]
        figures = accuracies(ferplus, fer2013, self.validation)
        if self.strangers:
            images, labels = self.strangers
            logits = zip(network.heads, torch_logits(network, images))
            figures["strangers"] = {head: strangers_accuracies(values, HEADS[head], labels) for head, values in logits}
        return figures

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
        state = torch.load(path, map_location="cpu")
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self.average.load(state["average"], state["average_steps"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])


def show_progress(epoch, step, steps, losses, started):
    """Draw a progress bar on one line of the terminal, every ten steps."""
    if step % 10 and step != steps:
        return
    filled = 30 * step // steps
    left = (time.monotonic() - started) / step * (steps - step)
    bar = "#" * filled + "." * (30 - filled)
    named = " ".join(f"{head} {loss:.3f}" for head, loss in zip(HEADS, losses.tolist()))
    text = f"\repoch {epoch + 1:3d} [{bar}] {step}/{steps} {named} {left:4.0f} s left"
    print(text, end="\n" if step == steps else "", flush=True)


def main():
    options = parse_arguments()
    options.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options)
    parameters, multiply_adds = count_cost(trainer.network)
    size = f"{parameters / 1e6:.3f} M parameters, {multiply_adds / 1e6:.1f} M multiply-adds"
    print(f"{len(trainer.images)} training faces, {size}")
    last = options.run / "last.pt"
    if last.exists():
        trainer.resume(last)
    stop, seconds = time.monotonic() + 60 * options.minutes, 0.0
    with open(options.run / "log.jsonl", "a") as log:
        while trainer.epoch < options.epochs:
            started = time.monotonic()
            if started + seconds > stop:
                print(f"stopped after epoch {trainer.epoch} of {options.epochs}: run the command again to continue")
                return
            losses = trainer.train_epoch()
            trainer.epoch += 1
            trainer.save(last)
            seconds = time.monotonic() - started
            entry = {"epoch": trainer.epoch} | {f"{head}_loss": loss for head, loss in losses.items()}
            entry |= trainer.validate() | {"seconds": round(seconds, 1)}
            print(json.dumps(entry), file=log, flush=True)
            print(f"          PublicTest FER+ {entry['ferplus']:.4f}, FER2013 {entry['fer2013']:.4f}", flush=True)
    torch.save(trainer.average.state, options.run / "final.pt")


if __name__ == "__main__":
    main()
