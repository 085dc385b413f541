#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Self-test of the face network's training, on synthetic pictures: `python self_test.py` (a minute; torch, onnxruntime)."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training.face import cut_patches as cut_boxes
from training.common import detectors
from training.face.calibrate import logistic
from training.face.crops import photo_weights, random_crop
from training.face.export import export, largest_difference, load_network
from training.face.network import BETWEEN, STRIDES, FaceNet
from training.face.loss import assign, box_loss, cells, decode, flatten, losses
from training.face.mix import mix
from training.common.onnx_file import fold_batch_norm
from training.face.refiner import REACH, Refiner
from training.face.self_test_data import photo
from training.face.factorise import differences, taken_apart
from training.face.train import collate, twin
from training.face.train_refiner import Boxes, degrade, views
from training.face.train_refiner import export as export_refiner
from training.face.train_refiner import losses as losses_of_look

SIDE = 128


def batch(count=4):
    """(pictures uint8 [N, 3, S, S], labels) of crops with a face each at least."""
    photos, rng = [photo()], np.random.default_rng(0)
    some = (random_crop(photos, photo_weights(photos), SIDE, rng) for _ in range(100))
    return collate([crop for crop in some if len(crop.boxes)][:count])


def encode(boxes, corners, strides):
    """Outputs [1, A, 15] that decode to one of `boxes` [F, 4] (corners) in every cell: the first whose middle is nearest."""
    middle = corners + strides[:, None] / 2
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    nearest = (middle[:, None] - centre).norm(dim=-1).argmin(1)
    outputs = torch.zeros(1, len(corners), 15)
    outputs[0, :, 1:3] = (centre[nearest] - corners) / strides[:, None]
    outputs[0, :, 3:5] = (size[nearest] / strides[:, None]).log()
    return outputs


class Loss(unittest.TestCase):
    def setUp(self):
        self.grid = cells(SIDE, SIDE)
        self.faces = torch.tensor([[20.0, 24, 44, 56], [80, 70, 120, 116]])

    def test_cells_cover_the_picture(self):
        corners, strides = self.grid
        self.assertEqual(len(corners), 32 * 32 + 16 * 16 + 8 * 8 + 4 * 4)
        self.assertEqual((corners + strides[:, None]).max(), SIDE)

    def test_decoding_undoes_encoding(self):
        boxes, _ = decode(encode(self.faces, *self.grid), *self.grid)
        nearest = (boxes[0, :, None] - self.faces).abs().sum(-1).min(1)[0]
        self.assertLess(nearest.max(), 1e-3)

    def test_every_face_gets_cells_that_fit_it(self):
        boxes, _ = decode(encode(self.faces, *self.grid), *self.grid)
        logits = torch.zeros(boxes.shape[:2])
        picture, cell, face, overlap, best = assign(logits, boxes, self.faces, torch.tensor([0, 0]), *self.grid)
        self.assertEqual(set(face.tolist()), {0, 1})
        self.assertEqual(len(set(cell.tolist())), len(cell), "no cell answers for two faces")
        self.assertTrue((overlap > 0.99).all() and (best > 0.99).all() and (picture == 0).all())
        corners, strides = self.grid
        middle = corners[cell] + strides[cell, None] / 2
        self.assertTrue(((middle >= self.faces[face, :2]) & (middle <= self.faces[face, 2:])).all())

    def test_a_box_that_fits_costs_nothing_and_others_the_more_the_further_off(self):
        costs = [box_loss(self.faces + shift, self.faces).mean().item() for shift in (0.0, 3.0, 9.0, 60.0)]
        self.assertAlmostEqual(costs[0], 0, places=5)
        self.assertEqual(costs, sorted(costs))

    def test_a_picture_without_faces_has_only_a_score_loss(self):
        pictures, labels = collate([random_crop([photo(())], np.ones(1), SIDE, np.random.default_rng(0))])
        score, box, marks = losses(FaceNet()(pictures / 255), labels, self.grid)
        self.assertGreater(score, 0)
        self.assertEqual((box.item(), marks.item()), (0.0, 0.0))

    def test_ignored_cells_learn_nothing(self):
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


class Scores(unittest.TestCase):
    def test_the_curve_that_made_the_hits_is_found(self):
        rng = np.random.default_rng(0)
        logits = rng.uniform(-4, 3, 40_000)
        hits = rng.random(len(logits)) < 1 / (1 + np.exp(-(2.5 * logits + 1.5)))
        np.testing.assert_allclose(logistic(logits, hits), [2.5, 1.5], rtol=0.05)


