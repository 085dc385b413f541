# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes resample.json: `python make_resample.py > resample.json`.

The values are Pillow's bilinear resizing of each crop. From a reduction factor of 2 on, each value is the mean of the
area that the result's pixel covers.
"""
import json

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 37, 29
CASES = [  # box (left, top, right, bottom) in pixels, size of the result
    ((0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT)),
    ((0, 0, WIDTH, HEIGHT), (12, 9)),
    ((0, 0, WIDTH, HEIGHT), (7, 5)),
    ((0, 0, WIDTH, HEIGHT), (60, 50)),
    ((4.5, 3.25, 24.5, 23.25), (12, 12)),
    ((10, 10, 17, 17), (16, 16)),
    ((30, 20, WIDTH, HEIGHT), (2, 2)),
]

noise = np.random.default_rng(7).integers(0, 120, (HEIGHT, WIDTH))
ramp = np.linspace(0, 130, WIDTH)[None, :].astype(int)
pixels = (noise + ramp).astype(np.uint8)
picture = Image.fromarray(pixels.astype(np.float32), "F")


def area_weights(start, end, count, available):
    """Returns the weights [count, available] of the samples in each of `count` equal intervals from start to end."""
    edges = np.linspace(start, end, count + 1)
    samples = np.arange(available)
    overlaps = np.minimum(edges[1:, None], samples + 1) - np.maximum(edges[:-1, None], samples)
    return np.clip(overlaps, 0, None) / np.diff(edges)[:, None]


def resized(box, size):
    """Returns the crop `box` of the picture at a size. Both reduction factors must be below 2, or both at least 2."""
    if (box[2] - box[0]) / size[0] < 2:
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box))
    rows, columns = area_weights(box[1], box[3], size[1], HEIGHT), area_weights(box[0], box[2], size[0], WIDTH)
    return rows @ pixels @ columns.T


cases = [{"box": box, "size": size, "values": resized(box, size).round(3).ravel().tolist()} for box, size in CASES]
print(json.dumps({"width": WIDTH, "height": HEIGHT, "pixels": pixels.ravel().tolist(), "cases": cases}))
