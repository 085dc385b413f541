# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pairs of views of a face, their targets, and the folder that holds what they are made of.

Each picture is shown as a pair of views. The second is mirrored or moved by up to two pixels, or both. Both have the same
targets: labels, scores of the teachers over several views, and the mean of the shipped network's scores of these two. A part of
each batch are turned copies (turned.py), with the targets of the pictures that they come from.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from training.common.onnx_file import fold_batch_norm
from training.common.optimisation import mixed_precision
from training.expression.augmentation import augment
from training.expression.dataset import PIXEL_MEAN, PIXEL_SCALE
from training.expression.ensemble import read_sheets, write_sheets
from training.expression.labels import FER2013_LABELS, HEADS, OUTSIDE_HEADS, soft_labels
from training.expression.network import network_of, read_network
from training.expression.readers import TRAINING, read_arrays
from training.expression.teacher_scores import joint_scores, network_scores, read_scores
from training.expression.train import JOINT_SHARE
from training.expression.turned import AHEAD, draw, pack_meshes, unpack_meshes
from training.expression.unlabelled import FACE_SIDE, FACES_FILE, FRAMED_SIDE
from training.geometry.points import angles, rotation_of_matrix
from training.geometry.turn import mesh_topology

FRAMED = FRAMED_SIDE / FACE_SIDE
# Side of the packed unlabelled faces, of which the middle has the side of a training picture, and WebP qualities.
PACKED_FACE, QUALITIES = 54, {"training": 75, "faces": 66}
# Pictures of a batch: of the training split, without labels, and turned ones of each.
PARTS = {"training": 256, "faces": 112, "turned-training": 72, "turned-faces": 24}
TEACHER_SHARE, SMOOTHING = 0.5, 0.1


def read_meshes(cache, source, rows_of_name):
    """(rows, meshes) of the faces of a source that look ahead, from the files of geometry/teacher.py."""
    rows, meshes = [], []
    for path in sorted(cache.glob(f"{source}-*.npz")):
        stored = dict(np.load(path))
        pose = angles(rotation_of_matrix(stored["matrix"]))
        found = np.array([rows_of_name.get(str(name), -1) for name in stored["name"]])
        kept = (np.abs(pose[:, :2]) < AHEAD).all(1) & (found >= 0)
        rows.append(found[kept])
        meshes.append(stored["mesh"][kept])
    return np.concatenate(rows).astype(np.int32), np.concatenate(meshes)


def pack(options):
    """Write the folder: pictures as lossy WebP, labels, scores of the outside networks, a teacher's weights and meshes."""
    options.packed.mkdir(parents=True, exist_ok=True)
    arrays, faces = read_arrays(options.data), np.load(options.cache / FACES_FILE)
    numbers = np.flatnonzero(arrays.split == TRAINING)
    lfw = [str(name) for name in np.load(options.lfw / "names.npz")["name"]]
    faces = faces[: len(lfw)]
    rows_of_names = {
        "training": ("ferplus", {f"ferplus/{number}/{TRAINING}": row for row, number in enumerate(numbers)}),
        "faces": ("lfw", {name: row for row, name in enumerate(lfw)}),
    }
    labels = {"votes": arrays.votes[numbers], "fer2013": arrays.fer2013[numbers].astype(np.uint8)}
    labels |= dict(zip(("triangles", "contour"), (part.astype(np.int16) for part in mesh_topology())))
    for name, (source, rows_of_name) in rows_of_names.items():
        scores = read_scores(options.cache, name, OUTSIDE_HEADS)
        count = len(lfw) if name == "faces" else None
        labels |= {f"{name}-{head}": values[:count].astype(np.float16) for head, values in scores.items()}
        labels[f"mesh-{name}-row"], meshes = read_meshes(options.meshes, source, rows_of_name)
        labels |= {f"mesh-{name}-{part}": values for part, values in pack_meshes(meshes).items()}
    np.savez_compressed(options.packed / "labels.npz", **labels)
    shrink = lambda face: np.asarray(Image.fromarray(face).resize((PACKED_FACE, PACKED_FACE), Image.Resampling.BILINEAR))
    pictures = {"training": arrays.images[numbers], "faces": np.stack([shrink(face) for face in faces])}
    for name, images in pictures.items():
        write_sheets(images, options.packed, name, quality=QUALITIES[name])
    state = read_network(options.teacher).state_dict()
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    torch.save(half, options.packed / "teacher.pt")
    size = sum(path.stat().st_size for path in options.packed.iterdir())
    print(f"{options.packed}: {size / 2**20:.1f} MiB")


def read_teacher(path):
    """The network of weights in 16 bits."""
    return network_of({name: value.float() for name, value in torch.load(path).items()})


