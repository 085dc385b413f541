# SPDX-License-Identifier: MIT OR Apache-2.0
"""The page of an export of individual faces."""

import collections
import itertools
import statistics

from .charts import Axis, overall_chart, spread
from .colours import Colours
from .faces import faces_of, faces_until_changes, mean_scores_of, merge_periods, time_by_label
from .key_frames import key_frames
from .notes import export_notes
from .records import UNKNOWN, UNSCORED, BadInput, label_of, position, sampling
from .sections import face_name, face_section, in_words, legend, shares_table, tile
from .text import SECOND, clock, count, duration, percent

MAX_FACES = 60  # with a section of their own: those visible for the longest time


def page_of_faces(records, notes, video, player):
    """Returns the fields of page.html, and the axis of time. `video` and `player` may be None."""
    faces, records, step, sampled = group_faces(records, notes)
    order = list(dict.fromkeys(label for record in records for label in record["scores"] or {}))
    labels = dict.fromkeys([*order, *(label_of(record) for record in records)])
    ranked = [label for label in labels if label not in (UNKNOWN, UNSCORED)] + [UNKNOWN, UNSCORED]
    colours = Colours(labels)
    axis = axis_of(records, faces, video)
    totals = collections.Counter()
    for face in faces.values():
        totals.update(dict(time_by_label(face)))
    means = mean_scores_of(faces.values())
    shares = totals.most_common() + [(name, 0) for name in order if name not in totals]

    sections = face_sections(faces, order, colours, axis, step, video, player)
    counts = face_counts(faces, axis, axis.columns(step))
    fields = {
        "tiles": tiles(records, faces, axis),
        "overall": overall_chart(counts, ranked, colours, axis, f"Faces over time by label: {in_words(totals.most_common())}"),
        "overall_title": "All faces over time",
        "overall_words": "The number of faces with each label. Blank where no face was exported.",
        "shares_title": "Share of time",
        "shares": shares_table(
            shares,
            ("Time", duration),
            "Share of the time in which faces were visible. Two faces for one second count as two seconds. "
            "The mean score counts how probable an expression was, also where another one was the label.",
            colours,
            means,
        ),
        "faces": "<h2>Individual faces</h2><p>The chart shows all scores of the face, the strip below it the label. "
        "Blank where the face was not visible. An id is a track: a person who leaves and returns gets a new one.</p>"
        + legend(ranked, colours)
        + sections,
        "notes": notes + export_notes(records, step, sampled),
    }
    return fields, axis


def group_faces(records, notes):
    """Returns the faces, the records of faces, the time that a record holds, and whether frames were skipped."""
    step, sampled = sampling(records)
    # An export of changes also has a record for frames in which the last face is gone.
    if not any(record["type"] == "frame" for record in records):
        return faces_of(records, step), records, step, sampled
    step = statistics.median_low(record["duration"] for record in records) or step
    faces = faces_until_changes(records, step)
    notes.append("Only changes were exported. Each is shown until the next one.")
    return faces, [record for record in records if record["type"] == "face"], step, False


def axis_of(records, faces, video):
    """Starts at 0 unless the records start in the second half, and covers the whole video."""
    first = min(position(record) for record in records)
    last = max(face[-1].start + face[-1].hold for face in faces.values())
    if video and last > video.duration + SECOND:
        expected = f"expected the video of these records, which end at {clock(last)}"
        raise BadInput(f"{video.path}: {expected}; the video ends at {clock(video.duration)}")
    return Axis(0 if first < last / 2 else first, max(last, video.duration) if video else last)


def face_counts(faces, axis, columns):
    """Returns for each column the mean number of faces with each label."""
    counts = [collections.Counter() for _ in range(columns)]
    for seen in itertools.chain(*faces.values()):
        for column, part in spread(axis, columns, seen.start, seen.start + seen.hold):
            counts[column][seen.label] += part * columns / axis.length
    return counts


def tiles(records, faces, axis):
    observations = itertools.chain(*faces.values())
    periods = merge_periods((seen.start, seen.start + seen.hold) for seen in observations)
    with_face = sum(end - start for start, end in periods)
    share = f"{duration(with_face)}\u00a0· {percent(with_face, axis.length)}".replace(" %", "\u00a0%")
    at_once = max(collections.Counter((record["stream"], position(record)) for record in records).values())
    return (
        tile(duration(axis.length), "length")
        + tile(share, "time with faces")
        + tile(sum(number is not None for _, number in faces), "face ids")
        + tile(at_once, "faces at once (maximum)")
    )


def face_sections(faces, order, colours, axis, step, video, player):
    """The sections of the faces that are visible for the longest time, in the order in which they appear."""
    longest = sorted(faces, key=lambda key: -sum(seen.hold for seen in faces[key]))
    shown = sorted(longest[:MAX_FACES], key=lambda key: faces[key][0].start)
    figures = key_frames(video, {key: faces[key] for key in shown}, colours, player) if video else {}
    streams = len({stream for stream, _ in faces})
    sections = [
        face_section(faces[key], face_name(key, streams), figures.get(key), order, colours, axis, step, player)
        for key in shown
    ]
    hidden = len(faces) - len(shown)
    if hidden:
        more = count(hidden, "face")
        sections.append(f"<p>{more} visible for a shorter time: counted above, not shown here.</p>")
    return "".join(sections)
