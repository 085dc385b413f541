# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of hard negatives: mined ones, and boxes that one teacher alone took for faces."""

import unittest

import numpy as np

from training.common.detection import Detection
from training.face.judge import non_faces
from training.face.mine import mine
from training.face.tests.synthetic import photo


class Mining(unittest.TestCase):
    def test_boxes_that_match_no_face_are_mined_once(self):
        class Eager:
            def detect(self, picture):
                zoom = picture.shape[1] / 240
                boxes = np.array(
                    [[60, 40, 30, 40], [10, 100, 20, 24], [11, 100, 20, 24], [200, 10, 20, 20], [120, 120, 16, 16]],
                    float,
                )
                return boxes * zoom, np.array([0.9, 0.5, 0.4, 0.7, 0.1])

        negatives, face_scores = mine(Eager(), photo(ignore=[(195, 5, 30, 30)]))
        self.assertEqual((negatives[:, :4].round().tolist(), negatives[:, 4].tolist()), ([[10, 100, 20, 24]], [0.5]))
        self.assertEqual(face_scores.tolist(), [0.9, 0], "one of two faces is found")
        for free in (photo(ignore=[(0, 0, 240, 180)]), photo(source="shA")):
            self.assertEqual(mine(Eager(), free)[0].shape, (0, 5))


class Judging(unittest.TestCase):
    def test_large_boxes_with_low_scores_are_no_faces(self):
        class Teacher:
            def __init__(self, score):
                self.score = score

            def detect(self, picture):
                zoom = picture.shape[1] / 240
                return [Detection((200 * zoom, 10 * zoom, 30 * zoom, 40 * zoom), None, self.score)]

        # A possible face, a box that is too small to tell, one around a labelled face, and one next to it.
        others = [(200, 10, 30, 40), (10, 10, 6, 7), (50, 20, 60, 70), (84, 60, 20, 20)]
        judged = lambda *scores: non_faces(photo(ignore=others), [Teacher(score) for score in scores]).tolist()
        self.assertEqual(judged(0.25, 0.25), [0])
        self.assertEqual(judged(0.8, 0.25), [])
        self.assertEqual(
            non_faces(photo(ignore=[(10, 100, 40, 40)]), [Teacher(0.9)] * 2).tolist(),
            [0],
            "a box that neither teacher found",
        )


if __name__ == "__main__":
    unittest.main()
