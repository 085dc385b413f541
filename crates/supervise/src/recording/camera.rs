// SPDX-License-Identifier: MIT OR Apache-2.0
//! The camera's own video on its way to the decoder, to record and send it without encoding.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use gst::glib;
use parking_lot::Mutex;

use super::form::parser;
use super::{Frame, Recorder};
use crate::decoding::{self, Encoded};
use crate::hiding::Hiding;

/// Pictures that wait until they are decoded. Decoders hold fewer back.
const MAX_WAITING: usize = 1000;
/// Pictures after one in which the next one to be shown is found, if the order of decoding is another one than that of showing. H.264 and
/// H.265 let a decoder hold back at most as many.
const LOOK_AHEAD: usize = 16;
/// Time in which the first sound is expected after the first picture.
pub(super) const SOUND_DELAY: gst::ClockTime = gst::ClockTime::SECOND;
/// A picture that is so much later than the one before has times that began again.
const JUMP: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// What takes the encoded video of a source.
pub trait Taker: fmt::Debug + Send + Sync {
    /// Notes what video the source has, before its first frame; `None` if it has none that can be taken.
    fn begin(&self, caps: Option<&gst::Caps>);

    /// Takes a frame. Those that are decoded before they are shown have the time of decoding.
    fn take(&self, frame: Frame);

    /// Takes a piece of sound.
    fn hear(&self, _sound: Frame) {}
}

impl Taker for Recorder {
    fn begin(&self, caps: Option<&gst::Caps>) {
        self.set_encoded(caps.is_some());
    }

    fn take(&self, frame: Frame) {
        self.push(frame);
    }

    fn hear(&self, sound: Frame) {
        self.push_sound(sound);
    }
}

/// Passes on the encoded video of one run of a source. Its pictures get the times of the frames that are decoded from them.
#[derive(Debug)]
pub struct Tap {
    takers: Vec<Arc<dyn Taker>>,
    /// True if recordings are to have sound.
    has_sound: bool,
    /// Until when faces are hidden: the camera's own pictures show them.
    faces: Arc<Hiding>,
    state: Mutex<State>,
}

/// When a picture is shown: the running time of its source, and the time in records.
type Times = (gst::ClockTime, gst::ClockTime);

#[derive(Debug, Default)]
struct State {
    /// Id of the video that is analysed; `None` until it is decoded.
    stream: Option<glib::GString>,
    /// From the running time of the source to the time in records, in nanoseconds.
    offset: Option<i64>,
    /// The last time of the source of which that is known.
    decoded: gst::ClockTime,
    /// Pictures that are not recorded yet, and what is known of the times of their frames in records.
    waiting: VecDeque<(Encoded, Option<gst::ClockTime>)>,
    /// The latest time of a picture.
    latest: gst::ClockTime,
    /// The times of the last recorded pictures, the newest first.
    recorded: VecDeque<Times>,
    /// How many pictures are decoded at most before one that is shown before them.
    reordered: usize,
    /// The time of the last recorded picture in records.
    last: gst::ClockTime,
    /// When it is decoded.
    last_decoding: gst::ClockTime,
    /// Sound that waits for the next decoded picture.
    sounds: VecDeque<Encoded>,
    /// True if sound was passed on.
    has_heard: bool,
}

impl Tap {
    /// Passes on to `takers` what [`Self::take_at`] gets, except pictures of times at which `faces` are hidden; if it `has_sound`, a second
    /// later at the beginning, until there is some.
    pub fn new(takers: Vec<Arc<dyn Taker>>, has_sound: bool, faces: Arc<Hiding>) -> Self {
        Self { takers, has_sound, faces, state: Mutex::default() }
    }

    /// Taps the decoders that `source` adds from now on.
    pub fn of_decoders(source: &gst::Pipeline, takers: Vec<Arc<dyn Taker>>, has_sound: bool, faces: Arc<Hiding>) -> Arc<Self> {
        let tap = Arc::new(Self::new(takers, has_sound, faces));
        let taken = tap.clone();
        decoding::take_encoded(source, move |picture| taken.take(picture));
        tap
    }

    /// Takes a picture that is not decoded, and has this time in records.
    pub fn take_at(&self, picture: Encoded, recorded: gst::ClockTime) {
        let time = picture.time;
        self.take(picture);
        self.decoded(time, Some(recorded));
    }

    /// Takes a piece of sound. It waits for the next picture, whose time in records says which one the sound has.
    pub fn hear(&self, sound: Encoded) {
        let state = &mut *self.state.lock();
        state.sounds.push_back(sound);
        if state.sounds.len() > MAX_WAITING {
            state.sounds.pop_front();
        }
    }

    fn pass_sound(&self, state: &mut State) {
        let (Some(offset), decoded) = (state.offset, state.decoded) else { return };
        // Sound that is so much later is from before the times began again.
        let is_waiting = |sound: &Encoded| sound.time > decoded && sound.time <= decoded + JUMP;
        let count = state.sounds.iter().take_while(|sound| !is_waiting(sound)).count();
        state.has_heard |= count > 0;
        for Encoded { caps, buffer, time, .. } in state.sounds.drain(..count).filter(|sound| sound.time <= decoded) {
            let sound = Frame { caps, buffer, time: shifted(time, offset) };
            self.takers.iter().for_each(|taker| taker.hear(sound.clone()));
        }
    }

