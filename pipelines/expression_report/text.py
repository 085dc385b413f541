# SPDX-License-Identifier: MIT OR Apache-2.0
"""Numbers and times as text. Times are in nanoseconds."""

import html

SECOND = 1_000_000_000


def escaped(text):
    return html.escape(str(text))


def clock(ns, digits=1):
    """1:02.5, or 1:01:02.5 from an hour on."""
    units = round(ns / SECOND * 10**digits)
    seconds, fraction = divmod(units, 10**digits)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    text = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return f"{text}.{fraction:0{digits}}" if digits else text


def duration(ns):
    seconds = ns / SECOND
    if seconds < 60:
        return f"{seconds:.1f} s"
    return clock(ns, 0) + (" h" if seconds >= 3600 else " min")


def percent(part, whole):
    share = 100 * part / whole if whole else 0
    return "< 1 %" if 0 < share < 1 else f"{share:.0f} %"


def count(number, singular, plural=None):
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
