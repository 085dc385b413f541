# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compact storage of the linear layers, which hold most of the network's weights."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.common.onnx_file import write_digest


def _stored(name, weights, in_8_bits):
    """(tensors, nodes) by which a model holds the weights [outputs, inputs] of a layer, and restores them when it is loaded."""
    node = lambda kind, given, output, **options: helper.make_node(kind, given, [output], output + "_restored", **options)
    if not in_8_bits:
        tensor = numpy_helper.from_array(weights.astype(np.float16), name + "_16")
        return [tensor], [node("Cast", [tensor.name], name, to=TensorProto.FLOAT)]
    scale = np.abs(weights).max(1, keepdims=True) / 127
    tensor = numpy_helper.from_array(np.round(weights / scale).astype(np.int8), name + "_8")
    scales = numpy_helper.from_array(scale, name + "_scale")
    numbers = name + "_numbers"
    return [tensor, scales], [
        node("Cast", [tensor.name], numbers, to=TensorProto.FLOAT),
        node("Mul", [numbers, scales.name], name),
    ]


def store_linear(path, in_8_bits=()):
    """Store the weights of an ONNX file's linear layers compactly, and update its checksum. They are computed in fp32 as before.

    in_8_bits  beginnings of the names of layers that are stored in 8 bits, with a scale per output; the others are float16
    """
    model = onnx.load(path)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    restored = []
    for linear in [node for node in graph.node if node.op_type == "Gemm"]:
        name = linear.input[1]
        tensors, nodes = _stored(name, numpy_helper.to_array(weights[name]), name.startswith(tuple(in_8_bits)))
        restored += nodes
        graph.initializer.remove(weights[name])
        graph.initializer.extend(tensors)
    nodes = [*restored, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    print(f"{path}: {path.stat().st_size} bytes, sha256 {write_digest(path)}")
