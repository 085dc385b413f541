# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reference face detectors, to measure how their results relate to a training picture's framing.

All take an RGB picture uint8 [H, W, 3] with sides that are multiples of 32 and return a list of `Detection`.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.common import boxes as nms


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the picture.

    box        (x, y, w, h), corner and size
    landmarks  float [5, 2] x, y of right eye, left eye, nose, right and left mouth corner
               (the person's own right first), or None
    score      0..1 (Haar: 1)
    """

    box: tuple
    landmarks: object
    score: float


def suppress(detections):
    """Those of `boxes.suppress`."""
    if not detections:
        return []
    columns = [[*d.box, *([] if d.landmarks is None else np.ravel(d.landmarks))] for d in detections]
    rows, scores, _ = nms.suppress(np.array(columns, float), np.array([d.score for d in detections]))
    return [
        Detection(tuple(row[:4]), row[4:].reshape(5, 2) if len(row) > 4 else None, score)
        for row, score in zip(rows, scores.tolist())
    ]


def _session(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class CenterFace:
    """CenterFace: exactly RGB 0..255 in; heat map, log scale, offset and landmarks at stride 4."""

    STRIDE = 4

    def __init__(self, path, threshold=0.5, threads=1):
        import onnx

        model = onnx.load(path)
        weights = {tensor.name for tensor in model.graph.initializer}
        for value in [*model.graph.input, *model.graph.output]:
            for axis in (0, 2, 3) if value.name not in weights else ():
                value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
        self.session = _session(model.SerializeToString(), threads)
        self.input = self.session.get_inputs()[0].name
        self.threshold = threshold

    def detect(self, picture):
        x = np.ascontiguousarray(picture.astype(np.float32).transpose(2, 0, 1)[None])
        heat, scale, offset, marks = self.session.run(["537", "538", "539", "540"], {self.input: x})
        rows, columns = np.nonzero(heat[0, 0] > self.threshold)
        return suppress([self._decode(heat, scale, offset, marks, r, c) for r, c in zip(rows, columns)])

    def _decode(self, heat, scale, offset, marks, row, column):
        height, width = np.exp(scale[0, :, row, column]) * self.STRIDE
        y = (row + offset[0, 0, row, column] + 0.5) * self.STRIDE - height / 2
        x = (column + offset[0, 1, row, column] + 0.5) * self.STRIDE - width / 2
        points = marks[0, :, row, column].reshape(5, 2)[:, ::-1] * (width, height) + (x, y)
        return Detection((x, y, width, height), points, float(heat[0, 0, row, column]))


class YuNet:
    """YuNet: BGR 0..255 in; class, objectness, box and landmarks at strides 8, 16 and 32."""

    STRIDES = (8, 16, 32)

    def __init__(self, path, threshold=0.5, threads=1):
        self.session = _session(str(path), threads)
        self.input = self.session.get_inputs()[0].name
        self.threshold = threshold

    def detect(self, picture):
        x = np.ascontiguousarray(picture[:, :, ::-1].astype(np.float32).transpose(2, 0, 1)[None])
        names = [f"{kind}_{stride}" for stride in self.STRIDES for kind in ("cls", "obj", "bbox", "kps")]
        outputs = dict(zip(names, self.session.run(names, {self.input: x})))
        found = []
        for stride in self.STRIDES:
            heads = [outputs[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps")]
            found += self._decode(*heads, stride, picture.shape[1] // stride)
        return suppress(found)

    def _decode(self, classes, objects, sizes, points, stride, columns):
        scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        found = []
        for index in np.nonzero(scores > self.threshold)[0]:
            cell = np.array([index % columns, index // columns])
            centre = (cell + sizes[index, :2]) * stride
            size = np.exp(sizes[index, 2:]) * stride
            landmarks = (points[index].reshape(5, 2) + cell) * stride
            found.append(Detection((*(centre - size / 2), *size), landmarks, float(scores[index])))
        return found


class EmotionFace:
    """Our own network (`../face`): RGB 0..255 in; one map [15, H / s, W / s] for each stride s, named `stride_s`.

    With a file of `Refiner`, that has a second look at what it finds.
    """

    def __init__(self, path, threshold=0.5, threads=1, refiner=None):
        self.session = _session(str(path), threads)
        self.refiner = refiner and Refiner(refiner, threads)
        self.strides = [int(output.name.removeprefix("stride_")) for output in self.session.get_outputs()]
        self.wanted, self.threshold = threshold, Refiner.doubtful(threshold) if refiner else threshold

    def detect(self, picture):
        boxes, marks, scores = self.candidates(picture)
        found, scores, _ = nms.suppress(np.concatenate([boxes, marks.reshape(-1, 10)], 1), scores)
        if self.refiner:
            boxes, marks, scores = self.refiner.refine(picture, found[:, :4], scores)
            sure = scores >= self.wanted
            found, scores = np.concatenate([boxes, marks.reshape(-1, 10)], 1)[sure], scores[sure]
        return [Detection(tuple(row[:4]), row[4:].reshape(5, 2), score) for row, score in zip(found, scores.tolist())]

    def candidates(self, picture):
        """(boxes [N, 4] as x, y, width, height; landmarks [N, 5, 2]; scores [N]), overlapping ones and all."""
        x = np.ascontiguousarray(picture.astype(np.float32).transpose(2, 0, 1)[None])
        found = []
        for stride, (cells,) in zip(self.strides, self.session.run(None, {"input": x})):
            score = 1 / (1 + np.exp(-cells[0].astype(np.float64)))
            rows, columns = np.nonzero(score >= self.threshold)
            values, corner = cells[:, rows, columns], np.stack([columns, rows])
            centre, size = (corner + values[1:3]) * stride, np.exp(values[3:5]) * stride
            points = corner[:, None].repeat(5, 1) + values[5:].reshape(5, 2, -1).transpose(1, 0, 2)
            found.append(
                (np.concatenate([centre - size / 2, size]).T, points.transpose(2, 1, 0) * stride, score[rows, columns])
            )
        return tuple(np.concatenate(part) for part in zip(*found))


def square(picture, middle, length, side):
    """uint8 [side, side, 3] of the square of `length` pixels around a point; outside the picture its edge is repeated."""
    middle = np.asarray(middle, np.float64)
    low, high = np.floor(middle - length / 2).astype(int) - 1, np.ceil(middle + length / 2).astype(int) + 1
    height, width = picture.shape[:2]
    rows, columns = np.arange(low[1], high[1]).clip(0, height - 1), np.arange(low[0], high[0]).clip(0, width - 1)
    corner = middle - length / 2 - low
    part = Image.fromarray(picture[rows][:, columns])
    return np.asarray(part.resize((side, side), Image.Resampling.BILINEAR, box=(*corner, *(corner + length))))


class Refiner:
    """Our own second look (`../face-refiner`): RGB 0..255 [N, 3, S, S] of squares `REACH` times the longer side of a box."""

    REACH = 1.6
    # Its box counts as much as the detector's for faces of so many pixels in the detector's input, less for larger ones.
    AS_MUCH = 20.0
    # Most of what it adds to a score's logit to make a face of what was none.
    MOST = 0.6

    def __init__(self, path, threads=1):
        self.session = _session(str(path), threads)
        self.side = self.session.get_inputs()[0].shape[2]

    @classmethod
    def doubtful(cls, threshold):
        """The score from which on a box may come to `threshold`."""
        return 1 / (1 + (1 / threshold - 1) * np.exp(cls.MOST))

    def refine(self, picture, boxes, scores, zoom=1.0):
        """(boxes [N, 4], landmarks [N, 5, 2], scores [N]), best first, for what was found on a picture uint8 [H, W, 3]; in its pixels, of
        which the detector's input has `zoom`."""
        boxes, scores = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(scores, np.float64)
        if not len(boxes):
            return boxes, np.zeros((0, 5, 2)), scores
        sizes = boxes[:, 2:].max(1)
        middles, lengths = boxes[:, :2] + boxes[:, 2:] / 2, (self.REACH * sizes)[:, None]
        squares = np.stack([square(picture, middle, length, self.side) for middle, (length,) in zip(middles, lengths)])
        more, found, marks = self.session.run(None, {"input": squares.transpose(0, 3, 1, 2).astype(np.float32)})
        found = np.concatenate([middles + (found[:, :2] - found[:, 2:] / 2) * lengths, found[:, 2:] * lengths], 1)
        share = (1 / (1 + sizes * zoom / self.AS_MUCH))[:, None]
        scores = 1 / (1 + (1 / scores - 1) * np.exp(-more[:, 0].astype(np.float64)))
        best = np.argsort(-scores, kind="stable")
        return (
            (boxes + share * (found - boxes))[best],
            (middles[:, None] + marks.reshape(-1, 5, 2) * lengths[:, None])[best],
            scores[best],
        )


class Haar:
    """OpenCV's cascade classifier; boxes are squares, no landmarks."""

    def __init__(self, path, scale_factor=1.1, min_neighbours=3, min_size=48):
        import cv2

        self.cascade = cv2.CascadeClassifier(str(path))
        self.settings = {"scaleFactor": scale_factor, "minNeighbors": min_neighbours, "minSize": (min_size, min_size)}
        self.to_grey = lambda picture: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)

    def detect(self, picture):
        boxes = self.cascade.detectMultiScale(self.to_grey(picture), **self.settings)
        return [Detection(tuple(float(v) for v in box), None, 1.0) for box in boxes]
