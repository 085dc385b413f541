# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cut faces without labels into a cache. Teachers score them (teacher_scores.py) and networks train on them.

    python -m training.expression.unlabelled [--lfw FOLDER] [--photos FOLDER ...] --cache CACHE

LFW     a folder of `sheet-*.webp`, each with 40 rows of 50 grey faces of 72x72 pixels, and `names.npz`, which has a
        `name` for each face
PHOTOS  folders of photos with boxes and, for most faces, landmarks, in the form that face/photos.py describes

CACHE receives `faces.npy`, uint8 [M, 72, 72]: grey faces whose middle 64 pixels are framed like FER2013's pictures.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.squares import Square, crop, landmark_frame, square_from_box

FACES_FILE = "faces.npy"
FACE_SIDE, FRAMED_SIDE = 72, 64
SHEET_ROWS, SHEET_COLUMNS = 40, 50
# Minimum longer side of a face in the photos, in pixels.
MIN_FACE = 24
# Side and offsets of a crop framed like FER2013's, in units of the box height (emotion-face in
# models/expression/model.toml).
BOX_RULE = (1.007, 0.0, -0.013)


def read_sheet(path):
    """The grey pictures uint8 [2000, S, S] of a sheet of 40 rows of 50."""
    grey = np.asarray(Image.open(path).convert("L"))
    side = grey.shape[1] // SHEET_COLUMNS
    return grey.reshape(SHEET_ROWS, side, SHEET_COLUMNS, side).transpose(0, 2, 1, 3).reshape(-1, side, side)


def read_sheets(folder):
    """Faces uint8 [M, 72, 72] of a folder of sheets."""
    count = len(np.load(folder / "names.npz")["name"])
    return np.concatenate([read_sheet(path) for path in sorted(folder.glob("sheet-*.webp"))])[:count]


def cut(canvas, face):
    """One face uint8 [72, 72] of a photo [H, W, 1], framed by its box and rotated until its eye line is level."""
    framed = square_from_box(face["box"], BOX_RULE)
    roll = landmark_frame(np.array(face["landmarks"]))[3] if face.get("landmarks") else 0.0
    return crop(canvas, Square(framed.x, framed.y, framed.side * FACE_SIDE / FRAMED_SIDE, roll), FACE_SIDE)


def cut_photos(folder):
    """Faces uint8 [M, 72, 72] of labelled photos, of at least `MIN_FACE` pixels."""
    faces = []
    for name, photo in json.loads((folder / "labels.json").read_text()).items():
        large = [face for face in photo["faces"] if max(face["box"][2:]) >= MIN_FACE]
        if large:
            canvas = np.asarray(Image.open(folder / "photos" / name).convert("L"))[:, :, None]
            faces += [cut(canvas, face) for face in large]
    return np.stack(faces)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--photos", type=Path, nargs="+", default=[])
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    sources = [read_sheets(options.lfw)] if options.lfw else []
    sources += [cut_photos(folder) for folder in options.photos]
    if not sources:
        parser.error("--lfw or --photos is required")
    faces = np.concatenate(sources)
    options.cache.mkdir(parents=True, exist_ok=True)
    np.save(options.cache / FACES_FILE, faces)
    print(f"{len(faces)} faces without labels: {' + '.join(str(len(source)) for source in sources)}")


if __name__ == "__main__":
    main()
