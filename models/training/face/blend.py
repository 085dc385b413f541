# SPDX-License-Identifier: MIT OR Apache-2.0
"""Blend weights of `hard.py` with the network that it started from, and export the result.

    python -m training.face.blend --start models/face/model.onnx --weights RUN/a-100.pt ... --output NEW.onnx

The result is the mean of all given weights, by `share`, and of the start, by the rest. `<output>.modelinfo` is written,
and the sha256 in the `model.toml` of the output's folder is updated.
"""

import argparse
from pathlib import Path

import torch

from training.face.export import export_verified
from training.face.hard import load_factorised


def blended(network, states, share):
    """The network with weights that are the mean of `states` by `share`, and its own by the rest."""
    own = network.state_dict()
    mean = {name: sum(state[name] for state in states) / len(states) for name in own}
    network.load_state_dict({name: torch.lerp(own[name], mean[name], share) for name in own})
    return network.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    states = [torch.load(path, map_location="cpu") for path in options.weights]
    export_verified(blended(load_factorised(options.start), states, options.share), options.output)


if __name__ == "__main__":
    main()
