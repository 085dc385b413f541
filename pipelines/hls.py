#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the pipeline of hls.sh and writes segments and playlists for HTTP Live Streaming (RFC 8216).

    hls.py FOLDER SECONDS KEPT PIPELINE...

Video and captions are cut at the same frames, see cuts.py. Playlists are replaced atomically. A segment is listed
when both of its files are complete. If a run is killed, the next run lists the segment that was open.
"""

import math
import os
import pathlib
import sys
import threading
from dataclasses import dataclass

from cuts import PROBED, Cuts, Gst, data, is_cut, launch, next_number, run

START_TIMEOUT_S = 30  # for the first frame
MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="faces",NAME="Apparent expressions",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,\
URI="captions.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS="{codecs}",RESOLUTION={size},SUBTITLES="faces"
video.m3u8
"""


def number(data):
    return int.from_bytes(data, "big")


def boxes(data):
    """Yields the complete boxes of an MP4 file (ISO/IEC 14496-12) as (type, bytes)."""
    while len(data) >= 8 and 8 <= number(data[:4]) <= len(data):
        size = number(data[:4])
        yield data[4:8], data[:size]
        data = data[size:]


def inner(box, *path):
    """Returns the box inside `box` that a path of box types leads to."""
    for kind in path:
        box = next(found for name, found in boxes(box[8:]) if name == kind)
    return box


def timescales(moov):
    """Returns the units per second of each track's times, by the id of the track. The first track is the video."""
    scales = {}
    for trak in (box for kind, box in boxes(moov[8:]) if kind == b"trak"):
        track, media = inner(trak, b"tkhd"), inner(trak, b"mdia", b"mdhd")
        scales[number(track[28:32] if track[8] else track[20:24])] = number(media[28:32] if media[8] else media[20:24])
    return scales


def codecs(moov):
    """Returns the codecs of the H.264 track and, if there is one, of the AAC track in the syntax of RFC 6381."""
    at = moov.index(b"avcC")
    return "avc1." + moov[at + 5 : at + 8].hex() + (",mp4a.40.2" if b"mp4a" in moov else "")


def track_of(moof):
    """Returns the id of the track of a fragment."""
    return number(inner(moof, b"traf", b"tfhd")[12:16])


def times(moof):
    """Returns the decode time and the duration of a fragment."""
    traf = inner(moof[: number(moof[:4])], b"traf")
    start, header, run = (inner(traf, kind) for kind in (b"tfdt", b"tfhd", b"trun"))
    flags, samples = number(run[9:12]), number(run[12:16])
    at = 16 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    size = 4 * (flags & 0xF00).bit_count()
    if flags & 0x100:
        duration = sum(number(run[at + size * index :][:4]) for index in range(samples))
    else:  # one duration for all samples, after the optional fields
        duration = samples * number(header[16 + 8 * bool(header[11] & 0x1) + 4 * bool(header[11] & 0x2) :][:4])
    return number(start[12:20] if start[8] else start[12:16]), duration


def delayed(moof, units):
    """Returns a fragment that is decoded later by a number of units."""
    at = moof.index(b"tfdt") + 8
    end = at + (8 if moof[at - 4] else 4)
    return moof[:at] + (number(moof[at:end]) + units).to_bytes(end - at, "big") + moof[end:]


@dataclass
class Entry:
    """A segment in the playlists: the files `name`.m4s and `name`.vtt."""

    name: str
    seconds: float
    init: str  # the initialisation file of its run


