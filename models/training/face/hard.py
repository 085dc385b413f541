# SPDX-License-Identifier: MIT OR Apache-2.0
"""Train a finished face network on large faces in profile, in motion or cut off, without losing the others.

    python -m training.face.hard --data PACKED --start models/face/model.onnx --run RUN --seconds 480 [--name a] ...

PACKED was written by `pack.py`. On plain views, the outputs of the network at the start are the targets; hard and empty
views have labels. Pictures are made on the device that trains. RUN receives `NAME.jsonl` and averaged weights, in
`NAME-PERCENT.pt`.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from training.common.onnx_file import fold_batch_norm, unfold_batch_norm
from training.common.optimisation import MovingAverage, learning_rate_factor
from training.face.batches import ignored_cells
from training.face.cells import cell_grid, flatten
from training.face.factorise import differences
from training.face.gpu_views import Photos, degrade, degrade_plain, with_backgrounds
from training.face.loss import losses
from training.face.network import INNER_CHANNELS, FaceNet
from training.face.views import EMPTY, HARD, PLAIN, Labels, Views

# (height, width) of the pictures of a batch, and how often each is chosen.
SHAPES, SHAPE_SHARES = ((256, 256), (192, 320), (384, 384), (352, 640)), (0.35, 0.35, 0.15, 0.15)
# Share of the views with labels that are empty.
EMPTY_SHARE = 0.3
# Trained scores that the file maps to .5, by stride (`export.py --even-at`): labels are compared with the trained ones.
EVEN_AT = (0.525, 0.575, 0.6, 0.64)
# Weights of the losses of boxes and landmarks, of labels and of the network at the start.
LABELLED, TAUGHT = (1.0, 1.5, 0.5), (1.0, 2.0, 1.0)
WARMUP, SAVE_AT = 200, (25, 50, 75, 90, 100)


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder written by pack.py")
    parser.add_argument("--start", type=Path, required=True, help="a factorised network, .onnx")
    parser.add_argument("--run", type=Path, required=True, help="folder for logs and weights")
    parser.add_argument("--name", default="hard", help="name of the files")
    parser.add_argument("--seconds", type=float, default=480, help="duration, with the time to load the photos")
    parser.add_argument("--pixels", type=int, default=192 * 256 * 256, help="number of pixels of a batch")
    parser.add_argument("--hard-share", type=float, default=0.35, help="share of the pictures that have labels")
    parser.add_argument("--label-weight", type=float, default=1.0, help="weight of the losses by labels")
    parser.add_argument("--taught-weight", type=float, default=4.0, help="weight of the losses by the start's outputs")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--coarse", action="store_true", help="train only what strides 16 and 32 need")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--photos", type=int, help="use only the first photos")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args(arguments)


class HardBatches(IterableDataset):
    """Views of a batch without their pixels, those with labels first."""

    def __init__(self, photos, options):
        self.photos, self.options = photos, options

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.options.seed, worker.id if worker else 0])
        views = Views(self.photos, rng)
        while True:
            height, width = SHAPES[rng.choice(len(SHAPES), p=SHAPE_SHARES)]
            count = max(4, self.options.pixels // (height * width))
            labelled = max(2, round(self.options.hard_share * count))
            empty = round(EMPTY_SHARE * labelled)
            kinds = [HARD] * (labelled - empty) + [EMPTY] * empty + [PLAIN] * (count - labelled)
            yield collate([views.draw(kind, width, height) for kind in kinds], height, width)


def collate(views, height, width):
    """A batch of views as arrays, with the labels of `losses`."""
    labelled = [view for view in views if view.kind != PLAIN]
    boxes = np.concatenate([view.boxes for view in labelled]).astype(np.float32)
    ignore = [np.concatenate([view.ignore[:, :2], view.ignore[:, 2:] - view.ignore[:, :2]], 1) for view in labelled]
    labels = {
        "faces": boxes,
        "picture": np.repeat(np.arange(len(labelled)), [len(view.boxes) for view in labelled]),
        "confidence": np.clip(0.6 + 0.5 * np.concatenate([view.scores for view in labelled]), 0, 1).astype(np.float32),
        "landmarks": np.concatenate([view.landmarks for view in labelled]).astype(np.float32),
        "ignored": np.stack([ignored_cells(areas, height, width) for areas in ignore]),
    }
    free = [not len(view.boxes) and not len(view.ignore) and view.kind == EMPTY for view in labelled]
    return {
        "shape": (height, width),
        "backgrounds": np.nonzero(free)[0],
        "photos": np.array([view.photo for view in views]),
        "matrices": np.stack([view.matrix for view in views]).astype(np.float32),
        "zooms": np.array([view.zoom for view in views]),
        "targets": np.stack([view.target for view in labelled]).astype(np.float32),
        "labels": labels,
    }


def unchanged(batch):
    """A batch as it is, not converted by the loader."""
    return batch


def load_factorised(path):
    """The network of a factorised ONNX file, without batch norm, for inputs 0..1."""
    network = FaceNet(inner=INNER_CHANNELS)
    unfold_batch_norm(network, path)
    network = fold_batch_norm(network.eval())
    network.stem[0][0].weight.data *= 255
    return network


def freeze_fine(network):
    """Freeze the parts that strides 4 and 8 alone use, and those before stride 16."""
    for part in (network.stem, network.stages[0], network.laterals[0], network.narrow):
        part.requires_grad_(False)
    for parts in (network.towers, network.heads):
        parts[:2].requires_grad_(False)


class HardTrainer:
    """The network, its state at the start as a teacher, and averaged weights."""

    def __init__(self, options):
        self.options, self.device = options, torch.device(options.device)
        torch.manual_seed(options.seed)
        index = json.loads((options.data / "photos.json").read_text())[: options.photos]
        self.photos = Photos((options.data / "photos.bin").read_bytes(), index, self.device)
        self.labels = [Labels.of_entry(entry, tuple(size)) for entry, size in zip(index, self.photos.sizes)]
        self.network = load_factorised(options.start).to(self.device)
        self.teacher = copy.deepcopy(self.network).requires_grad_(False)
        if options.coarse:
            freeze_fine(self.network)
        self.average = MovingAverage(self.network, options.ema)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=options.learning_rate, betas=(0.9, 0.98))
        even = torch.tensor(EVEN_AT, device=self.device)
        self.offsets = (even / (1 - even)).log()
        self.grids, self.step = {}, 0

    def on_device(self, values):
        return torch.from_numpy(values).to(self.device)

    def pictures(self, batch):
        height, width = batch["shape"]
        pictures, inside = self.photos.sample(batch["photos"], batch["matrices"], batch["zooms"], width, height)
        labelled = len(batch["targets"])
        backgrounds, targets = (self.on_device(batch[name]) for name in ("backgrounds", "targets"))
        hard = with_backgrounds(pictures[:labelled], inside[:labelled], backgrounds)
        hard = degrade(hard, targets)
        return torch.cat([hard, degrade_plain(pictures[labelled:])])

    def trained_maps(self, maps, count):
        """The maps of the first pictures, with scores as in training by labels."""
        shift = torch.zeros((1, maps[0].shape[1], 1, 1), device=self.device)
        shift[:, 0] = 1
        return [values[:count] + shift * offset for values, offset in zip(maps, self.offsets)]

    def train_step(self, batch, progress):
        """Make one step and return its six losses."""
        factor = learning_rate_factor(progress, 1.0, 0.0) * min(1.0, (self.step + 1) / WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor
        shape, labelled = batch["shape"], len(batch["targets"])
        if shape not in self.grids:
            self.grids[shape] = tuple(values.to(self.device) for values in cell_grid(*shape))
        with torch.no_grad():
            pictures = self.pictures(batch)
            taught = flatten(self.teacher(pictures[labelled:])).transpose(1, 2)
        maps = self.network(pictures)
        labels = {name: self.on_device(values) for name, values in batch["labels"].items()}
        by_labels = torch.stack(losses(self.trained_maps(maps, labelled), labels, self.grids[shape]))
        plain = flatten([values[labelled:] for values in maps]).transpose(1, 2)
        by_teacher = torch.stack(differences(plain, taught))
        shares = torch.tensor([self.options.label_weight, self.options.taught_weight])[:, None]
        weights = (shares * torch.tensor([LABELLED, TAUGHT])).to(self.device)
        values = torch.stack([by_labels, by_teacher])
        self.optimizer.zero_grad(set_to_none=True)
        (values * weights).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return values.detach()

    def save(self, percent):
        path = self.options.run / f"{self.options.name}-{percent}.pt"
        torch.save({name: value.cpu() for name, value in self.average.state.items()}, path)


def train(options):
    """Train for the given time, and return the number of steps."""
    started = time.monotonic()
    options.run.mkdir(parents=True, exist_ok=True)
    trainer = HardTrainer(options)
    loaded = time.monotonic() - started
    batches = DataLoader(
        HardBatches(trainer.labels, options),
        batch_size=None,
        collate_fn=unchanged,
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
    )
    log = open(options.run / f"{options.name}.jsonl", "w")
    pending, sums = list(SAVE_AT), 0
    for batch in batches:
        elapsed = time.monotonic() - started
        progress = min(1.0, (elapsed - loaded) / max(options.seconds - loaded, 1))
        while pending and 100 * progress >= pending[0]:
            trainer.save(pending.pop(0))
        if progress >= 1:
            break
        sums = sums + trainer.train_step(batch, progress)
        if trainer.step % 100 == 0:
            means = (sums / 100).flatten().tolist()
            print(
                json.dumps({"step": trainer.step, "seconds": round(elapsed, 1), "losses": means}), file=log, flush=True
            )
            sums = 0
    log.close()
    return trainer.step


def main():
    options = parse_arguments()
    print(f"{options.name}: {train(options)} steps")


if __name__ == "__main__":
    main()
