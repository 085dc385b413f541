# SPDX-License-Identifier: MIT OR Apache-2.0
"""Windows onto photos for training on a GPU: which part of which photo a picture of a batch shows, and its labels.

There are three kinds. A plain one shows a whole photo or a large part of it, as `factorise.view` does. A hard one aims
at a face that shall be large, and often cut off by the edge. An empty one shows a part of a photo that need not have a
face, as large. All random values come from one `numpy.random.Generator`.
"""

import math
from dataclasses import dataclass

import numpy as np

from training.face.crops import MIN_FACE, MIRRORED
from training.face.degradation import log_uniform
from training.face.photos import ANIMAL_SOURCES, UNSURE_SOURCES

PLAIN, HARD, EMPTY = range(3)
# Range of the longer side of the photo in a plain view.
PLAIN_SIZE = (224, 720)
# Range of the size of the face in a hard view, relative to its height; the share of smaller faces, and their range.
LARGE, SMALL_SHARE, SMALL = (0.35, 1.25), 0.3, (0.12, 0.35)
# Faces of fewer pixels in the photo are not aimed at, and none is enlarged more than this.
MIN_TARGET, MAX_ZOOM = 20, 5.0
# Share of hard views whose face is cut off, and the range of the part of its width or height that is outside.
EDGE_SHARE, OUTSIDE = 0.45, (0.2, 0.7)
# A face of which less than this part is visible is ignored.
MIN_VISIBLE = 0.28
# Landmarks count for faces of which more than this part is visible.
WHOLE = 0.8
ROTATED_SHARE, ROLL_DEVIATION = 0.35, 14.0
# Sampling weights: of faces in profile, and of the nose's distance from the middle of the eyes that makes a profile.
PROFILE_WEIGHT, PROFILE_OFFSET = 4.0, 0.14


@dataclass
class Labels:
    """Labels of a photo: boxes [N, 4] as corners, landmarks [N, 5, 2], scores [N], profile [N] and ignore [M, 4].

    turned says that `turned.py` made the picture, so that the network at the start does not know its faces.
    """

    source: str
    turned: bool
    size: tuple
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray
    profile: np.ndarray
    ignore: np.ndarray

    @classmethod
    def of_entry(cls, entry, size):
        """Labels of an entry that `pack.py` wrote, of a photo of `size` (width, height)."""
        corners = lambda boxes: np.array(boxes, np.float32).reshape(-1, 4) @ CORNERS
        unknown = [[math.nan] * 2] * 5
        landmarks = np.array([points or unknown for points in entry["landmarks"]], np.float32).reshape(-1, 5, 2)
        boxes = corners(entry["boxes"])
        offset = np.abs(landmarks[:, 2, 0] - landmarks[:, :2, 0].mean(1)) / np.maximum(boxes[:, 2] - boxes[:, 0], 1)
        profile = (offset > PROFILE_OFFSET) | entry["turned"]
        scores = np.array(entry["scores"], np.float32)
        return cls(entry["source"], entry["turned"], size, boxes, landmarks, scores, profile, corners(entry["ignore"]))


# From x, y, width, height to corners.
CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)


@dataclass
class View:
    """A picture of a batch.

    photo     index of the photo
    matrix    [2, 3] from pixels of the view to those of the photo
    zoom      size of a pixel of the photo in the view
    kind      PLAIN, HARD or EMPTY
    boxes, landmarks, scores, ignore   labels in pixels of the view, boxes as corners
    target    [3], centre and size of the face that a hard view aims at
    """

    photo: int
    matrix: np.ndarray
    zoom: float
    kind: int
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray
    ignore: np.ndarray
    target: np.ndarray


def targets(photos):
    """(photo [K], face [K], probability [K]) of the faces that hard views aim at."""
    rows = [
        (index, face, weight)
        for index, photo in enumerate(photos)
        if photo.source not in ("shA", "shB")
        for face, weight in enumerate(target_weights(photo))
        if weight > 0
    ]
    indices, faces, weights = np.array(rows).T
    return indices.astype(int), faces.astype(int), weights / weights.sum()


def target_weights(photo):
    """Weights of the faces of a photo: the larger, the more often, and profiles more often than others."""
    sizes = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max(1, initial=0)
    weights = np.minimum(sizes, 120) / 60 * np.where(photo.profile, PROFILE_WEIGHT, 1)
    return np.where(sizes >= MIN_TARGET, weights, 0)


