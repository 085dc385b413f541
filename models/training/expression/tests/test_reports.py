# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the data report, the exported faces and the model card."""

import csv
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from training.expression.card import END, START, figures_section, measured, replace_figures, replace_measured
from training.expression.data_report import write_report
from training.expression.export_faces import export_faces
from training.expression.labels import VOTE_COLUMNS
from training.expression.readers import PUBLIC_TEST
from training.expression.tests.synthetic import synthetic_arrays


class Reports(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_the_data_report_has_counts_and_samples(self):
        text = write_report(synthetic_arrays(), self.folder)
        self.assertIn("| anger | 3 | 1 |", text)
        self.assertIn("agree on 100.0 %", text)
        with Image.open(self.folder / "samples.png") as samples:
            self.assertEqual(samples.size, (48 * 12, 48 * 7))

    def test_exported_faces_equal_the_data_set(self):
        self.assertEqual(export_faces(synthetic_arrays(), PUBLIC_TEST, self.folder), 8)
        with open(self.folder / "labels.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual((rows[0]["label"], rows[0]["fear"]), ("fear", "10"))
        self.assertEqual(set(rows[0]), {"file", "label", *VOTE_COLUMNS})
        self.assertEqual(np.asarray(Image.open(self.folder / rows[0]["file"]))[0, 0], 16)

    def test_new_figures_replace_old_ones(self):
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
                "scores_fer2013_accuracy = 0.5\nscores_fer2013_macro_recall = 0.25\n"
                "scores_fer2013_calibration_error = 0.02\nparameters = 7\n"
            )
        )


if __name__ == "__main__":
    unittest.main()
