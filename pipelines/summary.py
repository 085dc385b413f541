#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Says what demo.sh found, and makes demo.png.

    ... ! avenc_ppm ! fdsink | summary.py FOLDER SECONDS

Reads the annotated pictures (PPM, one after the other) from standard input and what was exported from
FOLDER/demo.ndjson. SECONDS is how long the pipeline took.
"""

import collections
import json
import pathlib
import struct
import sys
import zlib


def read_ppm(stream):
    """The next picture as (width, height, RGB bytes), or None at the end."""
    if stream.readline().strip() != b"P6":
        return None
    width, height = map(int, stream.readline().split())
    stream.readline()  # the highest value, always 255
    return width, height, stream.read(width * height * 3)


def write_png(path, width, height, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")
    path.write_bytes(png)


def best_frame(faces):
    """Of the longest run of frames with the most faces, the one that shows most: different expressions, and certain ones."""
    on = collections.defaultdict(list)
    for face in faces:
        on[face["frame"]].append(face)
    most = max(map(len, on.values()), default=0)
    best, run = [0], []
    for frame in sorted(frame for frame, there in on.items() if len(there) == most):
        run = [*run, frame] if run and frame == run[-1] + 1 else [frame]
        best = max(best, run, key=len)
    shows = lambda frame: (len({face["label"] for face in on[frame]}), min((face["score"] or 0 for face in on[frame]), default=0))
    return max(best, key=shows)


def main():
    folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    records = [json.loads(line) for line in (folder / "demo.ndjson").read_text().splitlines()]
    faces = [record for record in records if record["type"] == "face"]
    faces_on = collections.Counter(face["frame"] for face in faces)
    labels = collections.Counter(face["label"] for face in faces if face["label"])

    chosen, frames = best_frame(faces), 0
    while picture := read_ppm(sys.stdin.buffer):
        if frames == chosen:
            write_png(folder / "demo.png", *picture)
        frames += 1

    by_count = collections.Counter(faces_on.values())
    by_count[0] = frames - len(faces_on)
    different = len({face["id"] for face in faces})
    print(f"""
  frames        {frames}, {frames / seconds:.1f} a second with reading, drawing and encoding
  faces         {len(faces) / max(frames, 1):.2f} per frame, {different} different""")
    for count, number in sorted(by_count.items()):
        if number:
            print(f"                {number:>5} frames with {count}")
    print("  expressions   " + (", ".join(f"{label} {number}" for label, number in labels.most_common()) or "none"))
    print(f"""
  video         {folder}/demo.mp4
  records       {folder}/demo.ndjson
  frame {chosen:<7} {folder}/demo.png""")


if __name__ == "__main__":
    main()
