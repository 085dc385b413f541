# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes the small ONNX files that tests load: `python make_models.py FOLDER`. Needs the package onnx."""
import math
import pathlib
import struct
import sys

import onnx
from onnx import TensorProto, helper


def write_identity(folder, name, shape):
    """A graph that returns its input, which is neither the output of a detector nor that of a classifier."""
    value = lambda label: helper.make_tensor_value_info(label, TensorProto.FLOAT, shape)
    nodes = [helper.make_node("Identity", ["input"], ["output"])]
    graph = helper.make_graph(nodes, name, [value("input")], [value("output")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / f"{name}.onnx")


def save(folder, name, nodes, inputs, outputs, initializers):
    """Writes a graph to a file. Inputs and outputs are (name, shape) pairs."""
    values = lambda specs: [helper.make_tensor_value_info(label, TensorProto.FLOAT, shape) for label, shape in specs]
    graph = helper.make_graph(nodes, name, values(inputs), values(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / f"{name}.onnx")


def delay(iterations):
    """Returns nodes that compute `zero`, which is 0, from `input`, and their initializers.

    They run a loop of many small steps, which more cores or wider registers do not speed up.
    """
    scalar = lambda label, kind, value: helper.make_tensor(label, kind, [], [value])
    value = lambda label, kind: helper.make_tensor_value_info(label, kind, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["sum", "step"], ["next"])],
        "body",
        [value("i", TensorProto.INT64), value("go", TensorProto.BOOL), value("sum", TensorProto.FLOAT)],
        [value("go_on", TensorProto.BOOL), value("next", TensorProto.FLOAT)],
        [scalar("step", TensorProto.FLOAT, 1.0)],
    )
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["largest"], keepdims=0),
        helper.make_node("Loop", ["iterations", "yes", "largest"], ["counted"], body=body),
        helper.make_node("Mul", ["counted", "nothing"], ["zero"]),
    ]
    constants = [
        scalar("iterations", TensorProto.INT64, iterations),
        scalar("yes", TensorProto.BOOL, True),
        scalar("nothing", TensorProto.FLOAT, 0.0),
    ]
    return nodes, constants


def write_slow_detector(folder, iterations):
    """CenterFace's outputs, slowly: a face of 48x48 input pixels around each bright cell, with landmarks at its centre."""
    nodes, constants = delay(iterations)
    nodes += [
        helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Mul", ["cells", "scale"], ["share"]),
        helper.make_node("Add", ["share", "zero"], ["heat"]),
        helper.make_node("Mul", ["cells", "nothing"], ["empty"]),
        helper.make_node("Add", ["empty", "log_side"], ["log_sides"]),
        helper.make_node("Add", ["empty", "middle"], ["middles"]),
        helper.make_node("Concat", ["log_sides"] * 2, ["size"], axis=1),
        helper.make_node("Concat", ["empty"] * 2, ["offset"], axis=1),
        helper.make_node("Concat", ["middles"] * 10, ["landmarks"], axis=1),
    ]
    number = lambda label, value: helper.make_tensor(label, TensorProto.FLOAT, [], [value])
    constants += [number("scale", 1 / 255), number("log_side", math.log(12)), number("middle", 0.5)]
    shape = lambda channels: ["n", channels, "rows", "columns"]
    outputs = [("heat", shape(1)), ("size", shape(2)), ("offset", shape(2)), ("landmarks", shape(10))]
    save(folder, "slow-detector", nodes, [("input", ["n", 3, "height", "width"])], outputs, constants)


def write_slow_expression(folder, iterations):
    """Two logits, bright and dark, slowly: four times the mean of the input (-1..1), and its negative."""
    nodes, constants = delay(iterations)
    nodes += [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "zero"], ["grey"]),
        helper.make_node("Mul", ["grey", "weights"], ["logits"]),
    ]
    constants += [helper.make_tensor("weights", TensorProto.FLOAT, [1, 2], [4.0, -4.0])]
    save(folder, "slow-expression", nodes, [("input", ["n", 1, 8, 8])], [("logits", ["n", 2])], constants)


