#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of all that needs no torch, on synthetic photos: `python self_test_data.py` (seconds; numpy and pillow)."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from training.face import crops
from training.common import detectors
from training.common.boxes import suppress
from training.face.crops import cut_turned, mirror, photo_weights, random_crop
from training.face.cut_patches import describe, found_boxes
from training.face.judge import none
from training.face.mine import look
from training.face.photos import HARD_FILE, HELD_OUT_SOURCES, JUDGED_FILE, Photo, build, load_photos, split
from training.face.evaluate import average_precision, landmarks_of, letterbox, match, scores_of

RED = np.array([250, 10, 10])


def photo(boxes=((60, 40, 30, 40), (150, 90, 20, 24)), source="ppl", ignore=(), size=(240, 180), hard=()):
    """A grey photo whose faces are red rectangles, with landmarks at fixed places in them."""
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    for x, y, w, h in boxes:
        pixels[y : y + h, x : x + w] = RED
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    places = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    landmarks = boxes[:, None, :2] + places * boxes[:, None, 2:]
    ones, ignore, hard = (
        np.ones(len(boxes), np.float32),
        np.array(ignore, np.float32).reshape(-1, 4),
        np.array(hard, np.float32).reshape(-1, 5),
    )
    return Photo("a", source, False, pixels, boxes, landmarks, ones, ignore, 0.5 * ones, hard)


class Cache(unittest.TestCase):
    def test_photos_come_back_with_their_labels(self):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            names = {"one.webp": "ppl", "two.webp": HELD_OUT_SOURCES[0]}
            face = {"box": [60, 40, 30, 40], "landmarks": [[70, 50]] * 5, "score": 0.8}
            for part, labels in (("", names), ("masked", {"three.webp": None}), ("human", {"four.webp": None})):
                (data / part / "photos").mkdir(parents=True)
                entries = {}
                for name, source in labels.items():
                    Image.fromarray(photo().pixels).save(data / part / "photos" / name, lossless=True)
                    entries[name] = {"width": 240, "height": 180, "faces": [face if source else {"box": face["box"]}]}
                    entries[name] |= (
                        {"source": source, "stretched": False, "ignore": [[1, 2, 3, 4], [9, 9, 8, 8]]} if source else {}
                    )
                (data / part / "labels.json").write_text(json.dumps(entries))
            build(data, data / "cache", None)
            (data / "cache" / HARD_FILE).write_text(
                json.dumps({"one.webp": {"hard": [[5, 6, 7, 8, 0.5]], "found": [0.75]}})
            )
            (data / "cache" / JUDGED_FILE).write_text(json.dumps({"one.webp": [1]}))
            photos = load_photos(data / "cache")
            training, held_out, human = split(photos)
        self.assertEqual([one.name for one in training], ["one.webp", "three.webp"])
        self.assertEqual([one.name for one in held_out], ["two.webp"])
        self.assertEqual([one.name for one in human], ["four.webp"])
        np.testing.assert_array_equal(photos[0].pixels, photo().pixels)
        self.assertAlmostEqual(float(photos[0].scores[0]), 0.8, places=6)
        self.assertEqual([one.ignore.tolist() for one in photos[:2]], [[[1, 2, 3, 4]], [[1, 2, 3, 4], [9, 9, 8, 8]]])
        self.assertEqual([one.hard.tolist() for one in photos], [[[5, 6, 7, 8, 0.5], [9, 9, 8, 8, 0.25]], [], [], []])
        self.assertEqual([one.found.tolist() for one in photos[:1]], [[0.75]])
        self.assertTrue(np.isnan(photos[2].landmarks).all(), "people gave no landmarks")


