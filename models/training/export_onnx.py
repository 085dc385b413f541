#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Export trained weights as one self-contained ONNX file with batch norm folded, and check it.

    python export_onnx.py --weights RUN/final.pt [MORE/final.pt ...] [--shares 0.3 0.7] [--output ../expression/model.onnx]

Several weights, of which each continues the one before, are averaged by their shares.

The `sha256` line of the `model.toml` beside the output is brought up to date.

Input `input` float32 [N, 1, 48, 48], value = (pixel - 128) / 64, N free. Outputs are logits:
`ferplus` [N, 8] and `fer2013` [N, 7].
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch

from evaluate import onnx_logits, torch_logits
from network import ExpressionNet, count_cost
from onnx_file import OPSET, fold_batch_norm, write_digest

TOLERANCE = 1e-3


def load_network(paths, shares):
    """The network in evaluation mode with the weighted average of the weights in some `final.pt`."""
    states = [torch.load(path, map_location="cpu") for path in paths]
    network = ExpressionNet()
    mean = {name: sum(share * state[name].double() for share, state in zip(shares, states)) for name in states[0]}
    network.load_state_dict({name: value.to(states[0][name].dtype) for name, value in mean.items()})
    return network.eval()


def export(network, path):
    """Write the ONNX file, weights inside."""
    torch.onnx.export(
        fold_batch_norm(network),
        (torch.zeros(2, 1, 48, 48),),
        str(path),
        input_names=["input"],
        output_names=["ferplus", "fer2013"],
        dynamic_axes={"input": {0: "N"}, "ferplus": {0: "N"}, "fer2013": {0: "N"}},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path), full_check=True)


def largest_difference(network, path):
    """Largest difference of a logit between torch and ONNX Runtime, over random pictures in batches of 1 and 7."""
    random = np.random.default_rng(0)
    worst = 0.0
    for count in (1, 7):
        pictures = random.integers(0, 256, (count, 48, 48), dtype=np.uint8)
        for ours, theirs in zip(torch_logits(network, pictures), onnx_logits(path, pictures)):
            worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--shares", type=float, nargs="+", help="of each, summing to 1; equal without")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "expression" / "model.onnx")
    options = parser.parse_args()
    shares = options.shares or [1 / len(options.weights)] * len(options.weights)
    if len(shares) != len(options.weights) or abs(sum(shares) - 1) > 1e-6:
        parser.error("give one share for each of the weights, summing to 1")
    network = load_network(options.weights, shares)
    export(network, options.output)
    difference = largest_difference(network, options.output)
    if difference > TOLERANCE:
        raise SystemExit(f"ONNX Runtime differs from torch by {difference:.2e}, more than {TOLERANCE}")
    digest = hashlib.sha256(options.output.read_bytes()).hexdigest()
    write_digest(options.output.with_name("model.toml"), digest)
    parameters, multiply_adds = count_cost(network)
    print(f"{options.output}: {options.output.stat().st_size} bytes, largest difference {difference:.1e}")
    print(f"{parameters} parameters, {multiply_adds} multiply-adds, sha256 {digest}")


if __name__ == "__main__":
    main()
