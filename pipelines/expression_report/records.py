# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads and checks the records of a file."""

import itertools
import json
import statistics

UNKNOWN, UNSCORED = "unknown", "not scored"
RESTART_NS = 500_000_000  # a time that is this much earlier than the one before belongs to another pass
DEFAULT_DURATION_NS = 40_000_000  # one frame at 25 frames per second, for records without a duration


class BadInput(Exception):
    """A message for the user that names the file, what was expected and what was found."""


def read_records(path):
    """Returns the records of a file, and notes on what was wrong but could be skipped."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise BadInput(f"{path}: expected NDJSON in UTF-8, found {found}") from None
    records, notes = [], []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(checked(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # without a line break: the writer was stopped
                notes.append("The last line is incomplete and was skipped.")
                break
            reason = f"no field {error}" if isinstance(error, KeyError) else error
            expected = "expected a record of emotionexport format=ndjson"
            raise BadInput(f"{path}, line {number}: {expected}, found {line[:60]!r} ({reason})") from None
    return records, notes


def checked(record):
    """Returns the record if it has all fields that the page needs, with values of the right type."""
    if not isinstance(record, dict):
        raise ValueError("not an object")
    if record.get("version") != 1:
        raise ValueError(f"expected version 1, found {record.get('version')!r}")
    if record["type"] not in ("face", "frame", "summary"):
        raise ValueError(f"type {record['type']!r}")
    for name in ("pts", "duration", "recording_time"):
        if name == "recording_time" and name not in record:
            continue
        if not isinstance(record[name], int) or record[name] < 0:
            raise ValueError(f"{name} is {record[name]!r}")
    check_fields = {"face": check_face, "frame": check_frame, "summary": check_summary}
    check_fields[record["type"]](record)
    return record


def check_face(record):
    numbers = [*(record["box"][side] for side in "xywh"), *(record["scores"] or {}).values()]
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("box and scores must be numbers")
    record["stream"], record["id"], record["label"]  # noqa: B018, raises KeyError


def check_frame(record):
    record["stream"]  # noqa: B018, raises KeyError


def check_summary(record):
    if not all(isinstance(count, int) for count in record["counts"].values()):
        raise ValueError("counts must be whole numbers")
    record["frames"], record["faces_mean"], record["faces_max"], record["faces_scored"]  # noqa: B018, raises KeyError


def in_one_pass(records, notes):
    """Returns the records with times that go on where they start over, as in a video that is played in a loop."""
    passes, offsets, ends, last = 0, {}, {}, {}
    unrolled = []
    for record in records:
        stream, time = record.get("stream"), position(record)
        if time < last.get(stream, 0) - RESTART_NS:
            passes += 1
            offsets[stream] = ends[stream]
        last[stream] = time
        shifted = time + offsets.get(stream, 0)
        ends[stream] = max(ends.get(stream, 0), shifted + record["duration"])
        unrolled.append({**record, "recording_time": shifted} if passes else record)
    if passes:
        times = "once" if passes == 1 else f"{passes} times"
        notes.append(f"The times of the records start over {times}, as in a loop. On this page they go on.")
    return unrolled


def position(record):
    """Returns the time of the record in the video, in nanoseconds; beside a recording, in that."""
    if "recording_time" in record:
        return record["recording_time"]
    return record["pts"] if record.get("stream_time") is None else record["stream_time"]


def label_of(record):
    """The label of a record; a face that waits for its first classification is not scored."""
    is_scored = record["label"] is not None and record.get("reason") != "pending"
    return str(record["label"]) if is_scored else UNSCORED


def sampling(records):
    """Returns the usual time between exported frames, and whether frames between them were skipped."""
    times = sorted({position(record) for record in records})
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    duration = statistics.median_low(record["duration"] for record in records) or DEFAULT_DURATION_NS
    step = max(statistics.median_low(steps), 1) if steps else duration
    return (step, True) if step > 1.5 * duration else (max(duration, 1), False)
