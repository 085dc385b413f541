#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the network whose weights lie between those of two others, of which one was trained from the other.

    python mix_face.py FIRST SECOND --share 0.3 --output MIXED.onnx

Often better than either, if the first layers stayed as they were (`train.py --frozen`); elsewhere worse.
"""

import argparse
from pathlib import Path

from training.face.export import export, load_network
from training.common.onnx_file import fold_batch_norm


def mix(first, second, share):
    """A network with `share` of the second's weights and the rest of the first's, batch norm folded in both."""
    mixed, other = fold_batch_norm(first), fold_batch_norm(second).state_dict()
    mixed.load_state_dict(
        {name: (1 - share) * values + share * other[name] for name, values in mixed.state_dict().items()}
    )
    return mixed.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("first", type=Path, help="final.pt or an exported .onnx")
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the second, 0..1")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    export(mix(load_network(options.first), load_network(options.second), options.share), options.output)


if __name__ == "__main__":
    main()
