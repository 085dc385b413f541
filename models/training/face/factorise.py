#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Do the two convolutions of a face network that take most of its time in two parts each, and teach it to say what it said before.

    python take_apart.py --cache FOLDER --model WHOLE.onnx [--minutes 40] [--output ../../face/model.onnx]

WHOLE.onnx is what `export_face.py` wrote. A convolution of 3x3 becomes one along the rows and one along the columns with fewer
channels between them, at first those that differ least from it on training photos; then all weights learn to give the whole network's
maps. No labels are used. The `sha256` line of the `model.toml` beside the output is brought up to date.
"""

import argparse
import copy
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from training.common.paths import MODELS
from training.face.export import load_network, write
from training.face.network import BETWEEN, HALVING, FaceNet
from training.face.loss import flatten
from training.common.onnx_file import fold_batch_norm
from training.common.optimisation import MovingAverage
from training.face.photos import ANIMAL_SOURCES, load_photos, split
from training.face.evaluate import letterbox

# What the convolutions are seen doing, to find the first parts: so many places on so many photos.
PHOTOS, PLACES = 200, 300
SIDE, BATCH = 320, 12
# Longer sides that photos are brought to; those with faces and those of animals come so many times as often.
SMALLEST, LARGEST = 224, 720
FACES_OFTEN, ANIMALS_OFTEN = 3, 6
WARMUP = 200
# Cells of this score and less still count that much; boxes and landmarks from the other one on.
LEAST, SURE = 0.002, 0.02
# What boxes, landmarks and the maps inside count beside the score.
COUNT_BOXES, COUNT_LANDMARKS, COUNT_INSIDE = 2.0, 1.0, 2.0


@torch.no_grad()
def parts(conv, pictures, between):
    """Weights [B, I, 1, 3] and [O, B, 3, 1] that do together what a convolution of 3x3 with stride 2 does, as nearly as so many channels
    between them can on what it was given, [N, I, H, W] each."""
    random = torch.Generator().manual_seed(0)
    rows = []
    for picture in pictures:
        patches = F.unfold(picture, 3, padding=1, stride=2).transpose(1, 2).flatten(0, 1)
        rows.append(patches[torch.randperm(len(patches), generator=random)[:PLACES]])
    inputs, outputs = conv.in_channels, conv.out_channels
    # Three values along a row, in any of the three rows, are what the first part sees.
    seen = torch.cat(rows).view(-1, inputs, 3, 3).transpose(1, 2).reshape(-1, 3 * inputs).double()
    spread = seen.T @ seen / len(seen)
    root = torch.linalg.cholesky(spread + 1e-6 * spread.diagonal().mean() * torch.eye(len(spread))).T
    weight = conv.weight.double().permute(1, 3, 0, 2).reshape(3 * inputs, 3 * outputs)
    left, sizes, right = torch.linalg.svd(root @ weight, full_matrices=False)
    sizes = sizes[:between].sqrt()
    first = torch.linalg.solve(root, left[:, :between] * sizes).T.reshape(between, inputs, 1, 3)
    second = (sizes[:, None] * right[:between]).view(between, outputs, 3, 1).transpose(0, 1)
    return first.float(), second.float()


@torch.no_grad()
def taken_apart(whole, photos, between=BETWEEN):
    """A network in parts that says nearly what `whole` says; batch norm is folded in both."""
    given = {name: [] for name in HALVING}
    hooks = [
        whole.get_submodule(name)[0].register_forward_hook(
            lambda _, inputs, __, name=name: given[name].append(inputs[0])
        )
        for name in HALVING
    ]
    for photo in photos:
        whole(torch.from_numpy(letterbox(photo.pixels, SIDE)[0]).permute(2, 0, 1)[None] / 255)
    for hook in hooks:
        hook.remove()
    network = fold_batch_norm(FaceNet(between=between).eval())
    network.load_state_dict(
        {name: value for name, value in whole.state_dict().items() if not name.startswith(HALVING)}, strict=False
    )
    for name, channels in zip(HALVING, between):
        conv, (along_rows, (along_columns, _)) = whole.get_submodule(name)[0], network.get_submodule(name)
        first, second = parts(conv, given[name], channels)
        along_rows.weight.copy_(first)
        along_columns.weight.copy_(second)
        along_columns.bias.copy_(conv.bias)
    return network


def view(photo, random):
    """uint8 [SIDE, SIDE, 3]: as a detector sees a photo, or a part of it where that is larger; half of them mirrored, some with another light."""
    height, width = photo.pixels.shape[:2]
    zoom = np.exp(random.uniform(np.log(SMALLEST), np.log(LARGEST))) / max(height, width)
    size = np.maximum(np.round(np.array([width, height]) * zoom).astype(int), 1)
    shown = np.minimum(size, SIDE)
    corner = np.array([random.integers(0, most + 1) for most in size - shown])
    box = (*corner / zoom, *np.minimum((corner + shown) / zoom, (width, height)))
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[: shown[1], : shown[0]] = np.asarray(
        Image.fromarray(photo.pixels).resize(tuple(shown), Image.Resampling.BILINEAR, box=box)
    )
    if random.random() < 0.5:
        picture = picture[:, ::-1]
    if random.random() < 0.4:
        light = (picture / 255).clip(1e-4, 1) ** np.exp(random.uniform(-0.4, 0.4)) * np.exp(random.uniform(-0.5, 0.3))
        light = light * np.exp(random.uniform(-0.15, 0.15, 3))
        if random.random() < 0.3:
            light = np.broadcast_to(light.mean(2, keepdims=True), light.shape)
        picture = (255 * light.clip(0, 1)).astype(np.uint8)
    return picture


def differences(ours, theirs):
    """What [N, 15, A] lacks to be the whole network's: of scores, of boxes, of landmarks; each cell as much as that is sure of a face there."""
    mean = lambda errors, counts: (errors * counts).sum() / counts.sum().clamp(min=1.0)
    score = theirs[:, 0].sigmoid()
    sure = score * (score > SURE)
    logits = F.huber_loss(ours[:, 0], theirs[:, 0], reduction="none")
    away = (ours - theirs).abs()
    return mean(logits, score + LEAST), mean(away[:, 1:5].mean(1), sure), mean(away[:, 5:].mean(1), sure)


