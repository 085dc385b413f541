# SPDX-License-Identifier: MIT OR Apache-2.0
"""Export trained weights as one self-contained ONNX file with folded batch norm, and verify it.

    python -m training.geometry.export --weights RUN/final.pt --output models/face-geometry/model.onnx

`<output>.modelinfo`, for GStreamer's onnxinference, is written as well. If there is a `model.toml` in the same folder, its
sha256 is updated. network.py describes input and outputs.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.common.detection import open_session
from training.common.onnx_file import OPSET, fold_batch_norm, write_modelinfo
from training.geometry.linear import store_linear
from training.geometry.network import OUTPUTS, SIDE, GeometryNet, normalise

# In the units of each output: parts of the crop, degrees, and values of 0..1.
TOLERANCES = {"landmarks": 1e-4, "pose": 1e-2, "blendshapes": 1e-4, "trust": 1e-4}
MODELINFO_ID = "gst-plugin-emotion-face-geometry"


def load_network(path):
    """The network of a `final.pt` or a `last.pt` (averaged weights), in evaluation mode."""
    state = torch.load(path, map_location="cpu", weights_only=False)
    network = GeometryNet()
    network.load_state_dict(state.get("average", state))
    return network.eval()


def export(network, path):
    """Write the ONNX file, including the weights."""
    torch.onnx.export(
        fold_batch_norm(network),
        (torch.zeros(1, 1, SIDE, SIDE),),
        str(path),
        input_names=["input"],
        output_names=list(OUTPUTS),
        dynamic_axes={name: {0: "N"} for name in ("input", *OUTPUTS)},
        opset_version=OPSET,
        dynamo=False,
        verbose=False,
    )


def differences(network, path):
    """{output: largest difference between torch and ONNX Runtime} for random pictures."""
    pictures = normalise(np.random.default_rng(0).integers(0, 256, (3, 1, SIDE, SIDE)).astype(np.float32))
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures))
    found = open_session(str(path)).run(list(OUTPUTS), {"input": pictures})
    return {name: float(np.abs(ours.numpy() - theirs).max()) for name, ours, theirs in zip(OUTPUTS, expected, found)}


@torch.no_grad()
def round_linear(network):
    """Round the weights of the linear layers to 16 bits, in which the file stores them."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.copy_(layer.weight.half())


def export_verified(network, path):
    """Round the linear layers of a network, export it, verify the file, and update its descriptions."""
    round_linear(network)
    export(network, path)
    store_linear(path)
    found = differences(network, path)
    if any(found[name] > tolerance for name, tolerance in TOLERANCES.items()):
        raise SystemExit(f"ONNX Runtime and torch differ by {found}, more than {TOLERANCES}")
    pixels = (float(normalise(0)), float(normalise(255)))
    outputs = {name: (-1, count) for name, count in OUTPUTS.items()}
    write_modelinfo(path, MODELINFO_ID, ("input", (-1, 1, SIDE, SIDE), pixels), outputs)
    print(f"largest differences between torch and ONNX Runtime: {found}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    export_verified(load_network(options.weights), options.output)


if __name__ == "__main__":
    main()
