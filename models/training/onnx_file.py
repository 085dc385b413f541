# SPDX-License-Identifier: MIT OR Apache-2.0
"""What every export here does on the way from torch to an ONNX file."""

import copy
import re
from pathlib import Path

import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

OPSET = 17


def fold_batch_norm(network):
    """A copy in which every (convolution, batch norm) pair is one convolution with bias."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        children = list(module.children())
        if isinstance(module, torch.nn.Sequential) and [type(c) for c in children] == [torch.nn.Conv2d, torch.nn.BatchNorm2d]:
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = torch.nn.Identity()
    return network


def write_digest(description, digest):
    """Set the `sha256` line of a model.toml, if there is one."""
    if description.exists():
        text = description.read_text()
        description.write_text(re.sub(r'^sha256 = ".*"$', f'sha256 = "{digest}"', text, flags=re.M))


def write_modelinfo(path, ident, given, outputs):
    """The description that GStreamer's `onnxinference` reads: `<model>.modelinfo`.

    ident    what the ids of all tensors begin with
    given    name, dimensions and the range that pixels of 0..255 are brought to, of the input
    outputs  name to dimensions of each output
    """
    def section(name, id, dims, direction):
        return f"[{name}]\nid={id}\ntype=float32\ndims={','.join(map(str, dims))}\ndir={direction}\ndims-order=row-major\n"

    name, dims, (low, high) = given
    ranges = ";".join([f"{low},{high}"] * dims[1])
    parts = [f"[modelinfo]\nversion=1.0\ngroup-id={ident}-out\n"]
    parts.append(section(name, f"{ident}-in", dims, "input") + f"ranges={ranges}\n")
    parts += [section(name, f"{ident}-out-{name}", dims, "output") for name, dims in outputs.items()]
    Path(f"{path}.modelinfo").write_text("\n".join(parts))
