#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads faces and their apparent expressions in an application: prints a line for each face in each frame of a file.

    python3 faces.py clip.mp4

Needs GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0).
"""

import sys
import warnings

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    sys.exit(
        f"{sys.argv[0]}: {sys.executable} has no GStreamer bindings: {error}\n"
        "On Debian and Ubuntu: apt install python3-gi gir1.2-gstreamer-1.0, and run /usr/bin/python3.\n"
        "Python from pyenv, conda or a virtual environment does not see these packages; make the environment with\n"
        "/usr/bin/python3 -m venv --system-site-packages, or install PyGObject in it (pip install PyGObject)."
    )

# GObject.ValueArray is deprecated, but without gst-python there is no other way to read the array.
warnings.filterwarnings("ignore", category=DeprecationWarning)

LINE = (
    "filesrc name=file ! decodebin ! videoconvert ! emotionfacedetect ! emotionclassify ! "
    "fakesink name=out signal-handoffs=true"
)


def faces_of(frame):
    """Returns the faces in the metadata of a frame; docs/metadata.md lists the fields."""
    meta = frame.get_custom_meta("GstEmotionMeta")
    found, faces = meta.get_structure().get_array("faces") if meta else (False, None)
    # Copied, because the array frees its structures.
    return [faces.get_nth(index).copy() for index in range(faces.n_values)] if found else []


def print_faces(_sink, frame, _pad):
    for face in faces_of(frame):
        x, y, w, h = (face.get_value(side) for side in "xywh")  # shares of the frame's width and height
        label = face.get_string("label") or "not classified yet"
        _, confidence = face.get_double("confidence")
        print(f"face {face.get_value('id')} at {x:.2f},{y:.2f} {w:.2f}x{h:.2f}: {label} {confidence:.2f}")


def main():
    Gst.init(None)
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FILE")
    pipeline = Gst.parse_launch(LINE)
    pipeline.get_by_name("file").set_property("location", sys.argv[1])
    pipeline.get_by_name("out").connect("handoff", print_faces)
    pipeline.set_state(Gst.State.PLAYING)
    end = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if end.type == Gst.MessageType.ERROR:
        sys.exit(end.parse_error()[0].message)


if __name__ == "__main__":
    main()
