#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cut faces without labels into a cache, for teachers to score (teacher_scores.py) and networks to train on.

    python unlabelled.py [--lfw FOLDER] [--photos FOLDER] --cache CACHE

LFW     a folder with `sheet-*.webp`, each 40 rows of 50 grey faces of 72x72 pixels, and `names.npz`, which has a `name`
        for each face
PHOTOS  photos with boxes and landmarks, in the form that face/photos.py describes

CACHE receives `faces.npy`, uint8 [M, 72, 72]: grey faces, whose middle 64 pixels are framed as FER2013's.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.framing import Square, crop, landmark_frame, square_from_box

FACES_FILE = "faces.npy"
FACE_SIDE, FRAMED_SIDE = 72, 64
SHEET_ROWS, SHEET_COLUMNS = 40, 50
# Faces of photos whose longer side has fewer pixels than this are left out.
SMALLEST_FACE = 32
# Side and offsets of a crop framed as FER2013's, in heights of the box (emotion-face in models/expression/model.toml).
BOX_RULE = (1.007, 0.0, -0.013)


def cells(path):
    """The grey pictures uint8 [2000, S, S] of a sheet, 40 rows of 50."""
    grey = np.asarray(Image.open(path).convert("L"))
    side = grey.shape[1] // SHEET_COLUMNS
    return grey.reshape(SHEET_ROWS, side, SHEET_COLUMNS, side).transpose(0, 2, 1, 3).reshape(-1, side, side)


def read_sheets(folder):
    """Faces uint8 [M, 72, 72] of a folder of sheets."""
    count = len(np.load(folder / "names.npz")["name"])
    return np.concatenate([cells(path) for path in sorted(folder.glob("sheet-*.webp"))])[:count]


def cut(canvas, face):
    """One face uint8 [72, 72] of a photo [H, W, 1], framed by its box and turned upright by its eye line."""
    framed = square_from_box(face["box"], BOX_RULE)
    roll = landmark_frame(np.array(face["landmarks"]))[3] if face.get("landmarks") else 0.0
    return crop(canvas, Square(framed.x, framed.y, framed.side * FACE_SIDE / FRAMED_SIDE, roll), FACE_SIDE)


def cut_photos(folder):
    """Faces uint8 [M, 72, 72] of labelled photos, `SMALLEST_FACE` pixels and larger."""
    faces = []
    for name, photo in json.loads((folder / "labels.json").read_text()).items():
        large = [face for face in photo["faces"] if max(face["box"][2:]) >= SMALLEST_FACE]
        if large:
            canvas = np.asarray(Image.open(folder / "photos" / name).convert("L"))[:, :, None]
            faces += [cut(canvas, face) for face in large]
    return np.stack(faces)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lfw", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    sources = [read(folder) for read, folder in ((read_sheets, options.lfw), (cut_photos, options.photos)) if folder]
    if not sources:
        parser.error("give --lfw, --photos or both")
    faces = np.concatenate(sources)
    options.cache.mkdir(parents=True, exist_ok=True)
    np.save(options.cache / FACES_FILE, faces)
    print(f"{len(faces)} faces without labels: {' + '.join(str(len(source)) for source in sources)}")


if __name__ == "__main__":
    main()
