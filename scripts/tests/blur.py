# SPDX-License-Identifier: MIT OR Apache-2.0
"""Judges copies with hidden faces by detectors that are not ours: `blur.py SCAN FOLDER [JUDGE.onnx,... [DATA [SHOTS [TURNS]]]]`.

SCAN is the program emotion-scan and FOLDER one for copies. JUDGE is YuNet, CenterFace, or both. DATA is a folder of videos and photos; without it,
crowds of average faces are rendered. With SHOTS, DATA's photos are moved, turned, mirrored, blurred by motion and covered in a film of so many shots.
With TURNS, such as `90,-30,mirror`, copies are made of the videos and photos turned clockwise by so many degrees, or mirrored, without a tag that says so.
In both cases, the judges look at frames that are turned back.
A face is visible if a judge finds it in the original with a score of SCORE and at least SMALLEST pixels, and in the middle of its box the Laplacians of
original and copy correlate by more than CORRELATION. Pictures of it, before and after, are in FOLDER/visible. Exits with 1 if one is.
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
# Nobody is on a frame on which no judge is surer than this.
NOBODY = 0.2
# Something is hidden where the mean of some pixels differs by more than this.
CHANGED = 30
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
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.file = pathlib.Path(path).stem
        self.name = self.session.get_inputs()[0].name
        self.outputs = [output.name for output in self.session.get_outputs()]

    def faces(self, picture):
        """Boxes x, y, w, h of the faces, and how sure each is; of those above NOBODY."""
        height, width = picture.shape[:2]
        scale = min(1.0, INPUT / max(height, width))
        small = cv2.resize(picture, (round(width * scale), round(height * scale)))
        padded = np.zeros((-(-small.shape[0] // 32) * 32, -(-small.shape[1] // 32) * 32, 3), np.float32)
        padded[: small.shape[0], : small.shape[1]] = small
        is_yunet = any(name.startswith("cls_") for name in self.outputs)
        pixels = padded if is_yunet else padded[..., ::-1]
        found = dict(zip(self.outputs, self.session.run(None, {self.name: pixels.transpose(2, 0, 1)[None].copy()})))
        boxes, scores = self.yunet(found, padded.shape[1]) if is_yunet else self.centerface(list(found.values()))
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), NOBODY, 0.3) if len(boxes) else []
        return [(boxes[index] / scale, scores[index]) for index in np.array(kept).ravel()]

    @staticmethod
    def yunet(found, width):
        boxes, scores = [], []
        for stride in (8, 16, 32):
            score = np.sqrt(np.clip(found[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(found[f"obj_{stride}"][0, :, 0], 0, 1))
            at = np.flatnonzero(score > NOBODY)
            box, columns = found[f"bbox_{stride}"][0][at], width // stride
            w, h = np.exp(box[:, 2]) * stride, np.exp(box[:, 3]) * stride
            x, y = (at % columns + box[:, 0]) * stride - w / 2, (at // columns + box[:, 1]) * stride - h / 2
            boxes.append(np.stack([x, y, w, h], 1))
            scores.append(score[at])
        return np.concatenate(boxes), np.concatenate(scores)

    @staticmethod
    def centerface(found):
        heat, size, offset = (found[index][0] for index in range(3))
        rows, columns = np.nonzero(heat[0] > NOBODY)
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


def as_it_is(_, picture):
    return picture


def is_visible(original, copy, box):
    before, after = detail(original, box), detail(copy, box)
    if before is None or before.std() == 0 or after.std() == 0:
        return False
    return np.corrcoef(before, after)[0, 1] > CORRELATION


def is_changed(original, copy):
    """True if something is hidden on the copy."""
    size = original.shape[1] // 16 + 1, original.shape[0] // 16 + 1
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(int) for picture in (original, copy)]
    return np.abs(small[0] - small[1]).max() > CHANGED


class Count:
    """What judges say of copies."""

    def __init__(self, folder):
        self.folder, self.frames, self.faces, self.visible, self.nobody, self.needless = folder, 0, {}, [], 0, 0

    def file(self, judges, name, original, copy, upright):
        for number, pair in enumerate(zip_longest(frames(original), frames(copy))):
            if any(picture is None for picture in pair):
                print(f"{name}: frame {number} is only in one of both, as OpenCV reads them")
                continue
            before, after = (upright(number, picture) for picture in pair)
            self.frames += 1
            found = {judge.file: judge.faces(before) for judge in judges}
            for judge, faces in found.items():
                for box in (box for box, score in faces if score > SCORE and min(box[2:]) >= SMALLEST):
                    self.faces[judge] = self.faces.get(judge, 0) + 1
                    if is_visible(before, after, box):
                        self.show(name, number, judge, before, after, [round(float(side)) for side in box])
            if not any(found.values()):
                self.nobody += 1
                self.needless += bool(is_changed(before, after))

    def show(self, name, number, judge, before, after, box):
        print(f"{name}: frame {number}: visible, {judge} {box}", flush=True)
        self.visible.append((name, number, judge, box))
        pair = [cv2.rectangle(picture.copy(), box, (0, 0, 255), 2) for picture in (before, after)]
        self.folder.mkdir(exist_ok=True)
        cv2.imwrite(str(self.folder / f"{len(self.visible):04}-{judge}.png"), np.hstack(pair))


def render(folder):
    """Crowds: faces of 8 to 1,000 pixels that cross each other, leave the frame, are mirrored, tilted, covered, blurred by motion, and cut."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(FACES.glob("*.png"))]
    random = np.random.default_rng(7)
    kinds = ("small", (8, 40), 2, 40), ("middle", (40, 160), 6, 40), ("large", (160, 600), 25, 40), ("huge", (400, 1000), 40, 10), ("turning", (60, 300), 10, 180)
    for name, sides, speed, tilt in kinds:
        video = writer(folder / f"{name}.mp4", (1280, 720))
        for shot in range(2):
            walkers = [walker(random, pictures, sides, speed, tilt) for _ in range(12 if sides[1] < 200 else 4)]
            wall = cv2.resize(random.integers(60, 160, (9, 16, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
            for frame in range(50):
                scene = wall.copy()
                for face, place, step, angle in walkers:
                    draw(scene, face, place + frame * step, angle * frame / 50, step)
                cover(scene, frame / 50, 0.1)
                video.write(scene)
        video.release()
        cv2.imwrite(str(folder / f"{name}.png"), scene)


def writer(path, size):
    return cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, size)


def cover(scene, time, share):
    """A pillar that passes before everything."""
    width = scene.shape[1]
    left = round((time * (1 + share) - share) * width)
    scene[:, max(0, left) : max(0, left + round(share * width))] = 70


def walker(random, pictures, sides, speed, tilt):
    face = pictures[random.integers(len(pictures))]
    side = int(random.uniform(*sides))
    face = cv2.resize(face[:, ::-1] if random.random() < 0.5 else face, (side, side), interpolation=cv2.INTER_AREA)
    return face, random.uniform((0, 0), (1280, 720)), random.uniform(-speed, speed, 2), random.uniform(-tilt, tilt)


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


def move(photos, shots, path):
    """A film of photos that are moved fast, turned, mirrored and zoomed, with motion blur, behind a pillar in every third shot.

    Returns what turns a frame back. What is beyond its edges is mirrored: the edge itself would be a detail of original and copy.
    """
    random, size, angles = np.random.default_rng(11), (960, 540), []
    video = writer(path, size)
    for shot in range(shots):
        photo = cv2.imread(str(photos[random.integers(len(photos))]))
        photo = photo[:, ::-1] if random.random() < 0.5 else photo
        middle = np.array([photo.shape[1], photo.shape[0]]) / 2
        scale = random.uniform(0.6, 4) * size[1] / photo.shape[0]
        place, step = middle * random.uniform(0.4, 1.6, 2), random.uniform(-30, 30, 2) / scale * (shot % 2)
        first, turn = random.choice([0, 0, 0, 90, 180, 270]), random.uniform(-2, 2)
        for frame in range(25):
            angles.append(first + frame * turn)
            scene = np.mean([view(photo, place + (frame + part) * step, angles[-1], scale, size) for part in (0, 0.2, 0.4)], 0)
            scene = scene.astype(np.uint8)
            if shot % 3 == 0:
                cover(scene, frame / 25, 0.2)
            video.write(scene)
    video.release()
    return lambda number, picture: cv2.warpAffine(picture, *Turned.matrix(angles[number], size), borderMode=cv2.BORDER_REFLECT)


def view(photo, place, angle, scale, size):
    """The photo around a place of it."""
    turn = cv2.getRotationMatrix2D((float(place[0]), float(place[1])), float(angle), float(scale))
    turn[:, 2] += np.array(size) / 2 - place
    return cv2.warpAffine(photo, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


class Turned:
    """Files that are turned by each of some numbers of degrees, or mirrored."""

    def __init__(self, data, turns, folder):
        self.folder, self.made = folder, {}
        for path in sorted(path for path in data.rglob("*") if path.is_file()):
            for turn in turns:
                self.add(path, path.relative_to(data), turn)

    def add(self, path, name, turn):
        photo = cv2.imread(str(path)) is not None
        target = self.folder / name.with_name(f"{name.stem}{name.suffix}-{turn}{'.png' if photo else '.mp4'}")
        target.parent.mkdir(parents=True, exist_ok=True)
        video = None
        for picture in frames(path):
            size = picture.shape[1], picture.shape[0]
            self.made[target] = turn, size
            if turn == "mirror":
                picture = cv2.flip(picture, 1)
            else:
                picture = cv2.warpAffine(picture, *self.matrix(turn, size), borderValue=(127, 127, 127))
            if photo:
                cv2.imwrite(str(target), picture)
                return
            video = video or writer(target, (picture.shape[1], picture.shape[0]))
            video.write(picture)
        if video:
            video.release()

    @staticmethod
    def matrix(turn, size):
        """The matrix from the picture to the turned one, and the size of that. Most encoders want it even."""
        turn = cv2.getRotationMatrix2D(((size[0] - 1) / 2, (size[1] - 1) / 2), -float(turn), 1)
        reach = np.abs(turn[:, :2]) @ size
        turned = [int(-(-round(side, 3) // 2) * 2) for side in reach]
        turn[:, 2] += (np.array(turned) - size) / 2
        return turn, turned

    def upright(self, path):
        """Turns frames of a file back."""
        turn, size = self.made[path]
        if turn == "mirror":
            return lambda _, picture: cv2.flip(picture, 1)
        return lambda _, picture: cv2.warpAffine(picture, cv2.invertAffineTransform(self.matrix(turn, size)[0]), size)


def main(scan, folder, judges="", data="", shots="", turns=""):
    folder = pathlib.Path(folder)
    fetched = pathlib.Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "gst-emotion/models/centerface/centerface.onnx"
    judges = [Judge(path) for path in (judges or str(fetched)).split(",")]
    rendered = folder / "rendered"
    upright = as_it_is
    if shots:
        rendered.mkdir(parents=True, exist_ok=True)
        photos = [path for path in sorted(pathlib.Path(data).rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
        upright = move(photos, int(shots), rendered / "moved.mp4")
    elif not data:
        render(rendered)
    data = pathlib.Path(rendered if shots or not data else data)
    turned = Turned(data, turns.split(","), folder / "turned") if turns else None
    data = turned.folder if turned else data
    before = os.times()
    copies = folder / "copies"
    subprocess.run([scan, ".", "--blurred", copies.absolute(), "--quiet"], cwd=data, check=True)
    after = os.times()
    count = Count(folder / "visible")
    for line in (copies / "finished.ndjson").read_text(encoding="utf-8").splitlines():
        name = json.loads(line)["copy"]
        original = next(path for path in (data / name, (data / name).with_suffix("")) if path.exists())
        count.file(judges, name, original, copies / name, turned.upright(original) if turned else upright)
    faces = ", ".join(f"{number} faces by {judge}" for judge, number in sorted(count.faces.items()))
    print(f"{count.frames} frames: {faces or 'no face'}; {len(count.visible)} visible")
    print(f"{count.nobody} frames without a find of {NOBODY}, on {count.needless} of which something is hidden")
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"{seconds:.1f} s of CPU for the copies")
    return 1 if count.visible else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
