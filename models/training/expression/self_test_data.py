#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of all that needs no torch, on synthetic data: `python self_test_data.py` (seconds; numpy and pillow)."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.card import END, START, figures_section, measured, replace_figures, replace_measured
from training.expression.combine import (
    FERPLUS_COST,
    Rule,
    calibrated,
    combined,
    ferplus_accuracy,
    fit_rule,
    strangers_evidence,
)
from training.expression.data_report import write_report
from training.expression.dataset import (
    FER2013_LABELS,
    FERPLUS_LABELS,
    FIVE_LABELS,
    HEADS,
    PICTURE_SIDE,
    PUBLIC_TEST,
    TRAINING,
    VOTE_COLUMNS,
    Arrays,
    Faces,
    load_faces,
    load_strangers,
    majority_labels,
    read_arrays,
    soft_labels,
)
from training.expression.evaluate import (
    FERPLUS_OF_FER2013,
    accuracies,
    calibration_error,
    fit_temperature,
    log_softmax,
    recalls,
    strangers_accuracies,
)
from training.expression.export_faces import export_faces
from training.expression.outside_teachers import TEMPERATURES, mean_scores, read_teachers
from training.expression.unlabelled import cut_photos, read_sheets


def votes(**columns):
    """One row of raw votes [1, 10] from names of expressions."""
    row = np.zeros((1, 10), np.uint8)
    names = (*FERPLUS_LABELS, "unknown", "not_a_face")
    for name, count in columns.items():
        row[0, names.index(name)] = count
    return row


def synthetic_faces(count=2000, shares=(0.4, 0.3, 0.12, 0.08, 0.05, 0.03, 0.02)):
    """Faces with empty pictures, the classes of FER2013 as unlike in number as FER+'s; votes and labels agree."""
    ferplus = np.random.default_rng(5).choice(len(shares), count, p=shares)
    fer2013 = np.array([FERPLUS_OF_FER2013.index(label) for label in range(len(shares))])[ferplus]
    return Faces(
        np.zeros((count, 48, 48), np.uint8),
        np.eye(8, dtype=np.float32)[ferplus],
        np.ones(count, np.float32),
        ferplus,
        fer2013,
    )


class Labels(unittest.TestCase):
    def test_single_votes_are_dropped_and_the_rest_normalised(self):
        distribution, weight = soft_labels(votes(neutral=6, sadness=3, anger=1))
        np.testing.assert_allclose(distribution[0, [0, 3, 4]], [2 / 3, 1 / 3, 0])
        self.assertEqual(weight[0], 1)

    def test_votes_for_unknown_lower_the_weight(self):
        self.assertAlmostEqual(float(soft_labels(votes(neutral=6, unknown=4))[1][0]), 0.6)

    def test_ties_and_unknown_are_not_counted(self):
        self.assertEqual(majority_labels(votes(happiness=9))[0], 1)
        self.assertEqual(majority_labels(votes(neutral=5, sadness=5))[0], -1)
        self.assertEqual(majority_labels(votes(neutral=4, unknown=6))[0], -1)


