#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the pipeline of segments.sh and says where its files end.

    segments.py FOLDER SECONDS PIPELINE...

A frame that begins a new pair of files is announced by an event for a key frame. It makes the encoder begin anew, where
the recording can be cut, and it reaches the exported text between the records of two frames.
"""

import os
import pathlib
import shlex
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402, after require_version


class Segments:
    """Cuts recording and records at the same frames."""

    def __init__(self, folder, length, pipeline):
        self.folder, self.length = folder, length
        self.cuts = 0
        self.next_cut = None
        self.segment = None
        self.files = 0  # of records
        self.records = self.open_records()
        self.recording = pipeline.get_by_name("recording")
        self.recording.set_property("location", str(folder / "%05d.mp4"))
        pads = Gst.PadProbeType
        pipeline.get_by_name("faces").get_static_pad("sink").add_probe(pads.BUFFER | pads.EVENT_DOWNSTREAM, self.on_frame)
        pipeline.get_by_name("records").get_static_pad("src").add_probe(pads.BUFFER | pads.EVENT_DOWNSTREAM, self.on_records)

    def on_frame(self, pad, info):
        """Announces a cut before a frame that is a segment's length after the last one."""
        if info.type & Gst.PadProbeType.EVENT_DOWNSTREAM:
            if info.get_event().type == Gst.EventType.SEGMENT:
                self.segment = info.get_event().parse_segment().copy()
            return Gst.PadProbeReturn.OK
        time = self.segment.to_running_time(Gst.Format.TIME, info.get_buffer().pts)
        if self.next_cut is None:
            self.next_cut = time + self.length
        if time == Gst.CLOCK_TIME_NONE or time < self.next_cut:
            return Gst.PadProbeReturn.OK
        self.recording.emit("split-at-running-time", time)
        self.next_cut += self.length
        self.cuts += 1
        event = Gst.Structure.new_from_string(f"GstForceKeyUnit, running-time=(guint64){time}, all-headers=true, count=(uint){self.cuts}")
        pad.send_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_DOWNSTREAM, event))
        return Gst.PadProbeReturn.OK

    def on_records(self, _pad, info):
        if info.type & Gst.PadProbeType.EVENT_DOWNSTREAM:
            structure = info.get_event().get_structure()
            if structure and structure.get_name() == "GstForceKeyUnit":
                os.close(self.records)
                self.records = self.open_records()
        else:
            buffer = info.get_buffer()
            # Without a buffer of Python's own in between: what is written survives this process.
            os.write(self.records, buffer.extract_dup(0, buffer.get_size()))
        return Gst.PadProbeReturn.OK

    def open_records(self):
        self.files += 1
        return os.open(self.folder / f"{self.files - 1:05}.ndjson", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


def main():
    folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    Gst.init(None)
    pipeline = Gst.parse_launch(" ".join(word if word == "!" else shlex.quote(word) for word in sys.argv[3:]))
    Segments(folder, int(seconds * Gst.SECOND), pipeline)
    loop, failures = GLib.MainLoop(), []

    def on_message(_bus, message):
        if message.type == Gst.MessageType.ERROR:
            error, details = message.parse_error()
            failures.append(f"segments: {message.src.get_name()}: {error.message} ({details})")
        if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
            loop.quit()

    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message", on_message)
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGINT, lambda: pipeline.send_event(Gst.Event.new_eos()))
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    sys.exit("\n".join(failures) or None)


if __name__ == "__main__":
    main()
