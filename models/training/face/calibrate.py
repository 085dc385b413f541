# SPDX-License-Identifier: MIT OR Apache-2.0
"""Calibrate the scores of the strides, so that a score means the same on each of them.

    python -m training.face.calibrate --cache CACHE --weights RUN/final.pt --output RUN/calibrated.pt

A logistic curve of the logit, fitted to detections on some of the training photos, gives the probability that a box is
a face, for each stride. Slope and offset of the curve relative to those of all strides together become part of the
stride's head.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from training.common.boxes import suppress
from training.face.cells import cell_grid, decode, flatten
from training.face.evaluate import MIN_SCORE
from training.face.export import load_network
from training.face.metrics import match
from training.face.network import STRIDES
from training.face.photos import ANIMAL_SOURCES, UNSURE_SOURCES, letterbox, load_photos, split

SIDES = (320, 640)
PHOTOS = 500
# Many of their faces are unlabelled, or their boxes follow another convention.
EXCLUDED_SOURCES = (*ANIMAL_SOURCES, *UNSURE_SOURCES)


@torch.inference_mode()
def scored_boxes(network, photos, side):
    """float64 [N, 3]: stride, logit, and 1 for a face or 0, of the boxes that `match` counts."""
    found = []
    for photo in photos:
        picture, zoom = letterbox(photo.pixels, side)
        corners, strides = cell_grid(*picture.shape[:2])
        outputs = flatten(network(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255))[0]
        candidate = outputs[:, 0].sigmoid() >= MIN_SCORE
        boxes = decode(outputs[candidate], corners[candidate], strides[candidate])[0].numpy() / zoom
        boxes[:, 2:] -= boxes[:, :2]
        logits, strides = outputs[candidate, 0].numpy(), strides[candidate].numpy()
        boxes, _, indices = suppress(boxes, 1 / (1 + np.exp(-logits)))
        results, _ = match(photo, boxes, list(zip(strides[indices], logits[indices])))
        found += [(stride, logit, hit) for (stride, logit), hit in results]
    return np.array(found, np.float64).reshape(-1, 3)


def logistic(logits, hits, steps=30):
    """(slope, offset) of the logistic curve of maximum likelihood from logits to hits 0 and 1, by Newton's method."""
    inputs, weights = np.stack([logits, np.ones_like(logits)], 1), np.array([1.0, 0.0])
    for _ in range(steps):
        probability = 1 / (1 + np.exp(-(inputs @ weights)))
        curvature = (inputs * (probability * (1 - probability))[:, None]).T @ inputs
        weights = weights + np.linalg.solve(curvature + 1e-6 * np.eye(2), inputs.T @ (hits - probability))
    return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--weights", type=Path, required=True, help="final.pt or an exported .onnx")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    network = load_network(options.weights)
    training, _, _ = split(load_photos(options.cache))
    photos = [photo for photo in training if photo.source not in EXCLUDED_SOURCES and not photo.stretched]
    chosen = np.random.default_rng(0).choice(len(photos), min(PHOTOS, len(photos)), replace=False)
    found = np.concatenate([scored_boxes(network, [photos[index] for index in chosen], side) for side in SIDES])
    slope, offset = logistic(found[:, 1], found[:, 2])
    for stride, head in zip(STRIDES, network.heads):
        of_stride = found[found[:, 0] == stride]
        own_slope, own_offset = logistic(of_stride[:, 1], of_stride[:, 2])
        faces, even = of_stride[:, 2].mean(), -own_offset / own_slope
        print(f"stride {stride}: {len(of_stride)} boxes, {faces:.1%} faces, probability .5 at logit {even:.2f}")
        head.weight.data[0] *= own_slope / slope
        head.bias.data[0] = (own_slope * head.bias.data[0] + own_offset - offset) / slope
    torch.save(network.state_dict(), options.output)


if __name__ == "__main__":
    main()