class Readers(unittest.TestCase):
    """The forms in which the data come, each written small and read back."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write_csv(self, votes):
        pixels = " ".join(str(i % 256) for i in range(PICTURE_SIDE**2))
        lines = ["emotion,pixels,Usage", f"3,{pixels},Training", f"6,{pixels},PublicTest", f"2,{pixels},PrivateTest"]
        (self.folder / "fer2013.csv").write_text("\n".join(lines) + "\n")
        if votes:
            rows = ["Usage,Image name," + ",".join([*FERPLUS_LABELS, "unknown", "NF"])]
            rows += [
                "Training,a.png,0,9,1,0,0,0,0,0,0,0",
                "PublicTest,b.png,8,0,0,2,0,0,0,0,0,0",
                "PrivateTest,,0,0,0,0,0,0,0,0,0,10",
            ]
            (self.folder / "fer2013new.csv").write_text("\n".join(rows[: 1 + votes]) + "\n")

    def test_csv_with_votes(self):
        self.write_csv(votes=3)
        faces = load_faces(self.folder, PUBLIC_TEST)
        self.assertEqual((len(faces), faces.fer2013[0], faces.ferplus_truth[0]), (1, 6, 0))
        np.testing.assert_allclose(faces.ferplus[0, [0, 3]], [0.8, 0.2])
        self.assertEqual(faces.images[0, 1, 2], (PICTURE_SIDE + 2) % 256)

    def test_csv_without_votes_learns_from_the_label_and_counts_nothing(self):
        self.write_csv(votes=0)
        faces = load_faces(self.folder / "fer2013.csv", TRAINING)
        self.assertEqual((faces.ferplus[0].argmax(), faces.ferplus_weight[0], faces.ferplus_truth[0]), (1, 1.0, -1))

    def test_votes_for_other_rows_are_refused(self):
        self.write_csv(votes=2)
        with self.assertRaisesRegex(ValueError, "a line for each of 3 pictures, found 2"):
            read_arrays(self.folder)

    def test_kaggle_folders(self):
        for split, label in (("train", "happy"), ("train", "sad"), ("test", "angry")):
            (self.folder / split / label).mkdir(parents=True)
            Image.new("L", (48, 48), 77).save(self.folder / split / label / "1.png")
        arrays = read_arrays(self.folder)
        self.assertEqual(
            sorted(zip(arrays.split.tolist(), arrays.fer2013.tolist())),
            [(TRAINING, 3), (TRAINING, 4), (PUBLIC_TEST, 0)],
        )
        self.assertIsNone(arrays.votes)

    def test_something_else_says_what_was_expected(self):
        with self.assertRaisesRegex(ValueError, "expected load.py, fer2013.csv .* found none"):
            read_arrays(self.folder)


def synthetic_arrays():
    """Two dozen even pictures of every class, with votes for it."""
    labels = np.arange(24) % 7
    votes = np.zeros((24, 10), np.uint8)
    votes[np.arange(24), np.array(FERPLUS_OF_FER2013)[labels]] = 10
    images = np.arange(24, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(48, 2)
    return Arrays(images, votes, labels, np.array([TRAINING] * 16 + [PUBLIC_TEST] * 8, np.uint8))


class Reports(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_the_data_report_counts_and_shows_samples(self):
        text = write_report(synthetic_arrays(), self.folder)
        self.assertIn("| anger | 3 | 1 |", text)
        self.assertIn("agree on 100.0 %", text)
        with Image.open(self.folder / "samples.png") as samples:
            self.assertEqual(samples.size, (48 * 12, 48 * 7))

    def test_exported_faces_are_what_was_read(self):
        self.assertEqual(export_faces(synthetic_arrays(), PUBLIC_TEST, self.folder), 8)
        with open(self.folder / "labels.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual((rows[0]["label"], rows[0]["fear"]), ("fear", "10"))
        self.assertEqual(set(rows[0]), {"file", "label", *VOTE_COLUMNS})
        self.assertEqual(np.asarray(Image.open(self.folder / rows[0]["file"]))[0, 0], 16)

    def test_figures_replace_figures(self):
        classes = [{"label": "a", "count": 3, "recall": 1 / 3}, {"label": "b", "count": 0, "recall": None}]
        figures = {
            "protocol": "labels",
            "count": 3,
            "accuracy": 0.5,
            "macro_recall": 0.25,
            "least_recall": 0.0,
            "macro_f1": 0.4,
        }
        figures |= {"calibration_error": 0.02, "coverage_at_95": None, "classes": classes}
        figures |= {"confusion": {"labels": ["a", "b"], "counts": [[1, 2], [0, 0]]}}
        report = {
            "pictures": 3,
            "inference_ms": 0.5,
            "preprocess_ms": 0.1,
            "outputs": [{"output": "scores", "figures": [figures]}],
        }
        loss = {"protocol": "labels", "accuracy": 0.4, "lost": 0.1}
        report["conditions"] = [{"condition": "dark", "losses": [loss]}]
        card = replace_figures(f"# Card\n\n{START}\nold\n{END}\nrest\n", figures_section(report))
        for part in (
            "| scores | FER2013 protocol | 3 | 50.0 |",
            "| a | 3 | 33.3 |",
            "| b | 0 | - |",
            "| dark | 40.0 | +10.0 |",
            f"{END}\nrest",
        ):
            self.assertIn(part, card)
        self.assertNotIn("old", card)
        description = replace_measured('name = "a"\n\n[measured]\nold = 2\nparameters = 7\n', measured(report))
        self.assertTrue(description.startswith('name = "a"\n\n[measured] '))
        self.assertTrue(
            description.endswith(
                "scores_fer2013_accuracy = 0.5\nscores_fer2013_macro_recall = 0.25\nscores_fer2013_calibration_error = 0.02\nparameters = 7\n"
            )
        )


TEACHERS = """
import numpy as np

