# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measure a geometry model on held-out faces, against the teacher, or its speed.

    python -m training.geometry.evaluate --cache CACHE [--model models/face-geometry/model.onnx]
    python -m training.geometry.evaluate --time [--model models/face-geometry/model.onnx]

Faces are framed by the teacher's own points. Errors of points are mean distances in percent of the distance of the outer
corners of the eyes. Prints tables by pose, by size of the face and by blur, how well closed eyes are found, and the correlation of
each blendshape.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from training.common.detection import open_session
from training.common.paths import MODELS
from training.common.timing import print_times
from training.geometry.batches import labelled_crops, to_tensors
from training.geometry.degradation import blur
from training.geometry.faces import SOURCES, load_faces, mean_distance
from training.geometry.network import SIDE, normalise
from training.geometry.points import BLENDSHAPES, POINTS, TAUGHT_BLENDSHAPES

# Sources that count as photos; FER2013's pictures are so small that the teacher is unsure of them.
PHOTOS = [SOURCES.index("photos"), SOURCES.index("lfw")]
YAWS = (0, 15, 30, 45, 90)
MAX_YAW = 45
# A blendshape whose values differ by less has no variance to speak of.
MIN_SPREAD = 0.02
KEY_SHAPES = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight")
SIZES = (80, 40, 24, 16)
# Lower of both blinks above which the teacher sees closed eyes, and above which the plugin does (`CLOSED` in face_states.rs). With
# more than `WINK` between them, the teacher sees one eye closed.
TEACHER_CLOSED, CLOSED, WINK = 0.5, 0.45, 0.2


def held_out_crops(cache):
    """(crops uint8 [N, 1, 80, 80] as float32, labels, faces) of the held-out faces."""
    faces = load_faces(cache)
    faces = faces[faces.held_out]
    crops, labels = labelled_crops(to_tensors(faces))
    return crops, labels, faces


def run(model, crops, batch=256):
    """The outputs of an ONNX file, or of a torch network, as four arrays."""
    parts = []
    if isinstance(model, torch.nn.Module):
        with torch.inference_mode():
            parts = [model.eval()(normalise(part)) for part in crops.split(batch)]
        return [torch.cat(values).numpy() for values in zip(*parts)]
    session = open_session(str(model))
    parts = [session.run(None, {"input": normalise(part).numpy()}) for part in crops.split(batch)]
    return [np.concatenate(values) for values in zip(*parts)]


def correlations(predicted, expected):
    """{blendshape: correlation} of those that vary."""
    varied = [i for i in range(TAUGHT_BLENDSHAPES) if expected[:, i].std() > MIN_SPREAD]
    return {BLENDSHAPES[i]: float(np.corrcoef(predicted[:, i], expected[:, i])[0, 1]) for i in varied}


def figures(outputs, labels, selected):
    """The figures of the selected faces, as a dictionary."""
    points, pose, blendshapes, trust = (values[selected] for values in outputs)
    expected = labels.points.numpy()[selected]
    error = 100 * mean_distance(points.reshape(-1, POINTS, 2), expected)
    angle = np.abs(pose - labels.pose.numpy()[selected])
    yaw = np.abs(labels.pose.numpy()[selected][:, 0])
    facing = yaw < MAX_YAW
    correlation = correlations(blendshapes, labels.blendshapes.numpy()[selected])
    by_yaw = [(yaw >= low) & (yaw < high) for low, high in zip(YAWS, YAWS[1:])]
    return {
        "faces": len(points),
        "error": round(float(error[facing].mean()), 2),
        "error_by_yaw": [round(float(error[part].mean()), 2) if part.any() else None for part in by_yaw],
        "faces_by_yaw": [int(part.sum()) for part in by_yaw],
        "pose_error": [round(float(value), 2) for value in angle[facing].mean(0)],
        "pose_error_by_yaw": [
            [round(float(value), 1) for value in angle[part].mean(0)] if part.any() else None for part in by_yaw
        ],
        "median_correlation": round(float(np.median(list(correlation.values()))), 3),
        "correlations": {name: round(value, 3) for name, value in correlation.items()},
        "trust_and_error": round(float(np.corrcoef(trust[:, 0], error)[0, 1]), 2),
    }


