# SPDX-License-Identifier: MIT OR Apache-2.0
"""Groups records by face, with the time for which each record holds."""

import collections
import itertools

from .records import label_of, position

# `hold` is the time in nanoseconds from `start` for which the record is shown.
Observation = collections.namedtuple("Observation", "start hold label score scores record")
Segment = collections.namedtuple("Segment", "start end label")


def observation(record, hold):
    return Observation(position(record), hold, label_of(record), record["score"], record["scores"], record)


def faces_of(records, step):
    """Returns the observations of each face by (stream, id). Each holds until the next one, but at most for `step`."""
    by_face = collections.defaultdict(dict)
    for record in records:
        by_face[record["stream"], record["id"]][position(record)] = record
    faces = {}
    for key, by_time in by_face.items():
        times = sorted(by_time)
        holds = [later - earlier for earlier, later in itertools.pairwise(times)] + [step]
        # Frames are not evenly spaced, so an interval of up to 1.5 steps is not a gap.
        holds = [hold if hold <= 1.5 * step else step for hold in holds]
        faces[key] = [observation(by_time[time], hold) for time, hold in zip(times, holds)]
    return faces


def faces_until_changes(records, step):
    """As `faces_of`, for an export of changes only: a record holds until the next one of its stream."""
    times = collections.defaultdict(set)
    for record in records:
        times[record["stream"]].add(position(record))
    holds = {}
    for stream, stream_times in times.items():
        ordered = sorted(stream_times)
        nexts = [*ordered[1:], ordered[-1] + step]
        holds |= {(stream, time): following - time for time, following in zip(ordered, nexts)}
    faces = collections.defaultdict(list)
    for record in sorted((record for record in records if record["type"] == "face"), key=position):
        stream = record["stream"]
        faces[stream, record["id"]].append(observation(record, holds[stream, position(record)]))
    return faces


def segments_of(face):
    """Returns the periods without a gap in which the label stays the same."""
    segments = []
    for seen in face:
        last = segments[-1] if segments else None
        if last and last.label == seen.label and last.end >= seen.start:
            segments[-1] = last._replace(end=seen.start + seen.hold)
        else:
            segments.append(Segment(seen.start, seen.start + seen.hold, seen.label))
    return segments


def time_by_label(face):
    """Returns (label, nanoseconds) pairs, the longest time first."""
    times = collections.Counter()
    for seen in face:
        times[seen.label] += seen.hold
    return times.most_common()


def mean_scores_of(faces):
    """Returns {class: mean score over the time in which faces are scored}."""
    sums, scored = collections.Counter(), 0
    for seen in (seen for face in faces for seen in face if seen.scores):
        scored += seen.hold
        for name, score in seen.scores.items():
            sums[name] += score * seen.hold
    return {name: total / scored for name, total in sums.items()} if scored else {}


def merge_periods(periods):
    """Merges (start, end) pairs that overlap."""
    merged = []
    for start, end in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged
