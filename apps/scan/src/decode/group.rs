// SPDX-License-Identifier: MIT OR Apache-2.0
//! A keyframe and the compressed frames that depend on it, held until it is known which of them a decoder needs.

use std::collections::VecDeque;

use super::frame::{ROUNDING, Range};

/// A group with more held bytes is passed on, needed or not. This bounds the memory of a worker.
const MAX_HELD_BYTES: usize = 64 << 20;
/// H.264 and HEVC show at most so many frames later than they decode them.
const MAX_REORDERED: usize = 16;

/// A compressed frame.
#[derive(Clone, Debug)]
pub(super) struct Coded<T> {
    /// Time at which it is shown; `None` for the second field of a frame.
    pub(super) time_ns: Option<i64>,
    /// Time at which it is decoded: no frame behind it is shown earlier.
    pub(super) decode_ns: Option<i64>,
    pub(super) is_keyframe: bool,
    pub(super) bytes: usize,
    pub(super) item: T,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action<T> {
    /// Give this to the decoder.
    Pass(T),
    /// Let the decoder output all its frames.
    Drain,
    /// The range has ended: nothing else is needed.
    End,
}

/// What is held.
#[derive(Debug)]
pub(super) enum Held<T> {
    Frame(Coded<T>),
    /// Something between frames, which is never dropped.
    Between(T),
}

/// A frame of the group at or after the sampling time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) time_ns: i64,
    /// Its place among what is held; `None` if it was passed on because an earlier frame depends on it.
    pub(super) position: Option<usize>,
}

/// A keyframe and the frames that depend on it.
#[derive(Debug)]
pub(super) struct Group<T> {
    pub(super) key_ns: i64,
    /// Time of the last frame so far, in the order in which frames are shown.
    pub(super) last_ns: i64,
    /// Set if the keyframe is to be examined.
    pub(super) wants_key: bool,
    /// Set if the keyframe is shown in the range.
    pub(super) is_eligible: bool,
    /// Set if its keyframe alone does not represent it.
    pub(super) is_long: bool,
    /// Set if it is the first of the file. Frames that are shown before its keyframe cannot be decoded.
    pub(super) starts_file: bool,
    /// Set once all its frames are known.
    pub(super) is_finished: bool,
    /// The next sampling time for which no frame is found yet.
    pub(super) target_ns: i64,
    pub(super) held: VecDeque<Held<T>>,
    pub(super) frames: usize,
    has_fields: bool,
    held_bytes: usize,
    has_passed: bool,
    /// Set if the second field of the last frame that was passed on is still to come.
    owes_field: bool,
    /// What is held is known up to here.
    known: usize,
    candidate: Option<Found>,
    /// Times of the frames that were passed on and are shown behind the last sample.
    ahead: Vec<i64>,
    /// Times of the counted frames that later samples may be in front of, and the number of those before.
    times: Vec<i64>,
    counted: u64,
    /// Times of all counted frames.
    pub(super) all_times: Vec<i64>,
}

impl<T> Group<T> {
    pub(super) fn new(key_ns: i64, keyframe: Coded<T>, has_fields: bool) -> Self {
        Self {
            key_ns,
            last_ns: key_ns,
            wants_key: false,
            is_eligible: false,
            is_long: false,
            starts_file: false,
            is_finished: false,
            target_ns: i64::MIN,
            held_bytes: keyframe.bytes,
            held: [Held::Frame(keyframe)].into(),
            frames: 1,
            has_fields,
            has_passed: false,
            owes_field: false,
            known: 0,
            candidate: None,
            ahead: Vec::new(),
            times: Vec::new(),
            counted: 0,
            all_times: Vec::new(),
        }
    }

    /// Adds the next frame.
    pub(super) fn push(&mut self, coded: Coded<T>, range: &Range) {
        self.frames += 1;
        self.held_bytes += coded.bytes;
        if let Some(time_ns) = coded.time_ns {
            self.last_ns = self.last_ns.max(time_ns);
            self.count(range, time_ns);
        }
        self.held.push_back(Held::Frame(coded));
    }

    /// True if it is longer than `longest_ns`, or too large to be held.
    pub(super) fn has_outgrown(&self, longest_ns: i64) -> bool {
        self.is_long || self.last_ns - self.key_ns > longest_ns + ROUNDING || self.held_bytes > MAX_HELD_BYTES
    }

