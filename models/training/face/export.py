#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Export trained weights as one self-contained ONNX file with batch norm folded, and check it.

    python export_face.py --weights RUN/final.pt --output RUN/whole.onnx [--even-at 0.5 0.6 0.6 0.6]

The `sha256` line of a `model.toml` beside the output is brought up to date, and its `.modelinfo`, for GStreamer's onnxinference.

Input `input` float32 [N, 3, H, W], RGB 0..255, H and W multiples of 32. Outputs `stride_4`, `stride_8`, `stride_16` and
`stride_32`, [N, 15, H / s, W / s]: score logit; x, y of the centre and log width, height; x, y of five landmarks. See `loss.decode`.
"""

import argparse
import hashlib
import math
from pathlib import Path

import numpy as np
import onnx
import torch

from training.common.detectors import _session
from training.face.network import BETWEEN, CHANNELS, HALVING, STRIDES, FaceNet, whole
from training.common.onnx_file import OPSET, fold_batch_norm, unfold_batch_norm, write_digest, write_modelinfo

TOLERANCE = 1e-3
MODELINFO_ID = "gst-plugin-emotion-face"


def load_network(path, even_at=(0.5,)):
    """The whole network in evaluation mode with the weights of a `final.pt`, the averaged ones of a `last.pt` or those of an `.onnx`.

    Scores are moved so that `even_at`, one for all strides or one for each, becomes .5, by the biases of the heads: what they were
    taught is how well a box fits, and which of them means "rather a face than not" is chosen afterwards.
    """
    if path.suffix == ".onnx":
        parts = {tensor.name for tensor in onnx.load(path).graph.initializer} & {
            f"{name}.1.0.weight" for name in HALVING
        }
        network = FaceNet(between=BETWEEN) if parts else FaceNet()
        unfold_batch_norm(network, path)
        network = whole(network) if parts else network
        network.stem[0][0].weight.data *= 255
    else:
        network = FaceNet()
        state = torch.load(path, map_location="cpu", weights_only=False)
        network.load_state_dict(state.get("average", state))
    for head, score in zip(network.heads, even_at * (len(STRIDES) // len(even_at)), strict=True):
        head.bias.data[0] -= math.log(score / (1 - score))
    return network.eval()


def export(network, path):
    """Write the ONNX file, weights inside; it takes pixels as they are."""
    folded = fold_batch_norm(network)
    # Black stays 0, so that the border of a convolution means the same as in training.
    folded.stem[0][0].weight.data /= 255
    names = [f"stride_{stride}" for stride in STRIDES]
    axes = {"input": {0: "N", 2: "H", 3: "W"}} | {name: {0: "N", 2: f"H_{name}", 3: f"W_{name}"} for name in names}
    torch.onnx.export(
        folded,
        (torch.zeros(1, 3, 64, 64),),
        str(path),
        input_names=["input"],
        output_names=names,
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
        verbose=False,
    )


def largest_difference(network, path):
    """Largest difference of an output between torch and ONNX Runtime, over random pictures of two sizes."""
    random, session, worst = np.random.default_rng(0), _session(str(path), 1), 0.0
    for height, width in ((96, 128), (320, 256)):
        pictures = random.integers(0, 256, (2, 3, height, width)).astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(pictures) / 255)
        for ours, theirs in zip(expected, session.run(None, {"input": pictures})):
            worst = max(worst, float(np.abs(ours.numpy() - theirs).max()))
    return worst


def write(network, path):
    """Export, see that the file says the same, and bring what describes it up to date."""
    export(network, path)
    onnx.checker.check_model(str(path), full_check=True)
    difference = largest_difference(network, path)
    if difference > TOLERANCE:
        raise SystemExit(f"ONNX Runtime differs from torch by {difference:.2e}, more than {TOLERANCE}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    write_digest(path.with_name("model.toml"), digest)
    maps = {f"stride_{stride}": (-1, CHANNELS, -1, -1) for stride in STRIDES}
    write_modelinfo(path, MODELINFO_ID, ("input", (-1, 3, -1, -1), (0.0, 255.0)), maps)
    print(f"{path}: {path.stat().st_size} bytes, largest difference {difference:.1e}, sha256 {digest}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument(
        "--even-at",
        type=float,
        nargs="+",
        default=[0.5],
        help="score of training that becomes .5 in the file, or one for each stride",
    )
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    write(load_network(options.weights, options.even_at), options.output)


if __name__ == "__main__":
    main()