def write_anchors(folder):
    """UltraFace's outputs, boxes first, for a picture of 64x48 pixels. Each bright quarter is a face."""
    corners = [[x, y, x + 0.5, y + 0.5] for y in (0, 0.5) for x in (0, 0.5)]
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["quarters"], kernel_shape=[24, 32], strides=[24, 32]),
        helper.make_node("Reshape", ["quarters", "column"], ["faces"]),
        helper.make_node("Sub", ["one", "faces"], ["background"]),
        helper.make_node("Concat", ["background", "faces"], ["scores"], axis=2),
        helper.make_node("Identity", ["corners"], ["boxes"]),
    ]
    constants = [
        helper.make_tensor("column", TensorProto.INT64, [3], [1, 4, 1]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("corners", TensorProto.FLOAT, [1, 4, 4], sum(corners, [])),
    ]
    outputs = [("boxes", [1, 4, 4]), ("scores", [1, 4, 2])]
    save(folder, "anchors", nodes, [("input", [1, 3, 48, 64])], outputs, constants)


def write_cells(folder):
    """The outputs of this project's face network: a face two strides wide at the centre of each bright cell."""
    nodes = [helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1)]
    for stride in (8, 16, 32):
        name = lambda label: f"{label}_{stride}"
        nodes += [
            helper.make_node("AveragePool", ["grey"], [name("cells")], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Mul", [name("cells"), "scale"], [name("share")]),
            helper.make_node("Add", [name("share"), "bias"], [name("logit")]),
            helper.make_node("Mul", [name("cells"), "nothing"], [name("empty")]),
            helper.make_node("Add", [name("empty"), "geometry"], [name("face")]),
            helper.make_node("Concat", [name("logit"), name("face")], [name("stride")], axis=1),
        ]
    number = lambda label, value: helper.make_tensor(label, TensorProto.FLOAT, [], [value])
    geometry = [0.5, 0.5, math.log(2), math.log(2), 0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    constants = [number("scale", 16 / 255), number("bias", -14.0), number("nothing", 0.0)]
    constants.append(helper.make_tensor("geometry", TensorProto.FLOAT, [1, 14, 1, 1], geometry))
    outputs = [(f"stride_{stride}", ["n", 15, f"rows_{stride}", f"columns_{stride}"]) for stride in (8, 16, 32)]
    save(folder, "cells", nodes, [("input", ["n", 3, "height", "width"])], outputs, constants)


def write_preset(folder, name, picture, output, classes):
    """The signature of a known expression model. Output k is a hundredth of the mean of channel k, or 0 without one."""
    batch, channels = picture[1][0], picture[1][1]
    weights = [0.01 if column == channel else 0.0 for channel in range(channels) for column in range(classes)]
    nodes = [
        helper.make_node("ReduceMean", [picture[0]], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], [output]),
    ]
    constants = [helper.make_tensor("weights", TensorProto.FLOAT, [channels, classes], weights)]
    save(folder, name, nodes, [picture], [(output, [batch, classes])], constants)


def write_no_inputs(folder):
    """CenterFace's outputs from a graph without an input."""
    shape = lambda channels: [1, channels, 4, 4]
    channels = [("heat", 1), ("size", 2), ("offset", 2), ("landmarks", 10)]
    constants = [
        helper.make_tensor(f"{name}_value", TensorProto.FLOAT, shape(count), [0.0] * count * 16)
        for name, count in channels
    ]
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name, _ in channels]
    save(folder, "no-inputs", nodes, [], [(name, shape(count)) for name, count in channels], constants)


def write_grey_cells(folder):
    """CenterFace's outputs from a picture with one channel."""
    nodes = [
        helper.make_node("AveragePool", ["input"], ["heat"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Concat", ["heat"] * 2, ["size"], axis=1),
        helper.make_node("Concat", ["heat"] * 2, ["offset"], axis=1),
        helper.make_node("Concat", ["heat"] * 10, ["landmarks"], axis=1),
    ]
    shape = lambda name, channels: (name, ["n", channels, "rows", "columns"])
    outputs = [shape("heat", 1), shape("size", 2), shape("offset", 2), shape("landmarks", 10)]
    save(folder, "grey-cells", nodes, [("input", ["n", 1, "height", "width"])], outputs, [])


def write_short_landmarks(folder):
    """CenterFace's outputs, but with a quarter of the cells for the landmarks."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["heat"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("AveragePool", ["grey"], ["coarse"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Concat", ["heat"] * 2, ["size"], axis=1),
        helper.make_node("Concat", ["heat"] * 2, ["offset"], axis=1),
        helper.make_node("Concat", ["coarse"] * 10, ["landmarks"], axis=1),
    ]
    shape = lambda name, channels: (name, ["n", channels, f"rows_{name}", f"columns_{name}"])
    outputs = [shape("heat", 1), shape("size", 2), shape("offset", 2), shape("landmarks", 10)]
    save(folder, "short-landmarks", nodes, [("input", ["n", 3, "height", "width"])], outputs, [])


def write_short_boxes(folder):
    """YuNet's outputs, but with one box less than there are cells."""
    strides = (8, 16, 32)
    nodes = [helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1)]
    constants = [helper.make_tensor("column", TensorProto.INT64, [3], [1, -1, 1])]
    bounds = (("one", 1), ("end", 2**31))
    constants += [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in bounds]
    for stride in strides:
        name = lambda label: f"{label}_{stride}"
        nodes += [
            helper.make_node("AveragePool", ["grey"], [name("cells")], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Reshape", [name("cells"), "column"], [name("cls")]),
            helper.make_node("Identity", [name("cls")], [name("obj")]),
            helper.make_node("Concat", [name("cls")] * 4, [name("boxes")], axis=2),
            helper.make_node("Slice", [name("boxes"), "one", "end", "one"], [name("bbox")]),
            helper.make_node("Concat", [name("cls")] * 10, [name("kps")], axis=2),
        ]
    heads = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)]
    outputs = [(f"{head}_{stride}", [1, f"n_{head}_{stride}", values]) for head, values in heads for stride in strides]
    save(folder, "short-boxes", nodes, [("input", [1, 3, "height", "width"])], outputs, constants)