    /// The first frame in the order of display at or after both the sampling time and `lowest_ns`, once it is certain.
    pub(super) fn find_sample(&mut self, lowest_ns: i64) -> Option<Found> {
        let earliest_ns = self.target_ns.max(lowest_ns).saturating_sub(ROUNDING);
        if self.known == 0 {
            let ahead = self.ahead.iter().copied().filter(|time| *time >= earliest_ns).min();
            self.candidate = ahead.map(|time_ns| Found { time_ns, position: None });
        }
        while let Some(held) = self.held.get(self.known) {
            let position = self.known;
            self.known += 1;
            let Held::Frame(Coded { time_ns: Some(time_ns), decode_ns, .. }) = held else { continue };
            match self.candidate {
                Some(found) if (earliest_ns..found.time_ns).contains(time_ns) => {
                    self.candidate = Some(Found { time_ns: *time_ns, position: Some(position) });
                }
                Some(found) if decode_ns.is_some_and(|decode| decode >= found.time_ns) => return self.settle(),
                Some(found) if position - found.position.unwrap_or(0) >= MAX_REORDERED => return self.settle(),
                None if *time_ns >= earliest_ns => self.candidate = Some(Found { time_ns: *time_ns, position: Some(position) }),
                _ => {}
            }
        }
        if self.is_finished { self.settle() } else { None }
    }

    /// The frame is certain. The next one may be before it among what is held.
    fn settle(&mut self) -> Option<Found> {
        self.known = 0;
        self.candidate.take()
    }

    /// Passes on what is held, up to the frame at `position`, with its second field.
    pub(super) fn release(&mut self, position: usize, actions: &mut Vec<Action<T>>) {
        self.known = 0;
        self.candidate = None;
        self.has_passed = true;
        for _ in 0..=position {
            self.release_one(actions);
        }
        self.owes_field = self.has_fields;
        self.release_field(actions);
    }

    /// Passes on what is held first. Returns true if it is a frame.
    fn release_one(&mut self, actions: &mut Vec<Action<T>>) -> bool {
        let Some(held) = self.held.pop_front() else { return false };
        let is_frame = matches!(held, Held::Frame(_));
        let item = match held {
            Held::Frame(coded) => {
                self.held_bytes -= coded.bytes;
                self.ahead.extend(coded.time_ns);
                coded.item
            }
            Held::Between(item) => item,
        };
        actions.push(Action::Pass(item));
        is_frame
    }

    /// Passes on the frame behind the last one if it may be its second field.
    fn release_field(&mut self, actions: &mut Vec<Action<T>>) {
        while self.owes_field && !self.held.is_empty() {
            self.owes_field = !self.release_one(actions);
        }
    }

    /// Passes on everything that is held if it is too much.
    pub(super) fn release_excess(&mut self, actions: &mut Vec<Action<T>>) {
        self.release_field(actions);
        if self.held_bytes > MAX_HELD_BYTES && self.candidate.is_none() {
            self.release(self.held.len() - 1, actions);
        }
    }

    /// Lets the decoder output what was passed on, and drops the frames that were not.
    pub(super) fn discard(mut self, actions: &mut Vec<Action<T>>) {
        self.release_field(actions);
        if self.has_passed {
            actions.push(Action::Drain);
        }
        actions.extend(self.held.into_iter().filter_map(|held| match held {
            Held::Frame(_) => None,
            Held::Between(item) => Some(Action::Pass(item)),
        }));
    }

    /// Counts a frame, if it belongs to the range.
    pub(super) fn count(&mut self, range: &Range, time_ns: i64) {
        if range.counts(time_ns) && (time_ns >= self.key_ns || !self.starts_file) {
            self.times.push(time_ns);
            self.all_times.push(time_ns);
        }
    }

    /// Number of counted frames before `time_ns`.
    pub(super) fn counted_before(&self, time_ns: i64) -> u64 {
        self.counted + self.times.iter().filter(|time| **time < time_ns).count() as u64
    }

    /// Forgets the frames up to `time_ns`, before which no further sample can be, except for their number.
    pub(super) fn forget_until(&mut self, time_ns: i64) {
        self.counted = self.counted_before(time_ns);
        self.times.retain(|time| *time >= time_ns);
        self.ahead.retain(|time| *time > time_ns);
    }
}
