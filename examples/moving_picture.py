# SPDX-License-Identifier: MIT OR Apache-2.0
"""Renders the moving picture of the README: boxes and labels, a tilted head, hidden faces, and a crowd.

    scripts/demo/moving-picture [FILE.webp]

All faces are averages of many people's, which show no real person. Needs Pillow. The environment names the renderer of the
clip, CLIP, and GST_PLUGIN_PATH the folder with the plugin.
"""

import math
import os
import subprocess
import sys

from PIL import Image

SIZE = (640, 480)
FRAME_BYTES = SIZE[0] * SIZE[1] * 3
# Every third frame of 30 a second is shown.
STEP, SHOWN_MS = 3, 100
MAX_BYTES = 4 << 20


def clip(*arguments):
    """The frames of the demo clip, or of FRAMES, FACES and SIZE, as pictures."""
    data = subprocess.run([os.environ["CLIP"], *arguments], stdout=subprocess.PIPE, check=True).stdout
    return [Image.frombytes("RGB", SIZE, data[start : start + FRAME_BYTES]) for start in range(0, len(data), FRAME_BYTES)]


def tilted(frames, degrees):
    """The frames as a camera sees them that rolls to both sides, closer, so that no corner is empty."""
    width, height = (5 * side // 8 for side in SIZE)
    left, top = (SIZE[0] - width) // 2, (SIZE[1] - height) // 2
    for number, frame in enumerate(frames):
        angle = degrees * math.sin(2 * math.pi * number / len(frames))
        turned = frame.rotate(angle, Image.Resampling.BICUBIC)
        yield turned.crop((left, top, left + width, top + height)).resize(SIZE, Image.Resampling.BICUBIC)


def annotated(frames, overlay="", detector=""):
    """The frames with their faces drawn."""
    line = (
        f"fdsrc fd=0 ! rawvideoparse format=rgb width={SIZE[0]} height={SIZE[1]} framerate=30/1 ! "
        f"emotionfacedetect {detector} ! emotionclassify ! emotionoverlay {overlay} ! video/x-raw,format=RGB ! fdsink"
    )
    data = b"".join(frame.tobytes() for frame in frames)
    shown = subprocess.run(["gst-launch-1.0", "-q", *line.split()], input=data, stdout=subprocess.PIPE, check=True).stdout
    if len(shown) != len(data):
        sys.exit(f"moving_picture: expected {len(data)} bytes of annotated frames, found {len(shown)}")
    starts = range(0, len(shown), FRAME_BYTES * STEP)
    return [Image.frombytes("RGB", SIZE, shown[start : start + FRAME_BYTES]) for start in starts]


def main():
    output = sys.argv[1]
    demo = clip()
    pictures = annotated(demo[:240])
    pictures += annotated(tilted(demo[30:105], 24))
    pictures += annotated(demo[201:246], "blur-faces=blur draw-scores=false")
    pictures += annotated(clip("45", "40", f"{SIZE[0]}x{SIZE[1]}"), "draw-scores=false draw-ids=false", "detect-size=640")
    first, *others = pictures
    first.save(output, save_all=True, append_images=others, duration=SHOWN_MS, loop=0, quality=75, method=6)
    size = os.path.getsize(output)
    if size > MAX_BYTES:
        sys.exit(f"moving_picture: {output} has {size} bytes, expected at most {MAX_BYTES}")
    print(f"{output}: {len(pictures)} frames, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
