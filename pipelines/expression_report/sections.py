# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of the page, as HTML."""

from .charts import rect, scores_chart
from .faces import segments_of, time_by_label
from .player import moment
from .text import clock, duration, escaped, percent

MAX_ROWS = 100  # of a table of segments


def tile(value, caption):
    return f"<div><dt>{escaped(caption)}</dt><dd>{escaped(value)}</dd></div>"


def swatch(name):
    return f'<svg class="swatch" aria-hidden="true">{rect(0, 0, 100, 16, name)}</svg>'


def chips(items):
    """A list of (style class, text) pairs."""
    return f'<ul class="chips">{"".join(f"<li>{swatch(name)}{escaped(text)}</li>" for name, text in items)}</ul>'


def legend(labels, colours):
    return chips((colours[label], label) for label in labels)


def in_words(shares):
    """(label, amount) pairs as text, with the share of each."""
    total = sum(amount for _, amount in shares)
    return ", ".join(f"{label} {percent(amount, total)}" for label, amount in shares)


def shares_table(shares, unit, caption, colours, means=None):
    """A table of (label, amount) pairs.

    `unit` is the heading of the amounts and the function that formats them; `means` has the mean score of each class.
    """
    heading, formatted = unit
    total = sum(amount for _, amount in shares)
    rows = "".join(
        f'<tr><th scope="row">{swatch(colours[label])}{escaped(label)}</th>'
        f'<td class="bar"><svg aria-hidden="true">{rect(0, 0, 100 * amount / total, 20, colours[label])}</svg></td>'
        f"<td>{percent(amount, total)}</td><td>{formatted(amount)}</td>{mean_cell(means, label)}</tr>"
        for label, amount in shares
    )
    mean_heading = "" if means is None else '<th scope="col">Mean score</th>'
    return (
        f'<table class="shares"><caption>{caption}</caption><thead><tr><th scope="col">Label</th><td></td>'
        f'<th scope="col">Share</th><th scope="col">{heading}</th>'
        f"{mean_heading}</tr></thead><tbody>{rows}</tbody></table>"
    )


def mean_cell(means, label):
    """The cell of a mean score; none in a table without them."""
    if means is None:
        return ""
    return f"<td>{percent(means[label], 1) if label in means else '–'}</td>"


def face_name(key, streams):
    stream, number = key
    name = "Faces without an id" if number is None else f"Face {number}"
    return name if streams < 2 else f"{name}, stream {stream}"


def face_section(face, name, figures, order, colours, axis, step, player):
    """The chart, the key frames and the table of one face."""
    shares = time_by_label(face)
    total = sum(time for _, time in shares)
    start, last = face[0].start, face[-1]
    description = f"{name}, {clock(start)} to {clock(last.start)}: {in_words(shares)}"
    frames = f'<div class="frames">{"".join(figures)}</div>' if figures else ""
    return (
        f"<section class='face'><h3>{escaped(name)}</h3>"
        f"<p>Visible for {duration(total)} between {moment(start, player)} and {moment(last.start + last.hold, player)}.</p>"
        f"{chips((colours[label], f'{label} {percent(time, total)}') for label, time in shares)}"
        f"{scores_chart(face, order, colours, axis, step, description)}{frames}"
        f"{segments_table(segments_of(face), player)}</section>"
    )


def segments_table(segments, player):
    rows = "".join(
        f"<tr><td>{moment(segment.start, player)}</td><td>{moment(segment.end, player)}</td>"
        f"<td>{escaped(segment.label)}</td></tr>"
        for segment in segments[:MAX_ROWS]
    )
    more = f"<p>First {MAX_ROWS} of {len(segments)} rows.</p>" if len(segments) > MAX_ROWS else ""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("From", "To", "Label"))
    return (
        f"<details><summary>Segments of one label ({len(segments)})</summary>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}</details>"
    )
