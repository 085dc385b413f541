# SPDX-License-Identifier: MIT OR Apache-2.0
"""`python -m emotion plugin-path` prints the folder of the GStreamer plugin that the wheel contains.

    GST_PLUGIN_PATH=$(python -m emotion plugin-path) gst-launch-1.0 v4l2src ! emotionfacedetect ! emotionclassify ! fakesink
"""

import sys
from pathlib import Path

USAGE = "usage: python -m emotion plugin-path"


def main(arguments: list[str]) -> None:
    if arguments != ["plugin-path"]:
        sys.exit(USAGE)
    folder = Path(__file__).with_name("gstreamer-1.0").absolute()
    if not (folder / "libgstemotion.so").is_file():
        sys.exit(f"emotion: {folder} has no plugin; the wheel of `make wheel` contains it, an installation from source does not")
    print(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