class Playlists:
    """The playlists of a folder, including those of earlier runs."""

    def __init__(self, folder, seconds, kept):
        self.folder, self.kept = folder, kept
        self.target = math.ceil(seconds)
        self.entries, self.sequence, self.runs = [], 0, 0
        self.bandwidth = 0
        if (folder / "video.m3u8").exists():
            self.read((folder / "video.m3u8").read_text())
            self.adopt()

    def read(self, text):
        init = seconds = None
        for line in text.splitlines():
            tag, _, value = line.partition(":")
            if tag == "#EXT-X-MEDIA-SEQUENCE":
                self.sequence = int(value)
            elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
                self.runs = int(value)
            elif tag == "#EXT-X-TARGETDURATION":
                self.target = max(self.target, int(value))
            elif tag == "#EXT-X-MAP":
                init = value.split('"')[1]
            elif tag == "#EXTINF":
                seconds = float(value.rstrip(","))
            elif line.endswith(".m4s"):
                self.entries.append(Entry(line.removesuffix(".m4s"), seconds, init))

    def adopt(self):
        """Adds the segment that was open when a run was killed, up to its last complete fragment."""
        last = self.entries[-1] if self.entries else None
        name = f"{int(last.name) + 1:05}" if last else ""
        video, captions = (self.folder / f"{name}.{kind}" for kind in ("m4s", "vtt"))
        if not video.exists():
            return
        scales = timescales(dict(boxes((self.folder / last.init).read_bytes()))[b"moov"])
        track, scale = next(iter(scales.items()))
        found = list(boxes(video.read_bytes()))
        found = found[: len(found) // 2 * 2]  # pairs of moof and mdat
        os.truncate(video, sum(len(box) for _, box in found))
        seconds = sum(times(box)[1] for kind, box in found if kind == b"moof" and track_of(box) == track) / scale
        if seconds:
            if not captions.exists():
                captions.write_text("WEBVTT\n\n")
            self.add(Entry(name, seconds, last.init))
        else:
            video.unlink()

    def add(self, entry):
        self.entries.append(entry)
        self.target = max(self.target, round(entry.seconds))
        size = (self.folder / f"{entry.name}.m4s").stat().st_size
        self.bandwidth = max(self.bandwidth, math.ceil(8 * size / entry.seconds))
        while self.kept and len(self.entries) > self.kept:
            old = self.entries.pop(0)
            self.sequence += 1
            unused = [f"{old.name}.m4s", f"{old.name}.vtt"]
            if old.init != self.entries[0].init:
                self.runs += 1
                unused.append(old.init)
            for name in unused:
                (self.folder / name).unlink(missing_ok=True)

    def write(self, codecs, size, ended):
        self.replace("captions.m3u8", self.media("vtt", ended))
        self.replace("video.m3u8", self.media("m4s", ended))
        self.replace("stream.m3u8", MASTER.format(bandwidth=self.bandwidth, codecs=codecs, size=size))

    def media(self, kind, ended):
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{self.target}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{self.sequence}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.runs}"]
        lines += [] if self.kept else ["#EXT-X-PLAYLIST-TYPE:EVENT"]
        init = None
        for entry in self.entries:
            if entry.init != init:
                lines += ["#EXT-X-DISCONTINUITY"] if init else []
                lines += [f'#EXT-X-MAP:URI="{entry.init}"'] if kind == "m4s" else []
                init = entry.init
            lines += [f"#EXTINF:{entry.seconds:.5f},", f"{entry.name}.{kind}"]
        return "\n".join(lines + ["#EXT-X-ENDLIST"] * ended) + "\n"

    def replace(self, name, text):
        new = self.folder / f"{name}.new"
        new.write_text(text)
        os.replace(new, self.folder / name)


