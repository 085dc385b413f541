# SPDX-License-Identifier: MIT OR Apache-2.0
"""Let MediaPipe's Face Landmarker look at faces, and store what it says.

    python -m training.geometry.teacher --teachers FOLDER --source SOURCE --data FOLDER --cache CACHE [--part 0 --parts 2]

TEACHERS  a folder with `landmarker.py`, which runs the teacher, and its file `face_landmarker.task`
SOURCE    photos   a folder with `photos/` and `labels.json`, as face/photos.py describes it
          lfw      a folder of sheets, as expression/unlabelled.py describes it
          ferplus  a folder that expression/readers.py reads
CACHE     receives `SOURCE-PART.npz`, as faces.py describes it

Each face is shown three times: as it is, turned and smaller, and mirrored. The points are the means of the first two. The
blendshapes are the means of both sides: the teacher's own differ between a picture and its mirror image, with correlations of .82
on photos and .87 on LFW in the median. PARTS processes side by side need one core each.
"""

import argparse
import importlib.util
import json
import os
from pathlib import Path

import cv2
import numpy as np

from training.expression.readers import read_arrays
from training.expression.unlabelled import read_sheets
from training.geometry.faces import SIDE, mean_distance
from training.geometry.points import (
    BLENDSHAPES,
    MIRRORED_BLENDSHAPES,
    MIRRORED_POINTS,
    TAUGHT_BLENDSHAPES,
    points_of_mesh,
)

# Faces of photos that are smaller are left out, in pixels; a square of this many sides of the box is cut out.
MIN_FACE, PHOTO_SIDES = 36, 1.8
# Side at which the teacher sees a small picture of a face, and a part of a photo.
SMALL_SIDE, MIN_PHOTO_SIDE, MAX_PHOTO_SIDE = 288, 300, 640
# Border around both, in parts of the side, in which the pixels at the edge are repeated.
SMALL_BORDER, PHOTO_BORDER = 0.5, 0.15
SECOND_ANGLE, SECOND_SIZE = -6, 0.9
# A face further from the middle, in parts of the side, is another one.
MIDDLE, MAX_OFFSET = (0.5, 0.55), 0.2
FACE_POINTS = 468
UNSEEN = 9.0