class Crops(unittest.TestCase):
    def setUp(self):
        # Colours are what the tests below find faces by.
        self.degrade, self.cover = crops.degrade, crops.cover
        crops.degrade, crops.cover = lambda picture, rng: np.array(picture), lambda picture, crop, rng: None

    def tearDown(self):
        crops.degrade, crops.cover = self.degrade, self.cover

    def crop(self, seed, photos):
        return random_crop(photos, photo_weights(photos), 128, np.random.default_rng(seed))

    def test_labels_go_with_the_pixels(self):
        seen = 0
        for seed in range(60):
            crop = self.crop(seed, [photo()])
            for (x, y, w, h), points in zip(crop.boxes, crop.landmarks):
                inside = np.round(np.clip([x + 0.25 * w, x + 0.75 * w, y + 0.25 * h, y + 0.75 * h], 0, 127)).astype(int)
                middle = crop.pixels[inside[2] : inside[3], inside[0] : inside[1]].reshape(-1, 3)
                if w < 8 or not len(middle):
                    continue
                self.assertLess(np.abs(middle - RED).mean(), 12, f"seed {seed}: box {x, y, w, h}")
                if not any(abs(edge - 32 * round(edge / 32)) < 0.5 for edge in (x, x + w)):  # not cut off by its tile
                    self.assertTrue(((points[:, 0] > x) & (points[:, 0] < x + w)).all(), f"seed {seed}")
                across, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
                self.assertGreater(
                    across[0] * down[1] - across[1] * down[0],
                    0,
                    "the person's right eye is on the left of an upright face",
                )
                seen += 1
        self.assertGreater(seen, 30)

    def test_landmarks_turn_with_the_face(self):
        one = photo(((60, 40, 90, 120),))
        x, y = one.landmarks[0, 0].astype(int)
        one.pixels[y - 8 : y + 9, x - 8 : x + 9] = (10, 10, 250)
        rolls = []
        for seed in range(40):
            crop = cut_turned(one, 1.0, (30, 20), 160, np.random.default_rng(seed))
            (right, left), (x, y) = crop.landmarks[0, :2], crop.landmarks[0, 0].round().astype(int)
            rolls.append(np.degrees(np.arctan2(*(left - right)[::-1])))
            # Lying heads have lying boxes.
            lying = abs(round(rolls[-1])) == 90
            np.testing.assert_allclose(crop.boxes[0, 2:], (120, 90) if lying else (90, 120), rtol=0.1)
            self.assertGreater(crop.pixels[y, x, 2], 200, f"seed {seed}: {rolls[-1]:.0f} degrees")
        self.assertGreater(np.std(rolls), 5)
        self.assertIn(0.0, np.round(rolls, 6))

    def test_a_seed_gives_one_crop(self):
        first, again, other = (self.crop(seed, [photo()]) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first.pixels, again.pixels)
        np.testing.assert_array_equal(first.boxes, again.boxes)
        self.assertFalse(np.array_equal(first.pixels, other.pixels))

    def test_mirrored_twice_is_as_before(self):
        crop, again = self.crop(1, [photo()]), self.crop(1, [photo()])
        mirror(again)
        self.assertFalse(np.array_equal(crop.pixels, again.pixels))
        mirror(again)
        np.testing.assert_array_equal(crop.pixels, again.pixels)
        np.testing.assert_allclose(crop.boxes, again.boxes, atol=1e-3)
        np.testing.assert_allclose(crop.landmarks, again.landmarks, atol=1e-3)

    def test_what_teachers_saw_on_animals_is_background(self):
        doubtful = [(20, 20, 60, 60)]
        self.assertTrue(any(len(self.crop(seed, [photo((), ignore=doubtful)]).ignore) for seed in range(5)))
        self.assertFalse(any(len(self.crop(seed, [photo((), "animal", doubtful)]).ignore) for seed in range(5)))

    def test_hard_places_are_aimed_at_as_faces_are(self):
        blue = photo((), hard=[(60, 40, 30, 40, 0.5)])
        blue.pixels[40:80, 60:90] = (10, 10, 250)
        there = lambda one: sum((self.crop(seed, [one]).pixels == (10, 10, 250)).all(-1).any() for seed in range(40))
        self.assertGreater(there(blue), there(replace(blue, hard=blue.hard[:0])))
        self.assertFalse(any(len(self.crop(seed, [blue]).boxes) for seed in range(10)))

    def test_what_is_missed_is_seen_more_often(self):
        easy, missed = (replace(photo(), found=np.array(found, np.float32)) for found in ((0.9, 0.9), (0.9, 0.2)))
        light, heavy = photo_weights([easy, missed])
        self.assertGreater(heavy, light)
        # The second face is much the smaller one, so that crops aim at the first unless it is known.
        seen = lambda one: sum((self.crop(seed, [one]).boxes[:, 2] > 40).any() for seed in range(60))
        self.assertGreater(seen(easy), seen(missed))


