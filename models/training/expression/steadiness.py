# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measure how steady the labels of an exported model are: mirrored, moved and turned faces.

    python -m training.expression.steadiness --data DATA [--cache CACHE] [--lfw LFW] [--model models/expression/model.onnx]

Prints for both outputs

- the share of PublicTest's faces whose label changes if the picture is mirrored, or moved by a pixel (mean of four directions;
  the pixels at the edge are repeated);
- with CACHE, the files of geometry/teacher.py: the share of neutral faces that are called angry or sad, by yaw. PublicTest's
  faces that look ahead and that most voters call neutral are drawn turned (turned.py), which needs MediaPipe's Python package;
- with LFW, a folder as unlabelled.py describes it, whose `names.npz` also has the scores `retail0003` and `faceapi` of the
  outside networks: the same of LFW's faces that both of these call neutral, by the pose in CACHE, and what they are called by
  thirds of the luminance of their skin, which depends on the light as well.

Shares have their 95 % intervals (Wilson).
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np

from training.common.paths import MODELS
from training.expression.combine import OUTPUT_OF_PRIOR
from training.expression.dataset import faces_of
from training.expression.inference import onnx_outputs
from training.expression.labels import FERPLUS_LABELS, FIVE_LABELS, SEVEN_LABELS
from training.expression.readers import PICTURE_SIDE, PUBLIC_TEST, read_arrays
from training.expression.unlabelled import FACE_SIDE, FRAMED_SIDE, read_sheets

STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))
# Angles up to which a face looks ahead; turns of the drawn faces, and ranges of yaw of LFW's.
AHEAD, TURNS, YAWS = 12, (-60, -45, -30, -15, 0, 15, 30, 45, 60), (0, 10, 20, 30, 45, 60)
NEUTRAL = FERPLUS_LABELS.index("neutral")
UNHAPPY = [FERPLUS_LABELS.index(label) for label in ("anger", "sadness")]
DEVIATIONS = 1.96
# Points of the mesh on the cheeks and the forehead.
SKIN = (50, 101, 205, 280, 330, 425, 151)
# What a face is called; labels with a smaller share are left out.
SHOWN, UNKNOWN, RARE = (*FERPLUS_LABELS, "unknown"), len(FERPLUS_LABELS), 0.005


def moved(images, across, down):
    """Pictures [N, S, S] moved by pixels to the right and down; those at the edge are repeated."""
    side = images.shape[1]
    rows, columns = (np.clip(np.arange(side) - step, 0, side - 1) for step in (down, across))
    return np.ascontiguousarray(images[:, rows][:, :, columns])


def changed_shares(predict, images):
    """{change: share of the pictures whose label changes, for each output} of `predict`, pictures to labels [outputs, N]."""
    labels = predict(images)
    share = lambda pictures: (predict(pictures) != labels).mean(1)
    by_step = [share(moved(images, *step)) for step in STEPS]
    return {"mirrored": share(np.ascontiguousarray(images[:, :, ::-1])), "moved by a pixel": np.mean(by_step, axis=0)}


def interval(share, count):
    """The 95 % interval of a share of `count` cases, by Wilson's formula."""
    square = DEVIATIONS**2 / count
    centre, half = share + square / 2, DEVIATIONS * np.sqrt(share * (1 - share) / count + square / 4 / count)
    return (centre - half) / (1 + square), (centre + half) / (1 + square)


def with_interval(share, count):
    """`share (interval)` in %."""
    low, high = interval(share, count)
    return f"{100 * share:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def unhappy(labels):
    """The share of labels [N] that are anger or sadness, with its interval."""
    return with_interval(np.isin(labels, UNHAPPY).mean(), len(labels))


def print_drawn(predict, images):
    """Print the table of drawn faces, {yaw: pictures}; a face counts twice if the output calls it neutral looking ahead."""
    ahead = predict(images[0]) == NEUTRAL
    columns = [f"{name}, {faces}" for name in OUTPUT_OF_PRIOR for faces in ("all", "called neutral ahead")]
    print(f"\n{len(images[0])} drawn faces\n\n| yaw | {' | '.join(columns)} |\n|" + "---|" * (len(columns) + 1))
    for yaw in TURNS:
        parts = [unhappy(labels[kept]) for labels, seen in zip(predict(images[yaw]), ahead) for kept in (..., seen)]
        print(f"| {yaw} | {' | '.join(parts)} |")


