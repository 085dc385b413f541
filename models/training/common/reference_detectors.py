# SPDX-License-Identifier: MIT OR Apache-2.0
"""Face detectors of other projects: teachers that label photos, and references to compare with.

All take an RGB picture uint8 [H, W, 3] with sides that are multiples of 32 and return a list of `Detection`.
"""

import numpy as np

from training.common.detection import Detection, open_session, suppress


class CenterFace:
    """CenterFace: RGB 0..255 in; heat map, logarithmic scale, offset and landmarks at stride 4 out."""

    STRIDE = 4

    def __init__(self, path, threshold=0.5, threads=1):
        import onnx

        model = onnx.load(path)
        weights = {tensor.name for tensor in model.graph.initializer}
        for value in [*model.graph.input, *model.graph.output]:
            for axis in (0, 2, 3) if value.name not in weights else ():
                value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
        self.session = open_session(model.SerializeToString(), threads)
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
    """YuNet: BGR 0..255 in; class, objectness, box and landmarks at strides 8, 16 and 32 out."""

    STRIDES = (8, 16, 32)

    def __init__(self, path, threshold=0.5, threads=1):
        self.session = open_session(str(path), threads)
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


class Haar:
    """OpenCV's cascade classifier. Its boxes are squares, and it gives no landmarks."""

    def __init__(self, path, scale_factor=1.1, min_neighbours=3, min_size=48):
        import cv2

        self.cascade = cv2.CascadeClassifier(str(path))
        self.settings = {"scaleFactor": scale_factor, "minNeighbors": min_neighbours, "minSize": (min_size, min_size)}
        self.to_grey = lambda picture: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)

    def detect(self, picture):
        boxes = self.cascade.detectMultiScale(self.to_grey(picture), **self.settings)
        return [Detection(tuple(float(v) for v in box), None, 1.0) for box in boxes]
