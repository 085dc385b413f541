#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Make an int8 copy of an exported model: QDQ, unsigned activations, signed weights of seven bits per channel, calibrated on training faces.

    python quantize.py --data DATA [--model ../expression/model.onnx] --output FOLDER [--faces 1024]

FOLDER receives `model.onnx`, and a `model.toml` unless it has one, of which the sha256 is brought up to date: for
`emotion-evaluate expression --model FOLDER/model.onnx` and for `emotionclassify model-file=`. The combination of
the heads stays in fp32: it is a few numbers a face, and they matter.
"""

import argparse
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.common.paths import MODELS
from training.expression.dataset import TRAINING, load_faces, normalise
from training.common.onnx_file import write_digest

QUANTIZED = ("Conv", "Gemm", "MatMul")


class Faces(CalibrationDataReader):
    """Training faces in batches, as calibration wants them."""

    def __init__(self, images, batch=64):
        self.batches = iter(
            [{"input": normalise(images[start : start + batch])} for start in range(0, len(images), batch)]
        )

    def get_next(self):
        return next(self.batches, None)


def tail_nodes(path):
    """Names of the nodes that only `scores` needs: those behind the heads."""
    graph = onnx.load(path).graph
    behind, names = set(), []
    for node in graph.node:  # in topological order
        if behind & set(node.input) or node.op_type == "LogSoftmax":
            behind |= set(node.output)
            names.append(node.name)
    return names


def quantize(model, batches, output, excluded):
    """Write the int8 model.

    batches   a `CalibrationDataReader` of inputs
    excluded  from the prepared file to the names of the nodes that stay in fp32
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            batches,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            # Weights of seven bits: sums of two products then fit into the 16 bits that x86 without VNNI has for them.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded(prepared),
            calibrate_method=CalibrationMethod.MinMax,
        )


def write_quantized(model, batches, folder, excluded):
    """`quantize` into a folder, with the descriptions that lie beside the model."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "model.onnx"
    quantize(model, batches, target, excluded)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    description = folder / "model.toml"
    if not description.exists():
        description.write_text(model.with_name("model.toml").read_text())
    write_digest(description, digest)
    if Path(f"{model}.modelinfo").exists():
        shutil.copy(f"{model}.modelinfo", f"{target}.modelinfo")
    print(f"{target}: {target.stat().st_size} bytes, sha256 {digest}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=1024, help="training faces to calibrate on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images = load_faces(options.data, TRAINING).images
    chosen = np.random.default_rng(options.seed).choice(len(images), min(options.faces, len(images)), replace=False)
    write_quantized(options.model, Faces(images[chosen]), options.output, tail_nodes)


if __name__ == "__main__":
    main()
