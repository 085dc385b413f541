# SPDX-License-Identifier: MIT OR Apache-2.0
"""Outside expression networks, trained on other collections, as teachers.

They are run by a `teachers.py` in a folder of its own, which is not part of this project. It defines, for grey crops
uint8 [H, W] framed like FER2013's:

    retail0003(images)      probabilities float32 [N, 5] of Open Model Zoo's emotions-recognition-retail-0003
    faceapi(images, batch)  probabilities float32 [N, 7] of face-api.js's expression network
    RETAIL_LABELS           the labels of the first, which must equal FIVE_LABELS
    FACEAPI_LABELS          the labels of the second, which must equal SEVEN_LABELS
"""

import importlib.util

import numpy as np

from training.expression.labels import FIVE_LABELS, SEVEN_LABELS

# Pictures in a batch. Larger batches exceed the CPU's cache and take twice as long per picture.
FACEAPI_BATCH = 16
# Softmax temperatures that soften the probabilities: face-api.js's network is overconfident.
TEMPERATURES = {"five": 1.0, "seven": 2.5}


def read_teachers(folder):
    """{head: function from a list of crops to probabilities} of the networks in `<folder>/teachers.py`."""
    spec = importlib.util.spec_from_file_location("teachers", folder / "teachers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for labels, expected in ((module.RETAIL_LABELS, FIVE_LABELS), (module.FACEAPI_LABELS, SEVEN_LABELS)):
        if tuple(labels) != expected:
            raise ValueError(f"{folder}/teachers.py: expected labels {', '.join(expected)}, found {', '.join(labels)}")
    return {"five": module.retail0003, "seven": lambda images: module.faceapi(images, FACEAPI_BATCH)}


def soften(scores, temperature):
    """Probabilities [N, classes] at a softmax temperature."""
    powers = np.maximum(scores, 1e-6) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def mean_scores(teachers, views):
    """{head: softened probabilities float32 [N, classes]}, means over views [N, H, W] and their mirror images."""
    means = {}
    for head, score in teachers.items():
        crops = [np.ascontiguousarray(view) for original in views for view in (original, original[:, :, ::-1])]
        probabilities = [soften(score(view), TEMPERATURES[head]) for view in crops]
        means[head] = np.mean(probabilities, axis=0).astype(np.float32)
    return means