def second_views(x, generator):
    """Pictures [N, 1, S, S] mirrored (half of them) and moved, by a pixel in one direction or by up to two in any."""
    n, device = len(x), x.device
    rand = lambda *shape: torch.rand(shape, generator=generator, device=device)
    step = 2 / x.shape[-1]
    anywhere = (rand(n, 2) * 4 - 2) * step
    axis = (rand(n, 1) < 0.5).float()
    by_one = torch.cat([axis, 1 - axis], 1) * torch.where(rand(n, 1) < 0.5, step, -step)
    theta = x.new_zeros(n, 2, 3)
    theta[:, 0, 0] = torch.where(rand(n) < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = 1
    theta[:, :, 2] = torch.where(rand(n, 1) < 0.5, by_one, anywhere)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def turned_copies(name, pictures, stored, processes):
    """(rows, pictures) of a turned copy of each face that looks ahead."""
    meshes = {part: stored[f"mesh-{name}-{part}"] for part in ("coefficients", "basis", "mean")}
    rows = stored[f"mesh-{name}-row"]
    kept = rows < len(pictures)
    rows, meshes["coefficients"] = rows[kept], meshes["coefficients"][kept]
    return rows, draw(pictures[rows], unpack_meshes(meshes), (stored["triangles"], stored["contour"]), processes)


class Pictures:
    """All pictures and targets on the device, and batches of them."""

    def __init__(self, packed, shipped, device, processes, limit=None, scale=1.0):
        self.parts = {name: max(2, round(count * scale)) for name, count in PARTS.items()}
        stored = dict(np.load(packed / "labels.npz"))
        images = {name: read_sheets(packed, name, len(stored[f"{name}-five"]))[:limit] for name in ("training", "faces")}
        # Before the device is in use, because the processes are copies of this one.
        turned = {name: turned_copies(name, pictures, stored, processes) for name, pictures in images.items()}
        self.device, self.generator = device, torch.Generator(device).manual_seed(7)
        teachers = read_teacher(packed / "teacher.pt"), read_network(shipped)
        self.teachers = [
            fold_batch_norm(teacher.eval()).to(device, memory_format=torch.channels_last) for teacher in teachers
        ]
        self.images, self.targets = {}, {}
        for name, pictures in images.items():
            rows, drawn = turned[name]
            self.images |= {name: self.placed(pictures), f"turned-{name}": self.placed(drawn)}
            self.targets[name] = self.targets_of(name, pictures, stored)
            rows = torch.from_numpy(rows).long().to(device)
            self.targets[f"turned-{name}"] = [target[rows] for target in self.targets[name]]

    def placed(self, pictures):
        return torch.from_numpy(pictures)[:, None].to(self.device)

    def targets_of(self, name, pictures, stored):
        """The targets [N, classes] of each head: teachers' scores, and labels where there are any."""
        framed = 1.0 if name == "training" else FRAMED
        scores = network_scores(self.teachers, pictures, framed)
        scores |= {head: stored[f"{name}-{head}"][: len(pictures)].astype(np.float32) for head in ("five", "seven")}
        counts = np.maximum(np.bincount(stored["fer2013"], minlength=len(FER2013_LABELS)), 1)
        scores["joint"] = joint_scores(scores, counts / counts.sum())
        targets = [torch.from_numpy(np.ascontiguousarray(scores[head])).float() for head in HEADS]
        if name == "training":
            soft, weight = soft_labels(stored["votes"][: len(pictures)])
            ferplus = torch.from_numpy(soft * weight[:, None])
            labels = torch.from_numpy(stored["fer2013"][: len(pictures)].astype(np.int64))
            fer2013 = F.one_hot(labels, len(FER2013_LABELS)).float()
            labels = ferplus, fer2013 * (1 - SMOOTHING) + SMOOTHING / len(FER2013_LABELS)
            for index, label in enumerate(labels):
                targets[index] = torch.lerp(label, targets[index], TEACHER_SHARE)
            targets[-1] = torch.lerp(ferplus, targets[-1], JOINT_SHARE)
        return [target.to(self.device) for target in targets]

    def random_rows(self, name):
        count = (self.parts[name],)
        return torch.randint(len(self.images[name]), count, generator=self.generator, device=self.device)

    def batch(self, strength):
        """(views [2 N, 1, 48, 48], targets [N, classes] of each head): second views come after all the first ones."""
        views, targets = {}, []
        for labelled in ("training", "faces"):
            names, framed = (labelled, f"turned-{labelled}"), FRAMED if labelled == "faces" else 1.0
            chosen = [self.random_rows(name) for name in names]
            pictures = torch.cat([self.images[name][rows] for name, rows in zip(names, chosen)]).float()
            shown = augment(pictures, self.generator, strength, framed).split([len(rows) for rows in chosen])
            for name, rows, view in zip(names, chosen, shown):
                views[name] = view, [target[rows] for target in self.targets[name]]
        first = torch.cat([views[name][0] for name in PARTS])
        targets = [views[name][1] for name in PARTS]
        x = (torch.cat([first, second_views(first, self.generator)]) - PIXEL_MEAN) * PIXEL_SCALE
        x = x.to(memory_format=torch.channels_last)
        return x, self.with_teachers(x, [torch.cat(parts) for parts in zip(*targets)])

    @torch.no_grad()
    def with_teachers(self, x, targets):
        """Targets blended with the shipped network's mean scores of both views, except those of turned faces."""
        seen = self.parts["training"] + self.parts["faces"]
        first, second = x.chunk(2)
        with mixed_precision(x.device.type):
            logits = self.teachers[-1](torch.cat([first[:seen], second[:seen]]))
        for target, values in zip(targets, logits):
            target[:seen] = target[:seen].lerp(sum(values.float().softmax(1).chunk(2)) / 2, TEACHER_SHARE)
        return targets
