# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training crops out of labelled photos: zoomed to faces of 8 px to more than the crop, mosaics, and what cameras and people do to pictures.

Everything is drawn from one `numpy.random.Generator`, so a crop is a function of its seed.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.face.photos import ANIMAL_SOURCES, MASKED

# Faces with a smaller longer side than this, in pixels of the crop, are neither positive nor negative.
SMALLEST = 8.0
# How much more often than a photo of other sources one of these is drawn; crowds hold many faces each and mostly `ignore`.
SOURCE_WEIGHTS = {
    MASKED: 2.0,
    "shA": 0.6,
    "shB": 1.2,
    "helmet": 1.3,
    "portrait": 1.3,
    "animal": 4.0,
    "hands": 2.0,
    "clothes": 2.0,
    "lsp": 1.5,
}
STRETCHED_WEIGHT = 0.7
# How often a crop aims at what looks like a face and is none, where a photo has both.
HARD = 0.45
# Heads tilt: how many of the tiles are turned, and by how much (standard deviation and most, in degrees); and some lie down.
TURNED, TURN, MOST_TURN = 0.2, 22.0, 60.0
QUARTERS = 0.05
# How often a photo fills only a part of its tile, and how far it may stick out.
PARTIAL, OUTSIDE = 0.08, 0.5
# Mirror image: right and left change places.
MIRRORED = [1, 0, 2, 4, 3]


@dataclass
class Crop:
    """A picture uint8 [S, S, 3] and its labels in its pixels; fields as those of `Photo`."""

    pixels: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray
    ignore: np.ndarray


def troubles(photo):
    """(of its faces [N], of its hard places [K]): how much of each a network has still to learn, by what `mine.py` saw."""
    # What is hardly found at all is often no face.
    return np.where(photo.found < 0.05, 0.6, 1.35 - photo.found), photo.hard[:, 4] - 0.1


def photo_weights(photos, stretched=STRETCHED_WEIGHT):
    """Chance of each photo, summing to 1."""

    def weight(photo):
        faces, places = troubles(photo)
        trouble = 0.4 * (faces - 0.55).clip(0).sum() + 0.7 * places.sum()
        return (
            SOURCE_WEIGHTS.get(photo.source, 1.0) * (stretched if photo.stretched else 1.0) * (0.7 + min(1.0, trouble))
        )

    weights = np.array([weight(photo) for photo in photos])
    return weights / weights.sum()


def random_crop(photos, weights, side, rng):
    """One augmented crop."""
    tiles = int(rng.choice((1, 2, 4), p=(0.6, 0.32, 0.08)))
    chosen = [photos[i] for i in rng.choice(len(photos), tiles * tiles, p=weights)]
    crop = mosaic(chosen, tiles, side, rng)
    if rng.random() < 0.5:
        mirror(crop)
    picture = Image.fromarray(crop.pixels)
    cover(picture, crop, rng)
    if rng.random() < 0.15:
        distract(picture, crop, rng)
    crop.pixels = degrade(picture, rng)
    drop_small(crop)
    return crop


# Normal deviates, drawn once: making new ones for every crop would cost more than all else.
NOISE = np.random.default_rng(0).standard_normal(1 << 21, np.float32)


def log_uniform(rng, low, high):
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def window(photo, side, rng):
    """(zoom, corner) of a crop: around a face brought to a random size, or anywhere at a random zoom.

    Now and then what was taken for a face stands for one, by a teacher on a photo of animals without people, or by the network
    (`mine.py`): nothing is harder to tell from it.
    """
    size = np.array(photo.pixels.shape[1::-1])
    least, outside = rng.uniform(0.8, 1.0) * side / size.min(), 0.08
    if rng.random() < PARTIAL:
        least, outside = least * rng.uniform(0.4, 1.0), OUTSIDE
    faces, places = troubles(photo)
    aims, trouble = photo.boxes, faces
    if photo.source in ANIMAL_SOURCES and not len(photo.boxes):
        aims, trouble = photo.ignore, np.ones(len(photo.ignore))
    if len(photo.hard) and (not len(aims) or rng.random() < HARD):
        aims, trouble = photo.hard[:, :4], places
    if len(aims) and rng.random() < 0.75:
        sizes = aims[:, 2:].max(1)
        chance = np.sqrt(sizes) * trouble
        face = rng.choice(len(sizes), p=chance / chance.sum())
        # What is enlarged much more than this no longer looks like a face in a photo.
        zoom = max(min(log_uniform(rng, 7.5, 1.15 * side) / sizes[face], 2.5), least)
        x, y, w, h = aims[face] * zoom
        slack = np.maximum(side - np.array([w, h]), 0.3 * np.array([w, h]))
        corner = np.array([x, y]) - rng.uniform(0, 1, 2) * slack
    else:
        zoom = least * log_uniform(rng, 1.0, 2.5)
        corner = rng.uniform(0, 1, 2) * (size * zoom - side)
    # A little of what is outside the photo may be seen.
    spare = size * zoom - side
    return zoom, np.clip(corner, np.minimum(spare, 0) - outside * side, np.maximum(spare, 0) + outside * side)


