# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pack photos of a cache into two small files, for training on another machine.

    python -m training.face.pack --cache CACHE --output FOLDER [--megabytes 26] [--turned TURNED]

Faces that `turned.py` turned into profiles come first, then photos with large faces, of animals and with masks; a
random choice of the others fills the rest. Writes `photos.bin`, the pictures as WebP one after the other, and
`photos.json`, their labels.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.face.photos import ANIMAL_SOURCES, MASKED, load_photos, split

# Minimum longer side, in pixels of the photo, of a face for whose sake a photo is packed.
LARGE_FACE = 44
QUALITY, SIDE = 58, 480


def labels_of(photo):
    """The labels of a photo as lists."""
    return {
        "name": photo.name,
        "source": photo.source,
        "boxes": photo.boxes.tolist(),
        "landmarks": [points.tolist() if np.isfinite(points).all() else None for points in photo.landmarks],
        "scores": photo.scores.tolist(),
        "ignore": photo.ignore.tolist(),
        "turned": False,
    }


def is_wanted(photo):
    """True for photos of animals, with masks or with a large face."""
    return photo.source in (*ANIMAL_SOURCES, MASKED) or photo.boxes[:, 2:].max(initial=0) >= LARGE_FACE


def in_order(photos, turned):
    """(pixels, labels) of the pictures to pack, the most important first."""
    for folder, entry in turned:
        yield np.asarray(Image.open(folder / entry["name"]).convert("RGB")), entry | {"turned": True}
    rng = np.random.default_rng(0)
    keys = [0.0 if is_wanted(photo) else rng.uniform(0.5, 1) for photo in photos]
    for index in np.argsort(keys, kind="stable"):
        yield photos[index].pixels, labels_of(photos[index])


def encoded(pixels):
    """(WebP bytes, scale) of a picture, reduced to `SIDE` pixels if it is larger."""
    picture = Image.fromarray(pixels)
    scale = min(1.0, SIDE / max(picture.size))
    if scale < 1:
        picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=QUALITY, method=5)
    return stream.getvalue(), scale


def pack(pictures, folder, max_bytes):
    """Pack pictures up to `max_bytes`, and return their number."""
    index, start = [], 0
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "photos.bin", "wb") as store:
        for pixels, entry in pictures:
            data, scale = encoded(pixels)
            if start + len(data) > max_bytes:
                break
            entry = entry | {"start": start, "length": len(data)}
            for name in ("boxes", "ignore", "landmarks"):
                scaled = lambda values: None if values is None else np.round(np.array(values) * scale, 1).tolist()
                entry[name] = [scaled(values) for values in entry[name]]
            start += store.write(data)
            index.append(entry)
    (folder / "photos.json").write_text(json.dumps(index, separators=(",", ":")))
    return len(index)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder written by photos.py")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=26)
    parser.add_argument("--turned", type=Path, help="folder written by turned.py")
    parser.add_argument(
        "--held-out", action="store_true", help="the photos for validation instead of those for training"
    )
    options = parser.parse_args()
    lists = sorted(options.turned.glob("labels-*.json")) if options.turned else []
    turned = [(options.turned, entry) for path in lists for entry in json.loads(path.read_text())]
    photos = split(load_photos(options.cache))[int(options.held_out)]
    count = pack(in_order(photos, turned), options.output, int(options.megabytes * 2**20))
    print(f"{count} pictures, {len(turned)} of them turned faces, of {len(photos)} photos")


if __name__ == "__main__":
    main()
