# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the refiner."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training.common import face_model
from training.common.onnx_file import conv_norm_pairs
from training.face.cut_patches import REACH as PATCH_REACH
from training.face.refiner import REACH, Refiner
from training.face.refiner_batches import Batch, Patches, degrade, views
from training.face.train_refiner import Teacher, distances, export, losses


class RefinerTest(unittest.TestCase):
    """Faces are bright dots at the landmarks on dark grey; other patches have the same number of dots anywhere."""

    def setUp(self):
        torch.manual_seed(0)
        landmarks = torch.tensor([[-0.1, -0.08], [0.1, -0.08], [0.0, 0.02], [-0.08, 0.12], [0.08, 0.12]])
        self.landmarks = landmarks + 0.03 * torch.randn(96, 5, 2)
        self.is_face = torch.arange(96) % 2 == 0
        self.landmarks[~self.is_face] = 0.6 * torch.rand(48, 5, 2) - 0.3
        x, y = torch.meshgrid(torch.arange(64) / 64 - 0.4921875, torch.arange(64) / 64 - 0.4921875, indexing="xy")
        distances = (x - self.landmarks[..., 0, None, None]).square() + (
            y - self.landmarks[..., 1, None, None]
        ).square()
        self.pictures = (0.2 + 0.7 * (-distances / 0.0006).exp().max(1)[0])[:, None].repeat(1, 3, 1, 1)
        self.boxes = torch.cat([self.landmarks.mean(1), torch.full((96, 1), 0.4), torch.full((96, 1), 0.5)], 1)

    def test_landmarks_and_boxes_follow_the_pixels(self):
        pictures, boxes, landmarks = views(self.pictures[::2], self.boxes[::2], self.landmarks[::2])
        self.assertEqual(pictures.shape, (48, 3, 32, 32))
        at_landmarks = torch.nn.functional.grid_sample(pictures, 2 * landmarks[:, :, None], align_corners=False)
        self.assertGreater(at_landmarks.mean(), 0.65)
        self.assertLess(pictures.mean(), 0.4)
        torch.testing.assert_close(boxes[:, :2], landmarks.mean(1))
        self.assertLess((boxes[:, 2:] - torch.tensor([0.4, 0.5]) * PATCH_REACH / REACH).abs().max(), 0.2)
        down, across = landmarks[:, 3:].mean(1) - landmarks[:, :2].mean(1), landmarks[:, 1] - landmarks[:, 0]
        self.assertTrue(
            (across[:, 0] * down[:, 1] > across[:, 1] * down[:, 0]).all(),
            "the right eye stays on the person's right in mirror images",
        )
        self.assertGreater(torch.atan2(across[:, 1], across[:, 0]).std(), 0.3)

    def test_degraded_pictures_stay_in_range(self):
        pictures = degrade(views(self.pictures, self.boxes, self.landmarks)[0])
        self.assertEqual(pictures.shape, (96, 3, 32, 32))
        self.assertTrue(((pictures >= 0) & (pictures <= 1)).all())

    def test_batches_hold_faces_and_other_boxes(self):
        with tempfile.TemporaryDirectory() as folder:
            folder, unknown = Path(folder), torch.where(self.is_face[:, None, None], self.landmarks, torch.nan)
            (folder / "pictures.u8").write_bytes((255 * self.pictures.permute(0, 2, 3, 1)).byte().numpy().tobytes())
            # The teachers disagree about box 93.
            labels, flags = self.is_face.float().numpy(), {"animals": np.zeros(96, bool), "masked": np.zeros(96, bool)}
            labels[93] = 0.25
            columns = {
                "scores": np.full(96, 0.3, np.float32),
                "sizes": np.full(96, 48, np.float32),
                "faces": self.boxes,
                "landmarks": unknown,
            }
            np.savez(folder / "boxes.npz", labels=labels, **flags, **columns)
            batch = Patches(folder).batch(50, 700)
        self.assertEqual(
            (batch.labels[batch.is_face].unique().tolist(), batch.labels[~batch.is_face].unique().tolist()),
            ([1], [0, 0.25]),
        )
        self.assertEqual(
            (batch.pictures.shape, batch.is_face.sum().item(), batch.boxes.shape, batch.landmarks.shape),
            ((750, 3, 32, 32), 50, (750, 4), (750, 5, 2)),
        )
        self.assertTrue((batch.weights == batch.is_face).all(), "only faces have landmarks")

    def test_a_teacher_has_the_outputs_of_its_network_and_passes_on_its_weights(self):
        network = Refiner()
        for _, norm in conv_norm_pairs(network).values():
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
            torch.nn.init.normal_(norm.bias)
        pictures, _, _ = views(self.pictures, self.boxes, self.landmarks)
        outputs = network.eval()(pictures).detach()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(network, path)
            teacher, pupil = Teacher(path), Refiner()
            taught = teacher.outputs(pictures)
            untrained = [distance.item() for distance in distances(pupil.eval()(pictures), taught)]
            teacher.start(pupil, pictures)
        torch.testing.assert_close(taught, outputs, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(pupil.eval()(pictures), outputs, atol=2e-3, rtol=1e-3)
        started = [distance.item() for distance in distances(pupil(pictures), taught)]
        for before, after in zip(untrained, started):
            self.assertLess(after, 0.01 * before)

    def test_a_trained_refiner_finds_the_dots_through_its_file(self):
        network = Refiner().train()
        optimizer, history = torch.optim.AdamW(network.parameters(), lr=3e-3), []
        for _ in range(250):
            pictures, boxes, points = views(self.pictures, self.boxes, self.landmarks)
            batch = Batch(pictures, self.is_face.float(), self.is_face, boxes, points, self.is_face.float())
            score, box, landmarks, error = losses(network(pictures), batch)
            optimizer.zero_grad()
            (score + 5 * box + 10 * landmarks).backward()
            optimizer.step()
            history.append([score.item(), box.item(), error.item()])
        for name, first, last in zip(("score", "box", "landmarks"), history[0], np.mean(history[-20:], axis=0)):
            self.assertLess(last, 0.7 * first, name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(network, path)
            # A face and another patch, each at twice its size and half its brightness in a larger picture.
            canvas = np.full((200, 440, 3), 25, np.uint8)
            for index, x in ((0, 60), (1, 260)):
                large = torch.nn.functional.interpolate(
                    self.pictures[index : index + 1], scale_factor=2, mode="bilinear"
                )[0]
                canvas[40:168, x : x + 128] = (127 * large.permute(1, 2, 0)).numpy()
            side, centres = 128 / PATCH_REACH, np.array([(124, 104), (324, 104)])
            boxes, landmarks, scores = face_model.Refiner(path).refine(
                canvas, [(*centre - side / 2, side, side) for centre in centres], [0.5, 0.5]
            )
        self.assertGreater(scores[0], 0.6)
        self.assertLess(scores[1], 0.4)
        self.assertLess(
            np.abs(landmarks[0] - 128 * self.landmarks[0].numpy() - centres[0]).mean(), REACH * side * history[0][2] / 2
        )
        # On a large face, the weights of the refiner's box and the detector's are as 20 to the size of the face.
        width, height = (side + (128 * size - side) * 20 / (20 + side) for size in (0.4, 0.5))
        np.testing.assert_allclose(boxes[0, 2:], (width, height), atol=0.05 * side)


if __name__ == "__main__":
    unittest.main()
