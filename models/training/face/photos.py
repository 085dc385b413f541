# SPDX-License-Identifier: MIT OR Apache-2.0
"""Photos with labelled faces, decoded once into a cache that training maps into memory.

    python -m training.face.photos --data FOLDER --cache CACHE [--teacher centerface.onnx]

FOLDER holds `photos/`, `labels.json` (labels that two teachers agreed on) and the folders `masked` and `human` (boxes
drawn by people) in the same form: `{file: {width, height, source, stretched, faces: [{box, landmarks, score}], ignore:
[box]}}`. Boxes are x, y, width, height in pixels of the photo; landmarks start with the person's own right. The teacher
adds landmarks to the faces of `masked` and marks its unlabelled faces there as `ignore`. `human` stays unchanged.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.common.boxes import pairwise_iou

# Sources for validation only. Of the source `animal`, the photos after the first `HELD_OUT_ANIMALS` by name are held
# out.
HELD_OUT_SOURCES = ("street", "worksite", "facens", "cats")
HELD_OUT_ANIMALS = 500
ANIMAL_SOURCES = ("animal", "cats")
# Photos of animals that show people whom neither teacher found. They would count as free of faces.
UNLABELLED_PEOPLE = {f"voc12p_{number}.webp" for number in (496, 728, 789, 906, 927)}
# Files that `mine.py` and `judge.py` write into the cache.
HARD_FILE, JUDGED_FILE = "hard.json", "judged.json"
# Sources that were labelled by people instead of the teachers.
MASKED, HUMAN = "masked", "human"
# Scores of faces and hard negatives that `mine.py` has not scored.
UNSCORED_FACE, UNSCORED_NEGATIVE = 0.35, 0.25
# Sources with many unlabelled faces.
UNSURE_SOURCES = (MASKED, "shA", "shB")


@dataclass(frozen=True)
class Photo:
    """One photo and its labels, in pixels.

    pixels          uint8 [H, W, 3], RGB
    boxes           float32 [N, 4]: x, y, width, height
    landmarks       float32 [N, 5, 2], NaN where unknown
    scores          float32 [N], the teachers' confidence; 1 for boxes drawn by people
    ignore          float32 [M, 4], boxes that may be faces or not
    mined_scores    float32 [N], scores of the faces by the network of `mine.py`
    hard_negatives  float32 [K, 5], boxes that look like a face and are none, with the score of a network
    """

    name: str
    source: str
    stretched: bool
    pixels: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray
    ignore: np.ndarray
    mined_scores: np.ndarray
    hard_negatives: np.ndarray


def load_photos(cache):
    """All photos of a cache. Their pixels stay on disk until they are read."""
    index = json.loads((Path(cache) / "index.json").read_text())
    files = (Path(cache) / HARD_FILE, Path(cache) / JUDGED_FILE)
    mined, judged = (json.loads(file.read_text()) if file.exists() else {} for file in files)
    store = np.memmap(Path(cache) / "pixels.u8", np.uint8, "r")
    photos = []
    for entry in index:
        height, width, start = entry["height"], entry["width"], entry["start"]
        faces = entry["faces"]
        unknown = [[float("nan")] * 2] * 5
        ignore = np.array(entry["ignore"], np.float32).reshape(-1, 4)
        non_faces = judged.get(entry["name"], [])
        negatives = np.insert(ignore[non_faces], 4, UNSCORED_NEGATIVE, axis=1)
        scored = mined.get(entry["name"], {"hard": [], "found": [UNSCORED_FACE] * len(faces)})
        photos.append(
            Photo(
                entry["name"],
                entry["source"],
                entry["stretched"],
                store[start : start + height * width * 3].reshape(height, width, 3),
                np.array([face["box"] for face in faces], np.float32).reshape(-1, 4),
                np.array([face.get("landmarks") or unknown for face in faces], np.float32).reshape(-1, 5, 2),
                np.array([face.get("score", 1.0) for face in faces], np.float32),
                np.delete(ignore, non_faces, 0),
                np.array(scored["found"], np.float32),
                np.concatenate([np.array(scored["hard"], np.float32).reshape(-1, 5), negatives]),
            )
        )
    return photos


def letterbox(pixels, side):
    """(picture, zoom): the photo resized to a longer side of `side`, on black, with sides that are multiples of 32."""
    height, width = pixels.shape[:2]
    zoom = side / max(height, width)
    size = max(round(width * zoom), 1), max(round(height * zoom), 1)
    canvas = np.zeros((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), np.uint8)
    canvas[: size[1], : size[0]] = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    return canvas, zoom


def split(photos):
    """(training, held out, human) photos."""
    animals = [photo for photo in photos if photo.source == "animal"]
    held_out_animals = {photo.name for photo in sorted(animals, key=lambda photo: photo.name)[HELD_OUT_ANIMALS:]}
    held_out = lambda photo: photo.source in HELD_OUT_SOURCES or photo.name in held_out_animals
    photos = [photo for photo in photos if photo.name not in UNLABELLED_PEOPLE]
    training = [photo for photo in photos if photo.source != HUMAN and not held_out(photo)]
    return (
        training,
        [photo for photo in photos if held_out(photo)],
        [photo for photo in photos if photo.source == HUMAN],
    )


def add_teacher_labels(entry, picture, teacher):
    """Add landmarks to the faces of a photo, and its unlabelled faces to `ignore`, by a teacher at twice the size."""
    scale = 2.0
    size = [int(np.ceil(side * scale / 32)) * 32 for side in picture.size]
    canvas = Image.new("RGB", size)
    canvas.paste(picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BILINEAR))
    found = teacher.detect(np.asarray(canvas))
    boxes = [[value / scale for value in detection.box] for detection in found]
    iou = pairwise_iou([face["box"] for face in entry["faces"]], boxes)
    for face, row in zip(entry["faces"], iou):
        if len(row) and row.max() > 0.45:
            face["landmarks"] = (found[row.argmax()].landmarks / scale).tolist()
    entry["ignore"] = [
        [float(value) for value in box] for box, column in zip(boxes, iou.T) if not len(column) or column.max() < 0.3
    ]


def read_labels(data):
    """(path, entry) of each photo, those of the main set first."""
    data = Path(data)
    for folder, source in ((data, None), (data / MASKED, MASKED), (data / HUMAN, HUMAN)):
        for name, entry in json.loads((folder / "labels.json").read_text()).items():
            yield folder / "photos" / name, {"source": source, "stretched": False, "ignore": []} | entry | {
                "name": name
            }


def build(data, cache, teacher):
    """Decode all photos into `pixels.u8` and write `index.json`."""
    cache.mkdir(parents=True, exist_ok=True)
    index, start = [], 0
    with open(cache / "pixels.u8", "wb") as store:
        for path, entry in read_labels(data):
            picture = Image.open(path).convert("RGB")
            if teacher and entry["source"] == MASKED:
                add_teacher_labels(entry, picture, teacher)
            entry |= {"width": picture.width, "height": picture.height, "start": start}
            start += store.write(picture.tobytes())
            index.append(entry)
            if len(index) % 500 == 0:
                print(f"{len(index)} photos, {start / 1e9:.2f} GB", flush=True)
    (cache / "index.json").write_text(json.dumps(index))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="CenterFace, to add landmarks to the source `masked`")
    options = parser.parse_args()
    teacher = None
    if options.teacher:
        from training.common.reference_detectors import CenterFace

        teacher = CenterFace(str(options.teacher), threshold=0.3)
    build(options.data, options.cache, teacher)
    training, held_out, human = split(load_photos(options.cache))
    # Lists for `emotion-evaluate detection --only ... --face-free ...`.
    free = [photo.name for photo in held_out if photo.source in ANIMAL_SOURCES and not len(photo.boxes)]
    scored = [photo.name for photo in held_out if photo.source not in ANIMAL_SOURCES]
    (options.cache / "face-free.txt").write_text("".join(f"{name}\n" for name in free))
    (options.cache / "held-out.txt").write_text("".join(f"{name}\n" for name in scored))
    print(f"{len(training)} photos to train on, {len(held_out)} held out, {len(human)} with boxes drawn by people")


if __name__ == "__main__":
    main()
