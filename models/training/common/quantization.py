# SPDX-License-Identifier: MIT OR Apache-2.0
"""Int8 copies of exported models: QDQ, unsigned activations, signed 7-bit weights with a scale per channel."""

import shutil
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.common.onnx_file import write_digest

# With Relu, its output is quantised and not its input too, so that a convolution and its Relu become one operator. Linear
# layers are so small that converting their inputs and outputs takes longer than 8 bits save.
QUANTIZED_OPERATORS = ("Conv", "Relu")


def quantize(model, batches, output, excluded_nodes):
    """Write the int8 copy of a model.

    batches         a `CalibrationDataReader` of inputs
    excluded_nodes  a function from the path of the prepared file to the names of the nodes that stay in fp32
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            batches,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED_OPERATORS),
            per_channel=True,
            # x86 without VNNI adds two products in 16 bits, which 8-bit weights would overflow.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded_nodes(prepared),
            calibrate_method=CalibrationMethod.MinMax,
        )
    read_before_quantisation(output)


def read_before_quantisation(path):
    """Let the nodes that stay in fp32 read a tensor before it is quantised, if it is in fp32 there.

    The quantiser gives the quantised copy to all readers of a tensor. Reading it costs a conversion and accuracy, and ONNX
    Runtime computes an average pool between two quantised tensors in 8 bits, which takes ten times as long.
    """
    model = onnx.load(path)
    producers = {output: node for node in model.graph.node for output in node.output}

    def is_dequantised(tensor):
        return tensor in producers and producers[tensor].op_type == "DequantizeLinear"

    def is_int8(node):
        """Whether ONNX Runtime computes a node in 8 bits."""
        if node.op_type == "Relu":
            return node.input[0] in producers and is_int8(producers[node.input[0]])
        return node.op_type in ("Conv", "Add") and all(map(is_dequantised, node.input[:2]))

    conversions = ("QuantizeLinear", "DequantizeLinear")
    fp32 = {node.name for node in model.graph.node if node.op_type not in conversions and not is_int8(node)}
    originals = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in producers:
            original = producers[node.input[0]].input[0]
            if original in producers and producers[original].name in fp32:
                originals[node.output[0]] = original
    for node in model.graph.node:
        if node.name in fp32:
            node.input[:] = [originals.get(tensor, tensor) for tensor in node.input]
    onnx.save(model, path)


def write_quantized(model, batches, folder, excluded_nodes):
    """Write the int8 copy into a folder, with copies of the model's `model.toml` and `.modelinfo`.

    An existing `model.toml` stays, except for its sha256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "model.onnx"
    quantize(model, batches, target, excluded_nodes)
    description = folder / "model.toml"
    if not description.exists():
        description.write_text(model.with_name("model.toml").read_text())
    if Path(f"{model}.modelinfo").exists():
        shutil.copy(f"{model}.modelinfo", f"{target}.modelinfo")
    print(f"{target}: {target.stat().st_size} bytes, sha256 {write_digest(target)}")
