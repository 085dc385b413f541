#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Make an int8 copy of the exported network, as `../quantize.py` does, calibrated on crops of training photos.

    python quantize_face.py --cache CACHE [--model ../../face/model.onnx] --output FOLDER [--crops 256]

FOLDER receives `model.onnx` and `model.toml`, for `emotion-evaluate detection --model` and `facedetect model-file=`. The heads stay in
fp32: scores, boxes and landmarks share a map there, and their ranges differ widely.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader

from training.common.paths import MODELS
from training.face.crops import photo_weights, random_crop
from training.face.photos import load_photos, split
from training.expression.quantize import write_quantized


class Crops(CalibrationDataReader):
    """Training crops in batches, as calibration wants them."""

    def __init__(self, photos, count, side=256, batch=8):
        self.photos, self.weights, self.side, self.batch = photos, photo_weights(photos), side, batch
        self.starts = iter(range(0, count, batch))

    def get_next(self):
        start = next(self.starts, None)
        if start is None:
            return None
        seeds = range(start, start + self.batch)
        crops = [
            random_crop(self.photos, self.weights, self.side, np.random.default_rng([0, seed])).pixels for seed in seeds
        ]
        return {"input": np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)}


def head_nodes(path):
    """Names of the nodes that give the outputs."""
    graph = onnx.load(path).graph
    outputs = {value.name for value in graph.output}
    return [node.name for node in graph.node if outputs & set(node.output)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODELS / "face" / "model.onnx")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=256)
    options = parser.parse_args()
    training, _, _ = split(load_photos(options.cache))
    write_quantized(options.model, Crops(training, options.crops), options.output, head_nodes)


if __name__ == "__main__":
    main()
