# SPDX-License-Identifier: MIT OR Apache-2.0
"""Make an int8 copy of the exported geometry network, calibrated on crops of training faces.

    python -m training.geometry.quantize --cache CACHE [--model models/face-geometry/model.onnx] --output FOLDER

The first convolution, which has a single input channel and is slower in int8, and the linear layers, which are cheap and whose
errors are those of the points, are computed in fp32. The weights of the linear layers, which are most of the file, are stored
in 16 bits, those of the blendshapes in 8 bits.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader

from training.common.paths import MODELS
from training.common.quantization import write_quantized
from training.geometry.batches import crop_faces, shaken_frame, to_tensors
from training.geometry.degradation import degrade
from training.geometry.faces import load_faces
from training.geometry.linear import store_linear
from training.geometry.network import normalise

# Beginnings of the names of the layers that only blendshapes depend on.
BLENDSHAPE_LAYERS = ("shapes.",)


class CalibrationCrops(CalibrationDataReader):
    """Crops of training faces as a camera might see them, in batches."""

    def __init__(self, faces, count, batch=64):
        torch.manual_seed(0)
        chosen = faces[np.random.default_rng(0).permutation(len(faces))[:count]]
        tensors = to_tensors(chosen)
        crops, _ = crop_faces(*tensors, shaken_frame(tensors[1]))
        self.batches = iter(normalise(degrade(crops)).split(batch))

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"input": batch.numpy()}


def fp32_nodes(path):
    """The names of the first convolution and of all nodes behind the convolutions."""
    nodes = onnx.load(path).graph.node
    convolutions = [i for i, node in enumerate(nodes) if node.op_type == "Conv"]
    return [nodes[convolutions[0]].name, *(node.name for node in nodes[convolutions[-1] + 2 :])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODELS / "face-geometry" / "model.onnx")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=1024, help="number of training faces to calibrate on")
    options = parser.parse_args()
    faces = load_faces(options.cache)
    crops = CalibrationCrops(faces[~faces.held_out], options.faces)
    write_quantized(options.model, crops, options.output, fp32_nodes)
    store_linear(options.output / "model.onnx", in_8_bits=BLENDSHAPE_LAYERS)


if __name__ == "__main__":
    main()
