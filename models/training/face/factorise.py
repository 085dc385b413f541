# SPDX-License-Identifier: MIT OR Apache-2.0
"""Factorise the two most expensive convolutions of a face network, and train it on the outputs of the original.

    python -m training.face.factorise --cache CACHE --model WHOLE.onnx [--minutes 40] [--output models/face/model.onnx]

WHOLE.onnx was written by `export.py`. Each 3x3 convolution becomes one along the rows and one along the columns, with
fewer channels between them. The initial weights are those that differ least from it on training photos. Then all
weights are trained on the outputs of the original network, without labels. The sha256 in the `model.toml` of the
output's folder is updated.
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

from training.common.onnx_file import fold_batch_norm
from training.common.optimisation import MovingAverage
from training.common.paths import MODELS
from training.face.cells import flatten
from training.face.export import export_verified, load_network
from training.face.network import FACTORISED, INNER_CHANNELS, FaceNet
from training.face.photos import ANIMAL_SOURCES, letterbox, load_photos, split

# Number of photos, and of positions in each of them, that the initial weights are fitted to.
PHOTOS, POSITIONS = 200, 300
SIDE, BATCH = 320, 12
# Range of the longer side of a photo, and sampling weights of photos with faces and of animals; others have 1.
MIN_SIZE, MAX_SIZE = 224, 720
FACES_WEIGHT, ANIMALS_WEIGHT = 3, 6
WARMUP = 200
# Minimum weight of a cell in the loss of the scores, and minimum score of a cell in those of boxes and landmarks.
MIN_WEIGHT, MIN_SCORE = 0.002, 0.02
# Weights of the losses of boxes, landmarks and inner maps; that of the scores is 1.
BOX_WEIGHT, LANDMARK_WEIGHT, INNER_WEIGHT = 2.0, 1.0, 2.0


@torch.no_grad()
def factors(conv, maps, inner):
    """Weights [B, I, 1, 3] and [O, B, 3, 1] whose product approximates a 3x3 convolution of stride 2.

    The squared error is minimal on its input `maps`, [N, I, H, W] each.
    """
    random = torch.Generator().manual_seed(0)
    rows = []
    for map_ in maps:
        patches = F.unfold(map_, 3, padding=1, stride=2).transpose(1, 2).flatten(0, 1)
        rows.append(patches[torch.randperm(len(patches), generator=random)[:POSITIONS]])
    inputs, outputs = conv.in_channels, conv.out_channels
    # The first factor sees three values along a row, in any of the three rows.
    samples = torch.cat(rows).view(-1, inputs, 3, 3).transpose(1, 2).reshape(-1, 3 * inputs).double()
    covariance = samples.T @ samples / len(samples)
    root = torch.linalg.cholesky(covariance + 1e-6 * covariance.diagonal().mean() * torch.eye(len(covariance))).T
    weight = conv.weight.double().permute(1, 3, 0, 2).reshape(3 * inputs, 3 * outputs)
    left, values, right = torch.linalg.svd(root @ weight, full_matrices=False)
    values = values[:inner].sqrt()
    first = torch.linalg.solve(root, left[:, :inner] * values).T.reshape(inner, inputs, 1, 3)
    second = (values[:, None] * right[:inner]).view(inner, outputs, 3, 1).transpose(0, 1)
    return first.float(), second.float()


@torch.no_grad()
def factorised(original, photos, inner=INNER_CHANNELS):
    """A factorised network that approximates the original on photos; batch norm is folded in both."""
    inputs = {name: [] for name in FACTORISED}
    hooks = [
        original.get_submodule(name)[0].register_forward_hook(
            lambda _, given, __, name=name: inputs[name].append(given[0])
        )
        for name in FACTORISED
    ]
    for photo in photos:
        original(torch.from_numpy(letterbox(photo.pixels, SIDE)[0]).permute(2, 0, 1)[None] / 255)
    for hook in hooks:
        hook.remove()
    network = fold_batch_norm(FaceNet(inner=inner).eval())
    network.load_state_dict(
        {name: value for name, value in original.state_dict().items() if not name.startswith(FACTORISED)}, strict=False
    )
    for name, channels in zip(FACTORISED, inner):
        conv, (along_rows, (along_columns, _)) = original.get_submodule(name)[0], network.get_submodule(name)
        first, second = factors(conv, inputs[name], channels)
        along_rows.weight.copy_(first)
        along_columns.weight.copy_(second)
        along_columns.bias.copy_(conv.bias)
    return network


def view(photo, random):
    """A photo of random size, or the part of it that fits into [SIDE, SIDE, 3], as uint8.

    Half of the views are mirrored, and some have another light.
    """
    height, width = photo.pixels.shape[:2]
    zoom = np.exp(random.uniform(np.log(MIN_SIZE), np.log(MAX_SIZE))) / max(height, width)
    size = np.maximum(np.round(np.array([width, height]) * zoom).astype(int), 1)
    shown = np.minimum(size, SIDE)
    corner = np.array([random.integers(0, spare + 1) for spare in size - shown])
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


def differences(outputs, targets):
    """Differences of scores, boxes and landmarks of outputs [N, 15, A]; cells are weighted by their target score."""
    mean = lambda errors, weights: (errors * weights).sum() / weights.sum().clamp(min=1.0)
    score = targets[:, 0].sigmoid()
    face_weight = score * (score > MIN_SCORE)
    logits = F.huber_loss(outputs[:, 0], targets[:, 0], reduction="none")
    errors = (outputs - targets).abs()
    boxes, landmarks = errors[:, 1:5].mean(1), errors[:, 5:].mean(1)
    return mean(logits, score + MIN_WEIGHT), mean(boxes, face_weight), mean(landmarks, face_weight)


class InnerMaps:
    """Maps inside a network from its last pass, which the factorised network is to reproduce."""

    def __init__(self, network):
        self.maps = {}
        for name in ("stem.3", "stages.0", "stages.1", "laterals.0"):
            network.get_submodule(name).register_forward_hook(
                lambda _, __, output, name=name: self.maps.update({name: output})
            )

    def difference(self, other):
        """The mean squared difference relative to the variance of the other network's maps."""
        pairs = zip(self.maps.values(), other.maps.values())
        errors = [(values - targets).square().mean() / targets.var() for values, targets in pairs]
        return sum(errors) / len(errors)


