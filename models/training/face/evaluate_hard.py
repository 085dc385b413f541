# SPDX-License-Identifier: MIT OR Apache-2.0
"""How many large faces in profile, in motion or cut off a detector finds on hard views of held-out photos.

    python -m training.face.evaluate_hard --data PACKED MODEL.onnx ... [--refiner models/face-refiner/model.onnx]

PACKED was written by `pack.py --held-out`. All models see the same views. A face counts as found by a box with an IoU
of at least .4. False boxes are those on views of photos of animals without people.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from training.common.boxes import pairwise_iou, suppress
from training.common.face_model import EmotionFace, Refiner
from training.face.gpu_views import Photos, degrade, with_backgrounds
from training.face.hard import collate
from training.face.photos import ANIMAL_SOURCES
from training.face.views import EMPTY, HARD, Labels, Views

SHAPES = (192, 320), (352, 640)
THRESHOLDS = (0.1, 0.2, 0.3, 0.4)
BATCH, EMPTY_COUNT = 12, 4
MIN_IOU, MIN_SCORE = 0.4, 0.05
# A view counts as one of a face that is cut off if its box ends within this many pixels of an edge.
EDGE = 2


def hard_views(data, count, seed):
    """(picture uint8 [H, W, 3], view, labels of its photo) of hard and empty views."""
    index = json.loads((data / "photos.json").read_text())
    photos = Photos((data / "photos.bin").read_bytes(), index, torch.device("cpu"))
    labels = [Labels.of_entry(entry, tuple(size)) for entry, size in zip(index, photos.sizes)]
    torch.manual_seed(seed)
    views, made = Views(labels, np.random.default_rng(seed)), 0
    views.empty_shares = views.empty_shares * [
        label.source in ANIMAL_SOURCES and not len(label.boxes) for label in labels
    ]
    views.empty_shares /= views.empty_shares.sum()
    while made < count:
        height, width = SHAPES[made // BATCH % len(SHAPES)]
        chosen = [views.draw(HARD if i < BATCH - EMPTY_COUNT else EMPTY, width, height) for i in range(BATCH)]
        batch = collate(chosen, height, width)
        pictures, inside = photos.sample(batch["photos"], batch["matrices"], batch["zooms"], width, height)
        pictures = with_backgrounds(pictures, inside, torch.from_numpy(batch["backgrounds"]))
        pictures = (degrade(pictures, torch.from_numpy(batch["targets"])) * 255).round().to(torch.uint8)
        for picture, view in zip(pictures.permute(0, 2, 3, 1).numpy(), chosen):
            made += 1
            yield picture, view, labels[view.photo]


def kinds_of(view, label, shape):
    """Names of the groups that a view's largest face belongs to."""
    box = largest(view.boxes)
    near = (box[:2] < EDGE).any() or box[2] > shape[1] - EDGE or box[3] > shape[0] - EDGE
    share = (box[2:] - box[:2]).max() / shape[0]
    names = ["all", "cut off" if near else "whole", "turned" if label.turned else "photo"]
    return names + (["large"] if share >= 0.35 else [])


def largest(boxes):
    return boxes[(boxes[:, 2:] - boxes[:, :2]).prod(1).argmax()]


class Found:
    """Best scores on the largest face of each view, by kind, and scores of the boxes on empty views."""

    def __init__(self, path, refiner):
        self.detector, self.refiner = EmotionFace(path, MIN_SCORE), refiner
        self.scores, self.false, self.empty = {}, [], 0

    def look(self, picture, view, label):
        boxes, _, scores = self.detector.candidates(picture)
        boxes, scores, _ = suppress(boxes, scores)
        if self.refiner:
            boxes, _, scores = self.refiner.refine(picture, boxes, scores)
        if view.kind == EMPTY:
            self.empty += 1
            self.false += list(scores)
        elif len(view.boxes):
            box = largest(view.boxes)
            ious = pairwise_iou([[*box[:2], *(box[2:] - box[:2])]], boxes)[0] if len(boxes) else np.zeros(0)
            best = scores[ious >= MIN_IOU].max(initial=0)
            for kind in kinds_of(view, label, picture.shape):
                self.scores.setdefault(kind, []).append(best)

    def figures(self):
        recall = lambda values: " ".join(f"{(np.array(values) >= low).mean():.3f}" for low in THRESHOLDS)
        lines = [f"{kind} ({len(values)}): {recall(values)}" for kind, values in sorted(self.scores.items())]
        false = " ".join(f"{100 * (np.array(self.false) >= low).sum() / max(self.empty, 1):.1f}" for low in THRESHOLDS)
        return "; ".join([*lines, f"false per 100 ({self.empty}): {false}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="folder written by pack.py --held-out")
    parser.add_argument("--refiner", type=Path)
    parser.add_argument("--views", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    refiner = options.refiner and Refiner(options.refiner)
    found = [Found(path, refiner) for path in options.models]
    for picture, view, label in hard_views(options.data, options.views, options.seed):
        for one in found:
            one.look(picture, view, label)
    print(f"recall at {THRESHOLDS}")
    for path, one in zip(options.models, found):
        print(f"{path}: {one.figures()}")


if __name__ == "__main__":
    main()