def write_yunet_cells(folder):
    """YuNet's outputs: a face four strides wide around each bright cell of the finest stride, and none of the others."""
    strides = (8, 16, 32)
    nodes = [helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1)]
    for stride in strides:
        name = lambda label: f"{label}_{stride}"
        nodes += [
            helper.make_node("AveragePool", ["grey"], [name("cells")], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Reshape", [name("cells"), "column"], [name("list")]),
            helper.make_node("Mul", [name("list"), "scale" if stride == 8 else "nothing"], [name("cls")]),
            helper.make_node("Identity", [name("cls")], [name("obj")]),
            helper.make_node("Mul", [name("list"), "nothing"], [name("empty")]),
            helper.make_node("Add", [name("empty"), "box"], [name("bbox")]),
            helper.make_node("Add", [name("empty"), "points"], [name("kps")]),
        ]
    number = lambda label, value: helper.make_tensor(label, TensorProto.FLOAT, [], [value])
    constants = [helper.make_tensor("column", TensorProto.INT64, [3], [1, -1, 1])]
    constants += [number("scale", 1 / 255), number("nothing", 0.0)]
    box, points = [0.5, 0.5, math.log(4), math.log(4)], [-0.5, 0, 1.5, 0, 0.5, 0.5, 0, 1.5, 1, 1.5]
    constants.append(helper.make_tensor("box", TensorProto.FLOAT, [1, 1, 4], box))
    constants.append(helper.make_tensor("points", TensorProto.FLOAT, [1, 1, 10], points))
    heads = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)]
    outputs = [(f"{head}_{stride}", [1, f"n_{head}_{stride}", values]) for head, values in heads for stride in strides]
    save(folder, "yunet-cells", nodes, [("input", [1, 3, "height", "width"])], outputs, constants)


