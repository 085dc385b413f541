#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""From data to card in one command; stopped and started again it goes on where it was.

    python run.py --data DATA --run RUN [options of train.py]

In RUN, which must lie outside the repository:

    data/data.md, samples.png      what the data are like
    log.jsonl, curves.svg          training
    model/model.onnx               the exported model, with model.toml and model.onnx.modelinfo
    int8/model.onnx                its int8 copy
    report.md, report.json         figures of emotion-evaluate, with figures/*.svg: confusion matrices, reliability diagrams
    int8.md                        the same for the int8 copy
    CARD.md                        the card
"""

import argparse
import json
import subprocess
from pathlib import Path

from training.common.modules import ENVIRONMENT, module_command
from training.common.paths import MODELS, REPOSITORY
from training.expression.card import figures_section, replace_figures
from training.expression.data_report import write_report
from training.expression.dataset import PUBLIC_TEST, read_arrays
from training.expression.export_faces import export_faces

EXPRESSION = MODELS / "expression"
EVALUATE = (
    "cargo",
    "run",
    "--locked",
    "--release",
    "--no-default-features",
    "--features",
    "evaluate",
    "--bin",
    "emotion-evaluate",
    "--",
)


def step(name, *command, **keywords):
    """Run a command and stop with its name if it fails."""
    print(f"== {name}", flush=True)
    return subprocess.run([str(part) for part in command], check=True, **keywords)


def script(name, *arguments):
    step(name, *module_command(f"expression.{name}", *arguments), env=ENVIRONMENT)


def evaluate(evaluator, model, faces, output, *options):
    """Write what emotion-evaluate says of a model."""
    done = step(
        f"emotion-evaluate {model}",
        *evaluator,
        "expression",
        "--model",
        model,
        *options,
        faces,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    output.write_text(done.stdout)


def describe(folder, weights_name):
    """A model.toml for a new model: that of the committed one, without what was measured on it."""
    folder.mkdir(parents=True, exist_ok=True)
    description = (EXPRESSION / "model.toml").read_text().split("[measured]")[0].rstrip()
    (folder / "model.toml").write_text(description.replace('version = "1"', f'version = "{weights_name}"') + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="Other options go to train.py.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--strangers", type=Path, help="npz of another collection (dataset.py)")
    parser.add_argument("--evaluator", help="a built emotion-evaluate, instead of building one with cargo")
    options, training_options = parser.parse_known_args()
    run = options.run.resolve()
    if run.is_relative_to(REPOSITORY) and not run.is_relative_to(REPOSITORY / "target"):
        parser.error(f"{run} lies in the repository, where no picture of a data set may be: choose a folder outside")
    data = Path(options.data).resolve()
    arrays = read_arrays(data)
    print(write_report(arrays, run / "data"))
    strangers = ["--strangers", options.strangers] if options.strangers else []
    script("train", "--data", data, "--run", run, *strangers, *training_options)
    script("curves", "--run", run)
    describe(run / "model", run.name)
    exported = run / "model" / "model.onnx"
    script("export", "--data", data, "--weights", run / "final.pt", "--output", exported, *strangers)
    script("quantize", "--data", data, "--model", run / "model" / "model.onnx", "--output", run / "int8")
    export_faces(arrays, PUBLIC_TEST, run / "faces")
    evaluator = [options.evaluator] if options.evaluator else EVALUATE
    report = run / "report.json"
    evaluate(
        evaluator,
        run / "model" / "model.onnx",
        run / "faces",
        run / "report.md",
        "--conditions",
        "--json",
        report,
        "--svg",
        run / "figures",
    )
    evaluate(evaluator, run / "int8" / "model.onnx", run / "faces", run / "int8.md")
    card = (EXPRESSION / "CARD.md").read_text()
    (run / "CARD.md").write_text(replace_figures(card, figures_section(json.loads(report.read_text()))))
    print(f"done: {run / 'CARD.md'} has the figures; read the rest of it before you publish the model")


if __name__ == "__main__":
    main()
