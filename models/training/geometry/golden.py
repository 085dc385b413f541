# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the golden fixture of the geometry model: average faces as its input, and the outputs for them.

    python -m training.geometry.golden OUTPUT.json [--model models/face-geometry/model.onnx]

Each average face, 48x48 over mid grey, lies in the middle of a crop of 80x80, 64 pixels wide. The fixture holds no photo.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.common.average_face import BACKGROUND, average_face
from training.common.detection import open_session
from training.common.paths import MODELS
from training.geometry.network import OUTPUTS, PIXEL_MEAN, PIXEL_SCALE, SIDE, normalise

FACES = ("neutral", "happiness", "surprise")
FACE_SIDE = 64


def crop(name):
    """An average face as a crop, uint8 [80, 80]."""
    face = Image.fromarray(average_face(name).astype(np.uint8)).resize((FACE_SIDE, FACE_SIDE), Image.Resampling.BILINEAR)
    canvas, border = np.full((SIDE, SIDE), BACKGROUND, np.uint8), (SIDE - FACE_SIDE) // 2
    canvas[border : border + FACE_SIDE, border : border + FACE_SIDE] = np.asarray(face)
    return canvas


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "face-geometry" / "model.onnx")
    options = parser.parse_args()
    crops = np.stack([crop(name) for name in FACES])
    given = normalise(crops[:, None].astype(np.float32))
    found = dict(zip(OUTPUTS, open_session(str(options.model)).run(list(OUTPUTS), {"input": given})))
    faces = [
        {"name": name, "pixels": crops[i].ravel().tolist()}
        | {output: [round(float(value), 4) for value in values[i]] for output, values in found.items()}
        for i, name in enumerate(FACES)
    ]
    fixture = {"source": "models/training/geometry/golden.py", "mean": PIXEL_MEAN, "scale": PIXEL_SCALE, "faces": faces}
    options.output.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
