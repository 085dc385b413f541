# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares two exports of the same clip: `same_faces.py EXPECTED.ndjson FOUND.ndjson`.

Exits with 1 unless both have the same frames, ids and labels, and boxes (in widths or heights of the frame),
confidences and scores that differ by at most MAX_DIFFERENCE.
"""

import json
import pathlib
import sys

MAX_DIFFERENCE = 1e-3


def rows(path):
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def difference(expected, found):
    """The largest difference of the numbers of two rows. Raises AssertionError if anything else differs."""
    for key in ("type", "frame", "pts", "id", "label"):
        assert expected.get(key) == found.get(key), f"{key}: expected {expected.get(key)}, found {found.get(key)}"
    pairs = [(expected["confidence"], found["confidence"])]
    for key in ("box", "scores"):
        numbers, others = expected.get(key) or {}, found.get(key) or {}
        assert numbers.keys() == others.keys(), f"{key}: expected {numbers}, found {others}"
        pairs += [(number, others[name]) for name, number in numbers.items()]
    return max(abs(one - other) for one, other in pairs)


def main():
    expected, found = map(rows, sys.argv[1:])
    assert expected, f"{sys.argv[1]}: no row"
    assert len(expected) == len(found), f"{sys.argv[2]}: expected {len(expected)} rows, found {len(found)}"
    largest = 0
    for number, (one, other) in enumerate(zip(expected, found), 1):
        try:
            largest = max(largest, difference(one, other))
        except AssertionError as error:
            raise AssertionError(f"{sys.argv[2]}, row {number}: {error}") from None
    file = sys.argv[2]
    assert round(largest, 6) <= MAX_DIFFERENCE, f"{file}: numbers differ by {largest:.1e}, expected at most {MAX_DIFFERENCE}"
    print(f"{file}: {len(expected)} rows, the same ids and labels, boxes and scores differ by at most {largest:.1e}")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"same_faces: error: {error}")
