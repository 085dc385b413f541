# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the network whose weights are an interpolation of those of two others, one of which was trained from the other.

    python -m training.face.mix FIRST SECOND --share 0.3 --output MIXED.onnx

The result is often better than both if the first layers stayed frozen (`train.py --frozen`), otherwise worse.
"""

import argparse
from pathlib import Path

from training.common.onnx_file import fold_batch_norm
from training.face.export import export, load_network


def mix(first, second, share):
    """The network with the weights (1 - share) * first + share * second, after batch norm is folded in both."""
    mixed, other = fold_batch_norm(first), fold_batch_norm(second).state_dict()
    mixed.load_state_dict(
        {name: (1 - share) * values + share * other[name] for name, values in mixed.state_dict().items()}
    )
    return mixed.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path, help="final.pt or an exported .onnx")
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True, help="weight of the second network, 0..1")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    export(mix(load_network(options.first), load_network(options.second), options.share), options.output)


if __name__ == "__main__":
    main()
