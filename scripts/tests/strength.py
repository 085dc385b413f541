# SPDX-License-Identifier: MIT OR Apache-2.0
"""How often plain features find the right one of 100 faces, before and after it is hidden: `strength.py FACES.npy`.

FACES is an array [N, S, S] of grey faces, such as the middle of a detector's boxes. For each side in pixels and each way to hide a face, the features of a
face that is hidden are compared with those of 100 photos, among them the same photo: the easiest case for whoever compares. Chance is 1 %. `again` compares
with photos that were hidden in the same way, at another place of the grid, as somebody would who knows the style.
"""

import sys

import cv2
import numpy as np

SIDES, GALLERY, ROUNDS = (40, 80, 160, 400), 100, 3
# Blocks along the side of a face, as in crates/core/src/draw/blur/region.rs.
BLOCKS = {"pixelate": 3, "blur": 2, "solid": 2}


def block(side):
    """The smallest of 2, 4, 6, 8, 12, 16, 24, ... that is at least `side`."""
    steps = [step for power in range(1, 12) for step in (2**power, 3 * 2 ** (power - 1))]
    return next(step for step in sorted(steps) if step % 2 == 0 and step >= side)


def hidden(face, style, random):
    """The face behind blocks of a grid that is fixed to a frame, somewhere in it."""
    if style == "solid":
        return np.full_like(face, 128)
    side = block(face.shape[0] / BLOCKS[style])
    x, y = random.integers(0, side, 2)
    padded = cv2.copyMakeBorder(face, y, 2 * side, x, 2 * side, cv2.BORDER_REPLICATE)
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    means = padded[: rows * side, : columns * side].reshape(rows, side, columns, side).mean((1, 3)).astype(np.uint8)
    kind = cv2.INTER_NEAREST if style == "pixelate" else cv2.INTER_CUBIC
    return cv2.resize(means, (columns * side, rows * side), interpolation=kind)[y : y + face.shape[0], x : x + face.shape[1]]


def correlation(face):
    small = cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    return (small - small.mean()) / (small.std() + 1e-6)


def local_patterns(face):
    """Histograms of local binary patterns in 8 x 8 cells."""
    face = cv2.resize(face, (66, 66)).astype(np.int16)
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    code = sum((face[y : y + 64, x : x + 64] >= face[1:65, 1:65]).astype(int) << bit for bit, (y, x) in enumerate(around))
    cells = code.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
    counts = np.stack([np.bincount(cell, minlength=256) for cell in cells]).ravel().astype(np.float32)
    return np.sqrt(counts)


def points(face):
    return cv2.ORB_create(200, edgeThreshold=8, patchSize=16).detectAndCompute(cv2.resize(face, (160, 160)), None)[1]


def nearest(feature, gallery):
    """The number of the most similar one; of equals, a random one would be, so none counts."""
    if gallery[0] is None or feature is None or feature.dtype == np.uint8:
        matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
        likeness = [0 if feature is None or other is None else len([m for m in matcher.match(feature, other) if m.distance < 50]) for other in gallery]
    else:
        likeness = [float(feature @ other) for other in gallery]
    best = int(np.argmax(likeness))
    return best if likeness.count(likeness[best]) == 1 else -1


def main(path):
    faces, random = np.load(path), np.random.default_rng(3)
    features = {"correlation": correlation, "LBPH": local_patterns, "ORB": points}
    print("side  style     " + "  ".join(f"{name:>11} {'again':>5}" for name in features))
    for side in SIDES:
        for style in ("none", *BLOCKS):
            shares = {name: [0, 0] for name in features}
            for _ in range(ROUNDS):
                chosen = [cv2.resize(faces[at], (side, side)) for at in random.choice(len(faces), GALLERY, replace=False)]
                probes = [face if style == "none" else hidden(face, style, random) for face in chosen]
                alike = [face if style == "none" else hidden(face, style, random) for face in chosen]
                for name, feature in features.items():
                    found = [feature(probe) for probe in probes]
                    for again, gallery in enumerate((chosen, alike)):
                        known = [feature(face) for face in gallery]
                        shares[name][again] += sum(nearest(one, known) == at for at, one in enumerate(found))
            numbers = "  ".join(f"{shares[name][0] / ROUNDS:9.1f} % {shares[name][1] / ROUNDS:5.1f}" for name in features)
            print(f"{side:4}  {style:8}  {numbers}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
