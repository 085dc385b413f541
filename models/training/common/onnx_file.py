# SPDX-License-Identifier: MIT OR Apache-2.0
"""From torch to an ONNX file and back: folded batch norm, checksums, and descriptions for GStreamer."""

import copy
import hashlib
import re
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

OPSET = 17


def conv_norm_pairs(network):
    """{name: module} of the parts of a network that are a convolution and its batch norm."""
    is_pair = lambda module: isinstance(module, nn.Sequential) and [type(m) for m in module] == [
        nn.Conv2d,
        nn.BatchNorm2d,
    ]
    return {name: module for name, module in network.named_modules() if is_pair(module)}


def fold_batch_norm(network):
    """A copy in which each pair of convolution and batch norm is one convolution with bias."""
    network = copy.deepcopy(network)
    for pair in conv_norm_pairs(network).values():
        pair[0] = fuse_conv_bn_eval(pair[0], pair[1])
        pair[1] = nn.Identity()
    return network


def initializers(path):
    """{name in the network: array} of the weights in an ONNX file."""
    tensors = onnx.load(path).graph.initializer
    return {tensor.name.removeprefix("network."): numpy_helper.to_array(tensor) for tensor in tensors}


@torch.no_grad()
def unfold_batch_norm(network, path):
    """Load the weights of an ONNX file that was written with folded batch norm; the norms only add the biases.

    A ValueError names the file and the weight that is missing or has another shape.
    """
    stored = initializers(path)
    state = network.state_dict()
    for name, (_, norm) in conv_norm_pairs(network).items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            state.pop(f"{name}.1.{part}")
        state.pop(f"{name}.1.num_batches_tracked")
        norm.reset_running_stats()
        norm.weight.fill_((1 + norm.eps) ** 0.5)
        state[f"{name}.0.bias"] = norm.bias
    for name, value in state.items():
        found = stored.get(name)
        if found is None or found.shape != value.shape:
            raise ValueError(
                f"{path}: {name} of shape {tuple(value.shape)} expected, found {None if found is None else found.shape}"
            )
        value.copy_(torch.tensor(found))


@torch.no_grad()
def renew_batch_norm(network, batch, length=3**-0.5):
    """Set the statistics of the norms to those of `batch` without changing the network's outputs in evaluation mode.

    Filters are scaled to the length of random ones, because learning rates do not suit the lengths of folded ones.
    """

    def renew(pair, given, _output):
        conv, norm = pair
        scale = length / conv.weight.flatten(1).norm(dim=1).clamp(min=1e-8)
        conv.weight.mul_(scale[:, None, None, None])
        norm.running_mean.mul_(scale)
        norm.running_var.copy_((norm.running_var + norm.eps) * scale**2 - norm.eps)
        variance, mean = torch.var_mean(conv(given[0]), (0, 2, 3))
        spread = (norm.running_var + norm.eps).sqrt()
        norm.bias.add_((mean - norm.running_mean) / spread * norm.weight)
        norm.weight.mul_((variance + norm.eps).sqrt() / spread)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)

    hooks = [pair.register_forward_hook(renew) for pair in conv_norm_pairs(network).values()]
    was_training = network.training
    network.eval()(batch)
    network.train(was_training)
    for hook in hooks:
        hook.remove()


def write_digest(path):
    """Set the `sha256` line of the model.toml beside a model, if there is one; return the checksum."""
    digest, description = hashlib.sha256(path.read_bytes()).hexdigest(), path.with_name("model.toml")
    if description.exists():
        text = description.read_text()
        description.write_text(re.sub(r'^sha256 = ".*"$', f'sha256 = "{digest}"', text, flags=re.M))
    return digest


def write_modelinfo(path, ident, given, outputs):
    """Write `<model>.modelinfo`, which GStreamer's `onnxinference` reads.

    ident    prefix of the ids of all tensors
    given    name and dimensions of the input, and the range that pixels of 0..255 are mapped to
    outputs  {name: dimensions}
    """

    def section(name, id, dims, direction):
        return (
            f"[{name}]\nid={id}\ntype=float32\ndims={','.join(map(str, dims))}\ndir={direction}\ndims-order=row-major\n"
        )

    name, dims, (low, high) = given
    ranges = ";".join([f"{low},{high}"] * dims[1])
    parts = [f"[modelinfo]\nversion=1.0\ngroup-id={ident}-out\n"]
    parts.append(section(name, f"{ident}-in", dims, "input") + f"ranges={ranges}\n")
    parts += [section(name, f"{ident}-out-{name}", dims, "output") for name, dims in outputs.items()]
    Path(f"{path}.modelinfo").write_text("\n".join(parts))
