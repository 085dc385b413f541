# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of matching, average precision and landmark errors."""

import unittest

import numpy as np

from training.common import detection
from training.common.boxes import suppress
from training.common.detection import Detection
from training.face.evaluate import landmarks_of, scores_of
from training.face.metrics import average_precision, match
from training.face.photos import letterbox
from training.face.tests.synthetic import photo


class Scoring(unittest.TestCase):
    def test_average_precision_by_hand(self):
        self.assertEqual(average_precision([(0.9, True), (0.8, True)], 2), 1.0)
        self.assertEqual(average_precision([(0.9, True), (0.8, False), (0.7, True)], 2), 0.5 + 0.5 * 2 / 3)
        self.assertEqual(average_precision([(0.9, False)], 1), 0.0)
        self.assertEqual(average_precision([], 3), 0.0)

    def test_suppression_averages_boxes_with_a_high_iou(self):
        # The third box has an IoU of 0.43 with the second.
        boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [5, 0, 10, 10], [40, 0, 10, 10]], float)
        scores = np.array([0.5, 0.9, 0.6, 0.4])
        kept, best, indices = suppress(boxes, scores)
        np.testing.assert_allclose(kept[:, 0], [0.9 / 1.4, 40])
        self.assertEqual((best.tolist(), indices.tolist()), ([0.9, 0.4], [1, 3]))
        same = detection.suppress([Detection(tuple(box), None, score) for box, score in zip(boxes, scores)])
        np.testing.assert_allclose([face.box for face in same], kept)

    def test_hits_misses_and_boxes_that_do_not_count(self):
        one = photo(((60, 40, 30, 40), (5, 5, 4, 4)), ignore=[(120, 20, 50, 60)])
        boxes = np.array([[60, 40, 30, 40], [61, 41, 30, 40], [125, 30, 30, 40], [5, 100, 30, 40], [5, 5, 4, 4]], float)
        results, faces = match(one, boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
        self.assertEqual(faces, 1, "a face of 4 px does not count")
        self.assertEqual(
            results,
            [(0.9, True), (0.8, False), (0.6, False)],
            "a hit, a duplicate, and a miss; ignored and small boxes do not count",
        )

    def test_figures_of_a_detector_that_finds_one_of_two_faces(self):
        class Half:
            def detect_on(self, photo, side):
                return np.array([[60, 40, 30, 40]], float), np.array([0.9])

        figures = scores_of(Half(), [photo(), photo((), "animal")], 480)
        self.assertEqual(figures, {"ap": 0.5, "recall": 0.5, "precision": 1.0, "animals": 100.0})

    def test_landmark_errors_are_relative_to_the_face_and_tilts_in_degrees(self):
        class Rotated:
            """Finds both faces of a photo enlarged twice; the labels of the second are rotated by 30 degrees."""

            def detect(self, picture):
                return [
                    Detection(tuple(2 * box), 2 * marks + shift, 0.9)
                    for box, marks, shift in zip(one.boxes, self.marks, (3.0, 0.0))
                ]

        one, detector = photo(), Rotated()
        detector.marks = one.landmarks.copy()
        centre, (sin, cos) = one.landmarks[1].mean(0), (np.sin(np.pi / 6), np.cos(np.pi / 6))
        one.landmarks[1] = (one.landmarks[1] - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre
        figures = landmarks_of(detector, [one], 480)
        self.assertEqual([figures[name] for name in ("marked", "tilted", "tilt_off", "tilt")], [2, 1, 30, 0])
        second = np.abs(one.landmarks[1] - detector.marks[1]).mean() / np.sqrt(20 * 24)
        self.assertAlmostEqual(figures["marks_error"], 50 * (1.5 / np.sqrt(30 * 40) + second), places=2)
        detector.marks = one.landmarks
        self.assertEqual(landmarks_of(detector, [one], 480)["tilt"], 1)
        self.assertEqual(landmarks_of(detector, [photo(())], 480), {"marked": 0, "tilted": 0})

    def test_letterbox_keeps_the_aspect_ratio(self):
        canvas, zoom = letterbox(photo().pixels, 320)
        self.assertEqual((canvas.shape, round(zoom, 4)), ((256, 320, 3), 1.3333))
        self.assertTrue((canvas[241:] == 0).all())


if __name__ == "__main__":
    unittest.main()
