# SPDX-License-Identifier: MIT OR Apache-2.0
"""Make an int8 copy of an exported expression model, calibrated on training faces.

    python -m training.expression.quantize --data DATA [--model models/expression/model.onnx] --output FOLDER
                                           [--faces 1024]

FOLDER receives `model.onnx`, for `emotion-evaluate expression --model` and `emotionclassify model-file=`, and a
`model.toml`; an existing one stays, except for its sha256. The first convolution, which has a single input channel and is
slower in int8, the linear layers and the nodes that combine the heads stay in fp32: they are cheap, and errors in them
matter.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader

from training.common.paths import MODELS
from training.common.quantization import write_quantized
from training.expression.dataset import load_faces, normalise
from training.expression.readers import TRAINING


class CalibrationFaces(CalibrationDataReader):
    """Training faces in batches."""

    def __init__(self, images, batch=64):
        starts = range(0, len(images), batch)
        self.batches = iter([{"input": normalise(images[start : start + batch])} for start in starts])

    def get_next(self):
        return next(self.batches, None)


def fp32_nodes(path):
    """Names of the first convolution and of the nodes behind the heads, which only the output `scores` needs."""
    graph = onnx.load(path).graph
    tensors, names = set(), [next(node.name for node in graph.node if node.op_type == "Conv")]
    for node in graph.node:  # in topological order
        if tensors & set(node.input) or node.op_type == "LogSoftmax":
            tensors |= set(node.output)
            names.append(node.name)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=1024, help="number of training faces to calibrate on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images = load_faces(options.data, TRAINING).images
    chosen = np.random.default_rng(options.seed).choice(len(images), min(options.faces, len(images)), replace=False)
    write_quantized(options.model, CalibrationFaces(images[chosen]), options.output, fp32_nodes)


if __name__ == "__main__":
    main()
