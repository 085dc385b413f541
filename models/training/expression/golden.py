#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the golden fixture: average faces as network input, and what the model must give for them.

    python golden.py OUTPUT.json [--model ../expression/model.onnx]

Each average face (96x96 grey + alpha) is laid over mid grey and shrunk to 48x48 by averaging 2x2 pixels, rounded:

    value = (pixel - mean) * scale,   input [N, 1, 48, 48] in the order of `faces`

No training picture is in it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.common.paths import MODELS
from training.expression.dataset import FER2013_LABELS, FERPLUS_LABELS, PIXEL_MEAN, PIXEL_SCALE
from training.expression.evaluate import onnx_logits, onnx_scores

FACES = ("neutral", "happiness", "surprise", "anger")
BACKGROUND = 128


def flatten(path):
    """The average face over mid grey, uint8 [96, 96]."""
    grey, alpha = (np.asarray(band).astype(np.uint32) for band in Image.open(path).split())
    return ((grey * alpha + BACKGROUND * (255 - alpha) + 127) // 255).astype(np.uint8)


def halved(picture):
    """[48, 48] rounded means of 2x2 pixels of a [96, 96] picture."""
    return (picture.astype(int).reshape(48, 2, 48, 2).sum((1, 3)) + 2) // 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "expression" / "model.onnx")
    options = parser.parse_args()
    pixels = np.stack([halved(flatten(MODELS / "average-faces" / f"{name}.png")) for name in FACES])
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
