# SPDX-License-Identifier: MIT OR Apache-2.0
"""Describe a data set before training on it: class counts, agreement of the voters, a grid of samples.

    python -m training.expression.data_report --data DATA --output FOLDER

FOLDER receives `data.md` and `samples.png`. The latter holds pictures of the data set, so the folder must lie outside
the repository.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS, FERPLUS_OF_FER2013, VOTE_COLUMNS, majority_labels
from training.expression.markdown import table
from training.expression.readers import PICTURE_SIDE, PRIVATE_TEST, PUBLIC_TEST, TRAINING, read_arrays

SPLIT_NAMES = {TRAINING: "Training", PUBLIC_TEST: "PublicTest", PRIVATE_TEST: "PrivateTest"}
SAMPLES_PER_CLASS = 12
AGREEMENTS = (0.3, 0.5, 0.7, 0.9)


def counts_by_split(labels, names, split):
    """(header, rows) of a table of the classes: name, and count in each split that occurs."""
    splits = [s for s in SPLIT_NAMES if (split == s).any()]
    rows = [
        [name, *(int(((labels == index) & (split == s)).sum()) for s in splits)] for index, name in enumerate(names)
    ]
    return ["class", *(SPLIT_NAMES[s] for s in splits)], rows


def agreement(votes):
    """Share of all votes that the leading column has [N], 0..1."""
    return votes.max(1) / np.maximum(votes.sum(1), 1)


def describe_votes(arrays):
    """How many rows the FER+ protocol counts, how far voters agree, and their votes for each FER2013 class."""
    majority = majority_labels(arrays.votes)
    share = agreement(arrays.votes)
    header, rows = counts_by_split(majority, FERPLUS_LABELS, arrays.split)
    uncounted = int((majority < 0).sum())
    text = [
        "## FER+ votes\n",
        f"{uncounted} of {len(majority)} pictures have no majority among the eight (a tie, unknown, not a face).\n",
    ]
    text.append(table(header, rows))
    bounds = [[f"at least {bound:.0%}", f"{100 * (share >= bound).mean():.1f}"] for bound in AGREEMENTS]
    text.append("Share of the votes for the leading class:\n\n" + table(["agreement", "% of pictures"], bounds))
    counted = majority >= 0
    labels = np.array(FERPLUS_OF_FER2013)[arrays.fer2013]
    agreed = 100 * (labels == majority)[counted].mean()
    text.append(
        f"Label and majority agree on {agreed:.1f} % of the pictures with a majority. Rows: label, columns: votes, %:\n"
    )
    sums = [arrays.votes[arrays.fer2013 == label].sum(0) for label in range(len(FER2013_LABELS))]
    rows = [
        [name, *(f"{100 * v:.0f}" for v in votes / max(votes.sum(), 1))] for name, votes in zip(FER2013_LABELS, sums)
    ]
    text.append(table(["label", *VOTE_COLUMNS], rows))
    return "\n".join(text)


def duplicates(images):
    """The number of pictures that are pixel-identical to an earlier one."""
    return len(images) - len(np.unique(images.reshape(len(images), -1), axis=0))


def sample_grid(arrays, seed=0):
    """Random training pictures, with a row for each label, uint8 [H, W]."""
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
    """Write `data.md` and `samples.png` into the folder and return the text."""
    folder.mkdir(parents=True, exist_ok=True)
    header, rows = counts_by_split(arrays.fer2013, FER2013_LABELS, arrays.split)
    imbalance = rows and max(row[1] for row in rows) / max(1, min(row[1] for row in rows))
    text = f"# Data\n\n{len(arrays.images)} pictures, {duplicates(arrays.images)} of them duplicates.\n\n## Labels\n\n"
    text += table(header, rows) + f"\nThe largest class is {imbalance:.0f} times as large as the smallest.\n\n"
    text += (
        describe_votes(arrays)
        if arrays.votes is not None
        else "No votes: the ferplus head learns from the labels, and the FER+ protocol measures nothing.\n"
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
