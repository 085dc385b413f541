#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of all that needs no torch, on synthetic data: `python self_test_data.py` (seconds; numpy and pillow)."""

import csv
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from card import END, START, figures_section, measured, replace_figures, replace_measured
from combine import Rule, combined, fit_rule, priors
from data_report import write_report
from dataset import (
    FERPLUS_LABELS, PICTURE_SIDE, PUBLIC_TEST, TRAINING, VOTE_COLUMNS, Arrays, Faces, faces_of, load_faces, majority_labels, read_arrays, soft_labels,
)
from evaluate import FERPLUS_OF_FER2013, accuracies, calibration_error, fit_temperature, log_softmax, recalls
from export_faces import export_faces


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
    return Faces(np.zeros((count, 48, 48), np.uint8), np.eye(8, dtype=np.float32)[ferplus], np.ones(count, np.float32), ferplus, fer2013)


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
            rows += ["Training,a.png,0,9,1,0,0,0,0,0,0,0", "PublicTest,b.png,8,0,0,2,0,0,0,0,0,0", "PrivateTest,,0,0,0,0,0,0,0,0,0,10"]
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
        self.assertEqual(sorted(zip(arrays.split.tolist(), arrays.fer2013.tolist())), [(TRAINING, 3), (TRAINING, 4), (PUBLIC_TEST, 0)])
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
        figures = {"protocol": "labels", "count": 3, "accuracy": 0.5, "macro_recall": 0.25, "least_recall": 0.0, "macro_f1": 0.4}
        figures |= {"calibration_error": 0.02, "coverage_at_95": None, "classes": classes}
        figures |= {"confusion": {"labels": ["a", "b"], "counts": [[1, 2], [0, 0]]}}
        report = {"pictures": 3, "inference_ms": 0.5, "preprocess_ms": 0.1, "outputs": [{"output": "scores", "figures": [figures]}]}
        loss = {"protocol": "labels", "accuracy": 0.4, "lost": 0.1}
        report["conditions"] = [{"condition": "dark", "losses": [loss]}]
        card = replace_figures(f"# Card\n\n{START}\nold\n{END}\nrest\n", figures_section(report))
        for part in ("| scores | FER2013 protocol | 3 | 50.0 |", "| a | 3 | 33.3 |", "| b | 0 | - |", "| dark | 40.0 | +10.0 |", f"{END}\nrest"):
            self.assertIn(part, card)
        self.assertNotIn("old", card)
        description = replace_measured('name = "a"\n\n[measured]\nold = 2\nparameters = 7\n', measured(report))
        self.assertTrue(description.startswith('name = "a"\n\n[measured] '))
        self.assertTrue(description.endswith("scores_fer2013_accuracy = 0.5\nscores_fer2013_macro_recall = 0.25\nscores_fer2013_calibration_error = 0.02\nparameters = 7\n"))


class Combining(unittest.TestCase):
    def test_adjusting_by_the_prior_gives_rare_classes_their_due(self):
        faces = synthetic_faces()
        # Heads that know nothing but the prior give every class the same once it is taken off.
        heads = [np.tile(prior, (len(faces), 1)) for prior in priors(faces)]
        flat = combined(*heads, Rule(contempt_offset=0.0), priors(faces))
        np.testing.assert_allclose(flat, 0, atol=1e-9)

    def test_the_rule_is_better_balanced_than_either_head(self):
        faces = synthetic_faces()
        random = np.random.default_rng(6)
        noisy = lambda truth, prior: 2.0 * np.eye(len(prior))[truth] + prior + random.normal(0, 1.5, (len(faces), len(prior)))
        heads = (noisy(faces.ferplus_truth, priors(faces)[0]), noisy(faces.fer2013, priors(faces)[1]))
        rule = fit_rule(heads, faces, heads, faces)
        recall = lambda logits: np.nanmean(recalls(logits.argmax(1), faces.ferplus_truth, 8))
        self.assertGreater(recall(combined(*heads, rule, priors(faces))), recall(heads[0]) + 0.05)


class Figures(unittest.TestCase):
    def test_rows_out_of_the_protocol_do_not_count(self):
        faces = Faces(np.zeros((3, 48, 48), np.uint8), None, None, np.array([0, 1, -1]), np.array([0, 1, 2]))
        figures = accuracies(np.eye(8)[[0, 0, 0]], np.eye(7)[[0, 1, 2]], faces)
        self.assertEqual(figures, {"ferplus": 0.5, "fer2013": 1.0})

    def test_temperature_mends_overconfidence(self):
        random = np.random.default_rng(3)
        logits = random.normal(size=(4000, 8))
        truth = np.array([random.choice(8, p=p) for p in np.exp(log_softmax(logits))])
        self.assertAlmostEqual(fit_temperature(logits * 2.5, truth), 2.5, delta=0.25)
        self.assertLess(calibration_error(np.exp(log_softmax(logits)), truth), 0.03)


if __name__ == "__main__":
    unittest.main()
