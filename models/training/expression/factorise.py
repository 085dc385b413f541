# SPDX-License-Identifier: MIT OR Apache-2.0
"""Factorise the 3x3 convolutions of a trained `default` network: the initial weights of a run of the size `half`.

    python -m training.expression.factorise --data DATA --network models/expression/model.onnx --output START.pt

Each 3x3 convolution of the blocks becomes one along the rows and one along the columns, with fewer channels between
them. Layer by layer, from the input on, their weights predict the outputs of the given network from the inputs that the
layer has in the factorised network, on augmented training pictures.
"""

import argparse
import copy
from pathlib import Path

import torch
import torch.nn.functional as F

from training.common.onnx_file import fold_batch_norm, renew_batch_norm
from training.expression.augmentation import augment
from training.expression.dataset import PIXEL_MEAN, PIXEL_SCALE, load_faces
from training.expression.network import ExpressionNet, read_network
from training.expression.readers import TRAINING

# Number of pictures, and of positions in each of them, that the weights are fitted to; strength of the augmentations.
PICTURES, POSITIONS, STRENGTH = 768, 100, 0.5
# Added to the diagonal of the covariances of the inputs, relative to its mean.
RIDGE = 1e-4


def samples(conv, given, wanted):
    """Some positions of a 3x3 convolution as rows: its inputs [P, 9 I] in `given`, the outputs [P, O] in `wanted`."""
    random = torch.Generator().manual_seed(0)
    patches = F.unfold(given, 3, padding=1, stride=conv.stride)
    count = patches.shape[2]
    positions = torch.stack([torch.randperm(count, generator=random)[:POSITIONS] for _ in range(len(patches))])
    pick = lambda maps: maps.gather(2, positions[:, None].expand(-1, maps.shape[1], -1)).transpose(1, 2).flatten(0, 1)
    return pick(patches).double(), pick(wanted.flatten(2)).double()


def covariance_of(rows):
    """The covariance of rows of mean 0, with a ridge."""
    covariance = rows.T @ rows / len(rows)
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean())
    return covariance


def regression(inputs, outputs):
    """The matrix that predicts the rows `outputs` from the rows `inputs`, both of mean 0."""
    return torch.linalg.solve(covariance_of(inputs), inputs.T @ outputs / len(inputs))


def factors(conv, given, wanted, inner):
    """Weights [B, I, 1, 3] and [O, B, 3, 1] and bias [O] of a factorised convolution, to predict `wanted` from `given`.

    The first factor keeps most of the best 3x3 convolution's outputs; the second is fitted to what the first puts out.
    """
    inputs, outputs = samples(conv, given, wanted)
    output_mean = outputs.mean(0)
    whole = regression(inputs - inputs.mean(0), outputs - output_mean)
    # The first factor sees three values along a row, in each of the three rows.
    by_row = inputs.view(-1, conv.in_channels, 3, 3).transpose(1, 2).flatten(2)
    root = torch.linalg.cholesky(covariance_of(by_row.flatten(0, 1))).T
    whole = whole.view(conv.in_channels, 3, 3, -1).transpose(1, 2).reshape(len(root), -1)
    left, _, _ = torch.linalg.svd(root @ whole, full_matrices=False)
    first = torch.linalg.solve(root, left[:, :inner])
    between = (by_row @ first).transpose(1, 2).flatten(1)
    between_mean = between.mean(0)
    second = regression(between - between_mean, outputs - output_mean).T
    bias = output_mean - second @ between_mean
    first = first.T.reshape(inner, -1, 1, 3)
    return first.float(), second.view(-1, inner, 3, 1).float(), bias.float()


def inputs_and_outputs(network, x, names):
    """{name: (input, output)} of some layers of a network for the pictures `x`."""
    found = {}
    keep = lambda name: lambda _layer, given, output: found.update({name: (given[0], output)})
    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    network(x)
    for hook in hooks:
        hook.remove()
    return found


@torch.no_grad()
def factorised(network, x):
    """A network of the size `half` that approximates one of the size `default` on pictures like `x` [N, 1, 48, 48]."""
    original = fold_batch_norm(network.eval())
    half = ExpressionNet("half", heads=network.heads).eval()
    names = [f"blocks.{index}.{part}" for index in range(len(half.blocks)) for part in ("first", "second")]
    whole = inputs_and_outputs(original, x, names)
    # Until its layers are factorised, the copy has the original's.
    partly = copy.deepcopy(original)
    for name in names:
        conv, layer = original.get_submodule(name)[0], half.get_submodule(name)
        given = inputs_and_outputs(partly, x, [name])[name][0]
        first, second, bias = factors(conv, given, whole[name][1], layer[0].out_channels)
        layer[0].weight.copy_(first)
        set_pair(layer[1], second, bias)
        block, part = name.rsplit(".", 1)
        setattr(partly.get_submodule(block), part, layer)
    remaining = {name: value for name, value in network.state_dict().items() if not name.startswith(tuple(names))}
    half.load_state_dict(remaining, strict=False)
    renew_batch_norm(half, x)
    return half


def set_pair(pair, weight, bias):
    """Set a convolution and its batch norm so that together they have these weights and biases."""
    conv, norm = pair
    conv.weight.copy_(weight)
    norm.reset_running_stats()
    norm.weight.fill_((1 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--network", type=Path, required=True, help="final.pt or an exported .onnx of the size default")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images, generator = load_faces(options.data, TRAINING).images, torch.Generator().manual_seed(1)
    chosen = torch.randperm(len(images), generator=generator)[:PICTURES]
    x = augment(torch.from_numpy(images)[chosen, None].float(), generator, STRENGTH)
    network = factorised(read_network(options.network), (x - PIXEL_MEAN) * PIXEL_SCALE)
    torch.save(network.state_dict(), options.output)


if __name__ == "__main__":
    main()