def cut(photo, zoom, corner, side, rng):
    """The square of `side` pixels at `corner` of the photo enlarged by `zoom`; what lies outside the photo is one colour."""
    height, width = photo.pixels.shape[:2]
    aspect = math.exp(rng.uniform(-0.08, 0.08))
    zooms = np.array([zoom * aspect, zoom / aspect])
    corner = np.asarray(corner, np.float64)
    low = np.maximum(np.ceil(-corner), 0).astype(int)
    high = np.minimum(np.floor(np.array([width, height]) * zooms - corner), side).astype(int)
    canvas = Image.new(
        "RGB", (side, side), (0, 0, 0) if rng.random() < 0.5 else tuple(int(v) for v in rng.integers(0, 256, 3))
    )
    if (high > low).all():
        # Only what is needed is handed over: reading the whole photo would cost more than resampling it.
        first, last = (corner + low) / zooms, (corner + high) / zooms
        start = np.maximum(np.floor(first) - 2, 0).astype(int)
        stop = np.minimum(np.ceil(last) + 2, (width, height)).astype(int)
        part = Image.fromarray(photo.pixels[start[1] : stop[1], start[0] : stop[0]])
        box = (*np.maximum(first - start, 0), *np.minimum(last - start, stop - start))
        canvas.paste(
            part.resize(tuple(int(v) for v in high - low), Image.Resampling.BILINEAR, box=box),
            tuple(int(v) for v in low),
        )
    place = lambda boxes: boxes * np.tile(zooms, 2) - np.concatenate([corner, [0, 0]])
    crop = Crop(
        np.array(canvas), place(photo.boxes), photo.landmarks * zooms - corner, photo.scores.copy(), place(photo.ignore)
    )
    if photo.source in ANIMAL_SOURCES:
        # Where one teacher saw a face on such a photo there is a muzzle, by far most often.
        crop.ignore = crop.ignore[:0]
    keep_inside(crop, np.array([0, 0, side, side]))
    return crop


def cut_turned(photo, zoom, corner, side, rng):
    """As `cut`; some of the squares are turned about their middle, clockwise for positive angles."""
    chance, quarters = rng.random(), 0
    if chance < QUARTERS:
        quarters = int(rng.integers(1, 4))
        angle = math.radians(90 * quarters)
    elif chance < QUARTERS + TURNED:
        angle = math.radians(np.clip(TURN * rng.standard_normal(), -MOST_TURN, MOST_TURN))
    else:
        return cut(photo, zoom, corner, side, rng)
    cos, sin = math.cos(angle), math.sin(angle)
    growth = abs(cos) + abs(sin)
    # What the turned square sees of the photo.
    reach = math.ceil(side * growth - 1e-6)
    crop = cut(photo, zoom, np.asarray(corner) - (reach - side) / 2, reach, rng)
    inverse = np.array([[cos, sin], [-sin, cos]])
    origin = np.full(2, reach / 2) - inverse @ np.full(2, side / 2)
    matrix = (*inverse[0], origin[0], *inverse[1], origin[1])
    crop.pixels = np.array(
        Image.fromarray(crop.pixels).transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    )
    turn = lambda points: (points - reach / 2) @ inverse + side / 2
    crop.landmarks = turn(crop.landmarks)
    # A tilted head is round enough to keep its box; what is ignored grows to the box around it.
    for boxes, larger in ((crop.boxes, 1.0), (crop.ignore, growth)):
        centres = turn(boxes[:, :2] + boxes[:, 2:] / 2)
        boxes[:, 2:] = larger * (boxes[:, :1:-1] if quarters % 2 else boxes[:, 2:])
        boxes[:, :2] = centres - boxes[:, 2:] / 2
    keep_inside(crop, np.array([0, 0, side, side]))
    return crop


def keep_inside(crop, area):
    """Keeps the faces whose centre is in `area` (corner and size); the rest of them becomes `ignore`."""
    centres = crop.boxes[:, :2] + crop.boxes[:, 2:] / 2
    inside = ((centres >= area[:2]) & (centres < area[:2] + area[2:])).all(1)
    crop.ignore = np.concatenate([crop.ignore, crop.boxes[~inside]])
    crop.boxes, crop.landmarks, crop.scores = crop.boxes[inside], crop.landmarks[inside], crop.scores[inside]
    low = np.maximum(crop.ignore[:, :2], area[:2])
    high = np.minimum(crop.ignore[:, :2] + crop.ignore[:, 2:], area[:2] + area[2:])
    crop.ignore = np.concatenate([low, high - low], 1)[(high > low).all(1)]


