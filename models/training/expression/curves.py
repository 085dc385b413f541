# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plot loss and PublicTest accuracy of a run by epoch.

    python -m training.expression.curves --run RUN

RUN holds `log.jsonl` and receives `curves.svg`.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt


def draw(entries, path):
    """Plot losses on the left and accuracies on the right; `entries` are the lines of `log.jsonl`."""
    epochs = [entry["epoch"] for entry in entries]
    figure, (losses, accuracies) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for head in ("ferplus", "fer2013"):
        losses.plot(epochs, [entry[f"{head}_loss"] for entry in entries], label=head)
        accuracies.plot(epochs, [100 * entry[head] for entry in entries], label=head)
    losses.set(title="training loss (augmented)", xlabel="epoch")
    accuracies.set(title="PublicTest accuracy, averaged weights, %", xlabel="epoch")
    for axes in (losses, accuracies):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    run = parser.parse_args().run
    draw([json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()], run / "curves.svg")


if __name__ == "__main__":
    main()
