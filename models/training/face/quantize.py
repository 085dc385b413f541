# SPDX-License-Identifier: MIT OR Apache-2.0
"""Make an int8 copy of the exported face network, calibrated on crops of training photos.

    python -m training.face.quantize --cache CACHE [--model models/face/model.onnx] --output FOLDER [--crops 256]

FOLDER receives `model.onnx` and `model.toml`, for `emotion-evaluate detection --model` and `facedetect model-file=`.

Only the stages are in int8, which have four tenths of the multiplications. The stem gains nothing from int8, because
converting its large maps takes as long as the faster multiplications save. The pyramid and the heads stay in fp32: ONNX
Runtime enlarges maps faster there, and scores, boxes and landmarks share a map although their ranges differ.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader

from training.common.paths import MODELS
from training.common.quantization import write_quantized
from training.face.crops import photo_weights, random_crop
from training.face.photos import load_photos, split


class CalibrationCrops(CalibrationDataReader):
    """Training crops in batches."""

    def __init__(self, photos, count, side=256, batch=8):
        self.photos, self.weights, self.side, self.batch = photos, photo_weights(photos), side, batch
        self.starts = iter(range(0, count, batch))

    def get_next(self):
        start = next(self.starts, None)
        if start is None:
            return None
        generators = [np.random.default_rng([0, seed]) for seed in range(start, start + self.batch)]
        crops = [random_crop(self.photos, self.weights, self.side, generator).pixels for generator in generators]
        return {"input": np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)}


def fp32_nodes(path):
    """Names of all nodes outside of the stages."""
    return [node.name for node in onnx.load(path).graph.node if not node.name.startswith("/stages.")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--model", type=Path, default=MODELS / "face" / "model.onnx")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=256, help="number of crops to calibrate on")
    options = parser.parse_args()
    training, _, _ = split(load_photos(options.cache))
    write_quantized(options.model, CalibrationCrops(training, options.crops), options.output, fp32_nodes)


if __name__ == "__main__":
    main()
