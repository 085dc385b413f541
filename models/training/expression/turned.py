# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training faces that look ahead, drawn as if they were turned; they keep the labels of the pictures that they come from.

A turned face keeps its expression, but few labelled pictures show one, and the labels of these are worse. `pack_meshes` makes
the meshes of geometry/teacher.py small enough to travel; `draw` turns pictures by them, on all cores.
"""

import multiprocessing

import cv2
import numpy as np

from training.geometry.faces import SIDE
from training.geometry.points import points_of_mesh
from training.geometry.turn import Turner, turn_by

# Faces that look farther away, in degrees, are not turned; turns to the side are uniform, those up and down normal.
AHEAD = 20.0
MAX_TURN, PITCH_SPREAD, MAX_PITCH = 60.0, 8.0, 20.0
COMPONENTS = 64


def middle(points):
    """Centre of the box around points [K, 2]."""
    return (points.min(0) + points.max(0)) / 2


def turned_picture(turner, image, mesh, yaw, pitch, side):
    """A face [S, S] after a turn in degrees, [side, side], moved so that the box of its points stays where it was."""
    picture, moved = turner.turn(image, mesh, turn_by(yaw, pitch))
    offset = middle(points_of_mesh(mesh)[:, :2]) - middle(points_of_mesh(moved)[:, :2])
    shift = np.float32([[1, 0, offset[0] * len(picture)], [0, 1, offset[1] * len(picture)]])
    picture = cv2.warpAffine(picture, shift, picture.shape, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def pack_meshes(meshes):
    """{name: array} of meshes [N, 478, 3] as coefficients in 8 bits of their principal components."""
    flat = meshes.reshape(len(meshes), -1).astype(np.float64)
    mean = flat.mean(0)
    _, vectors = np.linalg.eigh(np.cov((flat - mean).T))
    basis = vectors[:, : -COMPONENTS - 1 : -1]
    values = (flat - mean) @ basis
    scale = np.abs(values).max(0) / 127
    coefficients = np.round(values / scale).astype(np.int8)
    return {"coefficients": coefficients, "basis": (basis * scale).astype(np.float32), "mean": mean.astype(np.float32)}


def unpack_meshes(packed):
    """The meshes [N, 478, 3] of `pack_meshes`, nearly."""
    flat = packed["coefficients"].astype(np.float32) @ packed["basis"].T + packed["mean"]
    return flat.reshape(len(flat), -1, 3)


def _start(triangles, contour):
    global _turner
    cv2.setNumThreads(1)
    _turner = Turner(triangles, contour)


def _draw(task):
    image, mesh, yaw, pitch = task
    enlarged = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return turned_picture(_turner, enlarged, mesh, yaw, pitch, len(image))


def draw(images, meshes, topology, processes, seed=0):
    """Pictures uint8 [N, S, S], each turned once at random by its mesh; `topology` as `mesh_topology` of turn.py."""
    random = np.random.default_rng(seed)
    yaws = random.uniform(-MAX_TURN, MAX_TURN, len(images))
    pitches = random.normal(0, PITCH_SPREAD, len(images)).clip(-MAX_PITCH, MAX_PITCH)
    with multiprocessing.get_context("fork").Pool(processes, _start, topology) as pool:
        return np.stack(pool.map(_draw, zip(images, meshes, yaws, pitches), chunksize=64))