def sampling_probabilities(photos):
    weight = lambda photo: (
        ANIMALS_WEIGHT if photo.source in ANIMAL_SOURCES else FACES_WEIGHT if len(photo.boxes) else 1.0
    )
    weights = np.array([weight(photo) for photo in photos])
    return weights / weights.sum()


def train(network, original, photos, options):
    """Train a factorised network on the outputs of the original and return the averaged weights."""
    average = MovingAverage(network, 0.998)
    original, network = (part.to(memory_format=torch.channels_last) for part in (original, network))
    inner, target_inner = InnerMaps(network), InnerMaps(original)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.98))
    probabilities, random = sampling_probabilities(photos), np.random.default_rng(7)
    choose = lambda: random.choice(len(photos), BATCH, p=probabilities)
    batch = lambda: np.stack([view(photos[index], random) for index in choose()])
    # A thread makes the next batch during the step.
    pool = ThreadPoolExecutor(1)
    started, step, history, next_batch = time.monotonic(), 0, [], pool.submit(batch)
    while (progress := (time.monotonic() - started) / (60 * options.minutes)) < 1:
        pictures, next_batch = torch.from_numpy(next_batch.result()).permute(0, 3, 1, 2) / 255, pool.submit(batch)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * (1 - progress) * min(1.0, (step + 1) / WARMUP)
        outputs, targets = (flatten(part(pictures)).transpose(1, 2) for part in (network, original))
        score, boxes, landmarks = differences(outputs, targets)
        inner_loss = inner.difference(target_inner)
        optimizer.zero_grad()
        (score + BOX_WEIGHT * boxes + LANDMARK_WEIGHT * landmarks + INNER_WEIGHT * inner_loss).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        step += 1
        history.append([loss.item() for loss in (score, boxes, landmarks, inner_loss)])
        if step % 200 == 0:
            means = zip(("scores", "boxes", "landmarks", "inner maps"), np.mean(history[-200:], axis=0))
            losses = ", ".join(f"{name} {value:.4f}" for name, value in means)
            print(f"step {step} ({progress:.0%}): losses of {losses}", flush=True)
    return average.state


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=MODELS / "face" / "model.onnx")
    parser.add_argument("--minutes", type=float, default=40, help="duration of the training")
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--threads", type=int, default=2, help="number of CPU threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    photos = split(load_photos(options.cache))[0]
    chosen = np.random.default_rng(0).choice(len(photos), min(PHOTOS, len(photos)), replace=False)
    original = fold_batch_norm(load_network(options.model)).requires_grad_(False)
    network = factorised(original, [photos[index] for index in chosen])
    result = copy.deepcopy(network)
    result.load_state_dict(train(network, original, photos, options))
    export_verified(result, options.output)


if __name__ == "__main__":
    main()
