# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of cells, their assignment and the losses."""

import unittest

import numpy as np
import torch

from training.face.assignment import assign
from training.face.batches import collate
from training.face.cells import cell_grid, decode
from training.face.crops import random_crop
from training.face.loss import box_loss, losses
from training.face.network import STRIDES, FaceNet
from training.face.tests.synthetic import photo
from training.face.tests.with_torch.batch import SIDE, batch


def encode(boxes, corners, strides):
    """Outputs [1, A, 15] of which each cell decodes to the nearest of `boxes` [F, 4] (corners)."""
    cell_centre = corners + strides[:, None] / 2
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    nearest = (cell_centre[:, None] - centre).norm(dim=-1).argmin(1)
    outputs = torch.zeros(1, len(corners), 15)
    outputs[0, :, 1:3] = (centre[nearest] - corners) / strides[:, None]
    outputs[0, :, 3:5] = (size[nearest] / strides[:, None]).log()
    return outputs


class Loss(unittest.TestCase):
    def setUp(self):
        self.grid = cell_grid(SIDE, SIDE)
        self.faces = torch.tensor([[20.0, 24, 44, 56], [80, 70, 120, 116]])

    def test_cells_cover_the_picture(self):
        corners, strides = self.grid
        self.assertEqual(len(corners), 32 * 32 + 16 * 16 + 8 * 8 + 4 * 4)
        self.assertEqual((corners + strides[:, None]).max(), SIDE)

    def test_decoding_inverts_encoding(self):
        boxes, _ = decode(encode(self.faces, *self.grid), *self.grid)
        nearest = (boxes[0, :, None] - self.faces).abs().sum(-1).min(1)[0]
        self.assertLess(nearest.max(), 1e-3)

    def test_each_face_is_assigned_cells_inside_it(self):
        boxes, _ = decode(encode(self.faces, *self.grid), *self.grid)
        logits = torch.zeros(boxes.shape[:2])
        picture, cell, face, overlap, best = assign(logits, boxes, self.faces, torch.tensor([0, 0]), *self.grid)
        self.assertEqual(set(face.tolist()), {0, 1})
        self.assertEqual(len(set(cell.tolist())), len(cell), "no cell is assigned to two faces")
        self.assertTrue((overlap > 0.99).all() and (best > 0.99).all() and (picture == 0).all())
        corners, strides = self.grid
        centre = corners[cell] + strides[cell, None] / 2
        self.assertTrue(((centre >= self.faces[face, :2]) & (centre <= self.faces[face, 2:])).all())

    def test_box_loss_is_zero_for_an_exact_box_and_grows_with_the_distance(self):
        values = [box_loss(self.faces + shift, self.faces).mean().item() for shift in (0.0, 3.0, 9.0, 60.0)]
        self.assertAlmostEqual(values[0], 0, places=5)
        self.assertEqual(values, sorted(values))

    def test_a_picture_without_faces_has_only_a_score_loss(self):
        pictures, labels = collate([random_crop([photo(())], np.ones(1), SIDE, np.random.default_rng(0))])
        score, box, marks = losses(FaceNet()(pictures / 255), labels, self.grid)
        self.assertGreater(score, 0)
        self.assertEqual((box.item(), marks.item()), (0.0, 0.0))

    def test_ignored_cells_have_no_loss(self):
        _, labels = batch(1)
        labels["ignored"][:] = True
        labels |= {
            "faces": torch.zeros(0, 4),
            "picture": torch.zeros(0, dtype=torch.long),
            "confidence": torch.zeros(0),
            "landmarks": torch.zeros(0, 5, 2),
        }
        score, _, _ = losses([torch.randn(1, 15, SIDE // s, SIDE // s) for s in STRIDES], labels, self.grid)
        self.assertEqual(score.item(), 0)


if __name__ == "__main__":
    unittest.main()
