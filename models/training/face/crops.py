# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random training crops of labelled photos, with faces from 8 px to more than the crop, and mosaics of them.

All random values come from one `numpy.random.Generator`, so a crop is a function of its seed.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.face.degradation import cover, degrade, distract, log_uniform
from training.face.photos import ANIMAL_SOURCES, MASKED

# Faces whose longer side in the crop has fewer pixels than this are neither positive nor negative.
MIN_FACE = 8.0
# Sampling weight of a photo by its source, 1 by default. Photos of crowds hold many faces each, and most are `ignore`.
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
# Probability of aiming at a hard negative in a photo that has faces as well.
HARD_NEGATIVE_SHARE = 0.45
# Roll of the tiles: the share that is rotated, standard deviation and maximum of the angle in degrees, and the share
# that is rotated by multiples of 90 degrees.
ROTATED_SHARE, ROLL_DEVIATION, MAX_ROLL = 0.2, 22.0, 60.0
QUARTER_TURN_SHARE = 0.05
# Share of photos that may fill only a part of their tile, and the share of the side by which they may stick out of it.
PARTIAL_SHARE, PARTIAL_OUTSIDE = 0.08, 0.5
# Order of the landmarks in a mirror image, where right and left are swapped.
MIRRORED = [1, 0, 2, 4, 3]


@dataclass
class Crop:
    """A picture uint8 [S, S, 3] and its labels in its pixels, with the fields of `Photo`."""

    pixels: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray
    ignore: np.ndarray


def difficulties(photo):
    """(of its faces [N], of its hard negatives [K]), by the scores that `mine.py` stored."""
    # A face with almost no score is often a wrong label.
    return np.where(photo.mined_scores < 0.05, 0.6, 1.35 - photo.mined_scores), photo.hard_negatives[:, 4] - 0.1


def photo_weights(photos, stretched=STRETCHED_WEIGHT):
    """The sampling probability of each photo, with a sum of 1."""

    def weight(photo):
        faces, negatives = difficulties(photo)
        difficulty = 0.4 * (faces - 0.55).clip(0).sum() + 0.7 * negatives.sum()
        source_weight = SOURCE_WEIGHTS.get(photo.source, 1.0) * (stretched if photo.stretched else 1.0)
        return source_weight * (0.7 + min(1.0, difficulty))

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
    ignore_small(crop)
    return crop


def targets(photo, rng):
    """(boxes [K, 4], difficulties [K]) of a photo that a crop may aim at."""
    faces, negatives = difficulties(photo)
    boxes, difficulty = photo.boxes, faces
    # What a teacher took for a face on a photo of animals without people is a hard negative too.
    if photo.source in ANIMAL_SOURCES and not len(photo.boxes):
        boxes, difficulty = photo.ignore, np.ones(len(photo.ignore))
    if len(photo.hard_negatives) and (not len(boxes) or rng.random() < HARD_NEGATIVE_SHARE):
        boxes, difficulty = photo.hard_negatives[:, :4], negatives
    return boxes, difficulty


def window(photo, side, rng):
    """(zoom, corner) of a crop: around a target of random size, or anywhere at a random zoom."""
    size = np.array(photo.pixels.shape[1::-1])
    min_zoom, outside = rng.uniform(0.8, 1.0) * side / size.min(), 0.08
    if rng.random() < PARTIAL_SHARE:
        min_zoom, outside = min_zoom * rng.uniform(0.4, 1.0), PARTIAL_OUTSIDE
    boxes, difficulty = targets(photo, rng)
    if len(boxes) and rng.random() < 0.75:
        sizes = boxes[:, 2:].max(1)
        weights = np.sqrt(sizes) * difficulty
        target = rng.choice(len(sizes), p=weights / weights.sum())
        # Faces that are enlarged further no longer look like faces in a photo.
        zoom = max(min(log_uniform(rng, 7.5, 1.15 * side) / sizes[target], 2.5), min_zoom)
        x, y, w, h = boxes[target] * zoom
        slack = np.maximum(side - np.array([w, h]), 0.3 * np.array([w, h]))
        corner = np.array([x, y]) - rng.uniform(0, 1, 2) * slack
    else:
        zoom = min_zoom * log_uniform(rng, 1.0, 2.5)
        corner = rng.uniform(0, 1, 2) * (size * zoom - side)
    # A crop may reach a little beyond the photo.
    spare = size * zoom - side
    return zoom, np.clip(corner, np.minimum(spare, 0) - outside * side, np.maximum(spare, 0) + outside * side)


