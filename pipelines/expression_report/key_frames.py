# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures of each face at the moments that show it best, cut out of the video."""

import base64
import collections

from .faces import time_by_label
from .records import UNKNOWN, UNSCORED, BadInput
from .player import moment
from .sections import swatch
from .text import clock, escaped

FRAMES_PER_FACE = 3
MAX_FRAMES = 40  # of the page
PICTURE_WIDTH = 240  # pixels
MARGIN = 0.35  # of the longer side of the face's box, on each side
MIN_SIDE = 16  # pixels of the frame
OPEN_TIMEOUT_S = 60
FRAME_TIMEOUT_S = 10
PIPELINE = (
    # env.sh says why the decoder has this property.
    "filesrc name=file ! decodebin avdec_h264-0::direct-rendering=false expose-all-streams=false "
    'caps="video/x-raw(ANY)" ! '
    "videoconvert ! videoflip video-direction=auto ! videoconvert ! videocrop name=crop ! videoscale add-borders=false ! "
    f"video/x-raw,width={PICTURE_WIDTH},pixel-aspect-ratio=1/1 ! jpegenc quality=85 ! appsink name=out sync=false"
)


class Video:
    """A video or picture file whose faces can be read as JPEG pictures. Needs GStreamer's Python bindings."""

    def __init__(self, path):
        try:
            import gi

            gi.require_version("Gst", "1.0")
            from gi.repository import Gst
        except (ImportError, ValueError) as error:
            packages = "GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)"
            raise BadInput(f"key frames need {packages}: {error}") from None
        Gst.init(None)
        self.gst, self.path = Gst, path
        self.open({})
        found, self.duration = self.pipeline.query_duration(Gst.Format.TIME)
        size = self.crop.get_static_pad("sink").get_current_caps().get_structure(0)
        self.size = size.get_value("width"), size.get_value("height")
        self.is_picture = self.format().startswith("image/")
        if self.is_picture:
            self.duration = 0
        elif not found or self.duration <= 0:
            raise BadInput(f"{path}: expected a seekable video, found one of unknown length")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.pipeline.set_state(self.gst.State.NULL)

    def open(self, cut):
        """Opens the file in a new pipeline, which cuts off `cut`, as from `borders`."""
        self.pipeline = self.gst.parse_launch(PIPELINE)
        self.pipeline.get_by_name("file").set_property("location", str(self.path))
        self.out, self.crop = self.pipeline.get_by_name("out"), self.pipeline.get_by_name("crop")
        for side, pixels in cut.items():
            self.crop.set_property(side, pixels)
        self.pipeline.set_state(self.gst.State.PAUSED)
        self.wait()

    def format(self):
        """Returns the media type of the file."""
        return self.pipeline.get_by_name("typefind").get_property("caps").get_structure(0).get_name()

    def wait(self):
        """Waits until the pipeline has opened the file, or has finished a seek."""
        types = self.gst.MessageType
        bus = self.pipeline.get_bus()
        message = bus.timed_pop_filtered(OPEN_TIMEOUT_S * self.gst.SECOND, types.ERROR | types.ASYNC_DONE)
        if message is None or message.type == types.ERROR:
            reason = message.parse_error()[0].message if message else f"no answer within {OPEN_TIMEOUT_S} s"
            self.pipeline.set_state(self.gst.State.NULL)
            raise BadInput(f"{self.path}: expected a video, but it cannot be read: {reason}")

    def jpeg(self, time, box):
        """Returns the face in `box` of the frame at `time` in nanoseconds, or None after the end.

        A picture has one frame for all times.
        """
        cut = borders(box, self.size)
        if self.is_picture:
            # A picture cannot be sought, and the decoder of a pipeline from a launch line is linked only once.
            self.pipeline.set_state(self.gst.State.NULL)
            self.open(cut)
        else:
            for side, pixels in cut.items():
                self.crop.set_property(side, pixels)
            flags = self.gst.SeekFlags.FLUSH | self.gst.SeekFlags.ACCURATE
            if not self.pipeline.seek_simple(self.gst.Format.TIME, flags, int(time)):
                return None
            self.wait()
        sample = self.out.emit("try-pull-preroll", FRAME_TIMEOUT_S * self.gst.SECOND)
        if sample is None:
            return None
        buffer = sample.get_buffer()
        return buffer.extract_dup(0, buffer.get_size())


def borders(box, size):
    """Returns how many pixels of a frame of `size` are cut off on each side, so that the face in `box` is left."""
    width, height = size
    left, top = box["x"] * width, box["y"] * height
    right, bottom = left + box["w"] * width, top + box["h"] * height
    half = max(right - left, bottom - top, MIN_SIDE) * (0.5 + MARGIN)

    def cut(middle, length):
        """The even number of pixels that are cut off before and after the face: colours are stored for pairs."""
        middle = min(max(middle, MIN_SIDE), length - MIN_SIDE)
        before, after = max(0, middle - half), max(0, length - middle - half)
        return int(before) // 2 * 2, int(after) // 2 * 2

    horizontal, vertical = cut((left + right) / 2, width), cut((top + bottom) / 2, height)
    return {"left": horizontal[0], "right": horizontal[1], "top": vertical[0], "bottom": vertical[1]}


def key_moments(face):
    """Returns the observations in which the face's most frequent labels have their highest scores."""
    labels = [label for label, _ in time_by_label(face) if label not in (UNKNOWN, UNSCORED)][:FRAMES_PER_FACE]
    best = [max((seen for seen in face if seen.label == label), key=lambda seen: seen.score or 0) for label in labels]
    return sorted(best, key=lambda seen: seen.start)


def key_frames(video, faces, colours, player):
    """Returns the figures of each face in `faces`, by the same keys."""
    figures, remaining = collections.defaultdict(list), MAX_FRAMES
    for key, face in faces.items():
        for seen in key_moments(face):
            # In the middle of the frame's duration, where rounded times still find the same frame.
            middle = seen.start + seen.record["duration"] // 2
            jpeg = video.jpeg(middle, seen.record["box"]) if remaining > 0 else None
            if jpeg is not None:
                remaining -= 1
                figures[key].append(figure(seen, jpeg, colours[seen.label], player))
    return figures


def figure(seen, jpeg, name, player):
    """The face, with a border in the colour of style class `name`."""
    said = f"{seen.label} {100 * seen.score:.0f}\u00a0%"
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img class="{name}" alt="Face at {clock(seen.start)}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{swatch(name)}{moment(seen.start, player)} {escaped(said)}</figcaption></figure>"
    )
