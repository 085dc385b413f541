# SPDX-License-Identifier: MIT OR Apache-2.0
"""Put the figures of an `emotion-evaluate` report into a model card.

    python -m training.expression.card --report REPORT.json --card CARD.md [--description model.toml]

The figures replace the text between the lines `<!-- figures -->` and `<!-- end of figures -->`. In a card without these
lines, they are appended. `--description` names a model.toml whose table `[measured]` is updated as well.
"""

import argparse
import json
import re
from pathlib import Path

from training.expression.markdown import table

START, END = "<!-- figures -->", "<!-- end of figures -->"
PROTOCOLS = {"votes": "FER+ protocol", "labels": "FER2013 protocol"}


def percent(share):
    return "-" if share is None else f"{100 * share:.1f}"


def summary(report):
    """A table with a row for each output and protocol."""
    rows = []
    for output in report["outputs"]:
        for figures in output["figures"]:
            coverage = figures["coverage_at_95"]
            answered = f"{percent(coverage['answered'])} (from {coverage['min_confidence']:.2f})" if coverage else "-"
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
        "lowest recall %",
        "macro-F1 %",
        "calibration error %",
    ]
    return table([*header, "coverage % at 95 % accuracy (min-confidence)"], rows)


def recall_table(report, protocol):
    """Recall of each class by one protocol, with a column for each output; empty if the report lacks the protocol."""
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
    return table(["label \\ predicted", *matrix["labels"]], rows)


def robustness(report):
    """Accuracy of the first output under each condition, and how much it loses."""
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
    return f"### Degraded faces\n\nOutput {report['outputs'][0]['output']}:\n\n" + table(header, rows) + "\n"


def figures_section(report):
    """The whole section as Markdown."""
    first = report["outputs"][0]
    times = (
        f"{report['inference_ms']:.2f} ms per face for inference, {report['preprocess_ms']:.2f} ms for preprocessing"
    )
    text = f"{report['pictures']} pictures; {times} (medians, one thread).\n\n"
    text += summary(report) + "\n" + recall_table(report, "votes") + recall_table(report, "labels")
    for figures in first["figures"]:
        text += f"Output {first['output']}, {PROTOCOLS[figures['protocol']]}:\n\n" + confusion(figures) + "\n"
    return text + robustness(report)


def replace_figures(card, section):
    """The card with the section in place of the old figures."""
    block = f"{START}\n{section}{END}"
    if START not in card:
        return f"{card.rstrip()}\n\n## Figures\n\n{block}\n"
    before, rest = card.split(START, 1)
    return before + block + rest.split(END, 1)[1]


def measured(report):
    """Values for `[measured]`: accuracy, macro-recall and calibration error.

    The first output is measured by both protocols, each other output by its own.
    """
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
    """The model.toml with these lines in `[measured]`, its last table.

    The counts of parameters and multiply-adds stay.
    """
    before, counts = description, ""
    if "[measured]" in description:
        before, rest = description.split("[measured]", 1)
        counts = "".join(f"{line}\n" for line in re.findall(r"^(?:parameters|multiply_adds) = .*$", rest, flags=re.M))
    figures = "".join(f"{name} = {value}\n" for name, value in lines.items())
    heading = "[measured]                     # PublicTest, one crop, by emotion-evaluate; see CARD.md"
    return f"{before.rstrip()}\n\n{heading}\n{figures}{counts}"


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
