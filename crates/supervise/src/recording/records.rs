// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes records to the files beside the videos, on a thread of its own, so that a slow disk holds nothing up.
//!
//! The time of a record says to which pair it belongs. The frame may be recorded before it is analysed, or later: a record waits for a
//! frame of its time. Then it is written at once.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use gst::glib;

/// Records wait for frames until one comes that is so much later.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// The time of a record may be so much earlier than that of its frame in the recording: it is known only when the frame is decoded.
const EARLY: gst::ClockTime = gst::ClockTime::from_mseconds(2);

/// A file that has begun, and the element that reports its errors.
#[derive(Debug)]
pub struct Begun {
    /// The file. It is being written until this is dropped.
    pub file: Arc<File>,
    /// The element.
    pub muxer: glib::WeakRef<gst::Element>,
}

/// What the thread is told.
#[derive(Debug)]
pub enum Note {
    /// Records from this time on belong to the file that the receiver gets, or to none.
    From(gst::ClockTime, Option<Receiver<Begun>>),
    /// Frames up to this time have been recorded, or left out.
    Frame(gst::ClockTime),
    /// The records of the frame at this time, or `None`.
    Lines(gst::ClockTime, Option<Vec<u8>>),
    /// There are no more records.
    End,
}

/// Starts the thread, which ends with the last sender.
///
/// # Errors
/// If the system has no thread left.
pub fn start() -> io::Result<Sender<Note>> {
    let (send, notes) = channel();
    std::thread::Builder::new().name("records".into()).spawn(move || {
        let mut records = Records::default();
        notes.iter().for_each(|note| records.take(note));
    })?;
    Ok(send)
}

#[derive(Default)]
struct Records {
    /// The files of later records, with the times from which on they are used.
    next: VecDeque<(gst::ClockTime, Option<Receiver<Begun>>)>,
    open: Option<Open>,
    /// The latest time of a frame.
    frame: Option<gst::ClockTime>,
    /// Records that wait for frames.
    waiting: VecDeque<(gst::ClockTime, Option<Vec<u8>>)>,
}

/// A file that records are written to.
struct Open {
    begun: Begun,
    length: u64,
    /// When the video beside it began.
    start: gst::ClockTime,
}

impl Records {
    fn take(&mut self, note: Note) {
        match note {
            Note::From(time, file) => self.next.push_back((time, file)),
            Note::Frame(time) => self.frame = self.frame.max(Some(time)),
            Note::Lines(time, text) => {
                self.frame = self.frame.max(time.checked_sub(PATIENCE));
                self.waiting.push_back((time, text));
            }
            Note::End => self.frame = Some(gst::ClockTime::MAX),
        }
        while self.waiting.front().is_some_and(|(time, _)| Some(*time) <= self.frame) {
            let Some((time, text)) = self.waiting.pop_front() else { return };
            self.advance(time);
            self.write(time, text.as_deref().unwrap_or_default());
        }
        if self.frame == Some(gst::ClockTime::MAX) {
            *self = Self::default();
        }
    }

    fn write(&mut self, time: gst::ClockTime, text: &[u8]) {
        let Some(open) = &mut self.open else { return };
        if let (Err(error), Some(muxer)) = (open.write(text, time), open.begun.muxer.upgrade()) {
            gst::element_error!(muxer, gst::ResourceError::Write, ("the records: {error}"));
        }
    }

    /// Opens the file of the records at `time`.
    fn advance(&mut self, time: gst::ClockTime) {
        let belongs = |(start, file): &(gst::ClockTime, Option<_>)| *start <= if file.is_some() { time + EARLY } else { time };
        while self.next.front().is_some_and(belongs) {
            let Some((start, file)) = self.next.pop_front() else { return };
            self.open = None;
            // Nothing is received if the pipeline has failed.
            let begun = file.and_then(|file| file.recv().ok());
            self.open = begun.map(|begun| Open { begun, length: 0, start });
        }
    }
}

impl Open {
    /// Writes lines with their position in the recording, unbuffered.
    fn write(&mut self, lines: &[u8], time: gst::ClockTime) -> io::Result<()> {
        let text = with_time(lines, time.saturating_sub(self.start));
        (&*self.begun.file).write_all(&text).inspect_err(|_| self.cut_off())?;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Removes the part of a line that found no room. The next line comes in its place.
    fn cut_off(&self) {
        let mut file = &*self.begun.file;
        let _ = file.set_len(self.length).and_then(|()| file.seek(SeekFrom::Start(self.length)));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_in_the_place_of_one_that_found_no_room() {
        let path = std::env::temp_dir().join(format!("emotion-records-{}-cut", std::process::id()));
        let begun = Begun { file: Arc::new(File::create(&path).unwrap()), muxer: glib::WeakRef::new() };
        let mut open = Open { begun, length: 0, start: gst::ClockTime::ZERO };
        let second = gst::ClockTime::SECOND;
        open.write(b"{\"face\":1}\n", second).unwrap();
        (&*open.begun.file).write_all(b"{\"face\":2,").unwrap();
        open.cut_off();
        open.write(b"{\"face\":3}\n", second * 3).unwrap();
        let lines = "{\"face\":1,\"recording_time\":1000000000}\n{\"face\":3,\"recording_time\":3000000000}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_record_a_little_before_the_frame_that_begins_a_pair_is_its_first_and_the_last_one_is_kept() {
        gst::init().unwrap();
        let ms = gst::ClockTime::from_mseconds;
        let folder = std::env::temp_dir();
        let paths = [0, 1].map(|number| folder.join(format!("emotion-records-{}-{number}", std::process::id())));
        let mut records = Records::default();
        for (path, start) in paths.iter().zip([0, 200]) {
            let (send, receive) = channel();
            send.send(Begun { file: Arc::new(File::create(path).unwrap()), muxer: glib::WeakRef::new() }).unwrap();
            records.take(Note::From(ms(start), Some(receive)));
        }
        records.take(Note::From(ms(300) + gst::ClockTime::NSECOND, None));
        for time in [ms(0), ms(100), ms(200) - gst::ClockTime::from_useconds(97), ms(300), ms(400)] {
            records.take(Note::Lines(time, Some(b"{\"type\":\"face\"}\n".to_vec())));
        }
        records.take(Note::End);
        let times = paths.map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::remove_file(path).unwrap();
            text.lines().map(|line| line.rsplit([':', '}']).nth(1).unwrap().parse::<u64>().unwrap() / 1000).collect::<Vec<_>>()
        });
        assert_eq!(times, [vec![0, 100_000], vec![0, 100_000]]);
    }
}
