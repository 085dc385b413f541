# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes resample.json, crops and sizes as Pillow makes them: `python make_resample.py > resample.json`."""
import json

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 37, 29
CASES = [  # box (left, top, right, bottom) in pixels, size of the result
    ((0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT)),
    ((0, 0, WIDTH, HEIGHT), (12, 9)),
    ((0, 0, WIDTH, HEIGHT), (5, 3)),
    ((0, 0, WIDTH, HEIGHT), (60, 50)),
    ((4.5, 3.25, 24.5, 23.25), (12, 12)),
    ((10, 10, 17, 17), (16, 16)),
    ((30, 20, WIDTH, HEIGHT), (2, 2)),
]

noise = np.random.default_rng(7).integers(0, 120, (HEIGHT, WIDTH))
ramp = np.linspace(0, 130, WIDTH)[None, :].astype(int)
pixels = (noise + ramp).astype(np.uint8)
picture = Image.fromarray(pixels.astype(np.float32), "F")
cases = [
    {"box": box, "size": size, "values": np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box)).round(3).ravel().tolist()}
    for box, size in CASES
]
print(json.dumps({"width": WIDTH, "height": HEIGHT, "pixels": pixels.ravel().tolist(), "cases": cases}))
