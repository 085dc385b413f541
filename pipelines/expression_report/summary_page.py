# SPDX-License-Identifier: MIT OR Apache-2.0
"""The page of an export of totals, made with aggregate-only."""

import collections
import statistics

from .charts import Axis, overall_chart, spread
from .colours import Colours
from .notes import export_notes
from .records import UNKNOWN, UNSCORED, position
from .sections import in_words, shares_table, tile
from .text import duration


def page_of_summaries(records, notes):
    """Returns the fields of page.html, and the axis of time."""
    first = min(position(record) for record in records)
    last = max(position(record) + record["duration"] for record in records)
    axis = Axis(0 if first < last / 2 else first, last)
    step = statistics.median_low(record["duration"] for record in records)
    columns, totals = face_counts(records, axis, axis.columns(max(step, 1)))
    colours = Colours(totals)
    ranked = [label for label in totals if label not in (UNKNOWN, UNSCORED)] + [UNKNOWN, UNSCORED]
    shares = [(label, faces) for label, faces in totals.most_common() if faces]
    words = in_words(shares) or "no face"
    caption = "Faces over all frames. One face in ten frames counts as ten."
    fields = {
        "tiles": tile(duration(axis.length), "length")
        + tile(duration(sum(record["duration"] for record in records if record["faces_max"])), "intervals with faces")
        + tile(max(record["faces_max"] for record in records), "faces at once (maximum)")
        + tile(len(records), "intervals"),
        "overall": overall_chart(columns, ranked, colours, axis, f"Faces over time by label: {words}"),
        "overall_title": "All faces over time",
        "overall_words": "The mean number of faces with each label in each interval. Blank where there was no face.",
        "shares_title": "Share of faces",
        "shares": shares_table(shares, ("Faces", str), caption, colours) if shares else "",
        "faces": "<h2>Individual faces</h2><p>This export has totals only, without boxes or ids.</p>",
        "notes": notes + export_notes(records, step, False),
    }
    return fields, axis


def face_counts(records, axis, columns):
    """Returns for each column the mean number of faces with each label, and the number of faces over all frames."""
    sums, covered = [collections.Counter() for _ in range(columns)], [0] * columns
    totals = collections.Counter()
    for record in records:
        unscored = round(record["faces_mean"] * record["frames"]) - record["faces_scored"]
        counts = {**record["counts"], UNSCORED: max(unscored, 0)}
        totals.update(counts)
        start = position(record)
        for column, part in spread(axis, columns, start, start + max(record["duration"], 1)):
            covered[column] += part
            for label, faces in counts.items():
                sums[column][label] += part * faces / max(record["frames"], 1)
    means = [
        {label: value / time for label, value in values.items()} if time else {}
        for values, time in zip(sums, covered)
    ]
    return means, totals
