# SPDX-License-Identifier: MIT OR Apache-2.0
"""Turn labelled faces to poses that photos rarely show, by drawing each face's own pixels on its turned mesh.

    python -m training.geometry.turn --cache CACHE [--times photos=4 lfw=1 ferplus=0.35]

Reads the files that `teacher.py` wrote to CACHE and writes `turned-*.npz` beside them. Only faces for training are turned.
Needs MediaPipe's Python package for the triangles of the mesh.

The mesh of the face is continued by three rings around it: hair and neck, which turn with the head, and the background,
which stays. Triangles are painted from the farthest to the nearest.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.geometry.faces import SIDE, is_held_out
from training.geometry.points import angles, points_of_mesh, rotation_of_matrix

MESH_POINTS, FACE_POINTS = 478, 468
# Size of the rings around the face, in units of its contour, and how far they lie behind it, in units of its height.
RINGS = ((1.18, 0.12), (1.5, 0.3))
BACKGROUND_SIZE = 6
SEED = 7
# Faces on whose points the teacher disagrees with itself by more than this part of the eye distance are not turned.
MAX_DISAGREEMENT = 0.05
YAW_RANGE, PITCH_SPREAD = 75, 20
MAX_YAW_CHANGE, MAX_PITCH_CHANGE = 60, 30
# From the axes of a picture (y down, z away from the camera) to those of the pose (y up, z towards it).
FLIP = np.diag([1.0, -1.0, -1.0])


def mesh_topology():
    """(triangles [852, 3], contour [36]) of the teacher's mesh."""
    from mediapipe.tasks.python import vision

    edges = [(edge.start, edge.end) for edge in vision.FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION]
    triangles = [sorted({*edges[i], *edges[i + 1], *edges[i + 2]}) for i in range(0, len(edges), 3)]
    following = {edge.start: edge.end for edge in vision.FaceLandmarksConnections.FACE_LANDMARKS_FACE_OVAL}
    contour = [next(iter(following))]
    while following[contour[-1]] != contour[0]:
        contour.append(following[contour[-1]])
    return np.array(triangles), np.array(contour)


def turn_by(yaw, pitch):
    """The rotation in the axes of the picture (x right, y down, z away) by degrees to the person's left and up."""
    yaw, pitch = np.radians(yaw), np.radians(pitch)
    sideways = [[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]]
    upward = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    return np.array(sideways) @ np.array(upward)


class Turner:
    """Draws turned faces."""

    def __init__(self, triangles, contour):
        count = len(contour)
        self.contour = contour
        rings = [MESH_POINTS + count * ring + np.arange(count) for ring in range(len(RINGS) + 1)]
        self.background = rings[-1]
        bands = [self._band(inner, outer) for inner, outer in zip([contour, *rings], rings)]
        self.triangles = np.concatenate([*reversed(bands), triangles])
        self.is_background = np.arange(len(self.triangles)) < len(bands[-1])

    @staticmethod
    def _band(inner, outer):
        """The triangles between two rings."""
        following = lambda ring: np.roll(ring, -1)
        return np.concatenate(
            [
                np.stack([inner, following(inner), outer], 1),
                np.stack([following(inner), following(outer), outer], 1),
            ]
        )

    def _with_rings(self, mesh):
        contour = mesh[self.contour]
        center, height = contour.mean(0), np.ptp(contour[:, 1])
        rings = [center + (contour - center) * [size, size, 1] + [0, 0, depth * height] for size, depth in RINGS]
        background = center + (contour - center) * [BACKGROUND_SIZE, BACKGROUND_SIZE, 1]
        return np.concatenate([mesh, *rings, background])

    def turn(self, picture, mesh, rotation):
        """(picture, mesh) after a rotation [3, 3] about the middle of the head.

        picture  uint8 [S, S]
        mesh     [478, 3] in 0..1 of the picture, z away from the camera
        """
        side = picture.shape[0]
        source = self._with_rings(mesh.astype(np.float64))
        center = np.append(mesh[:FACE_POINTS, :2].mean(0), mesh[self.contour, 2].mean())
        turned = source.copy()
        turned[: self.background[0]] = (source[: self.background[0]] - center) @ rotation.T + center
        corners, origins = turned[self.triangles], source[self.triangles, :2] * side
        covering = self._paint(corners, side)
        column, row = self._origin(corners[..., :2] * side, origins, covering)
        drawn = cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return drawn, turned[:MESH_POINTS]

    def _paint(self, corners, side):
        """For each pixel, the number of the triangle that covers it."""
        covering = np.zeros((side, side), np.int32)
        subpixels = 4
        positions = np.round(corners[..., :2] * side * (1 << subpixels)).astype(np.int32)
        for index in np.lexsort((-corners[..., 2].mean(1), ~self.is_background)):
            cv2.fillConvexPoly(covering, positions[index], int(index), cv2.LINE_8, subpixels)
        return covering

    @staticmethod
    def _origin(corners, origins, covering):
        """The position in the source of each pixel, by barycentric coordinates in its triangle."""
        row, column = np.mgrid[: covering.shape[0], : covering.shape[1]].astype(np.float64)
        first, second, third = np.moveaxis(corners[covering], 2, 0)
        across, down = second - first, third - first
        offset = np.stack([column, row], -1) - first
        area = across[..., 0] * down[..., 1] - down[..., 0] * across[..., 1]
        area = np.where(np.abs(area) < 1e-9, 1e-9, area)
        # Pixels at the edge of a triangle may be outside of it by a fraction.
        toward_second = ((offset[..., 0] * down[..., 1] - down[..., 0] * offset[..., 1]) / area).clip(-0.2, 1.2)
        toward_third = ((across[..., 0] * offset[..., 1] - offset[..., 0] * across[..., 1]) / area).clip(-0.2, 1.2)
        first, second, third = np.moveaxis(origins[covering], 2, 0)
        source = first + toward_second[..., None] * (second - first) + toward_third[..., None] * (third - first)
        return source[..., 0].astype(np.float32), source[..., 1].astype(np.float32)