class Network(unittest.TestCase):
    def test_size(self):
        parameters = lambda network: sum(parameter.numel() for parameter in network.parameters())
        self.assertLess(parameters(FaceNet()), 107_000)
        self.assertLess(parameters(FaceNet(between=BETWEEN)), 96_000)

    def test_maps_have_the_stated_shapes(self):
        maps = FaceNet().eval()(torch.zeros(2, 3, 96, 160))
        self.assertEqual(
            [tuple(one.shape) for one in maps], [(2, 15, 24, 40), (2, 15, 12, 20), (2, 15, 6, 10), (2, 15, 3, 5)]
        )
        self.assertEqual(flatten(maps).shape, (2, 24 * 40 + 12 * 20 + 6 * 10 + 3 * 5, 15))

    def test_exported_file_gives_the_same_maps(self):
        network = FaceNet().train()
        network(torch.rand(4, 3, 64, 64))  # batch statistics that are not the initial ones
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(network.eval(), path)
            self.assertLess(largest_difference(network, path), 1e-3)

    def whole(self):
        """A network, batch norm folded, whose heads tell one picture from another."""
        torch.manual_seed(0)
        network = FaceNet().train()
        network(torch.rand(4, 3, 64, 64))
        for head in network.heads:
            torch.nn.init.normal_(head.weight)
            torch.nn.init.normal_(head.bias)
        return fold_batch_norm(network.eval())

    def test_taken_apart_it_says_the_same_if_enough_lies_between(self):
        network, pictures = self.whole(), torch.rand(2, 3, 64, 96)
        off = {}
        for between in ((2, 2), BETWEEN, (48, 96)):
            ours = flatten(taken_apart(network, [photo()], between)(pictures)).transpose(1, 2)
            off[between] = [error.item() for error in differences(ours, flatten(network(pictures)).transpose(1, 2))]
        self.assertLess(max(off[48, 96]), 1e-3)
        self.assertLess(off[BETWEEN][0], off[2, 2][0])
        self.assertGreater(off[BETWEEN][0], 3e-3)

    def test_a_file_of_a_network_in_parts_is_read_as_a_whole_one(self):
        network = taken_apart(self.whole(), [photo()])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(network, path)
            self.assertLess(largest_difference(load_network(path), path), 1e-3)
            self.assertLess(largest_difference(network, path), 1e-3)

    def test_boxes_count_where_there_may_be_a_face(self):
        wanted = torch.zeros(1, 15, 2)
        wanted[0, 0] = torch.tensor([-9.0, 3.0])
        score, boxes, landmarks = differences(wanted + torch.tensor([5.0, 0.0]), wanted)
        self.assertTrue(0 < score < 0.1 and boxes == landmarks == 0)
        self.assertGreater(differences(wanted + torch.tensor([0.0, 5.0]), wanted)[1], 4)

    def test_a_mixed_network_lies_between_the_two(self):
        first, second, pictures = FaceNet().eval(), FaceNet().eval(), torch.rand(1, 3, 64, 64)
        for share, one in ((0, first), (1, second)):
            torch.testing.assert_close(mix(first, second, share)(pictures), one(pictures))
        torch.testing.assert_close(
            mix(first, second, 0.25).heads[2].weight, 0.75 * first.heads[2].weight + 0.25 * second.heads[2].weight
        )

    def test_a_twin_shares_the_weights_alone(self):
        network = FaceNet()
        other = twin(network)
        other.train()(torch.rand(2, 3, 64, 64))[0].mean().backward()
        self.assertTrue(all(parameter.grad is None for parameter in network.parameters()))
        self.assertFalse(torch.equal(network.stem[0][1].running_mean, other.stem[0][1].running_mean))
        with torch.no_grad():
            network.heads[1].weight.add_(1)
        self.assertTrue(torch.equal(network.heads[1].weight, other.heads[1].weight))

    def test_it_learns_a_batch_by_heart(self):
        torch.manual_seed(0)
        network, (pictures, labels), grid = FaceNet().train(), batch(), cells(SIDE, SIDE)
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        history = []
        for _ in range(60):
            each = torch.stack(losses(network(pictures / 255), labels, grid))
            history.append(each.detach())
            optimizer.zero_grad()
            (each * torch.tensor([1.0, 2.0, 1.0])).sum().backward()
            optimizer.step()
        for name, first, last in zip(
            ("score", "box", "landmarks"), torch.stack(history[:5]).mean(0), torch.stack(history[-5:]).mean(0)
        ):
            self.assertLess(last, 0.6 * first, name)


