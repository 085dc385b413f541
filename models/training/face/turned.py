# SPDX-License-Identifier: MIT OR Apache-2.0
"""Turn large faces of the training photos into profiles, by drawing each face's own pixels on its turned mesh.

    python -m training.face.turned --cache CACHE --task face_landmarker.task --output FOLDER [--part 0/2]

Needs MediaPipe and OpenCV (`requirements-teacher.txt`). Writes pictures, and `labels-PART.json` in the form of the
entries of `pack.py`, whose option `--turned` reads them. Other faces in a picture are ignored boxes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.face.photos import ANIMAL_SOURCES, UNSURE_SOURCES, load_photos, split
from training.geometry.points import angles, rotation_of_matrix
from training.geometry.turn import FACE_POINTS, Turner, mesh_topology, turn_by

# Minimum longer side of a face, in pixels of the photo; the picture around it has twice the side of the face.
MIN_SIDE, REACH, SIDE = 64, 2.2, 256
# Width of a box relative to its height, at least; the tip of the nose among the points of the mesh.
MIN_ASPECT, NOSE = 0.68, 1
# Absolute yaw of the turned faces in degrees, and the largest change.
YAW, MAX_CHANGE, PITCH_SPREAD = (50, 88), 85, 10


def square(photo, box):
    """(picture, corner, zoom): the square around a box, its corner in the photo, and the size of the photo's pixels."""
    x, y, width, height = box
    length = REACH * max(width, height)
    corner = np.array([x + width / 2, y + height / 2]) - length / 2
    area = (*corner, *(corner + length))
    picture = Image.fromarray(photo.pixels).transform(
        (SIDE, SIDE), Image.Transform.EXTENT, area, Image.Resampling.BICUBIC
    )
    return np.asarray(picture), corner, SIDE / length


def bounds(mesh):
    """x, y, width, height of the points of the face."""
    points = mesh[:FACE_POINTS, :2]
    low, high = points.min(0), points.max(0)
    return np.concatenate([low, high - low])


def box_like(box, mesh, turned):
    """The box of a turned mesh, as far beyond its points along each axis as the box beyond those of the mesh.

    A narrow one grows towards the ear.
    """
    before, after = bounds(mesh), bounds(turned)
    low = (box[:2] - before[:2]) / before[2:]
    size = box[2:] / before[2:]
    x, y, width, height = *(after[:2] + low * after[2:]), *(size * after[2:])
    missing = max(0.0, MIN_ASPECT * height - width)
    looks_right = turned[NOSE, 0] > after[0] + after[2] / 2
    return np.array([x - missing * looks_right, y, width + missing, height])


def profile_turn(rotation, random):
    """A rotation in the axes of the picture that leads to a face in profile."""
    yaw, pitch, _ = angles(rotation)
    # The side that the face looks to already, so that as little as possible of what appears was hidden.
    side = np.sign(yaw) if abs(yaw) > 8 else random.choice((-1, 1))
    change = np.clip(side * random.uniform(*YAW) - yaw, -MAX_CHANGE, MAX_CHANGE)
    return turn_by(change, np.clip(random.normal(0, PITCH_SPREAD) - pitch, -15, 15))


def turned_faces(photo, detect, turner, random):
    """(picture, entry) of each large face of a photo that has a mesh."""
    for index, box in enumerate(photo.boxes):
        if max(box[2:]) < MIN_SIDE:
            continue
        picture, corner, zoom = square(photo, box)
        into = lambda boxes: np.concatenate([(boxes[:, :2] - corner) * zoom, boxes[:, 2:] * zoom], 1)
        mesh, matrix = detect(picture)
        if mesh is None:
            continue
        rotation = profile_turn(rotation_of_matrix(matrix[None])[0], random)
        drawn, turned = turner.turn(picture, mesh, rotation)
        own = into(box[None].astype(float))[0] / SIDE
        others = np.concatenate([np.delete(photo.boxes, index, 0), photo.ignore])
        yield (
            drawn,
            {
                "source": photo.source,
                "boxes": [(box_like(own, mesh, turned) * SIDE).round(1).tolist()],
                "landmarks": [None],
                "scores": [0.7],
                "ignore": into(others).round(1).tolist(),
            },
        )


def open_landmarker(task):
    """A function that gives the mesh [478, 3] in 0..1 and the matrix of the face in a picture, or (None, None)."""
    import mediapipe
    from mediapipe.tasks import python as tasks
    from mediapipe.tasks.python import vision

    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(task)),
        num_faces=1,
        output_facial_transformation_matrixes=True,
    )
    tool = vision.FaceLandmarker.create_from_options(options)

    def detect(picture):
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        found = tool.detect(image)
        if not found.face_landmarks:
            return None, None
        mesh = np.array([(point.x, point.y, point.z) for point in found.face_landmarks[0]])
        return mesh, np.asarray(found.facial_transformation_matrixes[0], np.float32)

    return detect


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--task", type=Path, required=True, help="MediaPipe's Face Landmarker")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--part", default="0/1", help="which part of the photos, of how many")
    parser.add_argument(
        "--held-out", action="store_true", help="the photos for validation instead of those for training"
    )
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    options.output.mkdir(parents=True, exist_ok=True)
    detect, turner, random = open_landmarker(options.task), Turner(*mesh_topology()), np.random.default_rng(part)
    entries = []
    for photo in split(load_photos(options.cache))[int(options.held_out)][part::parts]:
        if photo.source in (*ANIMAL_SOURCES, *UNSURE_SOURCES):
            continue
        for number, (picture, entry) in enumerate(turned_faces(photo, detect, turner, random)):
            name = f"{Path(photo.name).stem}-{number}.png"
            Image.fromarray(picture).save(options.output / name)
            entries.append(entry | {"name": name})
    (options.output / f"labels-{part}.json").write_text(json.dumps(entries))
    print(f"{len(entries)} turned faces")


if __name__ == "__main__":
    main()