RETAIL_LABELS = ["neutral", "happiness", "sadness", "surprise", "anger"]
FACEAPI_LABELS = ["neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise"]

def retail0003(images):
    return np.array([[0.6, 0.4, 0, 0, 0] if image[0, 0] else [1, 0, 0, 0, 0] for image in images])

def faceapi(images, batch):
    return np.tile([0.9, 0.1, 0, 0, 0, 0, 0], (len(images), 1))
"""


class Unlabelled(unittest.TestCase):
    """Faces without labels, and the outside networks that score them."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_sheets_are_read_row_by_row_up_to_their_last_face(self):
        greys = (np.arange(2000) % 251).astype(np.uint8).reshape(40, 50)
        Image.fromarray(greys.repeat(72, 0).repeat(72, 1)).save(self.folder / "sheet-00.webp", lossless=True)
        np.savez(self.folder / "names.npz", name=np.array(["somebody"] * 60))
        faces = read_sheets(self.folder)
        self.assertEqual(faces.shape, (60, 72, 72))
        np.testing.assert_array_equal(faces[:, 36, 36], np.arange(60))

    def test_large_faces_of_photos_are_cut_upright(self):
        picture = np.full((200, 240), 50, np.uint8)
        picture[60:140, 80:160] = 200
        (self.folder / "photos").mkdir()
        Image.fromarray(picture).save(self.folder / "photos" / "one.png")
        lying = [[120, 80], [120, 120], [125, 100], [150, 80], [150, 120]]
        faces = [{"box": [80, 60, 80, 80], "landmarks": lying}, {"box": [0, 0, 20, 31]}]
        (self.folder / "labels.json").write_text(json.dumps({"one.png": {"faces": faces}, "none.png": {"faces": []}}))
        cut = cut_photos(self.folder)
        self.assertEqual(cut.shape, (1, 72, 72))
        # The box fills the middle 64 pixels; a little more is around it.
        np.testing.assert_array_equal(cut[0, 36, [1, 8, 36, 63, 70]], [50, 200, 200, 200, 50])

    def test_outside_scores_are_softened_and_averaged_over_views_and_mirror_images(self):
        (self.folder / "teachers.py").write_text(TEACHERS)
        image = np.zeros((1, 4, 4), np.uint8)
        image[0, :, 0] = 9
        scores = mean_scores(read_teachers(self.folder), [image])
        np.testing.assert_allclose(scores["five"][0, :2], [0.8, 0.2], atol=1e-4)
        ratio = scores["seven"][0, 0] / scores["seven"][0, 1]
        self.assertAlmostEqual(ratio, 9 ** (1 / TEMPERATURES["seven"]), places=3)

    def test_outside_networks_with_other_labels_are_refused(self):
        swapped = TEACHERS.replace('"neutral", "happiness"', '"happiness", "neutral"')
        (self.folder / "teachers.py").write_text(swapped)
        with self.assertRaisesRegex(ValueError, "teachers.py: labels neutral, happiness, .* expected, found happiness"):
            read_teachers(self.folder)

    def test_halves_of_the_strangers_are_kept_apart(self):
        images = np.arange(4, dtype=np.uint8)[:, None, None].repeat(64, 1).repeat(64, 2)
        np.savez(self.folder / "strangers.npz", images=images, label=np.arange(4), half=np.arange(4) % 2)
        found, labels = load_strangers(self.folder / "strangers.npz", half=1)
        self.assertEqual((found.shape, labels.tolist(), found[:, 0, 0].tolist()), ((2, 48, 48), [1, 3], [1, 3]))

    def test_strangers_count_over_seven_classes_and_over_five(self):
        truth = np.array([FER2013_LABELS.index(name) for name in ("anger", "fear", "neutral", "happiness")])
        # Fear is named twice; over five classes, neutral comes next.
        afraid = [0, 0, 9, 0, 0, 0, 1]
        logits = np.array([afraid, afraid, [0, 0, 0, 0, 0, 0, 9], [0, 0, 0, 9, 0, 0, 0]], float)
        np.testing.assert_allclose(strangers_accuracies(logits, FER2013_LABELS, truth), [3 / 4, 2 / 3])
        np.testing.assert_allclose(strangers_accuracies(logits[:, [6, 3, 4, 5, 0]], FIVE_LABELS, truth), [2 / 4, 2 / 3])