def write_external(folder):
    """An expression model for any input size with the logits bright and dark. Its weights are in a second file."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["grey"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["grey", "weights"], ["logits"]),
    ]
    values = struct.pack("<2f", 4.0, -4.0)
    weights = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[1, 2], data_location=TensorProto.EXTERNAL)
    entries = {"location": "weights.data", "offset": "16", "length": str(len(values))}
    for key, value in entries.items():
        weights.external_data.add(key=key, value=value)
    (folder / "weights.data").write_bytes(bytes(16) + values)
    value = lambda label, shape: helper.make_tensor_value_info(label, TensorProto.FLOAT, shape)
    inputs, outputs = [value("input", ["n", 1, "height", "width"])], [value("logits", ["n", 2])]
    graph = helper.make_graph(nodes, "external", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / "external.onnx").write_bytes(model.SerializeToString())


def face_points():
    """The 68 points and two irises of a drawn face, as x, y in 0..1 of its crop."""
    ellipse = lambda x, y, rx, ry, angle: (x + rx * math.cos(math.radians(angle)), y + ry * math.sin(math.radians(angle)))
    jaw = [ellipse(0.5, 0.42, 0.36, 0.5, 180 - 180 * n / 16) for n in range(17)]
    brow = lambda side: [(0.5 + side * (0.28 - 0.05 * n), 0.3 - 0.03 * math.sin(math.pi * n / 4)) for n in range(5)]
    brows = brow(-1) + brow(1)[::-1]
    nose = [(0.5, 0.38 + 0.065 * n) for n in range(4)] + [(0.42 + 0.04 * n, 0.61) for n in range(5)]
    eye = lambda x: [ellipse(x, 0.39, 0.07, 0.03, angle) for angle in (180, 240, 300, 0, 60, 120)]
    outer = [ellipse(0.5, 0.74, 0.14, 0.06, 180 + 30 * n) for n in range(12)]
    inner = [ellipse(0.5, 0.74, 0.1, 0.02, 180 + 45 * n) for n in range(8)]
    return jaw + brows + nose + eye(0.34) + eye(0.66) + outer + inner + [(0.34, 0.39), (0.66, 0.39)]


def write_drawn_face(folder):
    """A geometry model: always the same landmarks. The brightness of the crop, -1..1, sets yaw (45 degrees) and jawOpen."""
    points = [number for point in face_points() for number in point]
    jaw_open = [1.0 if n == 24 else 0.0 for n in range(52)]
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["grey"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["grey", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "points"], ["landmarks"]),
        helper.make_node("Mul", ["grey", "turn"], ["pose"]),
        helper.make_node("Mul", ["grey", "jaw_open"], ["blendshapes"]),
        helper.make_node("Add", ["zero", "certain"], ["trust"]),
    ]
    row = lambda label, values: helper.make_tensor(label, TensorProto.FLOAT, [1, len(values)], values)
    constants = [row("nothing", [0.0]), row("points", points), row("turn", [45.0, 0.0, 0.0])]
    constants += [row("jaw_open", jaw_open), row("certain", [0.9])]
    outputs = [("landmarks", ["n", 140]), ("pose", ["n", 3]), ("blendshapes", ["n", 52]), ("trust", ["n", 1])]
    save(folder, "drawn-face", nodes, [("input", ["n", 1, 16, 16])], outputs, constants)


def write_centroid_refiner(folder):
    """A refiner that moves each box to the brightness centroid of its crop and keeps its size."""
    side = 32
    ramp = [(i + 0.5) / side - 0.5 for i in range(side)]
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["grey", "ramp_x"], ["weighted_x"]),
        helper.make_node("Mul", ["grey", "ramp_y"], ["weighted_y"]),
        helper.make_node("ReduceMean", ["grey"], ["dark"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["dark", "least"], ["light"]),
    ]
    for axis in "xy":
        nodes += [
            helper.make_node("ReduceMean", [f"weighted_{axis}"], [f"sum_{axis}"], axes=[2, 3], keepdims=0),
            helper.make_node("Div", [f"sum_{axis}", "light"], [axis]),
        ]
    nodes += [
        helper.make_node("Mul", ["light", "nothing"], ["score"]),
        helper.make_node("Add", ["score", "length"], ["lengths"]),
        helper.make_node("Concat", ["x", "y", "lengths", "lengths"], ["box"], axis=1),
        helper.make_node("Concat", ["score"] * 10, ["landmarks"], axis=1),
    ]
    number = lambda label, value: helper.make_tensor(label, TensorProto.FLOAT, [], [value])
    constants = [number("least", 1e-3), number("nothing", 0.0), number("length", 1 / 1.6)]
    constants.append(helper.make_tensor("ramp_x", TensorProto.FLOAT, [1, 1, 1, side], ramp))
    constants.append(helper.make_tensor("ramp_y", TensorProto.FLOAT, [1, 1, side, 1], ramp))
    outputs = [("score", ["n", 1]), ("box", ["n", 4]), ("landmarks", ["n", 10])]
    save(folder, "centroid-refiner", nodes, [("input", ["n", 3, side, side])], outputs, constants)


folder = pathlib.Path(sys.argv[1])
write_identity(folder, "identity", [1, 3, 32, 32])
# 30,000 steps take about 0.1 s, the time of six frames at 60 frames per second.
write_slow_detector(folder, 30_000)
write_slow_expression(folder, 30_000)
write_anchors(folder)
write_cells(folder)
write_preset(folder, "preset-emotion-ferplus-8", ("Input3", [1, 1, 64, 64]), "Plus692_Output_0", 8)
write_preset(folder, "preset-hsemotion-b0-8", ("input", ["n", 3, 224, 224]), "output", 8)
write_preset(folder, "preset-mobilefacenet", ("data", [1, 3, 112, 112]), "label", 7)
write_preset(folder, "preset-mini-xception", ("input", ["n", 1, 64, 64]), "predictions", 7)
write_no_inputs(folder)
write_grey_cells(folder)
write_short_landmarks(folder)
write_short_boxes(folder)
write_yunet_cells(folder)
write_external(folder)
write_drawn_face(folder)
write_centroid_refiner(folder)
