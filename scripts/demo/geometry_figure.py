# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes docs/geometry.svg: the order of the landmarks, and the signs of yaw, pitch and roll. `python3 scripts/demo/geometry_figure.py`."""

import math
from pathlib import Path

# Mean positions of the landmarks on 151 photos of frontal faces, made symmetric; the unit is 1/1000 of the distance between the
# outer corners of the eyes, the origin halfway between them.
POINTS = [
    (-785, 34), (-779, 238), (-757, 456), (-699, 690), (-601, 863), (-471, 991), (-342, 1078), (-194, 1144), (0, 1171),
    (194, 1144), (342, 1078), (471, 991), (601, 863), (699, 690), (757, 456), (779, 238), (785, 34),
    (-647, -154), (-581, -210), (-478, -242), (-337, -238), (-172, -218),
    (172, -218), (337, -238), (478, -242), (581, -210), (647, -154),
    (0, -35), (0, 116), (0, 247), (0, 330), (-145, 422), (-92, 455), (0, 461), (92, 455), (145, 422),
    (-500, 0), (-428, -39), (-318, -45), (-200, 14), (-301, 28), (-411, 31),
    (200, 14), (318, -45), (428, -39), (500, 0), (411, 31), (301, 28),
    (-310, 677), (-180, 613), (-92, 596), (0, 609), (92, 596), (180, 613), (310, 677), (238, 746), (93, 806), (0, 814),
    (-93, 806), (-238, 746),
    (-282, 677), (-77, 665), (0, 668), (77, 665), (282, 677), (77, 715), (0, 719), (-77, 715),
    (-360, -11), (360, -11),
]  # fmt: skip

# Name, points, whether the line is closed, colour.
PARTS = [
    ("jaw", range(0, 17), False, "#5c6773"),
    ("right brow", range(17, 22), False, "#b3541e"),
    ("left brow", range(22, 27), False, "#1f6f8b"),
    ("nose", range(27, 31), False, "#6a4c93"),
    ("nose", range(31, 36), False, "#6a4c93"),
    ("right eye", range(36, 42), True, "#b3541e"),
    ("left eye", range(42, 48), True, "#1f6f8b"),
    ("lips", range(48, 60), True, "#a8324a"),
    ("lips", range(60, 68), True, "#a8324a"),
]
IRISES = (68, 69)
INK, LIGHT = "#24292f", "#f6f8fa"
WIDTH, HEIGHT = 1000, 650


def place(index):
    """A landmark in pixels of the figure."""
    x, y = POINTS[index]
    return 330 + x * 0.36, 140 + y * 0.36


def polyline(indices, closed, colour):
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, indices))
    shape = "polygon" if closed else "polyline"
    return f'<{shape} points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round"/>'


def outward(index):
    """Where the number of a landmark stands, relative to it: away from the middle of its part."""
    part = next((points for _, points, _, _ in PARTS if index in points), IRISES)
    center = [sum(values) / len(values) for values in zip(*map(place, part))]
    x, y = place(index)
    if index in range(27, 31):
        return 11, 0
    if index in range(60, 68):
        return 0, 4 if index >= 65 else -3
    dx, dy = x - center[0], y - center[1]
    length = math.hypot(dx, dy) or 1
    return 10 * dx / length, 10 * dy / length


def landmarks():
    yield from (polyline(points, closed, colour) for _, points, closed, colour in PARTS)
    colours = {index: colour for _, points, _, colour in PARTS for index in points}
    for index in range(len(POINTS)):
        x, y = place(index)
        colour = colours.get(index, INK)
        radius = 4.5 if index in IRISES else 2.2
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'
        dx, dy = (0, 20) if index in IRISES else outward(index)
        if index not in range(60, 68):
            yield text(x + dx, y + dy + 3, index, 9.5, colour)
    yield text(330, 615, "60 to 67: the inner edge of the lips, in the order of 48 to 59", 12, "#a8324a")
    yield text(180, 26, "the person's right", 13, "#b3541e")
    yield text(480, 26, "the person's left", 13, "#1f6f8b")


def text(x, y, content, size, colour=INK, weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" font-weight="{weight}" text-anchor="middle">'
        f"{content}</text>"
    )


def head(x, y, yaw, pitch, roll):
    """A head turned by these angles in degrees: an oval with eyes, and a line from the nose."""
    sy, sp, sr = (math.sin(math.radians(angle)) for angle in (yaw, pitch, roll))
    cy, cp = math.cos(math.radians(yaw)), math.cos(math.radians(pitch))
    feature = lambda u, v, depth: (52 * (u * cy + depth * sy), 66 * (v * cp - depth * sp))
    parts = [f'<ellipse rx="52" ry="66" fill="{LIGHT}" stroke="{INK}" stroke-width="2"/>']
    for u in (-0.38, 0.38):
        ex, ey = feature(u, -0.18, 0.75)
        parts.append(f'<ellipse cx="{ex:.1f}" cy="{ey:.1f}" rx="{8 * cy:.1f}" ry="4.5" fill="none" stroke="{INK}" stroke-width="1.6"/>')
    mouth = [feature(u, 0.5, 0.75) for u in (-0.28, 0.28)]
    parts.append('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#a8324a" stroke-width="3"/>'.format(*mouth[0], *mouth[1]))
    (nx, ny), (tx, ty) = feature(0, 0.15, 0.85), feature(0, 0.15, 1.75)
    parts.append(f'<line x1="{nx:.1f}" y1="{ny:.1f}" x2="{tx:.1f}" y2="{ty:.1f}" stroke="#6a4c93" stroke-width="4" stroke-linecap="round"/>')
    parts.append(f'<circle cx="{tx:.1f}" cy="{ty:.1f}" r="5" fill="#6a4c93"/>')
    return f'<g transform="translate({x} {y}) rotate({math.degrees(math.asin(sr)):.1f})">{"".join(parts)}</g>'


def signs():
    rows = [
        ("yaw &gt; 0", "to the own left, the right of the picture", (35, 0, 0)),
        ("pitch &gt; 0", "up", (0, 30, 0)),
        ("roll &gt; 0", "clockwise in the picture", (0, 0, 25)),
    ]
    for row, (sign, meaning, angles) in enumerate(rows):
        y = 110 + 205 * row
        yield head(730, y, 0, 0, 0)
        yield head(890, y, *angles)
        yield f'<path d="M 793 {y} h 28 m -8 -6 l 8 6 l -8 6" fill="none" stroke="{INK}" stroke-width="2"/>'
        yield text(890, y + 92, sign, 15, weight="bold")
        yield text(810, y + 111, meaning, 12.5)


def main():
    content = "\n".join([*landmarks(), *signs()])
    figure = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="DejaVu Sans, sans-serif">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{content}\n</svg>\n'
    )
    (Path(__file__).parents[2] / "docs" / "geometry.svg").write_text(figure)


if __name__ == "__main__":
    main()
