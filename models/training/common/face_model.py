# SPDX-License-Identifier: MIT OR Apache-2.0
"""The face network and the refiner of this project, run from their exported files."""

import numpy as np
from PIL import Image

from training.common.boxes import suppress
from training.common.detection import Detection, open_session


class EmotionFace:
    """The face network (`models/face`): RGB 0..255 in; a map [15, H / s, W / s] named `stride_s` out per stride s.

    `refiner` is the path of a refiner that corrects what the network finds.
    """

    def __init__(self, path, threshold=0.5, threads=1, refiner=None):
        self.session = open_session(str(path), threads)
        self.refiner = refiner and Refiner(refiner, threads)
        self.strides = [int(output.name.removeprefix("stride_")) for output in self.session.get_outputs()]
        self.threshold = threshold
        self.candidate_threshold = Refiner.min_candidate_score(threshold) if refiner else threshold

    def detect(self, picture):
        boxes, landmarks, scores = self.candidates(picture)
        rows, scores, _ = suppress(np.concatenate([boxes, landmarks.reshape(-1, 10)], 1), scores)
        if self.refiner:
            boxes, landmarks, scores = self.refiner.refine(picture, rows[:, :4], scores)
            reported = scores >= self.threshold
            rows = np.concatenate([boxes, landmarks.reshape(-1, 10)], 1)[reported]
            scores = scores[reported]
        return [Detection(tuple(row[:4]), row[4:].reshape(5, 2), score) for row, score in zip(rows, scores.tolist())]

    def candidates(self, picture):
        """(boxes [N, 4] as x, y, width, height; landmarks [N, 5, 2]; scores [N]) before suppression."""
        x = np.ascontiguousarray(picture.astype(np.float32).transpose(2, 0, 1)[None])
        found = []
        for stride, (cells,) in zip(self.strides, self.session.run(None, {"input": x})):
            scores = 1 / (1 + np.exp(-cells[0].astype(np.float64)))
            rows, columns = np.nonzero(scores >= self.candidate_threshold)
            values, corner = cells[:, rows, columns], np.stack([columns, rows])
            centre, size = (corner + values[1:3]) * stride, np.exp(values[3:5]) * stride
            points = corner[:, None].repeat(5, 1) + values[5:].reshape(5, 2, -1).transpose(1, 0, 2)
            boxes = np.concatenate([centre - size / 2, size]).T
            found.append((boxes, points.transpose(2, 1, 0) * stride, scores[rows, columns]))
        return tuple(np.concatenate(part) for part in zip(*found))


def crop_square(picture, centre, length, side):
    """The square of `length` pixels around a point as uint8 [side, side, 3]; edge pixels are repeated outside."""
    centre = np.asarray(centre, np.float64)
    low, high = np.floor(centre - length / 2).astype(int) - 1, np.ceil(centre + length / 2).astype(int) + 1
    height, width = picture.shape[:2]
    rows, columns = np.arange(low[1], high[1]).clip(0, height - 1), np.arange(low[0], high[0]).clip(0, width - 1)
    corner = centre - length / 2 - low
    part = Image.fromarray(picture[rows][:, columns])
    return np.asarray(part.resize((side, side), Image.Resampling.BILINEAR, box=(*corner, *(corner + length))))


class Refiner:
    """The refiner (`models/face-refiner`): RGB 0..255 [N, 3, S, S] of squares `REACH` times as long as a box."""

    REACH = 1.6
    # At this size in the detector's input, in pixels, the refiner's box and the detector's have equal weight. The
    # refiner's has less for larger faces.
    EQUAL_WEIGHT_SIZE = 20.0
    # A box is refined if its logit is at most this much below the threshold's.
    MAX_LOGIT_GAIN = 0.6

    def __init__(self, path, threads=1):
        self.session = open_session(str(path), threads)
        self.side = self.session.get_inputs()[0].shape[2]

    @classmethod
    def min_candidate_score(cls, threshold):
        """The minimum score of a box that refinement may bring to `threshold`."""
        return 1 / (1 + (1 / threshold - 1) * np.exp(cls.MAX_LOGIT_GAIN))

    def refine(self, picture, boxes, scores, zoom=1.0):
        """Refined (boxes [N, 4], landmarks [N, 5, 2], scores [N]), best first.

        Boxes are in pixels of the picture uint8 [H, W, 3]; the detector's input was the picture enlarged by `zoom`.
        """
        boxes, scores = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(scores, np.float64)
        if not len(boxes):
            return boxes, np.zeros((0, 5, 2)), scores
        sizes = boxes[:, 2:].max(1)
        centres, lengths = boxes[:, :2] + boxes[:, 2:] / 2, (self.REACH * sizes)[:, None]
        squares = [crop_square(picture, centre, length, self.side) for centre, (length,) in zip(centres, lengths)]
        inputs = np.stack(squares).transpose(0, 3, 1, 2).astype(np.float32)
        logits, refined, landmarks = self.session.run(None, {"input": inputs})
        corners = centres + (refined[:, :2] - refined[:, 2:] / 2) * lengths
        refined = np.concatenate([corners, refined[:, 2:] * lengths], 1)
        landmarks = centres[:, None] + landmarks.reshape(-1, 5, 2) * lengths[:, None]
        share = (1 / (1 + sizes * zoom / self.EQUAL_WEIGHT_SIZE))[:, None]
        scores = 1 / (1 + (1 / scores - 1) * np.exp(-logits[:, 0].astype(np.float64)))
        order = np.argsort(-scores, kind="stable")
        return (boxes + share * (refined - boxes))[order], landmarks[order], scores[order]
