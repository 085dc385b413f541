# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measure by pose how often the expression model is right, for `max_yaw` and `max_pitch` of its model.toml.

    python -m training.expression.by_pose --data DATA --cache CACHE [--model models/expression/model.onnx]

DATA holds FER2013's pictures with FER+'s votes, and CACHE the files `ferplus-*.npz` of geometry/teacher.py, which give the
poses. Prints accuracy by the FER+ protocol for ranges of yaw and pitch, beside the share of the most frequent label there. As
few pictures show turned heads, a second pair of tables has faces that look ahead, turned by geometry/turn.py. That needs
MediaPipe's Python package, and draws what a camera would see less and less well from 45 degrees on. Faces of PublicTest.
"""

import argparse
from pathlib import Path

import numpy as np

from training.common.paths import MODELS
from training.expression.dataset import faces_of
from training.expression.inference import onnx_scores
from training.expression.readers import PICTURE_SIDE, PUBLIC_TEST, read_arrays
from training.expression.turned import turned_picture
from training.geometry.points import angles, rotation_of_matrix
from training.geometry.turn import Turner, mesh_topology

YAWS = (0, 15, 30, 40, 50, 60, 90)
PITCHES = (-60, -30, -20, -10, 0, 10, 20, 30, 60)
# Yaw up to which a face counts for the pitch, and angles up to which it looks ahead.
MAX_YAW, AHEAD = 20, 12
TURNS = {"yaw": (-75, -60, -50, -40, -30, -15, 0, 15, 30, 40, 50, 60, 75), "pitch": (-45, -30, -20, -10, 0, 10, 20, 30, 45)}


def seen_faces(cache):
    """{number of the picture: {"image", "mesh", "pose"}} of the faces of PublicTest that the teacher found."""
    found = {}
    for path in sorted(cache.glob("ferplus-*.npz")):
        stored = np.load(path)
        columns = stored["name"], stored["image"], stored["mesh"], angles(rotation_of_matrix(stored["matrix"]))
        for name, image, mesh, pose in zip(*columns):
            _source, number, split = str(name).split("/")
            if int(split) == PUBLIC_TEST:
                found[int(number)] = {"image": image, "mesh": mesh, "pose": pose}
    return found


def row(title, right, truth):
    print(f"| {title} | {len(right)} | {100 * right.mean():.0f} | {100 * np.bincount(truth).max() / len(truth):.0f} |")


def by_range(value, ranges, right, truth):
    for low, high in zip(ranges, ranges[1:]):
        chosen = (value >= low) & (value < high)
        if chosen.any():
            row(f"{low} to {high}", right[chosen], truth[chosen])


def heading(title):
    print(f"\n| {title} | faces | right, % | most frequent label, % |\n|---|---|---|---|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    parser.add_argument("--turned", type=int, default=600, help="number of faces to turn")
    options = parser.parse_args()
    arrays = read_arrays(options.data)
    faces, seen = faces_of(arrays, PUBLIC_TEST), seen_faces(options.cache)
    numbers = np.flatnonzero(arrays.split == PUBLIC_TEST)
    is_seen = np.isin(numbers, list(seen)) & (faces.ferplus_truth >= 0)
    truth = faces.ferplus_truth[is_seen]
    pose = np.array([seen[number]["pose"] for number in numbers[is_seen]])
    predict = lambda images: onnx_scores(options.model, images).argmax(1)
    right = predict(faces.images[is_seen]) == truth
    heading("yaw to either side")
    by_range(np.abs(pose[:, 0]), YAWS, right, truth)
    frontal = np.abs(pose[:, 0]) < MAX_YAW
    heading("pitch")
    by_range(pose[frontal, 1], PITCHES, right[frontal], truth[frontal])
    ahead = np.flatnonzero((np.abs(pose[:, :2]) < AHEAD).all(1))[: options.turned]
    turner = Turner(*mesh_topology())
    for axis, turns in TURNS.items():
        heading(f"{axis}, drawn")
        for angle in turns:
            yaw, pitch = (angle, 0) if axis == "yaw" else (0, angle)
            faces_ahead = [seen[number] for number in numbers[is_seen][ahead]]
            draw = lambda face: turned_picture(turner, face["image"], face["mesh"], yaw, pitch, PICTURE_SIDE)
            pictures = [draw(face) for face in faces_ahead]
            row(f"{angle}", predict(np.stack(pictures)) == truth[ahead], truth[ahead])


if __name__ == "__main__":
    main()