class Squares(unittest.TestCase):
    def test_a_square_shows_what_lies_in_it_and_repeats_the_edge(self):
        one = photo(((60, 40, 32, 32),))
        self.assertTrue((detectors.square(one.pixels, (76, 56), 32, 16)[1:-1, 1:-1] == one.pixels[56, 76]).all())
        corner = detectors.square(one.pixels, (0, 0), 64, 16)
        self.assertEqual((corner.shape, set(corner.ravel().tolist())), ((16, 16, 3), {90}))
        half = detectors.square(one.pixels, (60, 56), 16.5, 32)
        self.assertTrue((half[:, :15] == 90).all() and (half[:, 18:] != 90).any(2).all())

    def test_what_is_found_is_a_face_or_none_or_left_out(self):
        class Detector:
            def candidates(self, picture):
                zoom = picture.shape[1] / 240
                # The first face, nothing, what may be a face, half of the second one, and what is too small.
                boxes = np.array(
                    [[60, 41, 30, 40], [10, 100, 20, 24], [200, 10, 20, 20], [160, 92, 20, 24], [5, 5, 6, 6]], float
                )
                return boxes * zoom, np.zeros((5, 5, 2)), np.array([0.9, 0.5, 0.8, 0.7, 0.6])

        class Teacher:
            def detect(self, picture):
                zoom = picture.shape[1] / 240
                return [detectors.Detection((200 * zoom, 10 * zoom, 20 * zoom, 20 * zoom), None, 0.5)]

        cut = lambda **of: [
            (score, round(float(label), 3), face)
            for _, score, label, face in found_boxes(Detector(), photo(**of), [Teacher()] * 2, np.random.default_rng(0))
        ]
        face, disputed, none = (0.9, 1, 0), (0.8, round(1 / (1 + np.exp(-0.68)), 3), None), (0.5, 0, None)
        found = sorted(cut(ignore=[(200, 10, 20, 20)]), key=lambda one: -one[0])
        self.assertEqual(
            found, [face] * 2 + [disputed] * 2 + [none] * 2, "once at every size that is not larger than life"
        )
        self.assertNotIn(
            disputed, cut(ignore=[(190, 0, 50, 50)]), "what lies in a crowd that is left open says nothing"
        )
        self.assertEqual(set(cut(source="shA")), {face}, "where faces are not labelled nothing is none")
        self.assertEqual({label for _, label, _ in cut(source="animal", boxes=(), ignore=[(200, 10, 20, 20)])}, {0})

    def test_a_row_tells_where_the_face_is_in_the_square(self):
        one = photo()
        row = describe(one, np.array([60.0, 41, 30, 40]), 0.9, 1.0, 0)
        np.testing.assert_allclose(row["faces"] * 2.4 * 40, [0, -1, 30, 40], atol=1e-5)
        np.testing.assert_allclose(row["landmarks"] * 2.4 * 40 + (75, 61), one.landmarks[0], atol=1e-4)
        self.assertTrue(np.isnan(describe(one, np.array([10.0, 100, 20, 24]), 0.5, 0.0, None)["faces"]).all())


class Mining(unittest.TestCase):
    def test_places_that_hit_no_face_are_kept_once(self):
        class Eager:
            def detect(self, picture):
                zoom = picture.shape[1] / 240
                boxes = np.array(
                    [[60, 40, 30, 40], [10, 100, 20, 24], [11, 100, 20, 24], [200, 10, 20, 20], [120, 120, 16, 16]],
                    float,
                )
                return boxes * zoom, np.array([0.9, 0.5, 0.4, 0.7, 0.1])

        places, found = look(Eager(), photo(ignore=[(195, 5, 30, 30)]))
        self.assertEqual((places[:, :4].round().tolist(), places[:, 4].tolist()), ([[10, 100, 20, 24]], [0.5]))
        self.assertEqual(found.tolist(), [0.9, 0], "one face of two")
        for free in (photo(ignore=[(0, 0, 240, 180)]), photo(source="shA")):
            self.assertEqual(look(Eager(), free)[0].shape, (0, 5))


class Judging(unittest.TestCase):
    def test_large_boxes_that_hardly_convince_anyone_are_none(self):
        class Teacher:
            def __init__(self, score):
                self.score = score

            def detect(self, picture):
                zoom = picture.shape[1] / 240
                return [detectors.Detection((200 * zoom, 10 * zoom, 30 * zoom, 40 * zoom), None, self.score)]

        # One that may be a face, one that is too small to say, one around a labelled face, one beside it.
        others = [(200, 10, 30, 40), (10, 10, 6, 7), (50, 20, 60, 70), (84, 60, 20, 20)]
        judge = lambda *scores: none(photo(ignore=others), [Teacher(score) for score in scores]).tolist()
        self.assertEqual(judge(0.25, 0.25), [0])
        self.assertEqual(judge(0.8, 0.25), [])
        self.assertEqual(none(photo(ignore=[(10, 100, 40, 40)]), [Teacher(0.9)] * 2).tolist(), [0], "what neither saw")


