#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures what an archive costs: bench_archive.py PROGRAM CLIP [--seconds N] [--minutes N] [--only codecs|empty] [--codec NAME ...]

CLIP shows faces; `apps/scan/bench.sh` renders one as target/bench/scan/clip.mp4. ffmpeg encodes it in 1280x720 with 25 frames a
second and a keyframe each two seconds, in five codecs. The first table is the CPU time of emotion-scan for each hour of them, by
`--every`, in core hours, without that of the program's start. The second one is a recording of an empty room in 640x360 with
faces in one thirtieth of it: the CPU time of a whole scan, and of one with `--where-faces`. All scans have one job and one thread.
"""

import argparse
import pathlib
import resource
import subprocess
import tempfile

SIZE, RATE, KEYFRAME_S = (1280, 720), 25, 2
GOP = str(RATE * KEYFRAME_S)
CODECS = {
    "H.264": ("mp4", ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "2M", "-g", GOP, "-keyint_min", GOP, "-sc_threshold", "0"]),
    "HEVC": ("mp4", ["-c:v", "libx265", "-preset", "ultrafast", "-b:v", "2M", "-x265-params", f"keyint={GOP}:min-keyint={GOP}:scenecut=0:log-level=0"]),
    "VP9": ("webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M", "-g", GOP, "-keyint_min", GOP]),
    "AV1": ("mkv", ["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-b:v", "2M", "-g", GOP, "-keyint_min", GOP]),
    "MPEG-2": ("ts", ["-c:v", "mpeg2video", "-b:v", "6M", "-g", GOP, "-sc_threshold", "1000000000"]),
}
EVERY = (None, 1, 5)
# Sampled scans are short, so they read the video so many times, one after the other.
LOOPS = 10
PHOTO = b"P5 16 16 255\n" + bytes(range(256))
# The share of an hour in which somebody is there, in the second table.
VISIT = 2 / 60


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)], check=True)


def encoded(clip, folder, name, seconds):
    """Writes the clip in a codec, and the same with all of it repeated."""
    suffix, codec = CODECS[name]
    once, often = folder / f"once.{suffix}", folder / f"often.{suffix}"
    width, height = SIZE
    picture = ["-vf", f"scale={width}:{height},fps={RATE},format=yuv420p", "-an"]
    ffmpeg("-stream_loop", "-1", "-i", clip, "-t", seconds, *picture, *codec, once)
    ffmpeg("-stream_loop", LOOPS - 1, "-i", once, "-c", "copy", often)
    return once, often


def room(clip, path, minutes):
    """Writes a recording of a room that is empty but for one visit."""
    seconds = 60 * minutes
    begin, end = seconds / 3, seconds / 3 + VISIT * seconds
    empty = f"color=0x606870:s=640x360:r={RATE}:d={seconds},noise=alls=6:allf=t"
    visit = f"[1]scale=640:360,fps={RATE}[faces];[0][faces]overlay=enable='between(t,{begin},{end})':shortest=1,format=yuv420p"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", GOP, "-keyint_min", GOP, "-sc_threshold", "0"]
    ffmpeg("-f", "lavfi", "-i", empty, "-stream_loop", "-1", "-t", seconds, "-i", clip, "-filter_complex", visit, "-an", *codec, path)


def cpu_s(program, source, *options):
    """Scans a file and returns the CPU time."""

    def used():
        found = resource.getrusage(resource.RUSAGE_CHILDREN)
        return found.ru_utime + found.ru_stime

    before = used()
    output = ["--output", source.with_suffix(".parquet"), "--quiet", "--jobs", "1", "--set", "*.threads=1"]
    subprocess.run([program, source, *output, *options], check=True)
    return used() - before


def codecs(program, clip, folder, seconds, names):
    photo = folder / "photo.pgm"
    photo.write_bytes(PHOTO)
    start_s = cpu_s(program, photo)
    print("| codec | every frame | `--every 1` | `--every 5` |\n|---|---|---|---|")
    for name in names:
        once, often = encoded(clip, folder, name, seconds)
        cells = [name]
        for every in EVERY:
            source, length_s = (once, seconds) if every is None else (often, LOOPS * seconds)
            options = [] if every is None else ["--every", str(every)]
            cells.append(f"{(cpu_s(program, source, *options) - start_s) / length_s:.3f}")
        print(f"| {' | '.join(cells)} |", flush=True)


def empty(program, clip, folder, minutes):
    recording = folder / "room.mp4"
    room(clip, recording, minutes)
    whole_s, look_s = cpu_s(program, recording), cpu_s(program, recording, "--where-faces")
    print(f"| {minutes} minutes, faces in {60 * VISIT * minutes:.0f} s | {whole_s:.1f} s | {look_s:.1f} s | 1/{whole_s / look_s:.1f} |")


def main():
    parser = argparse.ArgumentParser(description="Measures what an archive costs.")
    parser.add_argument("program")
    parser.add_argument("clip", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=20, help="length of the video in each codec (default: 20)")
    parser.add_argument("--minutes", type=int, default=12, help="length of the recording of a room (default: 12)")
    parser.add_argument("--codec", choices=list(CODECS), nargs="+", help="codecs to measure (default: all)")
    parser.add_argument("--only", choices=["codecs", "empty"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emotion-archive-") as folder:
        folder = pathlib.Path(folder)
        if options.only != "empty":
            codecs(options.program, options.clip, folder, options.seconds, options.codec or CODECS)
        if options.only != "codecs":
            empty(options.program, options.clip, folder, options.minutes)


if __name__ == "__main__":
    main()
