#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Export trained weights as one self-contained ONNX file with batch norm folded and all heads combined, and check it.

    python export_onnx.py --data DATA --weights RUN/final.pt [MORE/final.pt ...] [--shares 0.3 0.7]
                          [--strangers STRANGERS.npz] [--output ../expression/model.onnx]

Several weights, of which each continues the one before, are averaged by their shares. How the heads are combined
(`combine.py`) and the softmax temperatures are fitted to the data set and, if given, to half 0 of the strangers.

Input `input` float32 [N, 1, 48, 48], value = (pixel - 128) / 64, N free. Outputs: probabilities `scores` [N, 8], logits `ferplus` [N, 8]
and `fer2013` [N, 7]. Written beside the file: its `.modelinfo`, for GStreamer's onnxinference; and into a `model.toml` that is
there, its sha256 and the temperatures of the heads.
"""

import argparse
import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import torch

from training.common.paths import MODELS
from training.expression.augmentation import augment
from training.expression.combine import calibrated, describe, fit_rule, linear, strangers_evidence
from training.expression.dataset import (
    FER2013_LABELS,
    FERPLUS_LABELS,
    LABELLED_HEADS,
    PUBLIC_TEST,
    TRAINING,
    faces_of,
    load_strangers,
    read_arrays,
)
from training.expression.evaluate import fit_temperature, onnx_logits, onnx_scores, torch_logits
from training.expression.network import count_cost, network_of
from training.common.onnx_file import OPSET, fold_batch_norm, write_digest, write_modelinfo

TOLERANCE = 1e-3
OUTPUTS = {"scores": len(FERPLUS_LABELS), "ferplus": len(FERPLUS_LABELS), "fer2013": len(FER2013_LABELS)}


def load_network(paths, shares):
    """The network in evaluation mode with the weighted average of the weights in some `final.pt`."""
    states = [torch.load(path, map_location="cpu") for path in paths]
    mean = {name: sum(share * state[name].double() for share, state in zip(shares, states)) for name in states[0]}
    return network_of({name: value.to(states[0][name].dtype) for name, value in mean.items()})


class Combined(torch.nn.Module):
    """A network with the scores of all heads, probabilities [N, 8], before the logits of those that labels taught."""

    def __init__(self, network, matrix, bias):
        super().__init__()
        self.network = network
        self.register_buffer("matrix", torch.tensor(matrix.T, dtype=torch.float32))
        self.register_buffer("bias", torch.tensor(bias, dtype=torch.float32))

    def forward(self, x):
        heads = self.network(x)
        logits = torch.cat([head.log_softmax(1) for head in heads], dim=1) @ self.matrix + self.bias
        return logits.softmax(1), *heads[: len(LABELLED_HEADS)]


def export(network, rule, path):
    """Write the ONNX file, weights inside."""
    torch.onnx.export(
        Combined(fold_batch_norm(network), *linear(rule)),
        (torch.zeros(2, 1, 48, 48),),
        str(path),
        input_names=["input"],
        output_names=list(OUTPUTS),
        dynamic_axes={name: {0: "N"} for name in ("input", *OUTPUTS)},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path), full_check=True)


def largest_difference(network, rule, path):
    """Largest difference of a value between torch and ONNX Runtime, over random pictures in batches of 1 and 7."""
    random = np.random.default_rng(0)
    combined = Combined(network, *linear(rule)).eval()
    worst = 0.0
    for count in (1, 7):
        pictures = random.integers(0, 256, (count, 48, 48), dtype=np.uint8)
        theirs = (onnx_scores(path, pictures), *onnx_logits(path, pictures))
        for ours, theirs in zip(torch_logits(combined, pictures), theirs):
            worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def augmented(images, seed=0, batch=256):
    """Training pictures [N, 48, 48] as uint8, each augmented once as in training."""
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.from_numpy(images[start : start + batch])[:, None].float() for start in range(0, len(images), batch)]
    return np.concatenate([augment(part, generator)[:, 0].round().byte().numpy() for part in parts])


def fitted_rule(network, training, test, strangers):
    """The `Rule` that combine.py's protocol gives; `strangers` are images [N, 48, 48] and labels of half 0, or None."""
    evidence = None
    if strangers:
        images, labels = strangers
        both = [torch_logits(network, view) for view in (images, np.ascontiguousarray(images[:, :, ::-1]))]
        evidence = strangers_evidence(tuple(np.concatenate(head) for head in zip(*both)), np.tile(labels, 2))
    rule = fit_rule(torch_logits(network, augmented(training.images)), training, evidence)
    return calibrated(rule, torch_logits(network, test.images), test, evidence)


def model_name(description):
    """The `name` in a model.toml, or what it usually is."""
    found = description.exists() and re.search(r'^name = "(.*)"$', description.read_text(), flags=re.M)
    return found[1] if found else "expression"


def write_temperature(description, output, temperature):
    """Set the `temperature` of an output in a model.toml, if there is one."""
    if description.exists():
        line = rf'(name = "{output}"\n(?:(?!\[\[).*\n)*?temperature = )[0-9.]+'
        description.write_text(re.sub(line, rf"\g<1>{temperature:.3f}", description.read_text()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="the data set, in any form dataset.py reads")
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--shares", type=float, nargs="+", help="of each, summing to 1; equal without")
    parser.add_argument("--strangers", type=Path, help="npz of another collection (see dataset.py)")
    parser.add_argument("--output", type=Path, default=MODELS / "expression" / "model.onnx")
    options = parser.parse_args()
    shares = options.shares or [1 / len(options.weights)] * len(options.weights)
    if len(shares) != len(options.weights) or abs(sum(shares) - 1) > 1e-6:
        parser.error("give one share for each of the weights, summing to 1")
    network = load_network(options.weights, shares)
    arrays = read_arrays(options.data)
    training, test = faces_of(arrays, TRAINING), faces_of(arrays, PUBLIC_TEST)
    strangers = load_strangers(options.strangers, half=0) if options.strangers else None
    rule = fitted_rule(network, training, test, strangers)
    export(network, rule, options.output)
    difference = largest_difference(network, rule, options.output)
    if difference > TOLERANCE:
        raise SystemExit(f"ONNX Runtime differs from torch by {difference:.2e}, more than {TOLERANCE}")
    description = options.output.with_name("model.toml")
    digest = hashlib.sha256(options.output.read_bytes()).hexdigest()
    write_digest(description, digest)
    write_modelinfo(
        options.output,
        f"gst-plugin-emotion-{model_name(description)}",
        ("input", (-1, 1, 48, 48), (-2.0, 1.984375)),
        {name: (-1, count) for name, count in OUTPUTS.items()},
    )
    truths = (test.ferplus_truth, test.fer2013)
    for name, logits, truth in zip(LABELLED_HEADS, torch_logits(network, test.images), truths):
        if (truth >= 0).any():
            write_temperature(description, name, fit_temperature((logits[truth >= 0], truth[truth >= 0])))
    parameters, multiply_adds = count_cost(network)
    print(f"scores: {describe(rule)}")
    print(f"{options.output}: {options.output.stat().st_size} bytes, largest difference {difference:.1e}")
    print(f"{parameters} parameters, {multiply_adds} multiply-adds, sha256 {digest}")


if __name__ == "__main__":
    main()