def closed_eyes(predicted, expected):
    """How well closed eyes are found in blendshapes [N, 52], in a sentence."""
    shapes = [BLENDSHAPES.index(name) for name in KEY_SHAPES if name.startswith("eyeBlink")]
    ours, teachers = predicted[:, shapes].min(1), expected[:, shapes].min(1)
    found, closed = ours > CLOSED, teachers > TEACHER_CLOSED
    right, correlation = (found & closed).sum(), np.corrcoef(ours, teachers)[0, 1]
    wink = (expected[:, shapes].max(1) > TEACHER_CLOSED) & (teachers < TEACHER_CLOSED - WINK)
    share = lambda part, whole: f"{100 * part / max(whole, 1):.0f} %"
    return (
        f"closed eyes: {closed.sum()} of {len(closed)} faces; {share(right, found.sum())} of those found are closed, "
        f"{share(right, closed.sum())} of the closed ones are found; correlation {correlation:.2f}; "
        f"{(found & wink).sum()} of {wink.sum()} winks are taken for closed eyes"
    )


def summary(model, crops, labels, faces):
    """Short figures for the log of a training."""
    outputs = run(model, crops)
    result = {}
    for name, sources in (("photos", PHOTOS[:1]), ("lfw", PHOTOS[1:]), ("both", PHOTOS)):
        found = figures(outputs, labels, np.isin(faces.source, sources))
        lowest = sorted(found["correlations"].items(), key=lambda item: item[1])[:5]
        found["key"] = [found["correlations"].get(shape) for shape in KEY_SHAPES]
        result[name] = {key: found[key] for key in ("error", "error_by_yaw", "pose_error", "median_correlation", "key")}
        result[name]["lowest"] = lowest
    return result


def shrunk(crops, size):
    """Crops of faces whose square has `size` pixels in the frame."""
    small = torch.nn.functional.interpolate(crops, size=size, mode="area")
    return torch.nn.functional.interpolate(small, size=SIDE, mode="bilinear", align_corners=False)


def one_run(session, batch):
    """A function that runs the model on random crops."""
    crops = np.random.default_rng(0).normal(size=(batch, 1, SIDE, SIDE)).astype(np.float32)
    return lambda: session.run(None, {"input": crops})


def row(name, found):
    yaw, pitch, roll = found["pose_error"]
    return f"| {name} | {found['faces']} | {found['error']} | {yaw} | {pitch} | {roll} | {found['median_correlation']} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "face-geometry" / "model.onnx")
    parser.add_argument("--time", action="store_true", help="measure only the speed")
    options = parser.parse_args()
    if options.time:
        session = open_session(str(options.model))
        return print_times(lambda batch: one_run(session, batch), repeats=3000)
    if not options.cache:
        parser.error("--cache is needed")
    torch.manual_seed(1)
    crops, labels, faces = held_out_crops(options.cache)
    is_photo = np.isin(faces.source, PHOTOS)
    outputs = run(options.model, crops)
    both = figures(outputs, labels, is_photo)
    print("| faces | number | points, % | yaw | pitch | roll | blendshapes |\n|---|---|---|---|---|---|---|")
    print(row("photos and LFW, up to 45 degrees of yaw", both))
    for name, sources in (("photos", PHOTOS[:1]), ("LFW", PHOTOS[1:]), ("FER2013", [SOURCES.index("ferplus")])):
        selected = np.isin(faces.source, sources)
        if selected.any():
            print(row(name, figures(outputs, labels, selected)))
    for size in SIZES[1:]:
        print(row(f"square of {size} px", figures(run(options.model, shrunk(crops, size)), labels, is_photo)))
    print(row("blurred", figures(run(options.model, blur(crops)), labels, is_photo)))
    for dark in (0.5, 0.25):
        print(row(f"light x {dark}", figures(run(options.model, (crops * dark).round()), labels, is_photo)))
    print("\n| yaw | faces | points, % | yaw, pitch, roll |\n|---|---|---|---|")
    bounds = zip(YAWS, YAWS[1:], both["faces_by_yaw"], both["error_by_yaw"], both["pose_error_by_yaw"])
    for low, high, count, error, pose in bounds:
        print(f"| {low} to {high} | {count} | {error} | {pose} |")
    print("\ntrust and error:", both["trust_and_error"])
    print(closed_eyes(outputs[2], labels.blendshapes.numpy()))
    for name, value in sorted(both["correlations"].items(), key=lambda item: -item[1]):
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