class SecondLook(unittest.TestCase):
    """Faces are bright dots where their landmarks are on dark grey; what is none is as many dots anywhere."""

    def setUp(self):
        torch.manual_seed(0)
        places = torch.tensor([[-0.1, -0.08], [0.1, -0.08], [0.0, 0.02], [-0.08, 0.12], [0.08, 0.12]])
        self.landmarks = places + 0.03 * torch.randn(96, 5, 2)
        self.hits = torch.arange(96) % 2 == 0
        self.landmarks[~self.hits] = 0.6 * torch.rand(48, 5, 2) - 0.3
        x, y = torch.meshgrid(torch.arange(64) / 64 - 0.4921875, torch.arange(64) / 64 - 0.4921875, indexing="xy")
        far = (x - self.landmarks[..., 0, None, None]).square() + (y - self.landmarks[..., 1, None, None]).square()
        self.pictures = (0.2 + 0.7 * (-far / 0.0006).exp().max(1)[0])[:, None].repeat(1, 3, 1, 1)
        self.boxes = torch.cat([self.landmarks.mean(1), torch.full((96, 1), 0.4), torch.full((96, 1), 0.5)], 1)

    def test_landmarks_and_boxes_go_with_the_pixels(self):
        seen, boxes, marks = views(self.pictures[::2], self.boxes[::2], self.landmarks[::2])
        self.assertEqual(seen.shape, (48, 3, 32, 32))
        there = torch.nn.functional.grid_sample(seen, 2 * marks[:, :, None], align_corners=False)
        self.assertGreater(there.mean(), 0.65)
        self.assertLess(seen.mean(), 0.4)
        torch.testing.assert_close(boxes[:, :2], marks.mean(1))
        self.assertLess((boxes[:, 2:] - torch.tensor([0.4, 0.5]) * cut_boxes.REACH / REACH).abs().max(), 0.2)
        down, across = marks[:, 3:].mean(1) - marks[:, :2].mean(1), marks[:, 1] - marks[:, 0]
        self.assertTrue(
            (across[:, 0] * down[:, 1] > across[:, 1] * down[:, 0]).all(),
            "the right eye stays right of the face in mirror images",
        )
        self.assertGreater(torch.atan2(across[:, 1], across[:, 0]).std(), 0.3)

    def test_what_is_degraded_stays_a_picture(self):
        pictures = degrade(views(self.pictures, self.boxes, self.landmarks)[0])
        self.assertEqual(pictures.shape, (96, 3, 32, 32))
        self.assertTrue(((pictures >= 0) & (pictures <= 1)).all())

    def test_batches_hold_faces_and_others(self):
        with tempfile.TemporaryDirectory() as folder:
            folder, unknown = Path(folder), torch.where(self.hits[:, None, None], self.landmarks, torch.nan)
            (folder / "pictures.u8").write_bytes((255 * self.pictures.permute(0, 2, 3, 1)).byte().numpy().tobytes())
            # The teachers disagree about box 93.
            labels, flags = self.hits.float().numpy(), {"animals": np.zeros(96, bool), "masked": np.zeros(96, bool)}
            labels[93] = 0.25
            some = {
                "scores": np.full(96, 0.3, np.float32),
                "sizes": np.full(96, 48, np.float32),
                "faces": self.boxes,
                "landmarks": unknown,
            }
            np.savez(folder / "boxes.npz", labels=labels, **flags, **some)
            pictures, labels, hits, boxes, landmarks, counts = Boxes(folder).batch(50, 700)
        self.assertEqual((labels[hits].unique().tolist(), labels[~hits].unique().tolist()), ([1], [0, 0.25]))
        self.assertEqual(
            (pictures.shape, hits.sum().item(), boxes.shape, landmarks.shape),
            ((750, 3, 32, 32), 50, (750, 4), (750, 5, 2)),
        )
        self.assertTrue((counts == hits).all(), "what is no face has no landmarks that count")

    def test_dots_are_learnt_and_found_through_the_file(self):
        network = Refiner().train()
        optimizer, history = torch.optim.AdamW(network.parameters(), lr=3e-3), []
        for _ in range(250):
            seen, boxes, marks = views(self.pictures, self.boxes, self.landmarks)
            score, box, landmarks, error = losses_of_look(
                network(seen), self.hits.float(), self.hits, boxes, marks, self.hits.float()
            )
            optimizer.zero_grad()
            (score + 5 * box + 10 * landmarks).backward()
            optimizer.step()
            history.append([score.item(), box.item(), error.item()])
        for name, first, last in zip(("score", "box", "landmarks"), history[0], np.mean(history[-20:], axis=0)):
            self.assertLess(last, 0.7 * first, name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export_refiner(network, path)
            # A face and what is none, each at twice its size in a larger picture and in half the light.
            canvas = np.full((200, 440, 3), 25, np.uint8)
            for index, x in ((0, 60), (1, 260)):
                large = torch.nn.functional.interpolate(
                    self.pictures[index : index + 1], scale_factor=2, mode="bilinear"
                )[0]
                canvas[40:168, x : x + 128] = (127 * large.permute(1, 2, 0)).numpy()
            side, middles = 128 / cut_boxes.REACH, np.array([(124, 104), (324, 104)])
            boxes, landmarks, scores = detectors.Refiner(path).refine(
                canvas, [(*middle - side / 2, side, side) for middle in middles], [0.5, 0.5]
            )
        self.assertGreater(scores[0], 0.6)
        self.assertLess(scores[1], 0.4)
        self.assertLess(
            np.abs(landmarks[0] - 128 * self.landmarks[0].numpy() - middles[0]).mean(), REACH * side * history[0][2] / 2
        )
        # Of a large face the refiner's box counts as 20 to its size.
        width, height = (side + (128 * wanted - side) * 20 / (20 + side) for wanted in (0.4, 0.5))
        np.testing.assert_allclose(boxes[0, 2:], (width, height), atol=0.05 * side)


if __name__ == "__main__":
    unittest.main()
