// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where recordings are cut.
//!
//! An event precedes the first frame of a new pair. It makes the encoder produce a key frame, where the recording can be cut,
//! and it arrives between the records of the two frames. Videos are fragmented, so that a crash loses little of them, and
//! records are written at once.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use parking_lot::Mutex;

use super::RecordingError;
use super::pairs::Pairs;

/// Time between two key frames. The muxer writes what follows a key frame when the next one arrives, so a crash loses up to
/// this much.
const KEY_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;
/// Name of the event that asks for a key frame. Those before a pair of files have `all-headers=true`.
const KEY_UNIT: &str = "GstForceKeyUnit";
/// Name of the event before the first frame, which is a key frame anyway. Encoders of GStreamer 1.22 that are asked for it refuse later ones.
const FIRST: &str = "EmotionFirstFrame";
const PROBED: gst::PadProbeType = gst::PadProbeType::BUFFER.union(gst::PadProbeType::EVENT_DOWNSTREAM);

/// The files of records that have begun, for the branch of the exporter.
type Begun = Arc<Mutex<VecDeque<File>>>;

/// Records what passes `faces`, a tee before both branches: the video to `muxer`, a `splitmuxsink`, and the records that leave `exporter`.
///
/// # Errors
/// If an element has another pad.
pub fn attach(
    pairs: &Arc<Pairs>,
    length: Duration,
    faces: &gst::Element,
    muxer: &gst::Element,
    exporter: &gst::Element,
) -> Result<(), RecordingError> {
    let videos = pairs.clone();
    muxer.connect("format-location", false, move |_| videos.next_video().map(|path| path.to_string_lossy().to_value()));
    let length = gst::ClockTime::try_from(length).unwrap_or(gst::ClockTime::MAX);
    let begun = Begun::default();
    cut_video(&pad(faces, "sink")?, muxer.clone(), Cuts::new(length), pairs.clone(), begun.clone());
    write_records(&pad(exporter, "src")?, Records { begun, file: None, start: gst::ClockTime::ZERO });
    Ok(())
}

fn pad(element: &gst::Element, pad: &'static str) -> Result<gst::Pad, RecordingError> {
    element.static_pad(pad).ok_or(RecordingError::Missing(pad))
}

/// Begins pairs, cuts the video and sends the events before the frames that reach `faces`.
fn cut_video(faces: &gst::Pad, muxer: gst::Element, cuts: Cuts, pairs: Arc<Pairs>, begun: Begun) {
    let cuts = Mutex::new(cuts);
    faces.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(time) = info.buffer().and_then(|buffer| buffer.pts()) else { return gst::PadProbeReturn::Ok };
        let Some(cut) = cuts.lock().next(time) else { return gst::PadProbeReturn::Ok };
        if cut.is_pair {
            match pairs.begin() {
                Ok(records) => begun.lock().push_back(records),
                Err(error) => gst::element_error!(muxer, gst::ResourceError::OpenWrite, ("{error}")),
            }
        }
        if let Some(time) = cut.video_time {
            muxer.emit_by_name::<()>("split-at-running-time", &[&time]);
        }
        pad.send_event(cut.event);
        gst::PadProbeReturn::Ok
    });
}

/// Writes the records that pass `pad`.
fn write_records(pad: &gst::Pad, records: Records) {
    let records = Mutex::new(records);
    pad.add_probe(PROBED, move |pad, info| {
        let mut records = records.lock();
        let written = match (&info.data, info.buffer()) {
            (_, Some(buffer)) => records.take(buffer),
            (Some(gst::PadProbeData::Event(event)), _) if is_cut(event) => {
                let start = event.structure().and_then(|fields| fields.get("running-time").ok());
                records.next_file(start.unwrap_or_default());
                Ok(())
            }
            _ => Ok(()),
        };
        if let (Err(error), Some(element)) = (written, pad.parent_element()) {
            gst::element_error!(element, gst::ResourceError::Write, ("the records: {error}"));
        }
        gst::PadProbeReturn::Ok
    });
}

fn is_cut(event: &gst::EventRef) -> bool {
    let is_ours = |fields: &gst::StructureRef| [KEY_UNIT, FIRST].contains(&fields.name().as_str());
    event.structure().is_some_and(|fields| is_ours(fields) && fields.get("all-headers") == Ok(true))
}

/// What precedes a frame.
struct Cut {
    event: gst::Event,
    /// True if the frame is the first one of a pair.
    is_pair: bool,
    /// Where the muxer, whose running time is 0 at the first frame, splits the video; `None` before the first pair, too.
    video_time: Option<gst::ClockTime>,
}

/// Decides where recordings are cut.
struct Cuts {
    length: gst::ClockTime,
    /// The times of the first frame, the next cut and the next key frame; `None` before the first frame.
    times: Option<[gst::ClockTime; 3]>,
    count: u32,
}

impl Cuts {
    fn new(length: gst::ClockTime) -> Self {
        Self { length, times: None, count: 0 }
    }

    /// What precedes the frame at `time`, which is its running time.
    fn next(&mut self, time: gst::ClockTime) -> Option<Cut> {
        let is_first = self.times.is_none();
        let [first, mut next_cut, next_key] = self.times.unwrap_or([time; 3]);
        let is_pair = time >= next_cut;
        if !is_pair && time < next_key {
            return None;
        }
        while next_cut <= time {
            next_cut += self.length;
        }
        self.times = Some([first, next_cut, time + KEY_INTERVAL]);
        let name = if is_first { FIRST } else { KEY_UNIT };
        let fields = gst::Structure::builder(name).field("running-time", time).field("all-headers", is_pair);
        let event = gst::event::CustomDownstream::new(fields.field("count", self.count).build());
        self.count += 1;
        Some(Cut { event, is_pair, video_time: (is_pair && !is_first).then_some(time.saturating_sub(first)) })
    }
}

/// The open file of records.
struct Records {
    begun: Begun,
    /// With its length.
    file: Option<(File, u64)>,
    /// When the recording beside it began.
    start: gst::ClockTime,
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
    /// Writes the lines of a buffer with their position in the recording, unbuffered.
    fn take(&mut self, buffer: &gst::BufferRef) -> io::Result<()> {
        let text = buffer.map_readable().map_err(io::Error::other)?;
        let text = with_time(&text, buffer.pts().unwrap_or(self.start).saturating_sub(self.start));
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        file.write_all(&text).inspect_err(|_| {
            // No line is left that is cut off.
            let _ = file.set_len(*length);
        })?;
        *length += text.len() as u64;
        Ok(())
    }

    /// Goes on with the file that has begun, for a recording that begins at `start`.
    fn next_file(&mut self, start: gst::ClockTime) {
        (self.file, self.start) = (self.begun.lock().pop_front().map(|file| (file, 0)), start);
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
            if let Some(cut) = cuts.next(gst::ClockTime::from_mseconds(ms)) {
                assert_eq!(is_cut(&cut.event), cut.is_pair);
                assert_eq!(cut.video_time.map(gst::ClockTime::mseconds), (cut.is_pair && ms > 500).then_some(ms - 500));
                seen.push((ms, cut.is_pair));
            }
        }
        assert!(seen.windows(2).all(|pair| (1000..1400).contains(&(pair[1].0 - pair[0].0)) || pair[1].1), "{seen:?}");
        let times: Vec<u64> = seen.iter().filter(|(_, cut)| *cut).map(|(ms, _)| *ms).collect();
        assert_eq!(times, [500, 3700, 6500, 9700]);
        assert_eq!(cuts.next(gst::ClockTime::from_seconds(60)).map(|cut| cut.is_pair), Some(true), "after an outage");
    }
}
