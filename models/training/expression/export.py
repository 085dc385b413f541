# SPDX-License-Identifier: MIT OR Apache-2.0
"""Export trained weights as one self-contained ONNX file with folded batch norm and combined heads, and verify it.

    python -m training.expression.export --data DATA --weights RUN/final.pt [MORE/final.pt ...] [--shares 0.3 0.7]
                                         [--strangers STRANGERS.npz] [--output models/expression/model.onnx]

Several weights are averaged by their shares; each must come from a run that continues the one before. An exported file is
accepted as well: its heads get new rules. The rules that combine the heads (`combine.py`) and the softmax temperatures are
fitted to the data set and, if given, to half 0 of the strangers.

Input: `input` float32 [N, 1, 48, 48], value = (pixel - 128) / 64, N free. Outputs: probabilities `scores` and
`balanced` [N, 8], one for each prior; logits `ferplus` [N, 8] and `fer2013` [N, 7]. `<output>.modelinfo`, for GStreamer's onnxinference, is written as well. A
`model.toml` in the same folder is updated: its sha256 and the temperatures of the heads.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import onnx
import torch

from training.common.onnx_file import OPSET, fold_batch_norm, write_digest, write_modelinfo
from training.common.paths import MODELS
from training.expression.augmentation import augment
from training.expression.combine import OUTPUT_OF_PRIOR, describe, fit_rules, linear
from training.expression.dataset import faces_of, load_strangers
from training.expression.inference import onnx_outputs, torch_logits
from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS, LABELLED_HEADS
from training.expression.metrics import fit_temperature
from training.expression.network import count_cost, network_of, read_network
from training.expression.readers import PUBLIC_TEST, TRAINING, read_arrays

TOLERANCE = 1e-3
OUTPUTS = dict.fromkeys((*OUTPUT_OF_PRIOR.values(), "ferplus"), len(FERPLUS_LABELS)) | {"fer2013": len(FER2013_LABELS)}


def load_network(paths, shares):
    """A network with the weighted average of several weights, `final.pt` or exported files, in evaluation mode."""
    states = [read_network(path).state_dict() for path in paths]
    mean = {name: sum(share * state[name].double() for share, state in zip(shares, states)) for name in states[0]}
    return network_of({name: value.to(states[0][name].dtype) for name, value in mean.items()})


class Combined(torch.nn.Module):
    """A network whose outputs are probabilities [N, 8] by each of the rules, and the logits of the labelled heads."""

    def __init__(self, network, rules):
        super().__init__()
        self.network = network
        matrices, biases = zip(*map(linear, rules))
        self.register_buffer("matrix", torch.tensor(np.concatenate(matrices).T, dtype=torch.float32))
        self.register_buffer("bias", torch.tensor(np.concatenate(biases), dtype=torch.float32))

    def forward(self, x):
        heads = self.network(x)
        logits = torch.cat([head.log_softmax(1) for head in heads], dim=1) @ self.matrix + self.bias
        scores = [part.softmax(1) for part in logits.split(len(FERPLUS_LABELS), dim=1)]
        return *scores, *heads[: len(LABELLED_HEADS)]


def export(network, rules, path):
    """Write the ONNX file, including the weights. `rules` has one rule for each of `OUTPUT_OF_PRIOR`."""
    torch.onnx.export(
        Combined(fold_batch_norm(network), rules),
        (torch.zeros(2, 1, 48, 48),),
        str(path),
        input_names=["input"],
        output_names=list(OUTPUTS),
        dynamic_axes={name: {0: "N"} for name in ("input", *OUTPUTS)},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path), full_check=True)


def largest_difference(network, rules, path):
    """The largest difference between outputs of torch and ONNX Runtime for random pictures in batches of 1 and 7."""
    random = np.random.default_rng(0)
    combined = Combined(network, rules).eval()
    largest = 0.0
    for count in (1, 7):
        pictures = random.integers(0, 256, (count, 48, 48), dtype=np.uint8)
        for ours, theirs in zip(torch_logits(combined, pictures), onnx_outputs(path, list(OUTPUTS), pictures)):
            largest = max(largest, float(np.abs(ours - theirs).max()))
    return largest


def augmented(images, seed=0, batch=256):
    """Training pictures uint8 [N, 48, 48], each augmented once as in training."""
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.from_numpy(images[start : start + batch])[:, None].float() for start in range(0, len(images), batch)]
    return np.concatenate([augment(part, generator)[:, 0].round().byte().numpy() for part in parts])


def fitted_rules(network, training, test, strangers):
    """{prior: `Rule`} by the protocol of combine.py; `strangers` is (images [N, 48, 48], labels) of half 0 or None."""
    if strangers:
        images, labels = strangers
        views = [torch_logits(network, view) for view in (images, np.ascontiguousarray(images[:, :, ::-1]))]
        strangers = tuple(np.concatenate(head) for head in zip(*views)), np.tile(labels, 2)
    training_logits = torch_logits(network, augmented(training.images))
    return fit_rules(training_logits, training, torch_logits(network, test.images), test, strangers)


def model_name(description):
    """The `name` in a model.toml, or the default."""
    found = description.exists() and re.search(r'^name = "(.*)"$', description.read_text(), flags=re.M)
    return found[1] if found else "expression"


def write_temperature(description, output, temperature):
    """Set the `temperature` of an output in a model.toml, if the file exists."""
    if description.exists():
        line = rf'(name = "{output}"\n(?:(?!\[\[).*\n)*?temperature = )[0-9.]+'
        description.write_text(re.sub(line, rf"\g<1>{temperature:.3f}", description.read_text()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data set in any form that readers.py reads")
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--shares", type=float, nargs="+", help="share of each of the weights, with a sum of 1; equal by default"
    )
    parser.add_argument(
        "--strangers", type=Path, help="npz of labelled faces from another collection (load_strangers in dataset.py)"
    )
    parser.add_argument("--output", type=Path, default=MODELS / "expression" / "model.onnx")
    options = parser.parse_args()
    shares = options.shares or [1 / len(options.weights)] * len(options.weights)
    if len(shares) != len(options.weights) or abs(sum(shares) - 1) > 1e-6:
        parser.error("--shares needs one share for each of the weights, with a sum of 1")
    network = load_network(options.weights, shares)
    arrays = read_arrays(options.data)
    training, test = faces_of(arrays, TRAINING), faces_of(arrays, PUBLIC_TEST)
    strangers = load_strangers(options.strangers, half=0) if options.strangers else None
    rules = fitted_rules(network, training, test, strangers)
    in_order = [rules[prior] for prior in OUTPUT_OF_PRIOR]
    export(network, in_order, options.output)
    difference = largest_difference(network, in_order, options.output)
    if difference > TOLERANCE:
        raise SystemExit(f"ONNX Runtime and torch differ by {difference:.2e}, more than {TOLERANCE}")
    description = options.output.with_name("model.toml")
    digest = write_digest(options.output)
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
    for prior, rule in rules.items():
        print(f"{prior}: {describe(rule)}")
    print(f"{options.output}: {options.output.stat().st_size} bytes, largest difference {difference:.1e}")
    print(f"{parameters} parameters, {multiply_adds} multiply-adds, sha256 {digest}")


if __name__ == "__main__":
    main()
