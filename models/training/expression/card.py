#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Put the figures of an `emotion-evaluate` report into a model card.

    python card.py --report REPORT.json --card CARD.md [--description model.toml]

What stands between the lines `<!-- figures -->` and `<!-- end of figures -->` is replaced; without them it is added at the end.
With `--description`, what `[measured]` of a model.toml says of the outputs is brought up to date too.
"""

import argparse
import json
import re
from pathlib import Path

START, END = "<!-- figures -->", "<!-- end of figures -->"
PROTOCOLS = {"votes": "FER+ protocol", "labels": "FER2013 protocol"}


def percent(share):
    return "-" if share is None else f"{100 * share:.1f}"


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def summary(report):
    """One row for each output and protocol."""
    rows = []
    for output in report["outputs"]:
        for figures in output["figures"]:
            covered = figures["coverage_at_95"]
            answered = f"{percent(covered['answered'])} (from {covered['min_confidence']:.2f})" if covered else "-"
            shares = [
                figures[name] for name in ("accuracy", "macro_recall", "least_recall", "macro_f1", "calibration_error")
            ]
            rows.append(
                [output["output"], PROTOCOLS[figures["protocol"]], figures["count"], *map(percent, shares), answered]
            )
    header = [
        "output",
        "protocol",
        "pictures",
        "accuracy %",
        "macro-recall %",
        "least recall %",
        "macro-F1 %",
        "calibration error %",
    ]
    return table([*header, "answered % at 95 % right (min-confidence)"], rows)


def recalls(report, protocol):
    """Recall of each class by one protocol, a column for each output; empty if the report does not have it."""
    columns = {}
    for output in report["outputs"]:
        for figures in output["figures"]:
            if figures["protocol"] == protocol:
                columns[output["output"]] = figures["classes"]
    if not columns:
        return ""
    classes = next(iter(columns.values()))
    rows = [
        [c["label"], c["count"], *(percent(column[i]["recall"]) for column in columns.values())]
        for i, c in enumerate(classes)
    ]
    return f"Recall by the {PROTOCOLS[protocol]}, %:\n\n" + table(["class", "pictures", *columns], rows) + "\n"


def confusion(figures):
    """The confusion matrix as counts."""
    matrix = figures["confusion"]
    rows = [[label, *counts] for label, counts in zip(matrix["labels"], matrix["counts"])]
    return table(["truth \\ given", *matrix["labels"]], rows)


def robustness(report):
    """Accuracy of the first output under each condition, and what it loses."""
    if not report["conditions"]:
        return ""
    losses = report["conditions"][0]["losses"]
    header = ["condition", *(cell for loss in losses for cell in (f"{PROTOCOLS[loss['protocol']]} %", "lost"))]
    rows = [
        [
            entry["condition"],
            *(cell for loss in entry["losses"] for cell in (percent(loss["accuracy"]), f"{100 * loss['lost']:+.1f}")),
        ]
        for entry in report["conditions"]
    ]
    return f"### When faces look worse\n\nOutput {report['outputs'][0]['output']}:\n\n" + table(header, rows) + "\n"


def figures_section(report):
    """All of it as Markdown."""
    first = report["outputs"][0]
    text = f"{report['pictures']} pictures; {report['inference_ms']:.2f} ms a face in the network, {report['preprocess_ms']:.2f} ms to fill its input (medians, one thread).\n\n"
    text += summary(report) + "\n" + recalls(report, "votes") + recalls(report, "labels")
    for figures in first["figures"]:
        text += f"Output {first['output']}, {PROTOCOLS[figures['protocol']]}:\n\n" + confusion(figures) + "\n"
    return text + robustness(report)


def replace_figures(card, section):
    """The card with the section in its place."""
    block = f"{START}\n{section}{END}"
    if START not in card:
        return f"{card.rstrip()}\n\n## Figures\n\n{block}\n"
    before, rest = card.split(START, 1)
    return before + block + rest.split(END, 1)[1]


def measured(report):
    """Lines for `[measured]`: accuracy, macro-recall and calibration error of each output by its own protocol, and of the first by both."""
    lines = {}
    for index, output in enumerate(report["outputs"]):
        for figures in output["figures"]:
            protocol = {"votes": "ferplus", "labels": "fer2013"}[figures["protocol"]]
            if index == 0 or output["output"] == protocol:
                name = f"{output['output']}_{protocol}" if index == 0 else protocol
                lines |= {
                    f"{name}_{key}": round(figures[key], 4) for key in ("accuracy", "macro_recall", "calibration_error")
                }
    return lines


def replace_measured(description, lines):
    """The model.toml with these lines in `[measured]`, which is its last table; counts of parameters and multiply-adds stay."""
    before, kept = description, ""
    if "[measured]" in description:
        before, rest = description.split("[measured]", 1)
        kept = "".join(f"{line}\n" for line in re.findall(r"^(?:parameters|multiply_adds) = .*$", rest, flags=re.M))
    figures = "".join(f"{name} = {value}\n" for name, value in lines.items())
    return f"{before.rstrip()}\n\n[measured]                     # PublicTest, one crop, by emotion-evaluate; see CARD.md\n{figures}{kept}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    parser.add_argument("--description", type=Path)
    options = parser.parse_args()
    report = json.loads(options.report.read_text())
    card = options.card.read_text() if options.card.exists() else "# Model card: expression\n"
    options.card.write_text(replace_figures(card, figures_section(report)))
    if options.description:
        options.description.write_text(replace_measured(options.description.read_text(), measured(report)))


if __name__ == "__main__":
    main()
