#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Make a score mean the same whichever stride it comes from.

    python calibrate_face.py --cache FOLDER --weights RUN/final.pt --output RUN/calibrated.pt

What is found in some of the photos that were trained on tells, for each stride, how likely a box of some score is a face: a
logistic curve of the score's logit. Its slope and offset, relative to those of all strides, become part of the stride's head.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from training.common.boxes import suppress
from training.face.export import load_network
from training.face.network import STRIDES
from training.face.loss import cells, decode, flatten
from training.face.photos import ANIMAL_SOURCES, UNSURE_SOURCES, load_photos, split
from training.face.evaluate import LOWEST_SCORE, letterbox, match

SIDES = (320, 640)
PHOTOS = 500
# Many of their faces are not labelled, or their boxes are another's idea of a face.
LEFT_OUT = (*ANIMAL_SOURCES, *UNSURE_SOURCES)


@torch.inference_mode()
def findings(network, photos, side):
    """float64 [N, 3]: stride, logit, and whether it is a face, of all that counts."""
    found = []
    for photo in photos:
        picture, zoom = letterbox(photo.pixels, side)
        corners, strides = cells(*picture.shape[:2])
        outputs = flatten(network(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255))[0]
        some = outputs[:, 0].sigmoid() >= LOWEST_SCORE
        boxes = decode(outputs[some], corners[some], strides[some])[0].numpy() / zoom
        boxes[:, 2:] -= boxes[:, :2]
        logits, strides = outputs[some, 0].numpy(), strides[some].numpy()
        boxes, _, kept = suppress(boxes, 1 / (1 + np.exp(-logits)))
        results, _ = match(photo, boxes, list(zip(strides[kept], logits[kept])))
        found += [(stride, logit, hit) for (stride, logit), hit in results]
    return np.array(found, np.float64).reshape(-1, 3)


def logistic(logits, hits, rounds=30):
    """(slope, offset) of the likeliest curve from logits to hits 0 and 1, by Newton's method."""
    inputs, weights = np.stack([logits, np.ones_like(logits)], 1), np.array([1.0, 0.0])
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-(inputs @ weights)))
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs
        weights = weights + np.linalg.solve(curvature + 1e-6 * np.eye(2), inputs.T @ (hits - chance))
    return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="what photos.py made")
    parser.add_argument("--weights", type=Path, required=True, help="final.pt or an exported .onnx")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    network = load_network(options.weights)
    training, _, _ = split(load_photos(options.cache))
    photos = [photo for photo in training if photo.source not in LEFT_OUT and not photo.stretched]
    chosen = np.random.default_rng(0).choice(len(photos), min(PHOTOS, len(photos)), replace=False)
    found = np.concatenate([findings(network, [photos[index] for index in chosen], side) for side in SIDES])
    slope, offset = logistic(found[:, 1], found[:, 2])
    for stride, head in zip(STRIDES, network.heads):
        of_stride = found[found[:, 0] == stride]
        own_slope, own_offset = logistic(of_stride[:, 1], of_stride[:, 2])
        print(
            f"stride {stride}: {len(of_stride)} boxes, {of_stride[:, 2].mean():.1%} faces, every second one at logit {-own_offset / own_slope:.2f}"
        )
        head.weight.data[0] *= own_slope / slope
        head.bias.data[0] = (own_slope * head.bias.data[0] + own_offset - offset) / slope
    torch.save(network.state_dict(), options.output)


if __name__ == "__main__":
    main()
