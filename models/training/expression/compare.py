# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compare expression networks on faces of two collections, and print a table.

    python -m training.expression.compare --data DATA --strangers STRANGERS.npz [--teachers FOLDER]
                                          [--mini-xception FILE.onnx]

DATA       FER2013, in any form that readers.py reads; its PublicTest counts, by FER2013's labels
STRANGERS  labelled faces of another collection (load_strangers in dataset.py); half 1 counts, on which nothing is fitted
FOLDER     has a `teachers.py` that runs the outside networks (outside_teachers.py)

Accuracies in %: over FER2013's seven classes, and over the pictures and predictions of the five classes neutral,
happiness, sadness, surprise and anger.
"""

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from training.common.paths import MODELS
from training.expression.combine import OUTPUT_OF_PRIOR
from training.expression.dataset import load_faces, load_strangers, normalise
from training.expression.labels import FER2013_LABELS, FERPLUS_LABELS, FIVE_LABELS, SEVEN_LABELS
from training.expression.metrics import strangers_accuracies
from training.expression.outside_teachers import read_teachers
from training.expression.readers import PUBLIC_TEST

BATCH = 64
MINI_XCEPTION_SIDE = 64
OWN_MODELS = ("expression", "expression-int8")


def in_batches(score, images):
    """The scores [N, classes] of pictures uint8 [N, S, S], a batch at a time."""
    return np.concatenate([score(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])


def onnx_session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def own_scores(path, output):
    """A function from pictures uint8 [N, 48, 48] to an output of a model of this project."""
    session = onnx_session(path)
    return lambda images: session.run([output], {"input": normalise(images)})[0]


def mini_xception(path):
    """A function from pictures uint8 [N, S, S] to probabilities [N, 7] of mini-XCEPTION."""
    session = onnx_session(path)
    [model_input] = session.get_inputs()
    axis = -1 if model_input.shape[-1] == 1 else 1
    size = (MINI_XCEPTION_SIDE, MINI_XCEPTION_SIDE)

    def scores(images):
        resized = np.stack([np.asarray(Image.fromarray(image).resize(size, Image.BILINEAR)) for image in images])
        pictures = ((resized.astype(np.float32) / 255 - 0.5) * 2)[..., None]
        return session.run(None, {model_input.name: np.moveaxis(pictures, -1, axis)})[0]

    return scores


def networks(options):
    """(name, labels, function from pictures to scores) of each network that was asked for."""
    for name in OWN_MODELS:
        path = MODELS / name / "model.onnx"
        for prior, output in OUTPUT_OF_PRIOR.items():
            yield f"{name}, {prior}", FERPLUS_LABELS, own_scores(path, output)
        yield f"{name}, fer2013 head", FER2013_LABELS, own_scores(path, "fer2013")
    if options.mini_xception:
        yield "mini-XCEPTION", FER2013_LABELS, mini_xception(options.mini_xception)
    if options.teachers:
        teachers = read_teachers(options.teachers)
        yield "emotions-recognition-retail-0003", FIVE_LABELS, lambda images: teachers["five"](list(images))
        yield "face-api.js", SEVEN_LABELS, lambda images: teachers["seven"](list(images))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--strangers", type=Path, required=True)
    parser.add_argument("--teachers", type=Path)
    parser.add_argument("--mini-xception", type=Path)
    options = parser.parse_args()
    faces = load_faces(options.data, PUBLIC_TEST)
    sets = [(faces.images, faces.fer2013), load_strangers(options.strangers, half=1)]
    print("| network | PublicTest, seven / five | another collection, seven / five |\n|---|---|---|")
    for name, labels, score in networks(options):
        cells = []
        for images, truth in sets:
            seven, five = strangers_accuracies(in_batches(score, images), labels, truth)
            cells.append(f"{'–' if len(labels) == len(FIVE_LABELS) else f'{100 * seven:.1f}'} / {100 * five:.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
