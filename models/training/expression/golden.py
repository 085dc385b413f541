# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the golden fixture of an expression model: average faces as its input, and the outputs for them.

    python -m training.expression.golden OUTPUT.json [--model models/expression/model.onnx]

Each average face (96x96, grey and alpha) is laid over mid grey and halved to 48x48 by rounded means of 2x2 pixels:

    value = (pixel - mean) * scale,   input [N, 1, 48, 48] in the order of `faces`

The fixture holds no training picture.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from training.common.average_face import BACKGROUND, average_face
from training.common.paths import MODELS
from training.expression.dataset import PIXEL_MEAN, PIXEL_SCALE
from training.expression.inference import onnx_logits, onnx_scores
from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS

FACES = ("neutral", "happiness", "surprise", "anger")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    options = parser.parse_args()
    pixels = np.stack([average_face(name) for name in FACES])
    scores, (ferplus, fer2013) = onnx_scores(options.model, pixels), onnx_logits(options.model, pixels)
    fixture = {
        "source": "models/training/expression/golden.py",
        "definition": "value = (pixel - mean) * scale; input [N, 1, 48, 48] row-major",
        "background": BACKGROUND,
        "mean": PIXEL_MEAN,
        "scale": PIXEL_SCALE,
        "tolerance": 1e-3,
        "ferplus_labels": FERPLUS_LABELS,
        "fer2013_labels": FER2013_LABELS,
        "faces": [
            {
                "name": name,
                "pixels": pixels[i].ravel().tolist(),
                "scores": [round(float(v), 5) for v in scores[i]],
                "ferplus": [round(float(v), 5) for v in ferplus[i]],
                "fer2013": [round(float(v), 5) for v in fer2013[i]],
            }
            for i, name in enumerate(FACES)
        ],
    }
    options.output.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
