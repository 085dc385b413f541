#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Look at the data before training on it: class counts, how far voters agree, a grid of samples.

    python data_report.py --data DATA --output FOLDER

FOLDER receives `data.md` and `samples.png` (pictures of the data set: keep it outside the repository).
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.dataset import (
    FER2013_LABELS,
    FERPLUS_LABELS,
    PICTURE_SIDE,
    PRIVATE_TEST,
    PUBLIC_TEST,
    TRAINING,
    VOTE_COLUMNS,
    majority_labels,
    read_arrays,
)

SPLIT_NAMES = {TRAINING: "Training", PUBLIC_TEST: "PublicTest", PRIVATE_TEST: "PrivateTest"}
SAMPLES_PER_CLASS = 12
AGREEMENTS = (0.3, 0.5, 0.7, 0.9)


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def counts_by_split(labels, names, split):
    """Rows (name, count of each split that occurs) and the header."""
    splits = [s for s in SPLIT_NAMES if (split == s).any()]
    rows = [
        [name, *(int(((labels == index) & (split == s)).sum()) for s in splits)] for index, name in enumerate(names)
    ]
    return ["class", *(SPLIT_NAMES[s] for s in splits)], rows


def agreement(votes):
    """Share of the ten votes that the most voted column has [N], 0..1."""
    return votes.max(1) / np.maximum(votes.sum(1), 1)


def describe_votes(arrays):
    """How many rows the FER+ protocol counts, how far people agree, and what they call each FER2013 class."""
    majority = majority_labels(arrays.votes)
    share = agreement(arrays.votes)
    header, rows = counts_by_split(majority, FERPLUS_LABELS, arrays.split)
    left_out = int((majority < 0).sum())
    text = [
        "## FER+ votes\n",
        f"{left_out} of {len(majority)} pictures have no majority among the eight (a tie, unknown, not a face).\n",
    ]
    text.append(table(header, rows))
    bounds = [[f"at least {bound:.0%}", f"{100 * (share >= bound).mean():.1f}"] for bound in AGREEMENTS]
    text.append("How many of the voters the most voted word has:\n\n" + table(["agreement", "% of pictures"], bounds))
    counted = majority >= 0
    labels = np.array([FERPLUS_LABELS.index(label) for label in FER2013_LABELS])[arrays.fer2013]
    text.append(
        f"Label and majority agree on {100 * (labels == majority)[counted].mean():.1f} % of the pictures that have one. Rows: label, columns: votes, %:\n"
    )
    means = [arrays.votes[arrays.fer2013 == label].sum(0) for label in range(len(FER2013_LABELS))]
    rows = [[name, *(f"{100 * v:.0f}" for v in mean / max(mean.sum(), 1))] for name, mean in zip(FER2013_LABELS, means)]
    text.append(table(["label", *VOTE_COLUMNS], rows))
    return "\n".join(text)


def duplicates(images):
    """How many pictures repeat an earlier one, pixel for pixel."""
    return len(images) - len(np.unique(images.reshape(len(images), -1), axis=0))


def sample_grid(arrays, seed=0):
    """Random training pictures, a row for each label, uint8 [H, W]."""
    random = np.random.default_rng(seed)
    rows = []
    for label in range(len(FER2013_LABELS)):
        found = np.flatnonzero((arrays.fer2013 == label) & (arrays.split == TRAINING))
        chosen = random.choice(found, min(SAMPLES_PER_CLASS, len(found)), replace=False) if len(found) else []
        row = np.zeros((PICTURE_SIDE, PICTURE_SIDE * SAMPLES_PER_CLASS), np.uint8)
        for column, index in enumerate(chosen):
            row[:, column * PICTURE_SIDE : (column + 1) * PICTURE_SIDE] = arrays.images[index]
        rows.append(row)
    return np.concatenate(rows)


def write_report(arrays, folder):
    """`data.md` and `samples.png` in the folder; the text."""
    folder.mkdir(parents=True, exist_ok=True)
    header, rows = counts_by_split(arrays.fer2013, FER2013_LABELS, arrays.split)
    training = rows and max(row[1] for row in rows) / max(1, min(row[1] for row in rows))
    text = f"# Data\n\n{len(arrays.images)} pictures, {duplicates(arrays.images)} of them repetitions of another.\n\n## Labels\n\n"
    text += table(header, rows) + f"\nThe largest class is {training:.0f} times the smallest.\n\n"
    text += (
        describe_votes(arrays)
        if arrays.votes is not None
        else "No votes: the ferplus head learns from the labels, and nothing is measured by the FER+ protocol.\n"
    )
    Image.fromarray(sample_grid(arrays)).save(folder / "samples.png")
    text += f"\nSamples, a row for each of {', '.join(FER2013_LABELS)}: ![samples](samples.png)\n"
    (folder / "data.md").write_text(text)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    print(write_report(read_arrays(options.data), options.output))


if __name__ == "__main__":
    main()