def random_turn(rotation, random):
    """A rotation in the axes of the picture that leads to a yaw that is uniform, and to a pitch around 0."""
    yaw, pitch, _ = angles(rotation)
    yaw_change = np.clip(random.uniform(-YAW_RANGE, YAW_RANGE) - yaw, -MAX_YAW_CHANGE, MAX_YAW_CHANGE)
    pitch_change = np.clip(random.normal(0, PITCH_SPREAD) - pitch, -MAX_PITCH_CHANGE, MAX_PITCH_CHANGE)
    return turn_by(yaw_change, pitch_change)


def turn_file(turner, path, times, random):
    """Turn the faces of a file `times` times, or that part of them if `times` is less than 1."""
    faces = dict(np.load(path))  # an array of an open file is read anew each time
    rotations = rotation_of_matrix(faces["matrix"])
    chosen = [i for i in np.flatnonzero(faces["disagreement"] < MAX_DISAGREEMENT) if not is_held_out(faces["name"][i])]
    if times < 1:
        chosen = random.permutation(chosen)[: round(len(chosen) * times)]
    chosen = np.repeat(chosen, max(1, round(times)))
    images, points, turned = [], [], []
    for i in chosen:
        rotation = random_turn(rotations[i], random)
        image, mesh = turner.turn(faces["image"][i], faces["mesh"][i], rotation)
        images.append(image)
        points.append(points_of_mesh(mesh)[:, :2])
        turned.append(FLIP @ rotation @ FLIP @ rotations[i])
    shape = {"image": (0, SIDE, SIDE), "points": (0, 70, 2), "rotation": (0, 3, 3)}
    stack = lambda name, values, kind: np.stack(values).astype(kind) if values else np.zeros(shape[name], kind)
    np.savez(
        path.with_name(f"turned-{path.name}"),
        image=stack("image", images, np.uint8),
        points=stack("points", points, np.float32),
        rotation=stack("rotation", turned, np.float32),
        blendshapes=faces["blendshapes"][chosen],
        disagreement=faces["disagreement"][chosen],
        name=faces["name"][chosen],
    )
    print(f"{path.name}: {len(chosen)} turned faces", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--times", nargs="+", default=["photos=4", "lfw=1", "ferplus=0.35"], metavar="SOURCE=TIMES")
    options = parser.parse_args()
    turner = Turner(*mesh_topology())
    for source, times in (entry.split("=") for entry in options.times):
        for number, path in enumerate(sorted(options.cache.glob(f"{source}*.npz"))):
            turn_file(turner, path, float(times), np.random.default_rng([SEED, number]))


if __name__ == "__main__":
    main()
