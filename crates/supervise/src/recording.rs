// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records to pairs of files of equal length: `00000.mp4` and `00000.ndjson` and so on.
//!
//! An event precedes the first frame of a new pair. It makes the encoder produce a key frame, where the recording can be cut,
//! and it arrives between the records of the two frames. Videos are fragmented, so that a crash loses little of them, and
//! records are written at once.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gst::prelude::*;

use crate::options::Files;

/// Time between two key frames. The muxer writes what follows a key frame when the next one arrives, so a crash loses up to
/// this much.
const KEY_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;
/// Name of the event that asks for a key frame. Those between two pairs of files have `all-headers=true`.
const KEY_UNIT: &str = "GstForceKeyUnit";
const PROBED: gst::PadProbeType = gst::PadProbeType::BUFFER.union(gst::PadProbeType::EVENT_DOWNSTREAM);

/// Records what passes `faces`, a tee before both branches: the video to `recording`, a splitmuxsink, and the records that
/// leave `records`.
///
/// # Errors
/// If the folder cannot be written.
pub fn attach(files: &Files, faces: &gst::Element, recording: &gst::Element, records: &gst::Element) -> Result<(), String> {
    let shown = |error: io::Error| format!("{}: {error}", files.folder.display());
    fs::create_dir_all(&files.folder).map_err(shown)?;
    let number = next_number(&files.folder).map_err(shown)?;
    recording.set_property("location", files.folder.join("%05d.mp4"));
    recording.set_property("start-index", i32::try_from(number).unwrap_or(i32::MAX));
    let pad = |element: &gst::Element, name: &str| element.static_pad(name).ok_or_else(|| format!("no pad {name}"));

    let length = gst::ClockTime::try_from(files.length).unwrap_or(gst::ClockTime::MAX);
    let cuts = Mutex::new(Cuts { length, next_cut: None, next_key: None, count: 0 });
    let muxer = recording.clone();
    let first: Arc<OnceLock<gst::ClockTime>> = Arc::default();
    let begin = first.clone();
    pad(faces, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        // The stream begins at 0, so this is the running time.
        let time = info.buffer().and_then(|buffer| buffer.pts());
        if let Some(time) = time {
            begin.get_or_init(|| time);
        }
        let next = time.and_then(|time| cuts.lock().unwrap_or_else(PoisonError::into_inner).next(time));
        if let Some((event, cut)) = next {
            if let Some(time) = cut {
                muxer.emit_by_name::<()>("split-at-running-time", &[&time]);
            }
            pad.send_event(event);
        }
        gst::PadProbeReturn::Ok
    });

    let writer = Mutex::new(Records { folder: files.folder.clone(), number, file: None, start: None });
    pad(records, "src")?.add_probe(PROBED, move |pad, info| {
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match (&info.data, info.buffer()) {
            (_, Some(buffer)) => buffer.map_readable().map_err(io::Error::other).and_then(|text| {
                let start = writer.start.or_else(|| first.get().copied()).unwrap_or_default();
                writer.write(&with_time(&text, buffer.pts().unwrap_or(start).saturating_sub(start)))
            }),
            (Some(gst::PadProbeData::Event(event)), _) if is_cut(event) => {
                writer.start = event.structure().and_then(|fields| fields.get("running-time").ok());
                writer.next_file()
            }
            _ => Ok(()),
        };
        if let (Err(error), Some(element)) = (written, pad.parent_element()) {
            gst::element_error!(element, gst::ResourceError::Write, ("{}: {error}", writer.path().display()));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
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
    /// When the recording beside it began; none before the first cut.
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
        let mut cuts = Cuts { length: gst::ClockTime::from_seconds(3), next_cut: None, next_key: None, count: 0 };
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
        let folder = std::env::temp_dir().join(format!("emotion-camera-numbers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(next_number(&folder).unwrap(), 0);
        for name in ["00002.mp4", "00004.ndjson", "00009.txt", "cat.mp4"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(next_number(&folder).unwrap(), 5);
        fs::remove_dir_all(folder).unwrap();
    }
}