def paste_resized(canvas, photo, zooms, corner):
    """Paste the part of the photo that lies in the canvas, whose corner is given in pixels of the enlarged photo."""
    height, width = photo.pixels.shape[:2]
    low = np.maximum(np.ceil(-corner), 0).astype(int)
    high = np.minimum(np.floor(np.array([width, height]) * zooms - corner), canvas.width).astype(int)
    if not (high > low).all():
        return
    # Only the needed part is read: reading a whole photo would take longer than resampling.
    first, last = (corner + low) / zooms, (corner + high) / zooms
    start = np.maximum(np.floor(first) - 2, 0).astype(int)
    stop = np.minimum(np.ceil(last) + 2, (width, height)).astype(int)
    part = Image.fromarray(photo.pixels[start[1] : stop[1], start[0] : stop[0]])
    box = (*np.maximum(first - start, 0), *np.minimum(last - start, stop - start))
    resized = part.resize(tuple(int(v) for v in high - low), Image.Resampling.BILINEAR, box=box)
    canvas.paste(resized, tuple(int(v) for v in low))


def cut(photo, zoom, corner, side, rng):
    """The square of `side` pixels at `corner` of the photo enlarged by `zoom`, on a canvas of one colour."""
    aspect = math.exp(rng.uniform(-0.08, 0.08))
    zooms = np.array([zoom * aspect, zoom / aspect])
    corner = np.asarray(corner, np.float64)
    colour = (0, 0, 0) if rng.random() < 0.5 else tuple(int(v) for v in rng.integers(0, 256, 3))
    canvas = Image.new("RGB", (side, side), colour)
    paste_resized(canvas, photo, zooms, corner)
    move = lambda boxes: boxes * np.tile(zooms, 2) - np.concatenate([corner, [0, 0]])
    landmarks = photo.landmarks * zooms - corner
    crop = Crop(np.array(canvas), move(photo.boxes), landmarks, photo.scores.copy(), move(photo.ignore))
    if photo.source in ANIMAL_SOURCES:
        # What a single teacher took for a face on such a photo is almost always a muzzle.
        crop.ignore = crop.ignore[:0]
    keep_inside(crop, np.array([0, 0, side, side]))
    return crop


def random_roll(rng):
    """(angle in radians, number of quarter turns) of a tile, or None if it is not rotated."""
    draw = rng.random()
    if draw < QUARTER_TURN_SHARE:
        quarters = int(rng.integers(1, 4))
        return math.radians(90 * quarters), quarters
    if draw < QUARTER_TURN_SHARE + ROTATED_SHARE:
        return math.radians(np.clip(ROLL_DEVIATION * rng.standard_normal(), -MAX_ROLL, MAX_ROLL)), 0
    return None


