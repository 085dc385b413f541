# SPDX-License-Identifier: MIT OR Apache-2.0
"""Export trained weights as one self-contained ONNX file with folded batch norm, and verify it.

    python -m training.face.export --weights RUN/final.pt --output RUN/whole.onnx [--even-at 0.5 0.6 0.6 0.6]

`<output>.modelinfo`, for GStreamer's onnxinference, is written as well. If there is a `model.toml` in the same folder,
its sha256 is updated.

Input: `input` float32 [N, 3, H, W], RGB 0..255, H and W multiples of 32. Outputs: `stride_4`, `stride_8`, `stride_16`
and `stride_32`, [N, 15, H / s, W / s]: score logit; x, y of the centre and logarithm of width and height; x, y of five
landmarks. `cells.decode` turns them into boxes.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import onnx
import torch

from training.common.detection import open_session
from training.common.onnx_file import OPSET, fold_batch_norm, unfold_batch_norm, write_digest, write_modelinfo
from training.face.network import CHANNELS, FACTORISED, INNER_CHANNELS, STRIDES, FaceNet, merged

TOLERANCE = 1e-3
MODELINFO_ID = "gst-plugin-emotion-face"


def load_network(path, even_at=(0.5,)):
    """The unfactorised network of a `final.pt`, a `last.pt` (averaged weights) or an `.onnx`, in evaluation mode.

    The biases of the heads are changed so that the score `even_at`, one for all strides or one for each, becomes .5.
    The heads learn how well a box fits; which fit means an even chance of a face is decided afterwards.
    """
    if path.suffix == ".onnx":
        factorised = {tensor.name for tensor in onnx.load(path).graph.initializer} & {
            f"{name}.1.0.weight" for name in FACTORISED
        }
        network = FaceNet(inner=INNER_CHANNELS) if factorised else FaceNet()
        unfold_batch_norm(network, path)
        network = merged(network) if factorised else network
        network.stem[0][0].weight.data *= 255
    else:
        network = FaceNet()
        state = torch.load(path, map_location="cpu", weights_only=False)
        network.load_state_dict(state.get("average", state))
    for head, score in zip(network.heads, even_at * (len(STRIDES) // len(even_at)), strict=True):
        head.bias.data[0] -= math.log(score / (1 - score))
    return network.eval()


def export(network, path):
    """Write the ONNX file, including the weights; its input is 0..255."""
    folded = fold_batch_norm(network)
    # The padding of a convolution stands for black, as in training.
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
    """The largest difference between outputs of torch and ONNX Runtime for random pictures of two sizes."""
    random, session, largest = np.random.default_rng(0), open_session(str(path)), 0.0
    for height, width in ((96, 128), (320, 256)):
        pictures = random.integers(0, 256, (2, 3, height, width)).astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(pictures) / 255)
        for ours, theirs in zip(expected, session.run(None, {"input": pictures})):
            largest = max(largest, float(np.abs(ours.numpy() - theirs).max()))
    return largest


def export_verified(network, path):
    """Export a network, verify the file, and update its descriptions."""
    export(network, path)
    onnx.checker.check_model(str(path), full_check=True)
    difference = largest_difference(network, path)
    if difference > TOLERANCE:
        raise SystemExit(f"ONNX Runtime and torch differ by {difference:.2e}, more than {TOLERANCE}")
    digest = write_digest(path)
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
        help="trained score that becomes .5 in the file; one for all strides or one for each",
    )
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    export_verified(load_network(options.weights, options.even_at), options.output)


if __name__ == "__main__":
    main()
