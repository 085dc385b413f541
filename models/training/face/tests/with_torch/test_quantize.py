# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the int8 copy of the face network."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader

from training.common.detection import open_session
from training.common.paths import MODELS
from training.common.quantization import write_quantized
from training.face.quantize import fp32_nodes

MODEL = MODELS / "face" / "model.onnx"


class Pictures(CalibrationDataReader):
    """Random pictures."""

    def __init__(self):
        self.batches = iter([{"input": picture(seed)} for seed in range(4)])

    def get_next(self):
        return next(self.batches, None)


def picture(seed):
    """Coloured areas of 8x8 pixels, float32 [1, 3, 64, 64]."""
    colours = np.random.default_rng(seed).integers(0, 256, (1, 3, 8, 8))
    return colours.repeat(8, 2).repeat(8, 3).astype(np.float32)


class Quantize(unittest.TestCase):
    def test_only_the_stages_are_in_int8_and_the_outputs_hardly_change(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        write_quantized(MODEL, Pictures(), folder, fp32_nodes)
        graph = onnx.load(folder / "model.onnx").graph
        producers = {output: node for node in graph.node for output in node.output}
        for node in graph.node:
            if node.op_type == "Conv":
                in_int8 = producers.get(node.input[0], node).op_type == "DequantizeLinear" and node.input[1] in producers
                self.assertEqual(in_int8, node.name.startswith("/stages."), node.name)
        # The pyramid adds the stem's own output, not its quantised copy.
        names = {node.name: node for node in graph.node}
        self.assertEqual(producers[names["/Add_2"].input[0]].op_type, "Relu")
        outputs = [open_session(str(path)).run(None, {"input": picture(9)}) for path in (MODEL, folder / "model.onnx")]
        for exact, rounded in zip(*outputs):
            self.assertLess(np.abs(exact - rounded).mean(), 0.1 * exact.std())


if __name__ == "__main__":
    unittest.main()
