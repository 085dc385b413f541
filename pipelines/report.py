#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The page that report.sh writes: report.html, filled from the records of emotionexport.

Only records are shown. Where there are none the page is blank, since an export says nothing of frames without a face.
"""

import base64
import collections
import html
import itertools
import json
import pathlib
import statistics
import string
import sys

SECOND = 1_000_000_000
UNKNOWN, UNSCORED = "unknown", "not scored"
# Classes of the page's style sheet, by the names under which models know an expression; others take the first free ones.
EXPRESSIONS = {
    "neutral": "neutral neutrality calm",
    "happiness": "happiness happy joy",
    "surprise": "surprise surprised",
    "sadness": "sadness sad",
    "anger": "anger angry",
    "disgust": "disgust disgusted",
    "fear": "fear fearful afraid",
    "contempt": "contempt contemptuous",
}
COLUMNS = 240  # of a chart
MOST_FACES = 60  # with a chart of their own, those seen longest
MOST_ROWS = 100  # of a table of segments
MOST_FRAMES = 3  # key frames of one face
ALL_FRAMES = 40  # key frames of the page
FRAME_WIDTH = 480


class BadInput(Exception):
    """What the user has to know, naming the file, what was expected and what was found."""


# Records ------------------------------------------------------------------------------------------------------------

Face = collections.namedtuple("Face", "start hold label score scores record")
Segment = collections.namedtuple("Segment", "start end label")


def read_records(path):
    """The records of a file, and notes on what is wrong with it but can be lived with."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected NDJSON in UTF-8, found byte {error.object[error.start]:#04x} at {error.start}") from None
    records, notes = [], []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(checked(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # no line break: whoever wrote it was stopped
                notes.append("The last line is not complete and was left out.")
                break
            reason = f"no field {error}" if isinstance(error, KeyError) else error
            raise BadInput(f"{path}, line {number}: expected a record of emotionexport format=ndjson, found {line[:60]!r} ({reason})") from None
    return records, notes


def checked(record):
    """The record, if it has all that the page needs, in the right form."""
    if not isinstance(record, dict):
        raise ValueError("not an object")
    if record.get("version") != 1:
        raise ValueError(f"version 1 is understood, this is {record.get('version')!r}")
    if record["type"] not in ("face", "frame", "summary"):
        raise ValueError(f"type {record['type']!r}")
    for name in ("pts", "duration"):
        if not isinstance(record[name], int) or record[name] < 0:
            raise ValueError(f"{name} is {record[name]!r}")
    if record["type"] == "face":
        box = [record["box"][side] for side in "xywh"]
        scores = record["scores"]
        numbers = [*box, *(scores or {}).values()]
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise ValueError("box and scores have to be numbers")
        record["stream"], record["id"], record["label"]  # noqa: B018, each has to be there
    elif record["type"] == "frame":
        record["stream"]  # noqa: B018
    else:
        if not all(isinstance(count, int) for count in record["counts"].values()):
            raise ValueError("counts have to be whole numbers")
        record["frames"], record["faces_mean"], record["faces_max"], record["faces_scored"]  # noqa: B018
    return record


def position(record):
    """Where the record is in the medium."""
    return record["pts"] if record.get("stream_time") is None else record["stream_time"]


def sampling(records):
    """The usual time between exported frames, and whether frames were left out between them."""
    times = sorted({position(record) for record in records})
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    duration = statistics.median_low(record["duration"] for record in records) or 40_000_000
    step = max(statistics.median_low(steps), 1) if steps else duration
    return (step, True) if step > 1.5 * duration else (max(duration, 1), False)


def faces_of(records, step):
    """The records of each face, by stream and id, in the order of time; each holds until the next, at most a step."""
    by_face = collections.defaultdict(dict)
    for record in records:
        by_face[record["stream"], record["id"]][position(record)] = record
    faces = {}
    for key, by_time in by_face.items():
        times = sorted(by_time)
        holds = [later - earlier for earlier, later in itertools.pairwise(times)] + [step]
        faces[key] = [
            # Half a step more, since frames do not come at even distances.
            Face(time, hold if hold <= 1.5 * step else step, label_of(by_time[time]), by_time[time]["score"], by_time[time]["scores"], by_time[time])
            for time, hold in zip(times, holds)
        ]
    return faces


def faces_until_changes(records, step):
    """As `faces_of`, for an export of changes alone: what a frame says holds until the next one of its stream."""
    times = collections.defaultdict(set)
    for record in records:
        times[record["stream"]].add(position(record))
    until = {}
    for stream, seen in times.items():
        ordered = sorted(seen)
        until |= {(stream, time): later - time for time, later in zip(ordered, [*ordered[1:], ordered[-1] + step])}
    faces = collections.defaultdict(list)
    for record in sorted((record for record in records if record["type"] == "face"), key=position):
        stream, time = record["stream"], position(record)
        faces[stream, record["id"]].append(Face(time, until[stream, time], label_of(record), record["score"], record["scores"], record))
    return faces


def label_of(record):
    return UNSCORED if record["label"] is None else str(record["label"])


def segments_of(face):
    """Stretches of one label without a gap."""
    segments = []
    for seen in face:
        last = segments[-1] if segments else None
        if last and last.label == seen.label and last.end >= seen.start:
            segments[-1] = last._replace(end=seen.start + seen.hold)
        else:
            segments.append(Segment(seen.start, seen.start + seen.hold, seen.label))
    return segments


# Words --------------------------------------------------------------------------------------------------------------


def escaped(text):
    return html.escape(str(text))


def clock(ns, digits=1):
    """1:02.5, the hours only where there are some."""
    tenths = round(ns / SECOND * 10**digits)
    seconds, rest = divmod(tenths, 10**digits)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    text = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return f"{text}.{rest:0{digits}}" if digits else text


def span(ns):
    seconds = ns / SECOND
    return f"{seconds:.1f} s" if seconds < 60 else clock(ns, 0) + (" h" if seconds >= 3600 else " min")


def percent(part, whole):
    share = 100 * part / whole if whole else 0
    return "< 1 %" if 0 < share < 1 else f"{share:.0f} %"


def count(number, word):
    return f"{number} {word}" + ("" if number == 1 else "s")


class Colours:
    """The style class of each label."""

    def __init__(self, labels):
        self.classes = {UNKNOWN: "unknown", UNSCORED: "unscored"}
        for label in labels:
            known = [name for name, words in EXPRESSIONS.items() if label.lower() in words.split()]
            self.classes.setdefault(label, known[0] if known else "")
        free = itertools.cycle([name for name in EXPRESSIONS if name not in self.classes.values()] or EXPRESSIONS)
        self.classes = {label: name or next(free) for label, name in self.classes.items()}

    def __getitem__(self, label):
        return self.classes[label]


# Charts -------------------------------------------------------------------------------------------------------------


class Axis:
    """The time that all charts share."""

    def __init__(self, start, end):
        self.start, self.end = start, max(end, start + 1)
        self.length = self.end - self.start

    def at(self, time):
        """0..100 from left to right."""
        return 100 * (time - self.start) / self.length

    def columns(self, step):
        return max(1, min(COLUMNS, round(self.length / step)))

    def ticks(self):
        steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
        step = next((step for step in steps if self.length / SECOND / step <= 6), steps[-1])
        digits = 1 if step < 1 else 0
        first = -(-self.start // round(step * SECOND)) * round(step * SECOND)
        times = range(first, self.end + 1, round(step * SECOND))
        spots = "".join(f'<span style="left:{self.at(time):.3f}%">{clock(time, digits)}</span>' for time in times)
        return f'<div class="axis" aria-hidden="true">{spots}</div>'


def spread(axis, columns, start, end):
    """The columns that a stretch of time covers, and how much of it each has."""
    width = axis.length / columns
    first = max(0, int((start - axis.start) // width))
    for column in range(first, min(columns, int((end - axis.start) // width) + 1)):
        left = axis.start + column * width
        part = min(end, left + width) - max(start, left)
        if part > 0:
            yield column, part


def rect(x, y, w, h, name, title=""):
    """x and w in percent of the width, so that hatches keep their shape however wide the page is; y and h in pixels."""
    tip = f"<title>{escaped(title)}</title>" if title else ""
    return f'<rect x="{x:.3f}%" y="{y:.2f}" width="{w:.3f}%" height="{h:.2f}" class="{name}">{tip}</rect>'


def svg(content, height, label):
    return f'<svg style="height:{height}px" role="img" aria-label="{escaped(label)}">{content}</svg>'


def stacked(rows, order, colours, top, height, titles):
    """Columns of parts on one another. rows: for each column the size of each label's part."""
    width = 100 / len(rows)
    shapes = []
    for column, parts in enumerate(rows):
        y = float(height)
        for label in order:
            part = parts.get(label, 0) / top * height
            if part > 0:
                y -= part
                shapes.append(rect(column * width, y, width, part, colours[label], titles(column, label)))
    return "".join(shapes)


def overall(rows, order, colours, axis, label):
    """How many faces had which label, over time."""
    most = max((sum(parts.values()) for parts in rows), default=0)
    top = max(1, -(-int(most * 100) // 100))
    width = axis.length / len(rows)

    def title(column, name):
        start = axis.start + column * width
        return f"{clock(start)} – {clock(start + width)}: {name}, {rows[column][name]:.1f} faces"

    lines = "".join(f'<span style="bottom:{100 * level / top:.2f}%">{level}</span>' for level in (range(top + 1) if top <= 5 else sorted({0, top // 2, top})))
    chart = svg(stacked(rows, order, colours, top, 180, title), 180, label)
    return f'<div class="plot tall"><div class="levels" aria-hidden="true">{lines}</div>{chart}</div>{axis.ticks()}'


def scores_chart(face, order, colours, axis, step, label):
    """All scores of one face on one another, and a strip with the label that it was given."""
    columns = axis.columns(step)
    sums = [collections.Counter() for _ in range(columns)]
    covered = [0] * columns
    for seen in face:
        for column, part in spread(axis, columns, seen.start, seen.start + seen.hold):
            covered[column] += part
            for name, score in (seen.scores or {UNSCORED: 1}).items():
                sums[column][name] += part * score
    rows = [{name: value / covered[i] for name, value in parts.items()} if covered[i] else {} for i, parts in enumerate(sums)]
    width = axis.length / columns

    def title(column, name):
        return f"{clock(axis.start + column * width)}: {name} {100 * rows[column][name]:.0f} %"

    stack = stacked(rows, [*order, UNSCORED], colours, max(1, *(sum(parts.values()) for parts in rows)), 72, title)
    strip = "".join(
        rect(axis.at(s.start), 78, max(axis.at(s.end) - axis.at(s.start), 0.08), 14, colours[s.label], f"{clock(s.start)} – {clock(s.end)}: {s.label}")
        for s in segments_of(face)
    )
    return f'<div class="plot">{svg(stack + strip, 92, label)}</div>{axis.ticks()}'


# Parts of the page --------------------------------------------------------------------------------------------------


def tile(value, words):
    return f"<div><dt>{escaped(words)}</dt><dd>{escaped(value)}</dd></div>"


def swatch(name):
    return f'<svg class="swatch" aria-hidden="true">{rect(0, 0, 100, 16, name)}</svg>'


def legend(labels, colours):
    return f'<ul class="chips">{"".join(f"<li>{swatch(colours[label])}{escaped(label)}</li>" for label in labels)}</ul>'


def shares_table(shares, total, unit, colours, caption):
    rows = "".join(
        f'<tr><th scope="row">{swatch(colours[label])}{escaped(label)}</th>'
        f'<td class="bar"><svg aria-hidden="true">{rect(0, 0, 100 * part / total, 20, colours[label])}</svg></td>'
        f"<td>{percent(part, total)}</td><td>{unit(part)}</td></tr>"
        for label, part in shares
    )
    return (
        f'<table class="shares"><caption>{caption}</caption><thead><tr><th scope="col">Label</th><td></td>'
        f'<th scope="col">Share</th><th scope="col">{"Time" if unit is span else "Faces"}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def time_by_label(face):
    times = collections.Counter()
    for seen in face:
        times[seen.label] += seen.hold
    return times.most_common()


def face_name(key, streams):
    stream, number = key
    name = "Faces without an id" if number is None else f"Face {number}"
    return name if streams < 2 else f"{name}, stream {stream}"


def face_section(key, face, name, frames, order, colours, axis, step):
    shares = time_by_label(face)
    total = sum(part for _, part in shares)
    segments = segments_of(face)
    words = ", ".join(f"{label} {percent(part, total)}" for label, part in shares)
    rows = "".join(
        f"<tr><td>{clock(s.start)}</td><td>{clock(s.end)}</td><td>{escaped(s.label)}</td></tr>" for s in segments[:MOST_ROWS]
    )
    more = f"<p>The first {MOST_ROWS} of {len(segments)}.</p>" if len(segments) > MOST_ROWS else ""
    chips = "".join(f"<li>{swatch(colours[label])}{escaped(label)} {percent(part, total)}</li>" for label, part in shares)
    chart = scores_chart(face, order, colours, axis, step, f"{name}, {clock(face[0].start)} to {clock(face[-1].start)}: {words}")
    pictures = f'<div class="frames">{"".join(frames)}</div>' if frames else ""
    return (
        f"<section class='face'><h3>{escaped(name)}</h3>"
        f"<p>Seen for {span(total)} between {clock(face[0].start)} and {clock(face[-1].start + face[-1].hold)}.</p>"
        f'<ul class="chips">{chips}</ul>{chart}{pictures}'
        f"<details><summary>{count(len(segments), 'stretch').replace('stretchs', 'stretches')} of one label as a table</summary>"
        f'<table><thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col">Label</th></tr></thead><tbody>{rows}</tbody></table>{more}</details></section>'
    )


# Key frames ---------------------------------------------------------------------------------------------------------


def key_moments(faces):
    """For each face the moment at which each of its most frequent labels has its highest score."""
    moments = {}
    for key, face in faces.items():
        labels = [label for label, _ in time_by_label(face) if label not in (UNKNOWN, UNSCORED)][:MOST_FRAMES]
        best = [max((seen for seen in face if seen.label == label), key=lambda seen: seen.score or 0) for label in labels]
        moments[key] = sorted(best, key=lambda seen: seen.start)
    return moments


class Video:
    """Pictures of a video at given times."""

    def __init__(self, path):
        try:
            import gi

            gi.require_version("Gst", "1.0")
            from gi.repository import Gst
        except (ImportError, ValueError) as error:
            raise BadInput(f"key frames need GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0): {error}") from None
        Gst.init(None)
        self.gst, self.path = Gst, path
        line = (
            "filesrc name=file ! decodebin ! videoflip video-direction=auto ! videoconvert ! videoscale add-borders=false ! "
            f"video/x-raw,width={FRAME_WIDTH},pixel-aspect-ratio=1/1 ! jpegenc quality=80 ! appsink name=out sync=false"
        )
        self.pipeline = Gst.parse_launch(line)
        self.pipeline.get_by_name("file").set_property("location", str(path))
        self.out = self.pipeline.get_by_name("out")
        self.pipeline.set_state(Gst.State.PAUSED)
        self.wait()
        found, self.duration = self.pipeline.query_duration(Gst.Format.TIME)
        if not found or self.duration <= 0:
            raise BadInput(f"{path}: expected a video that can be searched, found one of no known length")

    def wait(self):
        message = self.pipeline.get_bus().timed_pop_filtered(60 * self.gst.SECOND, self.gst.MessageType.ERROR | self.gst.MessageType.ASYNC_DONE)
        if message is None or message.type == self.gst.MessageType.ERROR:
            reason = message.parse_error()[0].message if message else "it took more than a minute"
            raise BadInput(f"{self.path}: expected a video, but it cannot be read: {reason}")

    def jpeg(self, time):
        """The frame shown at `time`; none behind the end."""
        flags = self.gst.SeekFlags.FLUSH | self.gst.SeekFlags.ACCURATE
        if not self.pipeline.seek_simple(self.gst.Format.TIME, flags, int(time)):
            return None
        self.wait()
        sample = self.out.emit("try-pull-preroll", 10 * self.gst.SECOND)
        if sample is None:
            return None
        buffer = sample.get_buffer()
        return buffer.extract_dup(0, buffer.get_size())

    def close(self):
        self.pipeline.set_state(self.gst.State.NULL)


def key_frames(video, faces, colours):
    """Figures for each face."""
    figures, left = collections.defaultdict(list), ALL_FRAMES
    for key, moments in key_moments(faces).items():
        for seen in moments:
            jpeg = video.jpeg(seen.start + seen.record["duration"] // 2) if left > 0 else None
            if jpeg is None:
                continue
            left -= 1
            sides = (seen.record["box"][side] * 100 for side in "xywh")
            place = "left:{:.2f}%;top:{:.2f}%;width:{:.2f}%;height:{:.2f}%".format(*sides)
            words = f"{clock(seen.start)} {seen.label} {100 * seen.score:.0f} %"
            data = base64.b64encode(jpeg).decode()
            figures[key].append(
                f'<figure><div class="picture"><img alt="Frame at {clock(seen.start)}" src="data:image/jpeg;base64,{data}">'
                f'<span class="mark {colours[seen.label]}" style="{place}"></span></div>'
                f"<figcaption>{swatch(colours[seen.label])}{escaped(words)}</figcaption></figure>"
            )
    return figures


# The page -----------------------------------------------------------------------------------------------------------


def common_notes(records, step, sampled, notes):
    detectors = sorted({record["detector"] for record in records if record.get("detector")})
    if sampled:
        notes.append(f"One frame in {step / SECOND:.2g} s was exported, and each is shown as if it held for as long.")
    if any(record.get("smoothed") for record in records):
        notes.append("Scores are smoothed over time.")
    if detectors:
        notes.append(f"Faces were found by {' and '.join(detectors)}.")
    utc = next((record["utc"] for record in records if record.get("utc")), None)
    if utc:
        notes.append(f"The first record was filmed at {utc}.")
    return notes


def page_of_faces(records, notes, video):
    step, sampled = sampling(records)
    # Only an export of changes says that nobody is left.
    if any(record["type"] == "frame" for record in records):
        step, sampled = statistics.median_low(record["duration"] for record in records) or step, False
        faces = faces_until_changes(records, step)
        records = [record for record in records if record["type"] == "face"]
        notes.append("Changes alone were exported, and each is shown as if it held until the next.")
    else:
        faces = faces_of(records, step)
    order = list(dict.fromkeys(label for record in records for label in record["scores"] or {}))
    labels = dict.fromkeys([*order, *(label_of(record) for record in records)])
    ranked = [label for label in labels if label not in (UNKNOWN, UNSCORED)] + [UNKNOWN, UNSCORED]
    colours = Colours(labels)
    first = min(position(record) for record in records)
    last = max(face[-1].start + face[-1].hold for face in faces.values())
    if video and last > video.duration + SECOND:
        raise BadInput(f"{video.path}: expected the video of these records, which go on until {clock(last)}; it ends at {clock(video.duration)}")
    axis = Axis(0 if first < last / 2 else first, max(last, video.duration) if video else last)

    columns = axis.columns(step)
    sums = [collections.Counter() for _ in range(columns)]
    for seen in itertools.chain(*faces.values()):
        for column, part in spread(axis, columns, seen.start, seen.start + seen.hold):
            sums[column][seen.label] += part * columns / axis.length
    shares = collections.Counter()
    for face in faces.values():
        shares.update(dict(time_by_label(face)))
    total = sum(shares.values())
    with_face = sum(end - start for start, end in union((seen.start, seen.start + seen.hold) for seen in itertools.chain(*faces.values())))
    at_once = max(collections.Counter((record["stream"], position(record)) for record in records).values())
    streams = len({stream for stream, _ in faces})
    numbered = sum(number is not None for _, number in faces)

    by_time = sorted(faces, key=lambda key: -sum(seen.hold for seen in faces[key]))
    shown = sorted(by_time[:MOST_FACES], key=lambda key: faces[key][0].start)
    frames = key_frames(video, {key: faces[key] for key in shown}, colours) if video else {}
    sections = [face_section(key, faces[key], face_name(key, streams), frames.get(key), order, colours, axis, step) for key in shown]
    if len(faces) > len(shown):
        sections.append(f"<p>{count(len(faces) - len(shown), 'more face')} that {'was' if len(faces) - len(shown) == 1 else 'were'} seen for a shorter time are counted above and not shown.</p>")
    words = ", ".join(f"{label} {percent(part, total)}" for label, part in shares.most_common())
    return {
        "tiles": tile(span(axis.length), "length")
        + tile(f"{span(with_face)}\u00a0· {percent(with_face, axis.length)}".replace(" %", "\u00a0%"), "time with a face")
        + tile(numbered, "ids given to faces")
        + tile(at_once, "faces at once, at most"),
        "overall": overall(sums, ranked, colours, axis, f"Faces over time by label: {words}"),
        "overall_title": "All faces over time",
        "overall_words": "How many faces had which label. Blank where no face was exported.",
        "shares_title": "Share of time",
        "shares": shares_table(shares.most_common(), total, span, colours, "Share of the time for which faces were seen; two faces for a second count two seconds."),
        "faces": "<h2>Each face</h2><p>Above, all scores of the face; below, the label it was given. Blank where it was not seen. "
        "An id is a track: someone who leaves and comes back gets another one.</p>" + legend(ranked, colours) + "".join(sections),
        "notes": common_notes(records, step, sampled, notes),
    }


def union(spans):
    """Stretches of time without overlaps."""
    merged = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


def page_of_summaries(records, notes):
    starts = [position(record) for record in records]
    first, last = min(starts), max(position(record) + record["duration"] for record in records)
    axis = Axis(0 if first < last / 2 else first, last)
    step = statistics.median_low(record["duration"] for record in records)
    columns = axis.columns(max(step, 1))
    sums, frames = [collections.Counter() for _ in range(columns)], [0] * columns
    totals = collections.Counter()
    for record in records:
        counts = dict(record["counts"])
        unscored = round(record["faces_mean"] * record["frames"]) - record["faces_scored"]
        counts[UNSCORED] = max(unscored, 0)
        totals.update(counts)
        for column, part in spread(axis, columns, position(record), position(record) + max(record["duration"], 1)):
            frames[column] += part
            for label, faces in counts.items():
                sums[column][label] += part * faces / max(record["frames"], 1)
    rows = [{label: value / frames[i] for label, value in parts.items()} if frames[i] else {} for i, parts in enumerate(sums)]
    colours = Colours(totals)
    ranked = [label for label in totals if label not in (UNKNOWN, UNSCORED)] + [UNKNOWN, UNSCORED]
    shares = [(label, faces) for label, faces in totals.most_common() if faces]
    total = sum(totals.values())
    words = ", ".join(f"{label} {percent(part, total)}" for label, part in shares) or "no face"
    seen = sum(record["duration"] for record in records if record["faces_max"])
    return {
        "tiles": tile(span(axis.length), "length")
        + tile(span(seen), "intervals with a face")
        + tile(max(record["faces_max"] for record in records), "faces at once, at most")
        + tile(len(records), "intervals"),
        "overall": overall(rows, ranked, colours, axis, f"Faces over time by label: {words}"),
        "overall_title": "All faces over time",
        "overall_words": "How many faces had which label, on average over each interval. Blank where there was no face.",
        "shares_title": "Share of faces",
        "shares": shares_table(shares, total, str, colours, "Faces over all frames; one face on ten frames counts ten.") if total else "",
        "faces": "<h2>Each face</h2><p>This export keeps no single faces: neither boxes nor ids.</p>",
        "notes": common_notes(records, step, False, notes),
    }


def empty_page(notes):
    blank = dict.fromkeys(["tiles", "overall_title", "overall_words", "overall", "shares_title", "shares"], "")
    return {**blank, "faces": "<p>The file has no records: no face was found.</p>", "notes": notes}


def main():
    source = pathlib.Path(sys.argv[1])
    # The page's name can be recognised, so that the video may be left out.
    rest = sys.argv[2:]
    out = pathlib.Path(rest.pop()) if rest and rest[-1].lower().endswith((".html", ".htm")) else source.with_suffix(".html")
    records, notes = read_records(source)
    kinds = {"summary" if record["type"] == "summary" else "face" for record in records}
    if len(kinds) > 1:
        raise BadInput(f"{source}: expected records of one kind, found faces and summaries")
    video = None
    if rest:
        if not pathlib.Path(rest[0]).is_file():
            raise BadInput(f"{rest[0]}: expected a video, found no such file")
        video = Video(pathlib.Path(rest[0])) if kinds == {"face"} else None
        if kinds == {"summary"}:
            notes.append("There are no key frames, since the export keeps no single faces.")
    try:
        page = empty_page(notes) if not records else page_of_summaries(records, notes) if kinds == {"summary"} else page_of_faces(records, notes, video)
    finally:
        if video:
            video.close()
    page["notes"] = "".join(f"<li>{escaped(note)}</li>" for note in page["notes"])
    template = string.Template(pathlib.Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    name = source.name if not rest else f"{source.name}, {pathlib.Path(rest[0]).name}"
    try:
        out.write_text(template.substitute(page, name=escaped(name), records=count(len(records), "record")), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{out}: cannot be written: {error.strerror}") from None
    print(f"wrote {out}")


if __name__ == "__main__":
    try:
        main()
    except BadInput as error:
        sys.exit(f"report: {error}")