class Insides:
    """The maps inside a network that its parts are to give as before, kept from its last pass."""

    def __init__(self, network):
        self.maps = {}
        for name in ("stem.3", "stages.0", "stages.1", "laterals.0"):
            network.get_submodule(name).register_forward_hook(
                lambda _, __, output, name=name: self.maps.update({name: output})
            )

    def difference(self, other):
        """Mean square, as a share of how much the other's vary."""
        each = [
            (ours - theirs).square().mean() / theirs.var()
            for ours, theirs in zip(self.maps.values(), other.maps.values())
        ]
        return sum(each) / len(each)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=MODELS / "face" / "model.onnx")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    photos, random = split(load_photos(options.cache))[0], np.random.default_rng(7)
    often = np.array(
        [
            ANIMALS_OFTEN if photo.source in ANIMAL_SOURCES else FACES_OFTEN if len(photo.boxes) else 1.0
            for photo in photos
        ]
    )
    some = [
        photos[index] for index in np.random.default_rng(0).choice(len(photos), min(PHOTOS, len(photos)), replace=False)
    ]
    whole = fold_batch_norm(load_network(options.model)).requires_grad_(False)
    network = taken_apart(whole, some)
    average, result = MovingAverage(network, 0.998), copy.deepcopy(network)
    whole, network = (one.to(memory_format=torch.channels_last) for one in (whole, network))
    insides, wanted = Insides(network), Insides(whole)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.98))
    chances = often / often.sum()
    batch = lambda: np.stack([view(photos[index], random) for index in random.choice(len(photos), BATCH, p=chances)])
    # The next batch is made while this one is learnt from.
    pool = ThreadPoolExecutor(1)
    began, step, history, following = time.monotonic(), 0, [], pool.submit(batch)
    while (progress := (time.monotonic() - began) / (60 * options.minutes)) < 1:
        pictures, following = torch.from_numpy(following.result()).permute(0, 3, 1, 2) / 255, pool.submit(batch)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * (1 - progress) * min(1.0, (step + 1) / WARMUP)
        flat = lambda maps: flatten(maps).transpose(1, 2)
        score, boxes, landmarks = differences(*(flat(one(pictures)) for one in (network, whole)))
        inside = insides.difference(wanted)
        optimizer.zero_grad()
        (score + COUNT_BOXES * boxes + COUNT_LANDMARKS * landmarks + COUNT_INSIDE * inside).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        step += 1
        history.append([one.item() for one in (score, boxes, landmarks, inside)])
        if step % 200 == 0:
            means = ", ".join(
                f"{name} {value:.4f}"
                for name, value in zip(("scores", "boxes", "landmarks", "inside"), np.mean(history[-200:], axis=0))
            )
            print(f"step {step} ({progress:.0%}): off by {means}", flush=True)
    result.load_state_dict(average.state)
    write(result, options.output)


if __name__ == "__main__":
    main()
