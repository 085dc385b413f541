# SPDX-License-Identifier: MIT OR Apache-2.0
"""The charts of the page, as SVG."""

import collections

from .faces import segments_of
from .records import UNSCORED
from .text import SECOND, clock, escaped

MAX_COLUMNS = 240  # of a chart
MAX_TICKS = 6  # intervals of the time axis
TICK_SECONDS = [
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900),
    *(1800, 3600, 7200, 14400, 43200, 86400),
]
OVERALL_HEIGHT = 180  # pixels
SCORES_HEIGHT = 72  # pixels, of the scores of one face
STRIP_TOP, STRIP_HEIGHT = 78, 14  # pixels, of the strip of labels below them
MIN_STRIP_WIDTH = 0.08  # percent, so that a short segment stays visible


class Axis:
    """The range of time that all charts show."""

    def __init__(self, start, end):
        self.start, self.end = start, max(end, start + 1)
        self.length = self.end - self.start

    def percent(self, time):
        """Returns the horizontal position, 0..100."""
        return 100 * (time - self.start) / self.length

    def columns(self, step):
        return max(1, min(MAX_COLUMNS, round(self.length / step)))

    def ticks(self):
        fits = (step for step in TICK_SECONDS if self.length / SECOND / step <= MAX_TICKS)
        seconds = next(fits, TICK_SECONDS[-1])
        step = round(seconds * SECOND)
        first = -(-self.start // step) * step
        marks = "".join(
            f'<span style="left:{self.percent(time):.3f}%">{clock(time, 1 if seconds < 1 else 0)}</span>'
            for time in range(first, self.end + 1, step)
        )
        return f'<div class="axis" aria-hidden="true">{marks}</div>'


def spread(axis, columns, start, end):
    """Yields the columns that a period covers, each with the covered time."""
    width = axis.length / columns
    first = max(0, int((start - axis.start) // width))
    for column in range(first, min(columns, int((end - axis.start) // width) + 1)):
        left = axis.start + column * width
        covered = min(end, left + width) - max(start, left)
        if covered > 0:
            yield column, covered


def rect(x, y, w, h, name, title=""):
    """A rectangle of style class `name`. x and w are percent of the width, so that patterns keep their scale at any
    width. y and h are pixels."""
    tip = f"<title>{escaped(title)}</title>" if title else ""
    return f'<rect x="{x:.3f}%" y="{y:.2f}" width="{w:.3f}%" height="{h:.2f}" class="{name}">{tip}</rect>'


def svg(content, height, label):
    return f'<svg style="height:{height}px" role="img" aria-label="{escaped(label)}">{content}</svg>'


def stacked(columns, order, colours, top, height, title):
    """Stacks the values of each column, {label: value}, in the order of labels. `top` is the value at full height."""
    width = 100 / len(columns)
    shapes = []
    for column, values in enumerate(columns):
        y = float(height)
        for label in order:
            part = values.get(label, 0) / top * height
            if part > 0:
                y -= part
                shapes.append(rect(column * width, y, width, part, colours[label], title(column, label)))
    return "".join(shapes)


def overall_chart(columns, order, colours, axis, label):
    """The number of faces with each label over time."""
    highest = max((sum(values.values()) for values in columns), default=0)
    top = max(1, -(-int(highest * 100) // 100))
    width = axis.length / len(columns)

    def title(column, name):
        start = axis.start + column * width
        return f"{clock(start)} – {clock(start + width)}: {name}, {columns[column][name]:.1f} faces"

    levels = range(top + 1) if top <= 5 else sorted({0, top // 2, top})
    scale = "".join(f'<span style="bottom:{100 * level / top:.2f}%">{level}</span>' for level in levels)
    chart = svg(stacked(columns, order, colours, top, OVERALL_HEIGHT, title), OVERALL_HEIGHT, label)
    return f'<div class="plot tall"><div class="levels" aria-hidden="true">{scale}</div>{chart}</div>{axis.ticks()}'


def mean_scores(face, axis, columns):
    """Returns for each column the mean score of each label, weighted by time."""
    sums = [collections.Counter() for _ in range(columns)]
    covered = [0] * columns
    for seen in face:
        for column, part in spread(axis, columns, seen.start, seen.start + seen.hold):
            covered[column] += part
            for name, score in (seen.scores or {UNSCORED: 1}).items():
                sums[column][name] += part * score
    return [
        {name: value / time for name, value in values.items()} if time else {} for values, time in zip(sums, covered)
    ]


def scores_chart(face, order, colours, axis, step, label):
    """The stacked scores of one face over time, and a strip of its labels below."""
    columns = mean_scores(face, axis, axis.columns(step))
    width = axis.length / len(columns)

    def title(column, name):
        return f"{clock(axis.start + column * width)}: {name} {100 * columns[column][name]:.0f} %"

    top = max(1, *(sum(values.values()) for values in columns))
    stack = stacked(columns, [*order, UNSCORED], colours, top, SCORES_HEIGHT, title)
    strip = "".join(segment_rect(segment, colours, axis) for segment in segments_of(face))
    return f'<div class="plot">{svg(stack + strip, STRIP_TOP + STRIP_HEIGHT, label)}</div>{axis.ticks()}'


def segment_rect(segment, colours, axis):
    left = axis.percent(segment.start)
    width = max(axis.percent(segment.end) - left, MIN_STRIP_WIDTH)
    title = f"{clock(segment.start)} – {clock(segment.end)}: {segment.label}"
    return rect(left, STRIP_TOP, width, STRIP_HEIGHT, colours[segment.label], title)
