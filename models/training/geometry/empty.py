# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cut squares without a face out of labelled photos, on which the network learns not to trust itself.

    python -m training.geometry.empty --data FOLDER --cache CACHE [--count 5000]

FOLDER is that of face/photos.py. CACHE receives `empty.npz`: `image` uint8 [N, 112, 112].
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from training.geometry.faces import SIDE

SQUARES_OF_PHOTO = 3
# Side of a square in parts of the shorter side of the photo, and the contrast that it has at least.
SIDES, MIN_CONTRAST = (0.12, 0.6), 8
SEED = 3


def overlaps(square, box):
    """True if a square (x, y, side) and a box (x, y, width, height) have a pixel in common."""
    x, y, side = square
    return x < box[0] + box[2] and box[0] < x + side and y < box[1] + box[3] and box[1] < y + side


def squares(folder, random):
    """Pictures uint8 [112, 112] of random squares without a face, in random order of the photos."""
    labels = json.loads((folder / "labels.json").read_text())
    for name in random.permutation(sorted(labels)):
        photo = labels[name]
        boxes = [face["box"] for face in photo["faces"]] + photo["ignore"]
        pixels = cv2.imread(str(folder / "photos" / name), cv2.IMREAD_GRAYSCALE)
        for _ in range(SQUARES_OF_PHOTO):
            side = random.uniform(*SIDES) * min(pixels.shape)
            y, x = (random.uniform(0, length - side) for length in pixels.shape)
            if any(overlaps((x, y, side), box) for box in boxes):
                continue
            square = pixels[int(y) : int(y + side), int(x) : int(x + side)]
            if square.std() >= MIN_CONTRAST:
                yield cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--count", type=int, default=5000)
    options = parser.parse_args()
    found = [picture for picture, _ in zip(squares(options.data, np.random.default_rng(SEED)), range(options.count))]
    np.savez(options.cache / "empty.npz", image=np.stack(found))
    print(f"{len(found)} squares without a face")


if __name__ == "__main__":
    main()