class Scoring(unittest.TestCase):
    def test_average_precision_by_hand(self):
        self.assertEqual(average_precision([(0.9, True), (0.8, True)], 2), 1.0)
        self.assertEqual(average_precision([(0.9, True), (0.8, False), (0.7, True)], 2), 0.5 + 0.5 * 2 / 3)
        self.assertEqual(average_precision([(0.9, False)], 1), 0.0)
        self.assertEqual(average_precision([], 3), 0.0)

    def test_overlapping_boxes_leave_one_between_those_that_are_alike(self):
        # The third overlaps the second by 0.43.
        boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [5, 0, 10, 10], [40, 0, 10, 10]], float)
        scores = np.array([0.5, 0.9, 0.6, 0.4])
        kept, best, indices = suppress(boxes, scores)
        np.testing.assert_allclose(kept[:, 0], [0.9 / 1.4, 40])
        self.assertEqual((best.tolist(), indices.tolist()), ([0.9, 0.4], [1, 3]))
        same = detectors.suppress([detectors.Detection(tuple(box), None, score) for box, score in zip(boxes, scores)])
        np.testing.assert_allclose([face.box for face in same], kept)

    def test_hits_misses_and_what_does_not_count(self):
        one = photo(((60, 40, 30, 40), (5, 5, 4, 4)), ignore=[(120, 20, 50, 60)])
        boxes = np.array([[60, 40, 30, 40], [61, 41, 30, 40], [125, 30, 30, 40], [5, 100, 30, 40], [5, 5, 4, 4]], float)
        results, faces = match(one, boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
        self.assertEqual(faces, 1, "a face of four pixels does not count")
        self.assertEqual(
            results,
            [(0.9, True), (0.8, False), (0.6, False)],
            "a second box, one in an ignored area, one of nothing, a small one",
        )

    def test_figures_of_a_detector_that_finds_half(self):
        class Half:
            def detect_on(self, photo, side):
                return np.array([[60, 40, 30, 40]], float), np.array([0.9])

        figures = scores_of(Half(), [photo(), photo((), "animal")], 480)
        self.assertEqual(figures, {"ap": 0.5, "recall": 0.5, "precision": 1.0, "animals": 100.0})

    def test_landmarks_are_measured_in_shares_of_the_face_and_degrees(self):
        class Turned:
            """Finds both faces of a photo enlarged twice; of the second, all is turned by 30 degrees about its middle."""

            def detect(self, picture):
                return [
                    detectors.Detection(tuple(2 * box), 2 * marks + shift, 0.9)
                    for box, marks, shift in zip(one.boxes, self.marks, (3.0, 0.0))
                ]

        one, turned = photo(), Turned()
        turned.marks = one.landmarks.copy()
        middle, (sin, cos) = one.landmarks[1].mean(0), (np.sin(np.pi / 6), np.cos(np.pi / 6))
        one.landmarks[1] = (one.landmarks[1] - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle
        figures = landmarks_of(turned, [one], 480)
        self.assertEqual([figures[name] for name in ("marked", "tilted", "tilt_off", "tilt")], [2, 1, 30, 0])
        second = np.abs(one.landmarks[1] - turned.marks[1]).mean() / np.sqrt(20 * 24)
        self.assertAlmostEqual(figures["marks_error"], 50 * (1.5 / np.sqrt(30 * 40) + second), places=2)
        turned.marks = one.landmarks
        self.assertEqual(landmarks_of(turned, [one], 480)["tilt"], 1)
        self.assertEqual(landmarks_of(turned, [photo(())], 480), {"marked": 0, "tilted": 0})

    def test_letterbox_keeps_proportions(self):
        canvas, zoom = letterbox(photo().pixels, 320)
        self.assertEqual((canvas.shape, round(zoom, 4)), ((256, 320, 3), 1.3333))
        self.assertTrue((canvas[241:] == 0).all())


if __name__ == "__main__":
    unittest.main()