def drawn_faces(cache, arrays):
    """{yaw: pictures [N, 48, 48]} of PublicTest's neutral faces that look ahead."""
    from training.expression.by_pose import seen_faces
    from training.expression.turned import turned_picture
    from training.geometry.turn import Turner, mesh_topology

    seen, truth = seen_faces(cache), faces_of(arrays, PUBLIC_TEST).ferplus_truth
    numbers = np.flatnonzero(arrays.split == PUBLIC_TEST)[truth == NEUTRAL]
    faces = [seen[number] for number in numbers if number in seen and (np.abs(seen[number]["pose"][:2]) < AHEAD).all()]
    turner = Turner(*mesh_topology())
    draw = lambda face, yaw: turned_picture(turner, face["image"], face["mesh"], yaw, 0, PICTURE_SIDE)
    return {yaw: np.stack([draw(face, yaw) for face in faces]) for yaw in TURNS}


def lfw_faces(cache, folder):
    """(pictures [N, 48, 48], yaw to either side, luminance of the skin) of LFW's faces that both networks call neutral."""
    import cv2

    from training.geometry.points import angles, rotation_of_matrix

    stored, seen = np.load(folder / "names.npz"), {}
    for path in sorted(cache.glob("lfw-*.npz")):
        found = np.load(path)
        yaws = np.abs(angles(rotation_of_matrix(found["matrix"]))[:, 0])
        seen |= dict(zip(found["name"].tolist(), zip(yaws, found["mesh"][:, SKIN, :2])))
    neutral = stored["retail0003"].argmax(1) == FIVE_LABELS.index("neutral")
    neutral &= stored["faceapi"].argmax(1) == SEVEN_LABELS.index("neutral")
    rows = [row for row in np.flatnonzero(neutral) if stored["name"][row] in seen]
    yaws, points = (np.array(values) for values in zip(*[seen[stored["name"][row]] for row in rows]))
    faces, edge = read_sheets(folder)[rows], (FACE_SIDE - FRAMED_SIDE) // 2
    framed = faces[:, edge:-edge, edge:-edge]
    images = [cv2.resize(face, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_AREA) for face in framed]
    column, row = (points * FACE_SIDE).astype(int).clip(0, FACE_SIDE - 1).transpose(2, 0, 1)
    return np.stack(images), yaws, np.median(faces[np.arange(len(faces))[:, None], row, column], axis=1)


def shown(scores, limits):
    """Labels [outputs, N] of scores [N, 8], an index into `SHOWN`; below the limit of its output, a face is unknown."""
    parts = zip(scores, limits, strict=True)
    return np.stack([np.where(part.max(1) < limit, UNKNOWN, part.argmax(1)) for part, limit in parts])


def print_by_luminance(labels, luminance):
    """Print what faces are called, by thirds of the luminance of their skin."""
    third = np.searchsorted(np.quantile(luminance, (1 / 3, 2 / 3)), luminance)
    called = [index for index in range(len(SHOWN)) if (labels == index).mean() > RARE]
    names = " | ".join(SHOWN[index] for index in called)
    print(f"\n| output | luminance | faces | {names} |\n" + "|---" * (3 + len(called)) + "|")
    for name, part in zip(OUTPUT_OF_PRIOR, labels):
        for index in range(3):
            chosen = third == index
            extent = f"{luminance[chosen].min():.0f} to {luminance[chosen].max():.0f}"
            shares = [with_interval((part[chosen] == label).mean(), chosen.sum()) for label in called]
            print(f"| {name} | {extent} | {chosen.sum()} | {' | '.join(shares)} |")


def print_lfw(predict, images, yaws):
    """Print the table of LFW's neutral faces by yaw."""
    labels = predict(images)
    print(f"\n| yaw to either side | faces | {' | '.join(OUTPUT_OF_PRIOR)} |\n|---|---|---|---|")
    for low, high in zip(YAWS, YAWS[1:]):
        chosen = (yaws >= low) & (yaws < high)
        if chosen.any():
            print(f"| {low} to {high} | {chosen.sum()} | {' | '.join(unhappy(part[chosen]) for part in labels)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    options = parser.parse_args()
    arrays = read_arrays(options.data)
    description = tomllib.loads(options.model.with_name("model.toml").read_text())
    confidence = {output["name"]: output.get("min_confidence", 0) for output in description["output"]}
    limits = [confidence[output] for output in OUTPUT_OF_PRIOR.values()]
    scores = lambda images: onnx_outputs(options.model, list(OUTPUT_OF_PRIOR.values()), images)
    predict = lambda images: np.stack([part.argmax(1) for part in scores(images)])
    images = faces_of(arrays, PUBLIC_TEST).images
    print(f"{len(images)} faces\n\n| change | {' | '.join(OUTPUT_OF_PRIOR)} |\n|---|---|---|")
    for change, shares in changed_shares(predict, images).items():
        print(f"| {change} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |")
    if options.cache:
        print_drawn(predict, drawn_faces(options.cache, arrays))
    if options.cache and options.lfw:
        images, yaws, luminance = lfw_faces(options.cache, options.lfw)
        print_lfw(predict, images, yaws)
        print_by_luminance(shown(scores(images), limits), luminance)


if __name__ == "__main__":
    main()
