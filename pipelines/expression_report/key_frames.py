# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures of the video at the moments that show each face best."""

import base64
import collections

from .faces import time_by_label
from .records import UNKNOWN, UNSCORED, BadInput
from .sections import swatch
from .text import clock, escaped

FRAMES_PER_FACE = 3
MAX_FRAMES = 40  # of the page
FRAME_WIDTH = 480  # pixels
OPEN_TIMEOUT_S = 60
FRAME_TIMEOUT_S = 10
PIPELINE = (
    # env.sh says why the decoder has this property.
    "filesrc name=file ! decodebin avdec_h264-0::direct-rendering=false expose-all-streams=false "
    'caps="video/x-raw(ANY)" ! '
    "videoconvert ! videoflip video-direction=auto ! videoconvert ! videoscale add-borders=false ! "
    f"video/x-raw,width={FRAME_WIDTH},pixel-aspect-ratio=1/1 ! jpegenc quality=80 ! appsink name=out sync=false"
)


class Video:
    """A video or picture file whose frames can be read as JPEG pictures. Needs GStreamer's Python bindings."""

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
        self.pipeline = Gst.parse_launch(PIPELINE)
        self.pipeline.get_by_name("file").set_property("location", str(path))
        self.out = self.pipeline.get_by_name("out")
        self.pipeline.set_state(Gst.State.PAUSED)
        self.wait()
        found, self.duration = self.pipeline.query_duration(Gst.Format.TIME)
        self.is_picture = self.format().startswith("image/")
        if self.is_picture:
            self.duration = 0
        elif not found or self.duration <= 0:
            raise BadInput(f"{path}: expected a seekable video, found one of unknown length")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.pipeline.set_state(self.gst.State.NULL)

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
            raise BadInput(f"{self.path}: expected a video, but it cannot be read: {reason}")

    def jpeg(self, time):
        """Returns the frame at `time` in nanoseconds, or None after the end. A picture has one frame for all times."""
        if self.is_picture:
            sample = self.out.get_property("last-sample")
        else:
            flags = self.gst.SeekFlags.FLUSH | self.gst.SeekFlags.ACCURATE
            if not self.pipeline.seek_simple(self.gst.Format.TIME, flags, int(time)):
                return None
            self.wait()
            sample = self.out.emit("try-pull-preroll", FRAME_TIMEOUT_S * self.gst.SECOND)
        if sample is None:
            return None
        buffer = sample.get_buffer()
        return buffer.extract_dup(0, buffer.get_size())


def key_moments(face):
    """Returns the observations in which the face's most frequent labels have their highest scores."""
    labels = [label for label, _ in time_by_label(face) if label not in (UNKNOWN, UNSCORED)][:FRAMES_PER_FACE]
    best = [max((seen for seen in face if seen.label == label), key=lambda seen: seen.score or 0) for label in labels]
    return sorted(best, key=lambda seen: seen.start)


def key_frames(video, faces, colours):
    """Returns the figures of each face in `faces`, by the same keys."""
    figures, remaining = collections.defaultdict(list), MAX_FRAMES
    for key, face in faces.items():
        for seen in key_moments(face):
            # In the middle of the frame's duration, where rounded times still find the same frame.
            jpeg = video.jpeg(seen.start + seen.record["duration"] // 2) if remaining > 0 else None
            if jpeg is not None:
                remaining -= 1
                figures[key].append(figure(seen, jpeg, colours[seen.label]))
    return figures


def figure(seen, jpeg, name):
    """A picture with the face's box, in the colour of style class `name`."""
    sides = (seen.record["box"][side] * 100 for side in "xywh")
    box = "left:{:.2f}%;top:{:.2f}%;width:{:.2f}%;height:{:.2f}%".format(*sides)
    caption = f"{clock(seen.start)} {seen.label} {100 * seen.score:.0f} %"
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><div class="picture"><img alt="Frame at {clock(seen.start)}" src="data:image/jpeg;base64,{data}">'
        f'<span class="mark {name}" style="{box}"></span></div>'
        f"<figcaption>{swatch(name)}{escaped(caption)}</figcaption></figure>"
    )
