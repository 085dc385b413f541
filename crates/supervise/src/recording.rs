// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records to pairs of files of equal length: `00000.mp4` and `00000.ndjson` and so on.
//!
//! An event precedes the first frame of a new pair. It makes the encoder produce a key frame, where the recording can be cut,
//! and it arrives between the records of the two frames. Videos are fragmented, so that a crash loses little of them, and
//! records are written at once.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gst::prelude::*;
use parking_lot::Mutex;
use thiserror::Error;

/// The element that writes the videos, for [`attach`]. What it has written of a video can be played after a crash.
pub const MUXER: &str = "splitmuxsink muxer::fragment-mode=first-moov-then-finalise muxer::fragment-duration=1000 \
                         sink::buffer-mode=unbuffered";
/// Time between two key frames. The muxer writes what follows a key frame when the next one arrives, so a crash loses up to
/// this much.
const KEY_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;
/// Name of the event that asks for a key frame. Those between two pairs of files have `all-headers=true`.
const KEY_UNIT: &str = "GstForceKeyUnit";
const PROBED: gst::PadProbeType = gst::PadProbeType::BUFFER.union(gst::PadProbeType::EVENT_DOWNSTREAM);

/// Where recordings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// The folder, which is created if it does not exist.
    pub folder: PathBuf,
    /// Length of each recording.
    pub length: Duration,
}

/// Why nothing is recorded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The folder cannot be created or read.
    #[error("{}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An element has no pad of this name.
    #[error("{element} has no pad {pad}")]
    NoPad {
        /// Name of the element.
        element: String,
        /// Name of the pad.
        pad: &'static str,
    },
}

/// Records what passes `faces`, a tee before both branches: the video to `muxer`, a [`MUXER`], and the records that leave
/// `exporter`, an `emotionexport`. The stream has to begin at a running time of 0.
///
/// # Errors
/// If the folder cannot be written.
pub fn attach(recordings: &Recordings, faces: &gst::Element, muxer: &gst::Element, exporter: &gst::Element) -> Result<(), RecordingError> {
    let folder = &recordings.folder;
    let number = fs::create_dir_all(folder).and_then(|()| next_number(folder));
    let number = number.map_err(|source| RecordingError::Folder { folder: folder.clone(), source })?;
    muxer.set_property("location", folder.join("%05d.mp4"));
    muxer.set_property("start-index", i32::try_from(number).unwrap_or(i32::MAX));
    let length = gst::ClockTime::try_from(recordings.length).unwrap_or(gst::ClockTime::MAX);
    let first = cut_video(&pad(faces, "sink")?, muxer.clone(), Cuts::new(length));
    write_records(&pad(exporter, "src")?, Records { folder: folder.clone(), number, file: None, start: None }, first);
    Ok(())
}

fn pad(element: &gst::Element, pad: &'static str) -> Result<gst::Pad, RecordingError> {
    element.static_pad(pad).ok_or_else(|| RecordingError::NoPad { element: element.name().into(), pad })
}

/// Cuts the video and sends the events before the frames that reach `faces`. Returns the place for the time of the first one.
fn cut_video(faces: &gst::Pad, muxer: gst::Element, cuts: Cuts) -> Arc<OnceLock<gst::ClockTime>> {
    let cuts = Mutex::new(cuts);
    let first: Arc<OnceLock<gst::ClockTime>> = Arc::default();
    let begin = first.clone();
    faces.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        // The stream begins at 0, so this is the running time.
        let Some(time) = info.buffer().and_then(|buffer| buffer.pts()) else { return gst::PadProbeReturn::Ok };
        begin.get_or_init(|| time);
        let next = cuts.lock().next(time);
        if let Some((event, cut)) = next {
            if let Some(time) = cut {
                muxer.emit_by_name::<()>("split-at-running-time", &[&time]);
            }
            pad.send_event(event);
        }
        gst::PadProbeReturn::Ok
    });
    first
}

/// Writes the records that pass `pad`. `first` is the time of the first frame.
fn write_records(pad: &gst::Pad, records: Records, first: Arc<OnceLock<gst::ClockTime>>) {
    let records = Mutex::new(records);
    pad.add_probe(PROBED, move |pad, info| {
        let mut records = records.lock();
        let written = match (&info.data, info.buffer()) {
            (_, Some(buffer)) => records.take(buffer, first.get().copied()),
            (Some(gst::PadProbeData::Event(event)), _) if is_cut(event) => {
                records.start = event.structure().and_then(|fields| fields.get("running-time").ok());
                records.next_file()
            }
            _ => Ok(()),
        };
        if let (Err(error), Some(element)) = (written, pad.parent_element()) {
            gst::element_error!(element, gst::ResourceError::Write, ("{}: {error}", records.path().display()));
        }
        gst::PadProbeReturn::Ok
    });
}

/// The number after the highest one of the files in the folder, so that no recording is overwritten.
fn next_number(folder: &Path) -> io::Result<u32> {
    let mut next = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == "mp4" || extension == "ndjson");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        next = next.max(number.filter(|_| is_ours).map_or(0, |number| number.saturating_add(1)));
    }
    Ok(next)
}

fn is_cut(event: &gst::EventRef) -> bool {
    event.structure().is_some_and(|fields| fields.name() == KEY_UNIT && fields.get("all-headers") == Ok(true))
}

/// Decides where recordings are cut.
struct Cuts {
    length: gst::ClockTime,
    next_cut: Option<gst::ClockTime>,
    next_key: Option<gst::ClockTime>,
    count: u32,
}

impl Cuts {
    fn new(length: gst::ClockTime) -> Self {
        Self { length, next_cut: None, next_key: None, count: 0 }
    }

