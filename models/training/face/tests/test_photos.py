# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the cache of photos."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from training.face.photos import HARD_FILE, HELD_OUT_SOURCES, JUDGED_FILE, build, load_photos, split
from training.face.tests.synthetic import photo


class Cache(unittest.TestCase):
    def test_cached_photos_have_their_labels(self):
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
        self.assertEqual(
            [one.hard_negatives.tolist() for one in photos], [[[5, 6, 7, 8, 0.5], [9, 9, 8, 8, 0.25]], [], [], []]
        )
        self.assertEqual([one.mined_scores.tolist() for one in photos[:1]], [[0.75]])
        self.assertTrue(np.isnan(photos[2].landmarks).all(), "boxes drawn by people have no landmarks")


if __name__ == "__main__":
    unittest.main()
