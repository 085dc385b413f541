#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Prints the summary of demo.sh and writes demo.png.

    ... ! avenc_ppm ! fdsink | summary.py FOLDER SECONDS

Reads the annotated pictures (a stream of PPM) from standard input and the records from FOLDER/demo.ndjson. SECONDS is
the run time of the pipeline.
"""

import collections
import json
import pathlib
import struct
import sys
import zlib

DARK, BRIGHT = 80, 200  # mean brightness, 0..255
GRID = 12  # brightness is measured on GRID x GRID pixels
WHOLE = {"x": 0, "y": 0, "w": 1, "h": 1}


def read_ppm(stream):
    """Returns the next picture as (width, height, RGB bytes), or None at the end."""
    if stream.readline().strip() != b"P6":
        return None
    width, height = map(int, stream.readline().split())
    stream.readline()  # maximum value, always 255
    return width, height, stream.read(width * height * 3)


def write_png(path, width, height, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")
    path.write_bytes(png)


def exposure(picture, box):
    """Returns 1 for a part of medium brightness, less for a darker or brighter one, 0 for black and white."""
    width, height, rgb = picture
    steps = [0.2 + 0.6 * (step + 0.5) / GRID for step in range(GRID)]  # inside the lines of the drawn box
    columns = [min(max(int((box["x"] + box["w"] * step) * width), 0), width - 1) for step in steps]
    rows = [min(max(int((box["y"] + box["h"] * step) * height), 0), height - 1) for step in steps]
    mean = sum(rgb[(row * width + column) * 3 + 1] for row in rows for column in columns) / GRID**2  # of green
    return min(1, mean / DARK, (255 - mean) / (255 - BRIGHT))


def appeal(faces, picture):
    """Returns how well a picture shows faces: many, with clear and different expressions, neither dark nor bright."""
    known = [face for face in faces if face["score"] and face["label"] != "unknown"]
    labels = {face["label"] for face in known}
    clear = sum(face["score"] * exposure(picture, face["box"]) for face in known)
    return clear + exposure(picture, WHOLE) * (0.1 + 0.25 * len(labels))


def main():
    folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    records = [json.loads(line) for line in (folder / "demo.ndjson").read_text().splitlines()]
    faces = [record for record in records if record["type"] == "face"]
    by_frame = collections.defaultdict(list)
    for face in faces:
        by_frame[face["frame"]].append(face)
    labels = collections.Counter(face["label"] for face in faces if face["label"])

    chosen, best, picture, frames = 0, -1, None, 0
    while read := read_ppm(sys.stdin.buffer):
        value = appeal(by_frame.get(frames, []), read)
        if value > best:
            chosen, best, picture = frames, value, read
        frames += 1
    if picture:
        write_png(folder / "demo.png", *picture)

    by_count = collections.Counter(map(len, by_frame.values()))
    by_count[0] = frames - len(by_frame)
    ids = len({face["id"] for face in faces})
    print(f"""
  frames        {frames}, {frames / seconds:.1f} per second including decoding, drawing and encoding
  faces         {len(faces) / max(frames, 1):.2f} per frame, {ids} tracks""")
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
