# SPDX-License-Identifier: MIT OR Apache-2.0
"""Judges copies with hidden faces by a detector that is not ours: `blur.py SCAN FOLDER [JUDGE.onnx [DATA]]`.

SCAN is the program emotion-scan and FOLDER one for copies. JUDGE is YuNet or CenterFace. DATA is a folder of videos and photos; without it,
crowds of average faces are rendered. A face is visible if the judge finds it in the original with a score of SCORE and at least SMALLEST pixels, and
in the middle of its box the Laplacians of original and copy correlate by more than CORRELATION. Exits with 1 if one is.
"""

import json
import os
import pathlib
import subprocess
import sys
from itertools import zip_longest

import cv2
import numpy as np
import onnx
import onnxruntime

SCORE, SMALLEST, MIDDLE, CORRELATION = 0.7, 24, 0.6, 0.5
# Longer side of the judge's input. Larger pictures are reduced.
INPUT = 960
FACES = pathlib.Path(__file__).parents[2] / "models/average-faces"


class Judge:
    """A detector of somebody else."""

    def __init__(self, path):
        model = onnx.load(path)
        for axis, name in ((0, "count"), (2, "height"), (3, "width")):
            model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
        for output in model.graph.output:
            for dim in output.type.tensor_type.shape.dim:
                dim.dim_param = f"{output.name}_{id(dim)}"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.name = self.session.get_inputs()[0].name
        self.outputs = [output.name for output in self.session.get_outputs()]

    def faces(self, picture):
        """Boxes x, y, w, h of the faces."""
        height, width = picture.shape[:2]
        scale = min(1.0, INPUT / max(height, width))
        small = cv2.resize(picture, (round(width * scale), round(height * scale)))
        padded = np.zeros((-(-small.shape[0] // 32) * 32, -(-small.shape[1] // 32) * 32, 3), np.float32)
        padded[: small.shape[0], : small.shape[1]] = small
        is_yunet = any(name.startswith("cls_") for name in self.outputs)
        pixels = padded if is_yunet else padded[..., ::-1]
        found = dict(zip(self.outputs, self.session.run(None, {self.name: pixels.transpose(2, 0, 1)[None].copy()})))
        boxes, scores = self.yunet(found, padded.shape[1]) if is_yunet else self.centerface(list(found.values()))
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), SCORE, 0.3) if len(boxes) else []
        return [boxes[index] / scale for index in np.array(kept).ravel()]

    @staticmethod
    def yunet(found, width):
        boxes, scores = [], []
        for stride in (8, 16, 32):
            score = np.sqrt(np.clip(found[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(found[f"obj_{stride}"][0, :, 0], 0, 1))
            at = np.flatnonzero(score > SCORE)
            box, columns = found[f"bbox_{stride}"][0][at], width // stride
            w, h = np.exp(box[:, 2]) * stride, np.exp(box[:, 3]) * stride
            x, y = (at % columns + box[:, 0]) * stride - w / 2, (at // columns + box[:, 1]) * stride - h / 2
            boxes.append(np.stack([x, y, w, h], 1))
            scores.append(score[at])
        return np.concatenate(boxes), np.concatenate(scores)

    @staticmethod
    def centerface(found):
        heat, size, offset = (found[index][0] for index in range(3))
        rows, columns = np.nonzero(heat[0] > SCORE)
        h, w = (np.exp(size[axis, rows, columns]) * 4 for axis in (0, 1))
        x, y = (columns + offset[1, rows, columns] + 0.5) * 4 - w / 2, (rows + offset[0, rows, columns] + 0.5) * 4 - h / 2
        return np.stack([x, y, w, h], 1), heat[0, rows, columns]


def frames(path):
    """The frames of a video, or the photo."""
    photo = cv2.imread(str(path))
    if photo is not None:
        yield photo
        return
    video = cv2.VideoCapture(str(path))
    while (read := video.read())[0]:
        yield read[1]


def detail(picture, box):
    """The Laplacian in the middle of a box; None for less than 4 pixels."""
    x, y, w, h = box
    rim = (1 - MIDDLE) / 2
    left, right = max(0, int(x + rim * w)), min(picture.shape[1], int(x + (1 - rim) * w))
    top, bottom = max(0, int(y + rim * h)), min(picture.shape[0], int(y + (1 - rim) * h))
    if right - left < 4 or bottom - top < 4:
        return None
    return cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32), cv2.CV_32F)[top:bottom, left:right].ravel()


def is_visible(original, copy, box):
    before, after = detail(original, box), detail(copy, box)
    if before is None or before.std() == 0 or after.std() == 0:
        return False
    return np.corrcoef(before, after)[0, 1] > CORRELATION


def judged(judge, original, copy):
    """Number of frames and faces, and each visible face as frame and box."""
    count, faces, visible = 0, 0, []
    for count, (before, after) in enumerate(zip_longest(frames(original), frames(copy)), 1):
        if before is None or after is None:
            print(f"{copy}: frame {count - 1} is only in one of both, as OpenCV reads them")
            continue
        for box in judge.faces(before):
            if min(box[2:]) >= SMALLEST:
                faces += 1
                if is_visible(before, after, box):
                    visible.append((count - 1, [round(float(side)) for side in box]))
    return count, faces, visible


def render(folder):
    """Crowds: faces of 8 to 600 pixels that cross each other, leave the frame, are mirrored, tilted, blurred by motion, and cut."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(FACES.glob("*.png"))]
    random = np.random.default_rng(7)
    for name, sides, speed in (("small", (8, 40), 2), ("middle", (40, 160), 6), ("large", (160, 600), 25)):
        video = cv2.VideoWriter(str(folder / f"{name}.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (1280, 720))
        for shot in range(2):
            walkers = [walker(random, pictures, sides, speed) for _ in range(12 if sides[1] < 200 else 4)]
            wall = cv2.resize(random.integers(60, 160, (9, 16, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
            for frame in range(50):
                scene = wall.copy()
                for face, place, step, tilt in walkers:
                    draw(scene, face, place + frame * step, tilt * frame / 50, step)
                video.write(scene)
        video.release()
        cv2.imwrite(str(folder / f"{name}.png"), scene)


def walker(random, pictures, sides, speed):
    face = pictures[random.integers(len(pictures))]
    side = int(random.uniform(*sides))
    face = cv2.resize(face[:, ::-1] if random.random() < 0.5 else face, (side, side), interpolation=cv2.INTER_AREA)
    return face, random.uniform((0, 0), (1280, 720)), random.uniform(-speed, speed, 2), random.uniform(-40, 40)


def draw(scene, face, place, tilt, step):
    side = face.shape[0]
    turned = cv2.warpAffine(face, cv2.getRotationMatrix2D((side / 2, side / 2), tilt, 1), (side, side))
    length = int(min(np.hypot(*step) / 2, side / 4))
    if length > 2:
        turned = cv2.blur(turned, (length, 1))
    x, y = (int(at - side / 2) for at in place)
    left, top, right, bottom = max(0, x), max(0, y), min(scene.shape[1], x + side), min(scene.shape[0], y + side)
    if left < right and top < bottom:
        part = turned[top - y : bottom - y, left - x : right - x].astype(np.float32)
        share, grey = part[..., -1:] / 255, part[..., :1]
        area = scene[top:bottom, left:right]
        area[:] = (area * (1 - share) + grey * share).astype(np.uint8)


def main(scan, folder, judge=None, data=None):
    folder = pathlib.Path(folder)
    fetched = pathlib.Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "gst-emotion/models/centerface/centerface.onnx"
    judge = Judge(judge or str(fetched))
    if not data:
        data = folder / "rendered"
        render(data)
    before = os.times()
    copies = folder / "copies"
    subprocess.run([scan, ".", "--blurred", copies.absolute(), "--quiet"], cwd=data, check=True)
    after = os.times()
    failed, all_frames, all_faces = 0, 0, 0
    for line in (copies / "finished.ndjson").read_text(encoding="utf-8").splitlines():
        name = json.loads(line)["copy"]
        original = next(path for path in (pathlib.Path(data, name), pathlib.Path(data, name).with_suffix("")) if path.exists())
        count, faces, visible = judged(judge, original, copies / name)
        print(f"{name}: {faces} faces on {count} frames, {len(visible)} visible", *visible, flush=True)
        failed, all_frames, all_faces = failed + len(visible), all_frames + count, all_faces + faces
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"{all_faces} faces on {all_frames} frames, {failed} visible; {seconds:.1f} s of CPU for the copies")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