def cut_rotated(photo, zoom, corner, side, rng):
    """Like `cut`, but some of the squares are rotated about their centre, clockwise for positive angles."""
    roll = random_roll(rng)
    if roll is None:
        return cut(photo, zoom, corner, side, rng)
    angle, quarters = roll
    cos, sin = math.cos(angle), math.sin(angle)
    growth = abs(cos) + abs(sin)
    # Side of the upright square around the rotated one.
    outer = math.ceil(side * growth - 1e-6)
    crop = cut(photo, zoom, np.asarray(corner) - (outer - side) / 2, outer, rng)
    inverse = np.array([[cos, sin], [-sin, cos]])
    origin = np.full(2, outer / 2) - inverse @ np.full(2, side / 2)
    matrix = (*inverse[0], origin[0], *inverse[1], origin[1])
    picture = Image.fromarray(crop.pixels)
    crop.pixels = np.array(picture.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
    rotate = lambda points: (points - outer / 2) @ inverse + side / 2
    crop.landmarks = rotate(crop.landmarks)
    # Heads are round enough to keep the size of their box. An ignored area grows to its bounding box.
    for boxes, factor in ((crop.boxes, 1.0), (crop.ignore, growth)):
        centres = rotate(boxes[:, :2] + boxes[:, 2:] / 2)
        boxes[:, 2:] = factor * (boxes[:, :1:-1] if quarters % 2 else boxes[:, 2:])
        boxes[:, :2] = centres - boxes[:, 2:] / 2
    keep_inside(crop, np.array([0, 0, side, side]))
    return crop


def keep_inside(crop, area):
    """Keep the faces whose centre is in `area` (corner and size); the others become `ignore`, cut to the area."""
    centres = crop.boxes[:, :2] + crop.boxes[:, 2:] / 2
    inside = ((centres >= area[:2]) & (centres < area[:2] + area[2:])).all(1)
    crop.ignore = np.concatenate([crop.ignore, crop.boxes[~inside]])
    crop.boxes, crop.landmarks, crop.scores = crop.boxes[inside], crop.landmarks[inside], crop.scores[inside]
    low = np.maximum(crop.ignore[:, :2], area[:2])
    high = np.minimum(crop.ignore[:, :2] + crop.ignore[:, 2:], area[:2] + area[2:])
    crop.ignore = np.concatenate([low, high - low], 1)[(high > low).all(1)]


def mosaic(photos, tiles, side, rng):
    """A square of `tiles` x `tiles` photos, which makes large faces small without an empty area around them."""
    tile_side = side // tiles
    crops = [cut_rotated(photo, *window(photo, tile_side, rng), tile_side, rng) for photo in photos]
    if tiles == 1:
        return crops[0]
    pixels = np.empty((side, side, 3), np.uint8)
    for index, crop in enumerate(crops):
        corner = np.array([index % tiles, index // tiles]) * tile_side
        pixels[corner[1] : corner[1] + tile_side, corner[0] : corner[0] + tile_side] = crop.pixels
        clip_boxes(crop.boxes, tile_side)
        crop.boxes[:, :2] += corner
        crop.ignore[:, :2] += corner
        crop.landmarks += corner
    join = lambda field: np.concatenate([getattr(crop, field) for crop in crops])
    return Crop(pixels, *map(join, ("boxes", "landmarks", "scores", "ignore")))


def clip_boxes(boxes, side):
    """Clip boxes to a square of `side` pixels, in place."""
    far = np.clip(boxes[:, :2] + boxes[:, 2:], 0, side)
    boxes[:, :2] = np.clip(boxes[:, :2], 0, side)
    boxes[:, 2:] = far - boxes[:, :2]


def mirror(crop):
    """Mirror a crop and its labels in place."""
    side = crop.pixels.shape[1]
    crop.pixels = crop.pixels[:, ::-1]
    for boxes in (crop.boxes, crop.ignore):
        boxes[:, 0] = side - boxes[:, 0] - boxes[:, 2]
    crop.landmarks[..., 0] = side - crop.landmarks[..., 0]
    crop.landmarks = crop.landmarks[:, MIRRORED]


def ignore_small(crop):
    """Turn faces smaller than `MIN_FACE` into `ignore`."""
    small = crop.boxes[:, 2:].max(1, initial=0) < MIN_FACE
    crop.ignore = np.concatenate([crop.ignore, crop.boxes[small]])
    crop.boxes, crop.landmarks, crop.scores = crop.boxes[~small], crop.landmarks[~small], crop.scores[~small]
