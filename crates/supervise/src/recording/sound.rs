// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sound beside the video: what waits for pictures of its time, and its track in a pipeline.
//!
//! Sound enters a pipeline with the first picture that is shown later, so the muxer never has more of it than of the video. The muxer
//! waits for sound, too: where there is none for a while, a gap takes its place.

use std::collections::VecDeque;

use gst::prelude::*;
use gst_app::AppSrc;

use super::Frame;
use super::camera::SOUND_DELAY;

/// Sound that waits for a picture, in pieces of about 20 ms.
const MAX_WAITING: usize = 10_000;
/// How much later than pictures sound may come.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// The sound of a source.
#[derive(Debug, Default)]
pub(super) struct Sounds {
    waiting: VecDeque<Frame>,
    /// The caps and the time of the last piece.
    last: Option<(gst::Caps, gst::ClockTime)>,
    /// When the first picture was to be recorded.
    first: Option<gst::ClockTime>,
    /// True if it could not be recorded.
    pub is_refused: bool,
}

impl Sounds {
    pub fn push(&mut self, sound: Frame) {
        self.last = Some((sound.caps.clone(), sound.time));
        self.waiting.push_back(sound);
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_front();
        }
    }

    /// The caps of the sound, if there is any with pictures at `time`.
    pub fn caps_at(&self, time: gst::ClockTime) -> Option<&gst::Caps> {
        self.last.as_ref().filter(|(_, last)| !self.is_refused && *last + PATIENCE > time).map(|(caps, _)| caps)
    }

    /// True if there may be sound soon, in the first second of pictures.
    pub fn may_come(&mut self, time: gst::ClockTime) -> bool {
        self.last.is_none() && time < *self.first.get_or_insert(time) + SOUND_DELAY
    }

    /// Takes out what is heard before `time`.
    fn until(&mut self, time: gst::ClockTime) -> impl Iterator<Item = Frame> {
        let count = self.waiting.iter().take_while(|sound| sound.time <= time).count();
        self.waiting.drain(..count)
    }
}

/// The sound of a pipeline.
#[derive(Debug)]
pub(super) struct Track {
    pub entry: AppSrc,
    pub caps: gst::Caps,
    /// The time in the pipeline up to which there is sound, or a gap.
    pub heard: gst::ClockTime,
}

impl Track {
    /// Takes the sound up to `time`, at which a picture is shown. The time `start` is at `margin` in the pipeline.
    pub fn take(&mut self, sounds: &mut Sounds, time: gst::ClockTime, start: gst::ClockTime, margin: gst::ClockTime) {
        let place = |time: gst::ClockTime| time.checked_sub(start).map(|time| time + margin);
        for sound in sounds.until(time).filter(|sound| sound.caps == self.caps) {
            // Not what was before the first picture, or comes too late.
            let Some(time) = place(sound.time).filter(|time| *time > self.heard) else { continue };
            let mut buffer = sound.buffer;
            let piece = buffer.make_mut();
            piece.set_pts(time);
            piece.set_dts(None);
            self.heard = time;
            // Fails when the pipeline has failed, which its thread reports.
            let _ = self.entry.push_buffer(buffer);
        }
        let silent = place(time).unwrap_or_default().saturating_sub(PATIENCE);
        if silent > self.heard {
            self.entry.send_event(gst::event::Gap::builder(self.heard).duration(silent - self.heard).build());
            self.heard = silent;
        }
    }
}
