# SPDX-License-Identifier: MIT OR Apache-2.0
"""From the data set to the model card in one command. If it is stopped, start it again to continue.

    python -m training.expression.run --data DATA --run RUN [options of train.py]

RUN, which must lie outside the repository, receives:

    data/data.md, samples.png      description of the data set
    log.jsonl, curves.svg          training
    model/model.onnx               the exported model, with model.toml and model.onnx.modelinfo
    int8/model.onnx                its int8 copy
    report.md, report.json         figures of emotion-evaluate
    figures/*.svg                  confusion matrices and reliability diagrams
    int8.md                        figures of the int8 copy
    CARD.md                        the model card
"""

import argparse
import json
import subprocess
from pathlib import Path

from training.common.modules import ENVIRONMENT, module_command
from training.common.paths import MODELS, REPOSITORY, in_repository
from training.expression.card import figures_section, replace_figures
from training.expression.data_report import write_report
from training.expression.export_faces import export_faces
from training.expression.readers import PUBLIC_TEST, read_arrays

EXPRESSION = MODELS / "expression"
EVALUATE = ("cargo", "run", "--locked", "--release", "--package", "emotion-evaluate", "--")


def step(name, *command, **keywords):
    """Print the name of a step and run its command; an error stops the program."""
    print(f"== {name}", flush=True)
    return subprocess.run([str(part) for part in command], check=True, **keywords)


def run_module(name, *arguments):
    step(name, *module_command(f"expression.{name}", *arguments), env=ENVIRONMENT)


def evaluate(evaluator, model, faces, output, *options):
    """Write the output of emotion-evaluate for a model."""
    finished = step(
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
    output.write_text(finished.stdout)


def describe(folder, weights_name):
    """Write the model.toml of a new model: that of the committed model without its measurements."""
    folder.mkdir(parents=True, exist_ok=True)
    description = (EXPRESSION / "model.toml").read_text().split("[measured]")[0].rstrip()
    (folder / "model.toml").write_text(description.replace('version = "1"', f'version = "{weights_name}"') + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="Other options are passed to train.py.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument(
        "--strangers", type=Path, help="npz of labelled faces from another collection (load_strangers in dataset.py)"
    )
    parser.add_argument("--evaluator", help="path of emotion-evaluate; by default, cargo builds it")
    options, training_options = parser.parse_known_args()
    run = options.run.resolve()
    if in_repository(run):
        parser.error(f"{run} is in the repository, which must not hold pictures of a data set")
    data = Path(options.data).resolve()
    arrays = read_arrays(data)
    print(write_report(arrays, run / "data"))
    strangers = ["--strangers", options.strangers] if options.strangers else []
    run_module("train", "--data", data, "--run", run, *strangers, *training_options)
    run_module("curves", "--run", run)
    describe(run / "model", run.name)
    exported = run / "model" / "model.onnx"
    run_module("export", "--data", data, "--weights", run / "final.pt", "--output", exported, *strangers)
    run_module("quantize", "--data", data, "--model", run / "model" / "model.onnx", "--output", run / "int8")
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
    print(f"done: {run / 'CARD.md'} has the figures; review its other sections before you publish the model")


if __name__ == "__main__":
    main()
