# SPDX-License-Identifier: MIT OR Apache-2.0
"""Outside expression networks, which learnt from other collections, as teachers.

They are run by a `teachers.py` that is not part of this project, in a folder of its own. It has to define, for grey
crops uint8 [H, W] framed as FER2013's:

    retail0003(images)      probabilities float32 [N, 5] of Open Model Zoo's emotions-recognition-retail-0003
    faceapi(images, batch)  probabilities float32 [N, 7] of face-api.js's expression network
    RETAIL_LABELS           the order of the first, which has to be that of FIVE_LABELS
    FACEAPI_LABELS          the order of the second, SEVEN_LABELS
"""

import importlib.util

import numpy as np

from training.expression.dataset import FIVE_LABELS, SEVEN_LABELS

# Pictures at a time; larger batches do not fit the processor's cache and take twice as long a picture.
FACEAPI_BATCH = 16
# Softmax temperatures that the probabilities are brought to: face-api.js's are overconfident.
TEMPERATURES = {"five": 1.0, "seven": 2.5}


def read_teachers(folder):
    """{head: function from a list of crops to probabilities} of the networks that `<folder>/teachers.py` runs."""
    spec = importlib.util.spec_from_file_location("teachers", folder / "teachers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for labels, expected in ((module.RETAIL_LABELS, FIVE_LABELS), (module.FACEAPI_LABELS, SEVEN_LABELS)):
        if tuple(labels) != expected:
            raise ValueError(f"{folder}/teachers.py: labels {', '.join(expected)} expected, found {', '.join(labels)}")
    return {"five": module.retail0003, "seven": lambda images: module.faceapi(images, FACEAPI_BATCH)}


def soften(scores, temperature):
    """Probabilities [N, classes] at a softmax temperature."""
    powers = np.maximum(scores, 1e-6) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def mean_scores(teachers, views):
    """{head: softened probabilities float32 [N, classes]}, the mean over views [N, H, W] and their mirror images."""
    found = {}
    for head, score in teachers.items():
        both = [np.ascontiguousarray(view) for plain in views for view in (plain, plain[:, :, ::-1])]
        each = [soften(score(view), TEMPERATURES[head]) for view in both]
        found[head] = np.mean(each, axis=0).astype(np.float32)
    return found