class Stream:
    """Writes the output of the muxer and of the exporter into segments."""

    def __init__(self, folder, seconds, kept, pipeline):
        self.folder, self.playlists = folder, Playlists(folder, seconds, kept)
        self.first = next_number(folder, "*.m4s")
        self.init = f"init-{self.first:05}.mp4"
        self.lock = threading.Lock()  # the muxer and the exporter run in different threads
        self.files = {}  # open files by kind
        self.closed = {"m4s": 0, "vtt": 0}  # closed segments of this run, by kind
        self.bytes, self.moov, self.moof = b"", None, b""
        self.sound = []  # fragments of sound that are not yet written: (start in seconds, bytes)
        self.sound_start = None  # running time
        self.seconds = [0]  # duration of each segment of this run
        self.cues = []  # of the open segment: (end in running time, text)
        self.cuts = Cuts(pipeline.get_by_name("faces").get_static_pad("sink"), int(seconds * Gst.SECOND))
        self.video, captions = pipeline.get_by_name("video"), pipeline.get_by_name("captions")
        self.video.get_static_pad("src").add_probe(PROBED, self.on_video)
        captions.get_static_pad("src").add_probe(PROBED, self.on_captions)
        if sound := pipeline.get_by_name("sound"):
            sound.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.on_sound)

    def on_video(self, _pad, info):
        self.bytes += data(info)
        found = list(boxes(self.bytes))
        self.bytes = self.bytes[sum(len(box) for _, box in found) :]
        with self.lock:
            for kind, box in found:
                if kind == b"ftyp":
                    (self.folder / self.init).write_bytes(box)
                elif kind == b"moov":
                    self.moov = box
                    with open(self.folder / self.init, "ab") as file:
                        file.write(box)
                elif kind == b"moof":
                    self.moof = box
                elif kind == b"mdat":
                    self.on_fragment(self.moof + box)
        return Gst.PadProbeReturn.OK

    def on_fragment(self, fragment):
        """Writes a fragment of video after the earlier ones of sound. Closes the open segment if it starts the next."""
        scale = timescales(self.moov)
        track = track_of(self.moof)
        if track != next(iter(scale)):
            # The muxer starts each track at 0.
            late = (self.sound_start - self.cuts.starts[0]) * scale[track] // Gst.SECOND
            fragment = delayed(fragment, late)
            self.sound.append((times(fragment)[0] / scale[track], fragment))
            return
        time, duration = (time / scale[track] for time in times(self.moof))  # in seconds since the first frame
        self.write_sound(time)
        starts, next_ = self.cuts.starts, self.closed["m4s"] + 1
        # Each segment starts with a fragment of video; times may differ by a rounding error.
        if next_ < len(starts) and time >= (starts[next_] - starts[0]) / Gst.SECOND - 0.001:
            self.close("m4s")
            self.seconds.append(0)
        self.seconds[-1] += duration
        self.write("m4s", fragment)

    def write_sound(self, end=math.inf):
        """Writes the fragments of sound that start before `end`."""
        while self.sound and self.sound[0][0] < end:
            self.write("m4s", self.sound.pop(0)[1])

    def on_sound(self, pad, info):
        """Drops the sound before the first frame, because the times of the files start at that frame."""
        self.cuts.started.wait(START_TIMEOUT_S)
        segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
        time = segment.to_running_time(Gst.Format.TIME, info.get_buffer().pts)
        if time == Gst.CLOCK_TIME_NONE or not self.cuts.starts or time < self.cuts.starts[0]:
            return Gst.PadProbeReturn.DROP
        if self.sound_start is None:
            self.sound_start = time
        return Gst.PadProbeReturn.OK

    def on_captions(self, pad, info):
        with self.lock:
            if is_cut(info):
                self.close("vtt")
                start = self.cuts.starts[self.closed["vtt"]]
                # Cues that are still visible are repeated, for players that start with this segment.
                self.cues = [cue for cue in self.cues if cue[0] > start]
                self.write("vtt", b"".join(text for _, text in self.cues))
            elif (text := data(info)) and not info.get_buffer().has_flags(Gst.BufferFlags.HEADER):
                buffer = info.get_buffer()
                segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
                self.cues.append((segment.to_running_time(Gst.Format.TIME, buffer.pts) + buffer.duration, text))
                self.write("vtt", text)
        return Gst.PadProbeReturn.OK

    def write(self, kind, bytes_):
        if kind not in self.files:
            name = self.folder / f"{self.first + self.closed[kind]:05}.{kind}"
            self.files[kind] = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            if kind == "vtt":
                # Times of cues are stream times; times of the video start at 0.
                seconds, ms = divmod(self.cuts.first // Gst.MSECOND, 1000)
                local = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
                bytes_ = f"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:{local},MPEGTS:0\n\n".encode() + bytes_
        # Unbuffered, so that data survives a crash of this process.
        os.write(self.files[kind], bytes_)

    def close(self, kind, ended=False):
        """Closes a file. Lists the segment if its other file is already closed."""
        self.write(kind, b"")
        os.close(self.files.pop(kind))
        self.closed[kind] += 1
        index = self.closed[kind] - 1
        if min(self.closed.values()) > index:
            self.playlists.add(Entry(f"{self.first + index:05}", self.seconds[index], self.init))
            caps = self.cuts.pad.get_current_caps().get_structure(0)
            self.playlists.write(codecs(self.moov), f"{caps.get_value('width')}x{caps.get_value('height')}", ended)

    def end(self):
        """Lists the last segment and marks the end of the playlists."""
        if self.moov:
            self.write_sound()
            for kind in self.closed:
                self.close(kind, ended=True)


def main():
    folder, seconds, kept = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    pipeline = launch(sys.argv[4:])
    stream = Stream(folder, seconds, kept, pipeline)
    sys.exit(run(pipeline, stream.end))


if __name__ == "__main__":
    main()
