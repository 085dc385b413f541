# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cuts a stream into segments, and runs a pipeline.

A force-key-unit event precedes the first frame of a new segment. It makes the encoder produce a key frame, where the
video can be cut, and it arrives between the captions of the two frames.
"""

import pathlib
import signal
import sys
import threading

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import GLib, Gst
except (ImportError, ValueError) as error:
    bindings = "GStreamer's Python bindings (Debian: python3-gi, gir1.2-gstreamer-1.0)"
    sys.exit(f"{sys.argv[0]}: {sys.executable} has no {bindings}: {error}")

PROBED = Gst.PadProbeType.BUFFER | Gst.PadProbeType.EVENT_DOWNSTREAM
# Muxers write the data after a key frame when the next one arrives, so a crash loses up to this much.
KEY_INTERVAL = Gst.SECOND


class Cuts:
    """Sends an event before the first frame of each segment on `pad`, and events for key frames in between."""

    def __init__(self, pad, length):
        self.pad, self.length = pad, length
        self.starts = []  # running times of the segments
        self.next_cut = self.next_key = None
        self.keys = 0
        self.first = None  # stream time of the first frame
        self.started = threading.Event()  # set with the first frame
        self.segment = None
        pad.add_probe(PROBED, self.on_frame)

    def on_frame(self, pad, info):
        if info.type & Gst.PadProbeType.EVENT_DOWNSTREAM:
            if info.get_event().type == Gst.EventType.SEGMENT:
                self.segment = info.get_event().parse_segment().copy()
            return Gst.PadProbeReturn.OK
        pts = info.get_buffer().pts
        time = self.segment.to_running_time(Gst.Format.TIME, pts)
        if time == Gst.CLOCK_TIME_NONE:
            # As of a network camera on a busy machine. A muxer would end the pipeline.
            return Gst.PadProbeReturn.DROP
        if not self.starts:
            self.first = self.segment.to_stream_time(Gst.Format.TIME, pts)
            self.starts.append(time)
            self.next_cut, self.next_key = time + self.length, time + KEY_INTERVAL
            self.started.set()
        cut = time >= self.next_cut
        if cut:
            while self.next_cut <= time:
                self.next_cut += self.length
            self.starts.append(time)
        if cut or time >= self.next_key:
            self.next_key = time + KEY_INTERVAL
            self.keys += 1
            event = f"GstForceKeyUnit, running-time=(guint64){time}, all-headers={cut}, count=(uint){self.keys}"
            pad.send_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_DOWNSTREAM, Gst.Structure.new_from_string(event)))
        return Gst.PadProbeReturn.OK


def is_cut(info):
    """Returns whether a probe sees the event between two segments. Events inside a segment have all-headers=false."""
    structure = info.type & Gst.PadProbeType.EVENT_DOWNSTREAM and info.get_event().get_structure()
    return bool(structure) and structure.get_name() == "GstForceKeyUnit" and structure.get_boolean("all-headers")[1]


def data(info):
    """Returns the bytes of the buffer that a probe sees; empty for an event."""
    buffer = info.get_buffer() if info.type & Gst.PadProbeType.BUFFER else None
    return buffer.extract_dup(0, buffer.get_size()) if buffer else b""


def next_number(folder, pattern):
    """Returns the number after the highest one of the files in the folder, so that no segment is overwritten."""
    return 1 + max((int(file.stem) for file in folder.glob(pattern) if file.stem.isdigit()), default=-1)


def launch(words):
    """Builds a pipeline from the words of a shell command."""
    Gst.init(None)
    return Gst.parse_launchv(words)


def run(pipeline, at_end=lambda: None):
    """Plays until the end of the stream, an interrupt or an error. Returns the error as text, or None."""
    loop, failures = GLib.MainLoop(), []

    def on_message(_bus, message):
        if message.type == Gst.MessageType.ERROR:
            error, details = message.parse_error()
            failures.append(f"{pathlib.Path(sys.argv[0]).stem}: {message.src.get_name()}: {error.message} ({details})")
        if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
            loop.quit()

    def on_exception(_kind, error, _trace):
        bus.post(Gst.Message.new_error(pipeline, GLib.Error(str(error)), type(error).__name__))

    bus = pipeline.get_bus()
    sys.excepthook = on_exception  # for exceptions in probes, such as a full disk
    bus.add_signal_watch()
    bus.connect("message", on_message)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: pipeline.send_event(Gst.Event.new_eos()))
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    if not failures:
        at_end()
    pipeline.set_state(Gst.State.NULL)
    return "\n".join(failures) or None