def mosaic(photos, tiles, side, rng):
    """A square of `tiles` x `tiles` photos, which is how large faces become small ones without empty space around."""
    part = side // tiles
    parts = [cut_turned(photo, *window(photo, part, rng), part, rng) for photo in photos]
    if tiles == 1:
        return parts[0]
    pixels = np.empty((side, side, 3), np.uint8)
    for index, one in enumerate(parts):
        corner = np.array([index % tiles, index // tiles]) * part
        pixels[corner[1] : corner[1] + part, corner[0] : corner[0] + part] = one.pixels
        clip(one.boxes, part)
        one.boxes[:, :2] += corner
        one.ignore[:, :2] += corner
        one.landmarks += corner
    join = lambda field: np.concatenate([getattr(one, field) for one in parts])
    return Crop(pixels, *map(join, ("boxes", "landmarks", "scores", "ignore")))


def clip(boxes, side):
    """Cuts off what lies outside a square of `side` pixels."""
    far = np.clip(boxes[:, :2] + boxes[:, 2:], 0, side)
    boxes[:, :2] = np.clip(boxes[:, :2], 0, side)
    boxes[:, 2:] = far - boxes[:, :2]


def mirror(crop):
    side = crop.pixels.shape[1]
    crop.pixels = crop.pixels[:, ::-1]
    for boxes in (crop.boxes, crop.ignore):
        boxes[:, 0] = side - boxes[:, 0] - boxes[:, 2]
    crop.landmarks[..., 0] = side - crop.landmarks[..., 0]
    crop.landmarks = crop.landmarks[:, MIRRORED]


def cover(picture, crop, rng):
    """Masks drawn on some faces, and rectangles over a part of some others."""
    draw = ImageDraw.Draw(picture)
    for box, points in zip(crop.boxes, crop.landmarks):
        chance = rng.random()
        if chance < 0.06 and np.isfinite(points).all():
            draw_mask(draw, box, points, rng)
        elif chance < 0.1 and box[2:].max() > 16:
            size = box[2:] * rng.uniform(0.2, 0.55, 2)
            corner = box[:2] + rng.uniform(0, 1, 2) * (box[2:] - size)
            draw.rectangle([*corner, *(corner + size)], fill=tuple(int(v) for v in rng.integers(0, 256, 3)))


def draw_mask(draw, box, points, rng):
    """A cloth from the bridge of the nose to the chin, in the colours such masks have."""
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


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789oi08:.-!?"
SKIN = np.array([[255, 170, 60], [230, 180, 150], [200, 140, 110], [140, 90, 60], [90, 60, 45]])


def distract(picture, crop, rng):
    """Words, as in captions and logos, and balls, often in the colours of skin: from afar the dot of an i looks like a head."""
    draw = ImageDraw.Draw(picture)
    taken = np.concatenate([crop.boxes, crop.ignore])
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
        low, high = np.maximum(taken[:, :2], (x, y)), np.minimum(taken[:, :2] + taken[:, 2:], (x + width, y + height))
        if (high > low).all(1).any():
            continue
        if height != size:
            draw.text((x, y), word, colour(), font, stroke_width=edge, stroke_fill=colour())
        else:
            draw.ellipse((x, y, x + width, y + height), colour(), colour(), edge)


def degrade(picture, rng):
    """Light, colour, blur, noise and compression; uint8 [S, S, 3]."""
    if rng.random() < 0.6:
        picture = picture.point(light_table(rng))
    if rng.random() < 0.15:
        picture = picture.convert("L").convert("RGB")
    if rng.random() < 0.2:
        # Fewer pixels, and fewer still along one side: out of focus, far away or moving.
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
    """Gain, offset and gamma, and a cast of each channel, as a lookup table; some pictures are very dark."""
    levels = np.arange(256) / 255
    gain, gamma = math.exp(rng.uniform(-0.4, 0.4)), math.exp(rng.uniform(-0.4, 0.4))
    if rng.random() < 0.1:
        gain, gamma = rng.uniform(0.08, 0.4), rng.uniform(1.0, 1.8)
    strength = rng.choice((0.0, 0.15, 0.3), p=(0.5, 0.4, 0.1))
    cast = np.exp(rng.uniform(-strength, strength, 3))
    offset = rng.uniform(-0.1, 0.1) * min(1.0, gain)
    table = ((levels**gamma - 0.5) * gain + 0.5 * min(1.0, gain) + offset)[None] * cast[:, None]
    return np.clip(table * 255 + 0.5, 0, 255).astype(np.uint8).ravel().tolist()


def drop_small(crop):
    small = crop.boxes[:, 2:].max(1, initial=0) < SMALLEST
    crop.ignore = np.concatenate([crop.ignore, crop.boxes[small]])
    crop.boxes, crop.landmarks, crop.scores = crop.boxes[~small], crop.landmarks[~small], crop.scores[~small]
