# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the golden fixture of the face network: a picture of two average faces, and what must be found on it.

    python -m training.face.golden OUTPUT.json [--model models/face/model.onnx]
                                   [--refiner models/face-refiner/model.onnx]

The fixture holds no photo. Outputs are decoded and suppressed by the code of training, not by that of the plugin.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from training.common.average_face import BACKGROUND, average_face
from training.common.boxes import suppress
from training.common.detection import open_session
from training.common.face_model import Refiner
from training.common.paths import MODELS
from training.face.cells import cell_grid, decode, flatten

WIDTH, HEIGHT = 128, 96
FACES = {"neutral": (8, 20), "happiness": (68, 34)}
THRESHOLD = 0.3


def candidates(model, picture):
    """(boxes [N, 4] as x, y, width, height; scores [N]) that the refiner is to look at."""
    maps = open_session(str(model)).run(None, {"input": np.ascontiguousarray(picture)})
    outputs = flatten([torch.from_numpy(values) for values in maps])
    corners = decode(outputs, *cell_grid(HEIGHT, WIDTH))[0][0]
    scores = outputs[0, :, 0].sigmoid().numpy()
    found = np.nonzero(scores >= Refiner.min_candidate_score(THRESHOLD))[0]
    boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).numpy()[found]
    return boxes, scores[found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, default=MODELS / "face" / "model.onnx")
    parser.add_argument("--refiner", type=Path, default=MODELS / "face-refiner" / "model.onnx")
    options = parser.parse_args()
    picture = np.full((HEIGHT, WIDTH), BACKGROUND)
    for name, (x, y) in FACES.items():
        picture[y : y + 48, x : x + 48] = average_face(name)
    pixels = np.broadcast_to(picture.astype(np.float32), (1, 3, HEIGHT, WIDTH))
    boxes, scores, _ = suppress(*candidates(options.model, pixels))
    frame = pixels[0].transpose(1, 2, 0).astype(np.uint8)
    boxes, landmarks, scores = Refiner(options.refiner).refine(frame, boxes, scores)
    rounded = lambda values: [round(float(value), 3) for value in values]
    fixture = {
        "source": "models/training/face/golden.py",
        "width": WIDTH,
        "height": HEIGHT,
        "threshold": THRESHOLD,
        "pixels": picture.ravel().tolist(),
        "faces": [
            {"box": rounded(box), "score": round(float(score), 5), "landmarks": rounded(points.ravel())}
            for box, score, points in zip(boxes, scores, landmarks)
            if score >= THRESHOLD
        ],
    }
    options.output.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    print(f"{len(fixture['faces'])} faces, scores {[face['score'] for face in fixture['faces']]}")


if __name__ == "__main__":
    main()
