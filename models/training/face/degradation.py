# SPDX-License-Identifier: MIT OR Apache-2.0
"""Degradation of training crops: masks, occlusion, distracting text and balls, light, blur, noise and compression."""

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Normal deviates, drawn once, because drawing them for each crop would take longer than everything else.
NOISE = np.random.default_rng(0).standard_normal(1 << 21, np.float32)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789oi08:.-!?"
SKIN = np.array([[255, 170, 60], [230, 180, 150], [200, 140, 110], [140, 90, 60], [90, 60, 45]])


def log_uniform(rng, low, high):
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def overlaps_any(boxes, corner, size):
    """True if a rectangle overlaps one of the boxes."""
    low = np.maximum(boxes[:, :2], corner)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], np.add(corner, size))
    return (high > low).all(1).any()


def cover(picture, crop, rng):
    """Draw masks on some faces, and rectangles over a part of some others."""
    draw = ImageDraw.Draw(picture)
    for box, points in zip(crop.boxes, crop.landmarks):
        draw_value = rng.random()
        if draw_value < 0.06 and np.isfinite(points).all():
            draw_mask(draw, box, points, rng)
        elif draw_value < 0.1 and box[2:].max() > 16:
            size = box[2:] * rng.uniform(0.2, 0.55, 2)
            corner = box[:2] + rng.uniform(0, 1, 2) * (box[2:] - size)
            draw.rectangle([*corner, *(corner + size)], fill=tuple(int(v) for v in rng.integers(0, 256, 3)))


def draw_mask(draw, box, points, rng):
    """Draw a face mask from the bridge of the nose to the chin, in usual colours."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    down = mouth - eyes
    across = np.array([down[1], -down[0]])
    across *= (points[1] - points[0]) @ across / max(across @ across, 1e-6)
    if np.linalg.norm(across) < 0.15 * np.linalg.norm(box[2:]) or np.linalg.norm(down) < 2:
        return
    at = lambda right, low: tuple(eyes + across * right + down * low)
    top = rng.uniform(0.25, 0.55)
    edge = rng.uniform(0.85, 1.1)
    outline = [
        at(-edge, top + 0.15),
        at(0, top - 0.1),
        at(edge, top + 0.15),
        at(0.8 * edge, 1.35),
        at(0.3, 1.75),
        at(-0.3, 1.75),
        at(-0.8 * edge, 1.35),
    ]
    white, blue = np.array([225, 225, 225]), np.array([140, 185, 215])
    colour = [white, blue, rng.integers(0, 256, 3), rng.integers(0, 60, 3)][rng.integers(4)] * rng.uniform(0.6, 1.1)
    draw.polygon(outline, fill=tuple(int(v) for v in np.clip(colour, 0, 255)))
    shade = tuple(int(v) for v in np.clip(colour * 0.8, 0, 255))
    for low in (0.7, 1.0, 1.3) if rng.random() < 0.5 else ():
        draw.line([at(-0.8 * edge, low), at(0.8 * edge, low)], fill=shade)


def distract(picture, crop, rng):
    """Draw words and balls outside the faces, often in the colours of skin.

    In captions and logos, the dot of an i looks like a distant head.
    """
    draw = ImageDraw.Draw(picture)
    labelled = np.concatenate([crop.boxes, crop.ignore])
    colour = lambda: tuple(
        int(v)
        for v in (
            SKIN[rng.integers(len(SKIN))] + rng.integers(-25, 26, 3) if rng.random() < 0.5 else rng.integers(0, 256, 3)
        )
    )
    for _ in range(int(rng.integers(1, 5))):
        size = log_uniform(rng, 6, 60)
        edge = int(rng.random() < 0.5) * max(1, round(size / 12))
        if rng.random() < 0.6:
            font = ImageFont.load_default(size)
            word = "".join(LETTERS[i] for i in rng.integers(len(LETTERS), size=int(rng.integers(2, 12))))
            width, height = draw.textlength(word, font), 1.3 * size
        else:
            width, height = size * rng.uniform(0.7, 1.1), size
        x, y = rng.uniform(-0.2, 1, 2) * (np.array(picture.size) - (0.6 * width, height))
        if overlaps_any(labelled, (x, y), (width, height)):
            continue
        if height != size:
            draw.text((x, y), word, colour(), font, stroke_width=edge, stroke_fill=colour())
        else:
            draw.ellipse((x, y, x + width, y + height), colour(), colour(), edge)


def degrade(picture, rng):
    """The picture as uint8 [S, S, 3] after random changes of light and colour, blur, noise and compression."""
    if rng.random() < 0.6:
        picture = picture.point(light_table(rng))
    if rng.random() < 0.15:
        picture = picture.convert("L").convert("RGB")
    if rng.random() < 0.2:
        # Fewer pixels, not equally along both sides: out of focus, far away or moving.
        reduced = [int(picture.width * rng.uniform(0.35, 1.0)) for _ in range(2)]
        picture = picture.resize(reduced, Image.Resampling.BILINEAR).resize(picture.size, Image.Resampling.BILINEAR)
    if rng.random() < 0.12:
        start = rng.integers(len(NOISE) - picture.height * picture.width * 3)
        noise = NOISE[start : start + picture.height * picture.width * 3].reshape(picture.height, picture.width, 3)
        if rng.random() < 0.5:
            noise = noise[..., :1]
        noise = noise * np.float32(rng.uniform(2, 14))
        picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    if rng.random() < 0.2:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(18, 85)))
        picture = Image.open(stream).convert("RGB")
    return np.array(picture)


def light_table(rng):
    """A lookup table of random gain, offset, gamma and colour cast; some tables are very dark."""
    levels = np.arange(256) / 255
    gain, gamma = math.exp(rng.uniform(-0.4, 0.4)), math.exp(rng.uniform(-0.4, 0.4))
    if rng.random() < 0.1:
        gain, gamma = rng.uniform(0.08, 0.4), rng.uniform(1.0, 1.8)
    strength = rng.choice((0.0, 0.15, 0.3), p=(0.5, 0.4, 0.1))
    cast = np.exp(rng.uniform(-strength, strength, 3))
    offset = rng.uniform(-0.1, 0.1) * min(1.0, gain)
    table = ((levels**gamma - 0.5) * gain + 0.5 * min(1.0, gain) + offset)[None] * cast[:, None]
    return np.clip(table * 255 + 0.5, 0, 255).astype(np.uint8).ravel().tolist()