class Views:
    """Random views of photos, given as `Labels`."""

    def __init__(self, photos, rng):
        self.photos, self.rng = photos, rng
        self.target_photos, self.target_faces, self.target_shares = targets(photos)
        animals = np.array([photo.source in ANIMAL_SOURCES for photo in photos])
        plain = [0 if photo.turned else 3 if len(photo.boxes) else 1 for photo in photos]
        self.plain_shares = shares(np.where(animals, 6, plain))
        unsure = np.array([photo.source in UNSURE_SOURCES for photo in photos])
        self.empty_shares = shares(np.where(unsure, 0, np.where(animals, 6, 1)))

    def draw(self, kind, width, height):
        """A view of a kind, of this size."""
        rng = self.rng
        if kind == HARD:
            row = rng.choice(len(self.target_photos), p=self.target_shares)
            photo = self.target_photos[row]
            zoom, centre = self.around_face(self.photos[photo], self.target_faces[row], width, height)
        else:
            photo = rng.choice(len(self.photos), p=self.plain_shares if kind == PLAIN else self.empty_shares)
            size = np.array(self.photos[photo].size)
            if kind == PLAIN:
                zoom = log_uniform(rng, *PLAIN_SIZE) / size.max()
            else:
                zoom = min(log_uniform(rng, 1.0, 5.0) * max(width / size[0], height / size[1]), MAX_ZOOM)
            centre = anywhere(rng, size, np.array([width, height]) / zoom)
        roll = 0.0
        if kind != PLAIN and rng.random() < ROTATED_SHARE:
            roll = math.radians(np.clip(ROLL_DEVIATION * rng.standard_normal(), -45, 45))
        stretch = math.exp(rng.uniform(-0.06, 0.06)) if kind != PLAIN else 1.0
        matrix = matrix_of(centre, zoom, roll, stretch, rng.random() < 0.5, width, height)
        return labelled(self.photos[photo], photo, matrix, zoom, kind, width, height)

    def around_face(self, photo, face, width, height):
        """(zoom, centre in the photo) of a window onto a face."""
        rng, box, photo_size = self.rng, photo.boxes[face], np.array(photo.size)
        size = box[2:] - box[:2]
        share = log_uniform(rng, *(SMALL if rng.random() < SMALL_SHARE else LARGE))
        zoom = min(share * height / size.max(), MAX_ZOOM)
        window, centre = np.array([width, height]) / zoom, (box[:2] + box[2:]) / 2
        # Where the face's centre lies in the window, in pixels of the photo.
        slack = np.maximum(window - size, 0) / 2
        offset = rng.uniform(-1, 1, 2) * slack
        if rng.random() >= EDGE_SHARE:
            return zoom, within(centre - offset, photo_size, window)
        axes = rng.permutation(2)[: 1 + int(rng.random() < 0.3)]
        for axis in axes:
            outside = rng.uniform(*OUTSIDE) if len(axes) == 1 else rng.uniform(OUTSIDE[0], 0.45)
            side = rng.choice((-1, 1))
            offset[axis] = side * (window[axis] / 2 + (outside - 0.5) * size[axis])
        return zoom, centre - offset


def shares(weights):
    return weights / weights.sum()


def anywhere(rng, size, window):
    """The centre of a window within a photo, or that of the photo along an axis where it is smaller."""
    spare = np.maximum(size - window, 0)
    return size / 2 + rng.uniform(-0.5, 0.5, 2) * spare


def within(centre, size, window):
    """The nearest centre of a window within a photo; that of the photo along an axis where it is smaller."""
    low, high = np.minimum(window / 2, size / 2), np.maximum(size - window / 2, size / 2)
    return np.clip(centre, low, high)


def matrix_of(centre, zoom, roll, stretch, mirrored, width, height):
    """[2, 3] from pixels of a view to those of the photo; the centre of the view is at `centre`."""
    cos, sin = math.cos(roll), math.sin(roll)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([stretch, 1 / stretch]) / zoom
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    return np.concatenate([linear, (centre - linear @ [width / 2, height / 2])[:, None]], 1)


def labelled(photo, index, matrix, zoom, kind, width, height):
    """The view of a photo by a matrix, with its labels; boxes keep their size and are cut off by the edges."""
    linear, origin = matrix[:, :2], matrix[:, 2]
    inverse = np.linalg.inv(linear)
    into = lambda points: (points - origin) @ inverse.T
    mirrored = np.linalg.det(linear) < 0
    landmarks = into(photo.landmarks)[:, MIRRORED] if mirrored else into(photo.landmarks)
    moved = lambda boxes: move_boxes(boxes, into, zoom)
    boxes, ignore, edge = moved(photo.boxes), moved(photo.ignore), np.array([width, height, width, height])
    whole = boxes
    boxes = np.clip(boxes, 0, edge)
    sizes, area = boxes[:, 2:] - boxes[:, :2], lambda corners: (corners[:, 2:] - corners[:, :2]).prod(1)
    visible = area(boxes) / np.maximum(area(whole), 1e-6)
    counts = (visible >= MIN_VISIBLE) & (sizes.max(1, initial=0) >= MIN_FACE) & (sizes.min(1, initial=1e9) >= 4)
    if photo.source in ANIMAL_SOURCES:
        # What a single teacher took for a face on such a photo is almost always a muzzle.
        ignore = ignore[:0]
    ignore = np.concatenate([ignore, boxes[~counts & (visible > 0)]])
    ignore = np.clip(ignore, 0, edge)
    ignore = ignore[(ignore[:, 2:] > ignore[:, :2]).all(1)]
    landmarks = np.where((visible > WHOLE)[:, None, None], landmarks, math.nan)
    boxes, points, scores = boxes[counts], landmarks[counts], photo.scores[counts]
    largest = np.zeros(3)
    if len(boxes):
        box = boxes[area(boxes).argmax()]
        largest = np.array([*(box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()])
    return View(index, matrix, zoom, kind, boxes, points, scores, ignore, largest)


def move_boxes(boxes, into, zoom):
    """Boxes as corners in the view: their centres move, and their size is only enlarged, since heads are round."""
    centres, halves = into((boxes[:, :2] + boxes[:, 2:]) / 2), (boxes[:, 2:] - boxes[:, :2]) / 2 * zoom
    return np.concatenate([centres - halves, centres + halves], 1)
