#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the faces of one split as pictures with a table, for `emotion-evaluate`: outside the repository.

    python export_faces.py --data DATA --output FOLDER [--split public-test]

FOLDER receives `pictures/NNNNN.png` and `labels.csv`: file, label (FER2013's) and, where the data have them, the ten columns of FER+ votes.
"""

import argparse
import csv
from pathlib import Path

from PIL import Image

from training.common.paths import REPOSITORY
from training.expression.dataset import FER2013_LABELS, PUBLIC_TEST, TRAINING, VOTE_COLUMNS, read_arrays

SPLITS = {"training": TRAINING, "public-test": PUBLIC_TEST}


def export_faces(arrays, split, folder):
    """Write the pictures of a split; their number."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rows = (arrays.split == split).nonzero()[0]
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", *(VOTE_COLUMNS if arrays.votes is not None else ())])
        for row in rows:
            name = f"pictures/{row:05d}.png"
            Image.fromarray(arrays.images[row]).save(folder / name)
            votes = arrays.votes[row].tolist() if arrays.votes is not None else ()
            table.writerow([name, FER2013_LABELS[arrays.fer2013[row]], *votes])
    return len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a folder outside the repository")
    parser.add_argument("--split", choices=SPLITS, default="public-test")
    options = parser.parse_args()
    if options.output.resolve().is_relative_to(REPOSITORY) and not options.output.resolve().is_relative_to(
        REPOSITORY / "target"
    ):
        parser.error(
            f"{options.output} lies in the repository, where no picture of a data set may be: choose a folder outside"
        )
    count = export_faces(read_arrays(options.data), SPLITS[options.split], options.output)
    print(f"{count} pictures and labels.csv in {options.output}")


if __name__ == "__main__":
    main()
