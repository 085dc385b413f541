#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the golden fixture: a small picture with two average faces, and what the face network and the refiner must find on it.

    python golden_face.py OUTPUT.json [--model ../../face/model.onnx] [--refiner ../../face-refiner/model.onnx]

Each average face is laid over mid grey and halved, as in `golden.py`, so no photo is in it. Decoding and the removal of overlaps are
those of training and scoring here, not those of the plugin.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from training.common.boxes import suppress
from training.common.detectors import Refiner, _session
from training.common.paths import MODELS
from training.expression.golden import BACKGROUND, flatten, halved
from training.face.loss import cells
from training.face.loss import decode as decode_cells
from training.face.loss import flatten as flatten_cells

WIDTH, HEIGHT = 128, 96
FACES = {"neutral": (8, 20), "happiness": (68, 34)}
THRESHOLD = 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "face" / "model.onnx")
    parser.add_argument("--refiner", type=Path, default=MODELS / "face-refiner" / "model.onnx")
    options = parser.parse_args()
    picture = np.full((HEIGHT, WIDTH), BACKGROUND)
    for name, (x, y) in FACES.items():
        picture[y : y + 48, x : x + 48] = halved(flatten(MODELS / "average-faces" / f"{name}.png"))
    pixels = np.broadcast_to(picture.astype(np.float32), (1, 3, HEIGHT, WIDTH))
    maps = _session(str(options.model), 1).run(None, {"input": np.ascontiguousarray(pixels)})
    outputs = flatten_cells([torch.from_numpy(one) for one in maps])
    corners = decode_cells(outputs, *cells(HEIGHT, WIDTH))[0][0]
    scores = outputs[0, :, 0].sigmoid().numpy()
    sure = np.nonzero(scores >= Refiner.doubtful(THRESHOLD))[0]
    faces = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).numpy()[sure]
    kept, kept_scores, _ = suppress(faces, scores[sure])
    kept, landmarks, kept_scores = Refiner(options.refiner).refine(
        pixels[0].transpose(1, 2, 0).astype(np.uint8), kept, kept_scores
    )
    rounded = lambda values: [round(float(value), 3) for value in values]
    fixture = {
        "source": "models/training/face/golden.py",
        "width": WIDTH,
        "height": HEIGHT,
        "threshold": THRESHOLD,
        "pixels": picture.ravel().tolist(),
        "faces": [
            {"box": rounded(face), "score": round(float(score), 5), "landmarks": rounded(marks.ravel())}
            for face, score, marks in zip(kept, kept_scores, landmarks)
            if score >= THRESHOLD
        ],
    }
    options.output.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    print(f"{len(fixture['faces'])} faces, scores {[face['score'] for face in fixture['faces']]}")


if __name__ == "__main__":
    main()
