# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes the tiny ONNX files that the failure tests load: `python make_models.py FOLDER` (needs the package onnx)."""
import pathlib
import sys

import onnx
from onnx import TensorProto, helper


def write(folder, name, shape):
    """A graph that hands its input on: no detector's outputs and no classifier's."""
    value = lambda label: helper.make_tensor_value_info(label, TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], name, [value("input")], [value("output")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / f"{name}.onnx")


folder = pathlib.Path(sys.argv[1])
write(folder, "identity", [1, 3, 32, 32])