class Combining(unittest.TestCase):
    def noisy_heads(self, faces, seed=6):
        """Logits of the first two heads: the truth, the log frequency of the classes, and noise."""
        random = np.random.default_rng(seed)
        logits = []
        for truth, classes in ((faces.ferplus_truth, 8), (faces.fer2013, 7)):
            prior = np.log(np.maximum(np.bincount(truth, minlength=classes), 1) / len(truth))
            logits.append(2.0 * np.eye(classes)[truth] + prior + random.normal(0, 1.5, (len(truth), classes)))
        return tuple(logits)

    def test_a_head_says_nothing_about_classes_that_it_lacks(self):
        heads = [np.zeros((1, len(labels))) for labels in HEADS.values()]
        logits = combined(heads, Rule((0.0, 0.0, 1.0, 0.0, 0.0), tuple(range(8)), 2.0))[0]
        lacking = [label not in FIVE_LABELS for label in FERPLUS_LABELS]
        np.testing.assert_allclose(logits, (np.arange(8) + np.where(lacking, 0, np.log(1 / 5))) / 2)

    def test_the_rule_is_better_balanced_than_either_head(self):
        faces = synthetic_faces()
        heads = self.noisy_heads(faces)
        recall = lambda logits: np.nanmean(recalls(logits.argmax(1), faces.ferplus_truth, 8))
        rule = fit_rule(heads, faces)
        self.assertGreater(recall(combined(heads, rule)), recall(heads[0]) + 0.05)
        self.assertTrue(all(weight > 0 for weight in rule.weights))

    def test_a_head_that_knows_nothing_gets_no_weight(self):
        faces = synthetic_faces()
        ferplus, fer2013 = self.noisy_heads(faces)
        rule = fit_rule((ferplus, np.random.default_rng(1).normal(0, 3, fer2013.shape)), faces)
        self.assertLess(rule.weights[1], 0.02)
        self.assertGreater(rule.weights[0], 0.5)

    def test_strangers_move_the_rule_as_far_as_the_votes_allow(self):
        faces, others = synthetic_faces(), synthetic_faces(count=350, shares=(1 / 7,) * 7)
        heads = self.noisy_heads(faces)
        # On the strangers, only the second head is worth anything.
        blind = (np.random.default_rng(2).normal(0, 1, (len(others), 8)), self.noisy_heads(others)[1])
        evidence = strangers_evidence(blind, others.fer2013)
        alone, joined = fit_rule(heads, faces), fit_rule(heads, faces, evidence)
        right = lambda rule: (combined(blind, rule).argmax(1) == others.ferplus_truth).mean()
        self.assertGreater(right(joined), right(alone))
        least = ferplus_accuracy(heads[0], faces) - FERPLUS_COST
        self.assertGreaterEqual(ferplus_accuracy(combined(heads, joined), faces), least)

    def test_temperature_of_two_collections(self):
        faces = synthetic_faces()
        heads = self.noisy_heads(faces)
        rule = fit_rule(heads, faces)
        sharp = Rule(tuple(2 * np.array(rule.weights)), tuple(2 * np.array(rule.biases)))
        found = calibrated(sharp, heads, faces, strangers_evidence(heads, faces.fer2013)).temperature
        self.assertAlmostEqual(found, 2 * calibrated(rule, heads, faces).temperature, delta=0.1)


class Figures(unittest.TestCase):
    def test_rows_out_of_the_protocol_do_not_count(self):
        faces = Faces(np.zeros((3, 48, 48), np.uint8), None, None, np.array([0, 1, -1]), np.array([0, 1, 2]))
        figures = accuracies(np.eye(8)[[0, 0, 0]], np.eye(7)[[0, 1, 2]], faces)
        self.assertEqual(figures, {"ferplus": 0.5, "fer2013": 1.0})

    def test_temperature_mends_overconfidence(self):
        random = np.random.default_rng(3)
        logits = random.normal(size=(4000, 8))
        truth = np.array([random.choice(8, p=p) for p in np.exp(log_softmax(logits))])
        self.assertAlmostEqual(fit_temperature((logits * 2.5, truth)), 2.5, delta=0.25)
        self.assertLess(calibration_error(np.exp(log_softmax(logits)), truth), 0.03)


if __name__ == "__main__":
    unittest.main()