    fn take(&self, picture: Encoded) {
        let state = &mut *self.state.lock();
        if parser(&picture.caps).is_none() || state.stream.as_ref().is_some_and(|stream| *stream != picture.stream) {
            return;
        }
        let is_earlier = picture.time < state.latest;
        let is_key = !picture.buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if is_earlier && is_key {
            // A file that is played again.
            self.record(state, None);
            *state = State {
                stream: state.stream.take(),
                reordered: state.reordered,
                last: state.last,
                last_decoding: state.last_decoding,
                ..State::default()
            };
        }
        let before = state.waiting.iter().map(|(waiting, _)| &waiting.time).chain(state.recorded.iter().map(|(time, _)| time));
        state.reordered = state.reordered.max(before.filter(|before| **before > picture.time).count());
        state.latest = state.latest.max(picture.time);
        state.waiting.push_back((picture, None));
        if state.waiting.len() > MAX_WAITING {
            state.waiting.pop_front();
        }
        self.record(state, Some(state.look_ahead()));
    }

    /// Notes which video is decoded, before its first frame is analysed.
    pub fn choose(&self, stream: Option<&str>) {
        let mut state = self.state.lock();
        if state.stream.is_none() {
            state.stream = stream.map(Into::into);
            state.waiting.retain(|(picture, _)| Some(picture.stream.as_str()) == stream);
            let caps = state.waiting.front().map(|(picture, _)| &picture.caps);
            self.takers.iter().for_each(|taker| taker.begin(caps));
        }
    }

    /// Notes that a frame has the time `recorded` in records, or with `None` that it has none. The picture of which it was decoded has
    /// the running time `time` in the source.
    pub fn decoded(&self, time: gst::ClockTime, recorded: Option<gst::ClockTime>) {
        let state = &mut *self.state.lock();
        // Those of Motion JPEG, for example, are not recorded as they are, and do not wait.
        if !state.waiting.is_empty() {
            // Otherwise it is a late frame of a file that is played again.
            let Some((_, known)) = state.waiting.iter_mut().find(|(picture, _)| picture.time == time) else { return };
            *known = recorded;
        }
        if let Some(recorded) = recorded {
            let signed = |time: gst::ClockTime| i64::try_from(time.nseconds()).unwrap_or(i64::MAX);
            state.offset = Some(signed(recorded) - signed(time));
        }
        state.decoded = state.decoded.max(time);
        self.pass_sound(state);
        self.record(state, Some(state.look_ahead()));
    }

    /// Records the pictures that are decoded, except those that wait for as many others; with `None`, all. A picture whose frame is not in
    /// records is shown as long after the last one as in the source.
    fn record(&self, state: &mut State, look_ahead: Option<usize>) {
        let Some(offset) = state.offset else { return };
        let begins = state.recorded.is_empty() && self.has_sound && !state.has_heard;
        let is_due = |state: &State, picture: &Encoded| {
            let is_awaited = !begins || state.latest > picture.time + SOUND_DELAY;
            look_ahead.is_none_or(|look_ahead| is_awaited && picture.time <= state.decoded && state.waiting.len() > look_ahead)
        };
        while state.waiting.front().is_some_and(|(picture, _)| is_due(state, picture)) {
            let Some((Encoded { caps, mut buffer, time: at, .. }, known)) = state.waiting.pop_front() else { return };
            let begins_again = state.recorded.front().is_some_and(|(before, _)| at > *before + JUMP);
            let time = known.unwrap_or_else(|| match begins_again {
                true => state.last + gst::ClockTime::MSECOND,
                false => shifted(at, offset),
            });
            // Frames that have the time at which they come, and files that are played again, have no steady times.
            state.last_decoding = state.decoding((at, time), offset).max(state.last_decoding).min(time);
            buffer.make_mut().set_dts(state.last_decoding);
            state.recorded.push_front((at, time));
            state.recorded.truncate(LOOK_AHEAD);
            state.last = time;
            if !self.faces.hides(Some(time)) {
                let frame = Frame { caps, buffer, time };
                self.takers.iter().for_each(|taker| taker.take(frame.clone()));
            }
        }
    }
}

fn shifted(time: gst::ClockTime, offset: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.nseconds().saturating_add_signed(offset))
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.record(&mut std::mem::take(&mut *self.state.lock()), None);
    }
}

impl State {
    /// How many pictures wait for later ones. The third one of a video shows whether any are reordered.
    fn look_ahead(&self) -> usize {
        match (self.reordered, self.recorded.is_empty()) {
            (0, false) => 0,
            (0, true) => 2,
            _ => LOOK_AHEAD,
        }
    }

    /// When a picture is decoded, as a time in records: when the one is shown that has as many of all pictures before it, less those that
    /// are reordered. Network cameras do not say it, and MP4 files need it.
    fn decoding(&self, picture: Times, offset: i64) -> gst::ClockTime {
        let times = |(picture, known): &(Encoded, Option<gst::ClockTime>)| (picture.time, known.unwrap_or(shifted(picture.time, offset)));
        let mut left: Vec<Times> = self.waiting.iter().map(times).chain([picture]).collect();
        left.sort_unstable();
        let next = left[0];
        let mut earlier: Vec<Times> = self.recorded.iter().copied().filter(|(time, _)| *time < next.0).chain([next]).collect();
        earlier.sort_unstable_by(|a, b| b.cmp(a));
        let steps = self.reordered.saturating_sub(self.recorded.len() + 1 - earlier.len());
        // Before the first picture, there would have been others of the same length.
        let length = left.iter().find(|(time, _)| *time > next.0).map_or(gst::ClockTime::ZERO, |(time, _)| *time - next.0);
        let missing = (steps + 1).saturating_sub(earlier.len());
        earlier[steps.min(earlier.len() - 1)].1.saturating_sub(length * missing as u64)
    }
}