def load_teacher(folder):
    """The teacher's module and its landmarker."""
    spec = importlib.util.spec_from_file_location("landmarker", folder / "landmarker.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.landmarker(6)


def photo_parts(folder, part, parts):
    """(name, colour picture for the teacher, grey picture to store) of the faces in photos."""
    labels = sorted(json.loads((folder / "labels.json").read_text()).items())
    for name, photo in labels[part::parts]:
        faces = [(i, face["box"]) for i, face in enumerate(photo["faces"]) if face["box"][3] >= MIN_FACE]
        if not faces:
            continue
        pixels = cv2.imread(str(folder / "photos" / name))
        for number, (x, y, width, height) in faces:
            side = PHOTO_SIDES * max(width, height)
            corner = x + (width - side) / 2, y + (height - side) / 2
            shown = cut(pixels, corner, side, int(np.clip(side, MIN_PHOTO_SIDE, MAX_PHOTO_SIDE)))
            stored = cv2.cvtColor(cut(pixels, corner, side, SIDE), cv2.COLOR_BGR2GRAY)
            yield f"{photo['source']}/{name}/{number}", shown[..., ::-1], stored


def cut(pixels, corner, side, size):
    """A square of a photo, resized; pixels at the edge are repeated outside of it."""
    zoom = size / side
    if zoom < 1:
        pixels = cv2.GaussianBlur(pixels, (0, 0), max(0.01, 0.35 / zoom))
    move = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]], np.float32)
    return cv2.warpAffine(pixels, move, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def small_pictures(names, pictures):
    """(name, picture for the teacher, grey picture to store) of pictures of one face each."""
    for name, picture in zip(names, pictures):
        shown = cv2.resize(picture, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_CUBIC)
        stored = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        yield name, np.repeat(shown[..., None], 3, 2), stored


def pictures_of(source, folder, part, parts):
    """The pictures of a source, as (name, picture for the teacher, grey picture to store)."""
    if source == "photos":
        return photo_parts(folder, part, parts)
    if source == "lfw":
        names = np.load(folder / "names.npz")["name"]
        return small_pictures(names[part::parts], read_sheets(folder)[part::parts])
    arrays = read_arrays(folder)
    names = [f"ferplus/{number}/{split}" for number, split in enumerate(arrays.split)]
    return small_pictures(names[part::parts], arrays.images[part::parts])


class Looker:
    """Asks the teacher about the face in the middle of a picture."""

    def __init__(self, module, landmarker, border):
        self.module, self.landmarker, self.border = module, landmarker, border

    def _face(self, canvas, size, back=None):
        """(mesh in 0..1 of the picture, face) of the face nearest to the middle; None without one."""
        nearest = None
        for face in self.module.faces(canvas, self.landmarker):
            mesh = face["landmarks"].copy()
            if back is not None:
                mesh[:, :2] = mesh[:, :2] @ back[:, :2].T + back[:, 2]
            mesh = (mesh - [size * self.border, size * self.border, 0]) / size
            offset = np.hypot(*(mesh[:FACE_POINTS, :2].mean(0) - MIDDLE))
            if offset < MAX_OFFSET and (nearest is None or offset < nearest[0]):
                nearest = offset, mesh, face
        return nearest and nearest[1:]

    def look(self, shown):
        """{field: value} of a picture, without image and name; None if the teacher sees no face."""
        size = shown.shape[0]
        border = int(self.border * size)
        canvas = cv2.copyMakeBorder(np.ascontiguousarray(shown), *[border] * 4, cv2.BORDER_REPLICATE)
        first = self._face(canvas, size)
        if first is None:
            return None
        side = canvas.shape[0]
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), SECOND_ANGLE, SECOND_SIZE)
        turned = cv2.warpAffine(canvas, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        second = self._face(turned, size, cv2.invertAffineTransform(turn))
        third = self._face(canvas[:, ::-1].copy(), size)
        mesh, face = first
        points, shapes, disagreement = points_of_mesh(mesh)[:, :2], blendshapes(face), UNSEEN
        if second and third:
            disagreement = max(distance(second[0], points), distance(third[0], points, mirrored=True))
            mesh[:, :2] = (mesh[:, :2] + second[0][:, :2]) / 2
            shapes = (shapes + blendshapes(second[1])) / 2
            shapes = (shapes + blendshapes(third[1])[MIRRORED_BLENDSHAPES]) / 2
        return {"mesh": mesh, "matrix": face["matrix"], "blendshapes": shapes, "disagreement": disagreement}


def distance(mesh, points, mirrored=False):
    """Mean distance of a mesh from points [70, 2] in parts of the eye distance; optionally of the mesh of the mirror image."""
    found = points_of_mesh(mesh)[:, :2]
    if mirrored:
        found = found[MIRRORED_POINTS] * [-1, 1] + [1, 0]
    return mean_distance(found[None], points[None])[0]


def blendshapes(face):
    """The teacher's blendshapes, float32 [52]; the one that it does not have is 0."""
    values = [face["blendshapes"][name] for name in BLENDSHAPES[:TAUGHT_BLENDSHAPES]]
    return np.array([*values, 0], np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--teachers", type=Path, required=True)
    parser.add_argument("--source", choices=("photos", "lfw", "ferplus"), required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    looker = Looker(*load_teacher(options.teachers), PHOTO_BORDER if options.source == "photos" else SMALL_BORDER)
    found = []
    for count, (name, shown, stored) in enumerate(pictures_of(options.source, options.data, options.part, options.parts)):
        seen = looker.look(shown)
        if seen:
            found.append(seen | {"name": name, "image": stored})
        if count % 1000 == 0:
            print(f"{options.source} {options.part}: {len(found)} of {count + 1}", flush=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    columns = {key: np.array([face[key] for face in found]) for key in found[0]}
    columns = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in columns.items()}
    np.savez(options.cache / f"{options.source}-{options.part}.npz", **columns)
    print(f"{options.source} {options.part}: {len(found)} faces", flush=True)
    # The teacher's destructor fails while the interpreter ends.
    os._exit(0)


if __name__ == "__main__":
    main()
