# SPDX-License-Identifier: MIT OR Apache-2.0
"""Faces with the teacher's points, pose and blendshapes: the files of a cache, and which faces are held out.

Each file `SOURCE-*.npz` of a cache has, for N faces,

    image         uint8 [N, 112, 112], grey, the face and what is around it
    mesh          float32 [N, 478, 3], the teacher's points: x and y in 0..1 of the picture, z away from the camera
    matrix        float32 [N, 4, 4], the teacher's matrix
    blendshapes   float32 [N, 52]
    disagreement  float32 [N], mean distance of the points in two views of the face, in parts of the eye distance
    name          [N]: `SOURCE/PHOTO/FACE` for photos, the file of LFW, `ferplus/NUMBER/SPLIT` for FER2013

`turned-*.npz` files have `points` [N, 70, 2] and `rotation` [N, 3, 3] instead of mesh and matrix.
"""

from dataclasses import dataclass, fields

import numpy as np

from training.expression.readers import PUBLIC_TEST
from training.geometry.points import points_of_mesh, rotation_of_matrix

SIDE = 112
SOURCES = ("photos", "lfw", "ferplus")
# Sources of photos whose faces are for validation only, and the part of LFW's people that are.
HELD_OUT_PHOTOS = ("flickr8k", "facens", "hands", "sports", "clothes", "street")
ONE_PERSON_OF = 10
# Faces on whose points the teacher disagrees with itself by more than this part of the eye distance are left out.
MAX_DISAGREEMENT = {"photos": 0.08, "lfw": 0.08, "ferplus": 0.06}


@dataclass(frozen=True)
class Faces:
    """Faces and what the teacher says of them.

    image        uint8 [N, 112, 112]
    points       float32 [N, 70, 2], in 0..1 of the picture
    rotation     float32 [N, 3, 3], from the canonical face to the camera (x right, y up, z towards the camera)
    blendshapes  float32 [N, 52]
    source       uint8 [N], index into `SOURCES`
    held_out     bool [N]
    """

    image: np.ndarray
    points: np.ndarray
    rotation: np.ndarray
    blendshapes: np.ndarray
    source: np.ndarray
    held_out: np.ndarray

    def __len__(self):
        return len(self.image)

    def __getitem__(self, selected):
        return Faces(*(getattr(self, field.name)[selected] for field in fields(self)))


def is_held_out(name):
    """Whether a face is for validation only. All pictures of a person, of a split or of a source of photos share it."""
    parts = str(name).split("/")
    if parts[0] == "ferplus":
        return int(parts[2]) == PUBLIC_TEST
    if len(parts) > 1:
        return parts[0] in HELD_OUT_PHOTOS
    return sum(map(ord, parts[0].rsplit("_", 1)[0])) % ONE_PERSON_OF == 0


def _read(path, source):
    stored = np.load(path)
    kept = stored["disagreement"] < MAX_DISAGREEMENT[source]
    name = stored["name"][kept]
    is_turned = "points" in stored
    points = stored["points"][kept] if is_turned else points_of_mesh(stored["mesh"][kept])[..., :2]
    return Faces(
        stored["image"][kept],
        points.astype(np.float32),
        stored["rotation"][kept] if is_turned else rotation_of_matrix(stored["matrix"][kept]),
        stored["blendshapes"][kept].astype(np.float32),
        np.full(len(name), SOURCES.index(source), np.uint8),
        np.array([is_held_out(face) for face in name], bool),
    )


def load_faces(cache, prefix=""):
    """All faces of the files of a cache whose names begin with `prefix` and a source; None if there are none."""
    parts = [_read(path, source) for source in SOURCES for path in sorted(cache.glob(f"{prefix}{source}*.npz"))]
    if not parts:
        return None
    return Faces(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Faces)))


def mean_distance(predicted, expected):
    """Mean distance of points [N, K, 2] in parts of the distance of the outer corners of the eyes, [N]."""
    eyes = np.linalg.norm(expected[:, 36] - expected[:, 45], axis=-1)
    return np.linalg.norm(predicted - expected, axis=-1).mean(-1) / eyes
