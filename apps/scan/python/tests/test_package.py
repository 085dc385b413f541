# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the Python package on average faces. tests/package.rs runs them in a virtual environment."""

import pathlib
import sys
import typing
import unittest

import numpy
import pyarrow
import pyarrow.compute

import emotion

GEOMETRY = {"pose", "trust", "facing", "blendshapes"}
FOLDER = pathlib.Path(sys.argv.pop())  # with photo.ppm: a smiling face on the left, a neutral one on the right


def picture():
    header, size, _, pixels = (FOLDER / "photo.ppm").read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    assert header == b"P6"
    return numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)


class Faces(unittest.TestCase):
    def test_each_face_has_a_box_landmarks_and_scores(self):
        left, right = sorted(emotion.faces(picture()), key=lambda face: face["box"]["x"])
        self.assertEqual((left["label"], right["label"]), ("happiness", "neutral"))
        self.assertEqual(set(left), set(typing.get_type_hints(emotion.Face)) - GEOMETRY)
        self.assertAlmostEqual(sum(left["scores"].values()), 1, delta=1e-3)
        self.assertEqual(left["score"], left["scores"]["happiness"])
        self.assertEqual(len(left["landmarks"]["nose"]), 2)

    def test_geometry_is_added_if_it_is_asked_for(self):
        plain, posed = emotion.faces(picture()), emotion.faces(picture(), geometry=True)
        self.assertEqual([face["box"] for face in plain], [face["box"] for face in posed])
        for face in posed:
            self.assertEqual(set(face), set(typing.get_type_hints(emotion.Face)))
            self.assertEqual(len(face["blendshapes"]), 52)
            self.assertTrue(face["facing"] and face["trust"] > 0.5 and abs(face["pose"]["yaw"]) < 15, face)

    def test_calls_do_not_depend_on_each_other(self):
        first = emotion.faces(picture())
        emotion.faces(numpy.full((50, 70, 3), 128, numpy.uint8))
        self.assertEqual(emotion.faces(picture()), first)

    def test_grey_pictures_and_views_have_the_same_faces(self):
        grey = picture().mean(axis=2).astype(numpy.uint8)
        self.assertEqual(len(emotion.faces(grey)), 2)
        odd = numpy.ascontiguousarray(picture()[:239, :317])
        self.assertEqual(len(emotion.faces(odd)), 2)
        self.assertEqual(emotion.faces(picture()[:239, :317]), emotion.faces(odd))

    def test_a_picture_without_faces_has_none(self):
        self.assertEqual(emotion.faces(numpy.zeros((64, 64, 3), numpy.uint8)), [])

    def test_properties_can_be_set(self):
        self.assertEqual(len(emotion.faces(picture(), set={"facedetect.max-faces": 1})), 1)
        with self.assertRaisesRegex(ValueError, "has no property tiles"):
            emotion.faces(picture(), set={"facedetect.tiles": 1})

    def test_other_arrays_are_refused(self):
        for array in (numpy.zeros((4, 4, 3)), numpy.zeros((4, 4, 4), numpy.uint8), numpy.zeros((0, 4, 3), numpy.uint8)):
            with self.assertRaisesRegex(ValueError, "expected uint8 pixels of shape"):
                emotion.faces(array)


class Scan(unittest.TestCase):
    def test_a_folder_becomes_a_table(self):
        table = emotion.scan(FOLDER)
        self.assertIsInstance(table, pyarrow.Table)
        self.assertEqual(table.num_rows, 2)
        self.assertEqual(set(pyarrow.compute.unique(table["label"]).to_pylist()), {"happiness", "neutral"})
        self.assertEqual(table.schema.field("time_ns").type, pyarrow.int64())

    def test_geometry_adds_columns(self):
        plain, posed = emotion.scan(FOLDER).column_names, emotion.scan(FOLDER, geometry=True)
        self.assertEqual(posed.column_names[: len(plain)], plain)
        self.assertEqual(posed["facing"].to_pylist(), [True, True])
        self.assertEqual(len([name for name in posed.column_names if name.startswith("blendshape_")]), 52)

    def test_the_prior_changes_scores(self):
        natural, balanced = emotion.scan(FOLDER, prior="natural"), emotion.scan(FOLDER, prior="balanced", baseline="track")
        self.assertEqual(emotion.scan(FOLDER)["score_neutral"], natural["score_neutral"])
        self.assertNotEqual(balanced["score_neutral"], natural["score_neutral"])

    def test_broken_files_are_in_the_table_of_files(self):
        tables = emotion.scan_tables([FOLDER / "photo.ppm", str(FOLDER / "none.jpg")], every=1, jobs=1)
        self.assertEqual(tables.faces.num_rows, 2)
        self.assertEqual([error is None for error in tables.files["error"].to_pylist()], [True, False])

    def test_a_photo_has_no_spans(self):
        tables = emotion.scan_tables(FOLDER, where_faces=1)
        self.assertEqual((tables.faces.num_rows, tables.files["spans"].to_pylist()), (2, [None]))

    def test_wrong_options_are_refused(self):
        with self.assertRaisesRegex(ValueError, "expected more than 0 seconds"):
            emotion.scan(FOLDER, every=0)
        with self.assertRaisesRegex(ValueError, "where_faces: expected more than 0 seconds, found -1"):
            emotion.scan(FOLDER, where_faces=-1)
        with self.assertRaisesRegex(ValueError, "prior: unknown variant `posed`, expected `natural` or `balanced`"):
            emotion.scan(FOLDER, prior="posed")
        with self.assertRaisesRegex(ValueError, "turn: expected auto, 0, 90, 180 or 270, found 45"):
            emotion.scan(FOLDER, turn=45)
        with self.assertRaisesRegex(ValueError, "outside of the range"):
            emotion.scan(FOLDER, set={"facedetect.score-threshold": 7})


if __name__ == "__main__":
    unittest.main()
