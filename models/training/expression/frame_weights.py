# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measure whether a weight for each frame beats the plain half-life mean of a face's scores.

    python -m training.expression.frame_weights --data DATA [--model MODEL.onnx] [--faces 700]

A sequence shows a face of PublicTest for a second, then another one. In each episode of 1 to 12 frames the face is either
undisturbed or has one augmentation (roll, light, blur, noise, fewer pixels, covered parts); each frame adds jitter and
noise. For each rule, the table has the accuracy once the mean has settled, the delay until the second face's label is
shown, and the changes of the label.
"""

import argparse

import numpy as np
import torch

from training.common.paths import MODELS
from training.expression.augmentation import augment, random_affine, random_noise
from training.expression.dataset import load_faces
from training.expression.inference import onnx_scores
from training.expression.readers import PICTURE_SIDE, PUBLIC_TEST

FRAMES_PER_SECOND = 30
# Frames of each face, and of these the ones at the start that are not counted because the mean has not settled.
FRAMES, SETTLING = 30, 12
LONGEST_EPISODE, DISTURBED, STRENGTH = 12, 0.6, 1.3
# The plugin's smoothing: half-life in seconds, and the factor by which a class must lead to replace the shown one.
HALF_LIFE, LEAD = 0.2, 1.25


def episode(image, frames, generator, is_disturbed):
    """A face [48, 48] over `frames` frames [N, 48, 48], 0..255."""
    x = torch.as_tensor(image, dtype=torch.float32)[None, None]
    if is_disturbed:
        x = augment(x, generator, STRENGTH)
    x = random_affine(x.expand(frames, 1, *image.shape), generator, degrees=4.0, shift=0.03, zoom=0.03, aspect=0.01)
    return random_noise(x, generator, probability=1.0, max_deviation=4.0)[:, 0].clamp(0, 255).round().to(torch.uint8).numpy()


def sequence(images, rng, generator):
    """Each of `images` for `FRAMES` frames, one after the other: [len(images) * FRAMES, 48, 48]."""
    parts = []
    for image in images:
        left = FRAMES
        while left:
            length = min(int(rng.integers(1, LONGEST_EPISODE + 1)), left)
            parts.append(episode(image, length, generator, rng.random() < DISTURBED))
            left -= length
    return np.concatenate(parts)


def shown_labels(values, weights):
    """The label shown on each frame [N, T] for log-scores or scores [N, T, C] and the weights of frames [N, T]."""
    decay = 0.5 ** (1 / (HALF_LIFE * FRAMES_PER_SECOND))
    total, weight, shown, labels = 0.0, 0.0, None, []
    rows = np.arange(len(values))
    for frame in range(values.shape[1]):
        total = decay * total + weights[:, frame, None] * values[:, frame]
        weight = decay * weight + weights[:, frame, None]
        mean = total / weight
        if mean.min() < 0:
            mean = np.exp(mean)
        top = mean.argmax(1)
        if shown is not None:
            top = np.where(mean.max(1) < mean[rows, shown] * LEAD, shown, top)
        shown = top
        labels.append(top)
    return np.stack(labels, axis=1)


def sharpness(frames):
    """Mean absolute Laplacian over the standard deviation of each picture [..., H, W]."""
    x = frames.astype(np.float32)
    neighbours = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    return np.abs(4 * x[..., 1:-1, 1:-1] - neighbours).mean((-1, -2)) / np.maximum(x.std((-1, -2)), 1)


def rules(scores, frames):
    """(name, values, weights) of each rule for scores [N, T, C] of frames [N, T, H, W]."""
    def rank(quality):
        return np.exp(0.5 * (quality - np.median(quality)) / quality.std())

    equal, logs, top = np.ones(scores.shape[:2]), np.log(scores + 1e-6), scores.max(2)
    yield "mean of the scores, as in the plugin", scores, equal
    yield "mean of their logarithms", logs, equal
    yield "weight: top score", scores, top
    yield "weight: square of the top score", scores, top**2
    yield "weight: sharpness", scores, rank(sharpness(frames))
    yield "weight: contrast", scores, rank(frames.std((2, 3)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", required=True, help="folder of FER2013 and its FER+ votes")
    parser.add_argument("--model", default=MODELS / "expression" / "model.onnx")
    parser.add_argument("--faces", type=int, default=700, help="number of sequences")
    options = parser.parse_args()

    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(5)
    faces = load_faces(options.data, PUBLIC_TEST)
    faces = faces.subset(rng.permutation(np.nonzero(faces.ferplus_truth >= 0)[0]))
    pairs = np.arange(2 * options.faces).reshape(-1, 2)
    frames = np.stack([sequence(faces.images[pair], rng, generator) for pair in pairs])
    scores = onnx_scores(options.model, frames.reshape(-1, PICTURE_SIDE, PICTURE_SIDE))
    scores = scores.reshape(*frames.shape[:2], -1)
    first, second = faces.ferplus_truth[pairs].T

    single = np.mean([(scores[:, :FRAMES].argmax(2).T == first), (scores[:, FRAMES:].argmax(2).T == second)])
    print(f"{len(pairs)} sequences; single frames right: {100 * single:.1f} %\n")
    print("| rule | right % | delay, frames | label changes per second |\n|---|---|---|---|")
    for name, values, weights in rules(scores, frames):
        labels = shown_labels(values, weights)
        parts = (labels[:, SETTLING:FRAMES].T == first, labels[:, FRAMES + SETTLING :].T == second)
        right = np.mean([part.mean() for part in parts])
        changed = (labels[:, FRAMES - 1] == first) & (first != second) & (labels[:, FRAMES:] == second[:, None]).any(1)
        delay = (labels[changed, FRAMES:] == second[changed, None]).argmax(1).mean() + 1
        changes = (labels[:, 1:] != labels[:, :-1]).mean() * FRAMES_PER_SECOND
        print(f"| {name} | {100 * right:.1f} | {delay:.1f} | {changes:.2f} |")


if __name__ == "__main__":
    main()
