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


def best_frame(faces):
    """Returns the number of the frame for demo.png.

    The frame is from the longest run of frames with the most faces. It has the most labels and, among those, the
    highest minimum score.
    """
    by_frame = collections.defaultdict(list)
    for face in faces:
        by_frame[face["frame"]].append(face)
    max_faces = max(map(len, by_frame.values()), default=0)
    longest, run = [0], []
    for frame in sorted(frame for frame, in_frame in by_frame.items() if len(in_frame) == max_faces):
        run = [*run, frame] if run and frame == run[-1] + 1 else [frame]
        longest = max(longest, run, key=len)

    def rank(frame):
        labels = {face["label"] for face in by_frame[frame]}
        return len(labels), min((face["score"] or 0 for face in by_frame[frame]), default=0)

    return max(longest, key=rank)


def main():
    folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    records = [json.loads(line) for line in (folder / "demo.ndjson").read_text().splitlines()]
    faces = [record for record in records if record["type"] == "face"]
    faces_in = collections.Counter(face["frame"] for face in faces)
    labels = collections.Counter(face["label"] for face in faces if face["label"])

    chosen, frames = best_frame(faces), 0
    while picture := read_ppm(sys.stdin.buffer):
        if frames == chosen:
            write_png(folder / "demo.png", *picture)
        frames += 1

    by_count = collections.Counter(faces_in.values())
    by_count[0] = frames - len(faces_in)
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