    /// The event before the frame at `time`, if there is one, and the time of the cut, if there is one there.
    fn next(&mut self, time: gst::ClockTime) -> Option<(gst::Event, Option<gst::ClockTime>)> {
        let (Some(mut next_cut), Some(next_key)) = (self.next_cut, self.next_key) else {
            (self.next_cut, self.next_key) = (Some(time + self.length), Some(time + KEY_INTERVAL));
            return None;
        };
        let is_cut = time >= next_cut;
        while next_cut <= time {
            next_cut += self.length;
        }
        self.next_cut = Some(next_cut);
        if !is_cut && time < next_key {
            return None;
        }
        self.next_key = Some(time + KEY_INTERVAL);
        self.count += 1;
        let fields = gst::Structure::builder(KEY_UNIT).field("running-time", time).field("all-headers", is_cut).field("count", self.count);
        Some((gst::event::CustomDownstream::new(fields.build()), is_cut.then_some(time)))
    }
}

/// The open file of records.
struct Records {
    folder: PathBuf,
    number: u32,
    file: Option<File>,
    /// When the recording beside it began, `None` before the first cut.
    start: Option<gst::ClockTime>,
}

/// The lines with their position in the recording beside them, in nanoseconds. Their own times are those of the whole stream.
fn with_time(lines: &[u8], time: gst::ClockTime) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.len() + 32);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"}\n") {
            Some(fields) => text.extend([fields, format!(",\"recording_time\":{}}}\n", time.nseconds()).as_bytes()].concat()),
            None => text.extend(line),
        }
    }
    text
}

impl Records {
    fn path(&self) -> PathBuf {
        self.folder.join(format!("{:05}.ndjson", self.number))
    }

    /// Writes the lines of a buffer with their position in the recording. `first` is the time of the first frame.
    fn take(&mut self, buffer: &gst::BufferRef, first: Option<gst::ClockTime>) -> io::Result<()> {
        let text = buffer.map_readable().map_err(io::Error::other)?;
        let start = self.start.or(first).unwrap_or_default();
        self.write(&with_time(&text, buffer.pts().unwrap_or(start).saturating_sub(start)))
    }

    /// Writes lines, unbuffered.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(File::create(self.path())?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(text))
    }

    fn next_file(&mut self) -> io::Result<()> {
        // A recording without faces has an empty file.
        self.write(b"")?;
        (self.file, self.number) = (None, self.number + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_key_frames_are_due_at_the_first_frame_after_their_time() {
        gst::init().unwrap();
        let mut cuts = Cuts::new(gst::ClockTime::from_seconds(3));
        let mut seen = Vec::new();
        for ms in (500..12_000).step_by(400) {
            if let Some((event, cut)) = cuts.next(gst::ClockTime::from_mseconds(ms)) {
                assert_eq!(is_cut(&event), cut.is_some());
                seen.push((ms, cut.is_some()));
            }
        }
        assert!(seen.windows(2).all(|pair| (1000..1400).contains(&(pair[1].0 - pair[0].0)) || pair[1].1), "{seen:?}");
        let times: Vec<u64> = seen.iter().filter(|(_, cut)| *cut).map(|(ms, _)| *ms).collect();
        assert_eq!(times, [3700, 6500, 9700]);
        assert_eq!(cuts.next(gst::ClockTime::from_seconds(60)).map(|(_, cut)| cut.is_some()), Some(true), "after an outage");
    }

    #[test]
    fn numbers_continue_after_the_files_of_earlier_runs() {
        let folder = std::env::temp_dir().join(format!("emotion-supervise-numbers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(next_number(&folder).unwrap(), 0);
        for name in ["00002.mp4", "00004.ndjson", "00009.txt", "cat.mp4"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(next_number(&folder).unwrap(), 5);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn each_pair_has_the_same_frames_and_times_from_its_own_start() {
        gst::init().unwrap();
        let folder = std::env::temp_dir().join(format!("emotion-supervise-pairs-{}", std::process::id()));
        // In place of the exporter, a line of text for each frame.
        let encoder = crate::encoding::encoder().expect("setup installs an encoder").recording;
        let line = format!(
            "videotestsrc num-buffers=40 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1 ! tee name=faces \
             faces. ! queue ! {encoder} ! {MUXER} name=muxer faces. ! queue ! identity name=exporter ! fakesink"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let element = |name: &str| pipeline.by_name(name).unwrap();
        element("exporter").static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, info| {
            let frame = info.buffer_mut().unwrap();
            let mut text = gst::Buffer::from_slice(b"{\"type\":\"face\"}\n");
            text.get_mut().unwrap().set_pts(frame.pts());
            *frame = text;
            gst::PadProbeReturn::Ok
        });
        let recordings = Recordings { folder: folder.clone(), length: Duration::from_millis(1500) };
        attach(&recordings, &element("faces"), &element("muxer"), &element("exporter")).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        let lines = |number: u32| fs::read_to_string(folder.join(format!("{number:05}.ndjson"))).unwrap();
        let text = [lines(0), lines(1), lines(2)];
        assert_eq!(text.each_ref().map(|text| text.lines().count()), [15, 15, 10]);
        for (number, text) in text.iter().enumerate() {
            let expected =
                (0..text.lines().count()).map(|frame| format!("{{\"type\":\"face\",\"recording_time\":{}}}", frame * 100_000_000));
            assert!(text.lines().eq(expected), "{text}");
            assert!(folder.join(format!("{number:05}.mp4")).metadata().unwrap().len() > 1000);
        }
        assert!(!folder.join("00003.mp4").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
