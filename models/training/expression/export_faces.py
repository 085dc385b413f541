# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the faces of one split as pictures with a table of labels, the input of `emotion-evaluate`.

    python -m training.expression.export_faces --data DATA --output FOLDER [--split public-test]

FOLDER, which must lie outside the repository, receives `pictures/NNNNN.png` and `labels.csv`: file, label (FER2013's)
and, if the data set has them, the ten columns of FER+ votes.
"""

import argparse
import csv
from pathlib import Path

from PIL import Image

from training.common.paths import in_repository
from training.expression.labels import FER2013_LABELS, VOTE_COLUMNS
from training.expression.readers import PUBLIC_TEST, TRAINING, read_arrays

SPLITS = {"training": TRAINING, "public-test": PUBLIC_TEST}


def export_faces(arrays, split, folder):
    """Write the pictures and labels of a split and return the number of pictures."""
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
    if in_repository(options.output):
        parser.error(f"{options.output} is in the repository, which must not hold pictures of a data set")
    count = export_faces(read_arrays(options.data), SPLITS[options.split], options.output)
    print(f"{count} pictures and labels.csv in {options.output}")


if __name__ == "__main__":
    main()
