# SPDX-License-Identifier: MIT OR Apache-2.0
"""Score the training pictures and the unlabelled faces with teachers, once, for `train.py --cache`.

    python -m training.expression.teacher_scores --data DATA --cache CACHE --networks RUN/final.pt ...
                                                 [--teachers FOLDER]

--networks   networks of this project, whose mean scores teach the heads `ferplus` and `fer2013`
--teachers   a folder whose `teachers.py` runs the outside networks (outside_teachers.py), which teach `five` and
             `seven`; by default, their scores in the cache are used again

The joint scores of all teachers teach the head `joint` (see `joint_scores`).

CACHE holds `faces.npy` (unlabelled.py) and receives float32 arrays, mean probabilities over several views of a picture:

    training-<head>.npy   [N, classes]  of the training split, in its order
    faces-<head>.npy      [M, classes]  of the unlabelled faces

The files of the head `joint` hold the joint scores.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.common.optimisation import mixed_precision
from training.expression.augmentation import augment
from training.expression.dataset import PIXEL_MEAN, PIXEL_SCALE, load_faces
from training.expression.labels import (
    FER2013_LABELS,
    FERPLUS_LABELS,
    FERPLUS_OF_FER2013,
    FIVE_LABELS,
    HEADS,
    JOINT_HEAD,
    LABELLED_HEADS,
    OUTSIDE_HEADS,
    SEVEN_LABELS,
)
from training.expression.network import read_network
from training.expression.outside_teachers import mean_scores, read_teachers
from training.expression.readers import TRAINING
from training.expression.unlabelled import FACE_SIDE, FACES_FILE, FRAMED_SIDE

# Sides of the central crops of an unlabelled face that the outside networks see, each also mirrored.
VIEW_SIDES = (60, 66)
# Our own networks see augmented views, because they have memorised the plain training pictures.
AUGMENTED_VIEWS, STRENGTH, BATCH = 6, 0.5, 256
# Shares in the joint scores: of the log class frequencies, which are subtracted from the log `fer2013` scores; of
# `seven` and `five` among the logs; of the contempt that `ferplus` sees. They come from a coarse grid, on half 0 of the
# strangers.
FREQUENCIES_SHARE, SEVEN_SHARE, FIVE_SHARE, CONTEMPT_SHARE = 0.6, 0.2, 0.45, 0.3


def middle(faces, side):
    """The middle [M, side, side] of faces [M, S, S]."""
    edge = (faces.shape[1] - side) // 2
    return faces[:, edge : edge + side, edge : edge + side]


@dataclass(frozen=True)
class Pictures:
    """Pictures to score.

    images  uint8 [N, S, S]; their middle, the fraction `framed` of the side, is framed like a training picture
    views   crops of the images for the outside networks, arrays uint8 [N, H, W]
    """

    images: np.ndarray
    views: list
    framed: float = 1.0


@torch.no_grad()
def network_scores(networks, images, framed, seed=0):
    """{head: mean probabilities float32 [N, classes]} of our own networks over augmented views.

    `images` and `framed` are those of `Pictures`.
    """
    device = next(networks[0].parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    parts = []
    for start in range(0, len(images), BATCH):
        original = torch.from_numpy(images[start : start + BATCH])[:, None].float().to(device)
        sums = 0
        for _ in range(AUGMENTED_VIEWS):
            x = (augment(original.clone(), generator, STRENGTH, framed) - PIXEL_MEAN) * PIXEL_SCALE
            for network in networks:
                with mixed_precision(device.type):
                    logits = network(x.to(memory_format=torch.channels_last))[: len(LABELLED_HEADS)]
                sums = sums + torch.cat([head.float().softmax(1) for head in logits], dim=1)
        parts.append(sums.cpu() / (AUGMENTED_VIEWS * len(networks)))
    ferplus, fer2013 = torch.cat(parts).split([len(HEADS[head]) for head in LABELLED_HEADS], dim=1)
    return {"ferplus": ferplus.numpy(), "fer2013": fer2013.numpy()}


def read_scores(cache, name, heads):
    """{head: mean probabilities float32 [N, classes]} from the files `<name>-<head>.npy` of a cache."""
    return {head: np.load(cache / f"{name}-{head}.npy") for head in heads}


def write_scores(cache, name, scores):
    """Write `<name>-<head>.npy` for each head."""
    for head, values in scores.items():
        np.save(cache / f"{name}-{head}.npy", values)


def all_scores(cache, name, pictures, networks, teachers):
    """{head: mean probabilities [N, classes]} of pictures, which are also written to the cache.

    If `teachers` is None, the scores of the outside networks come from the cache.
    """
    outside = mean_scores(teachers, pictures.views) if teachers else read_scores(cache, name, OUTSIDE_HEADS)
    scores = network_scores(networks, pictures.images, pictures.framed) | outside
    write_scores(cache, name, scores)
    return {head: scores[head] for head in (*LABELLED_HEADS, *OUTSIDE_HEADS)}


def joint_scores(scores, frequencies):
    """Probabilities float32 [N, 8] from the scores of all teachers.

    frequencies  [7] class frequencies of FER2013's training split

    Over FER2013's seven classes, they are a weighted mean of logs of the `fer2013` scores, less a part of the log class
    frequencies, and of face-api.js's. Of these, the five classes that retail-0003 knows keep their total and share it
    by another weighted mean of logs with the `five` scores. Contempt is a part of what `ferplus` gives it.
    """
    five = [FERPLUS_LABELS.index(label) for label in FIVE_LABELS]
    contempt = FERPLUS_LABELS.index("contempt")
    seven = scores["seven"][:, [SEVEN_LABELS.index(label) for label in FER2013_LABELS]]
    own = np.log(scores["fer2013"] + 1e-9) - FREQUENCIES_SHARE * np.log(frequencies)
    mean = np.exp((1 - SEVEN_SHARE) * own + SEVEN_SHARE * np.log(seven + 1e-9))
    joint = np.zeros((len(mean), len(FERPLUS_LABELS)))
    joint[:, FERPLUS_OF_FER2013] = mean / mean.sum(1, keepdims=True)
    shared = joint[:, five] ** (1 - FIVE_SHARE) * (scores["five"] + 1e-9) ** FIVE_SHARE
    joint[:, five] = shared / shared.sum(1, keepdims=True) * joint[:, five].sum(1, keepdims=True)
    joint[:, contempt] = CONTEMPT_SHARE * scores["ferplus"][:, contempt]
    joint[:, FERPLUS_OF_FER2013] *= 1 - joint[:, contempt : contempt + 1]
    return joint.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--networks", type=Path, nargs="+", required=True)
    parser.add_argument("--teachers", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    teachers = read_teachers(options.teachers) if options.teachers else None
    networks = [read_network(path).to(options.device, memory_format=torch.channels_last) for path in options.networks]
    training, faces = load_faces(options.data, TRAINING), np.load(options.cache / FACES_FILE)
    counts = np.bincount(training.fer2013, minlength=len(FER2013_LABELS))
    frequencies = np.maximum(counts, 1) / len(training)
    views = [middle(faces, side) for side in VIEW_SIDES]
    for name, pictures in (
        ("training", Pictures(training.images, [training.images])),
        ("faces", Pictures(faces, views, FRAMED_SIDE / FACE_SIDE)),
    ):
        scores = all_scores(options.cache, name, pictures, networks, teachers)
        write_scores(options.cache, name, {JOINT_HEAD: joint_scores(scores, frequencies)})


if __name__ == "__main__":
    main()
