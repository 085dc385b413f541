// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which compressed frames a decoder needs, so that it outputs a frame near each sampling time and little else.
//!
//! A video is a sequence of groups, each a keyframe and the frames that depend on it. A group no longer than the time between
//! two samples is represented by its keyframe: it is passed on if it is the keyframe nearest to a sampling time. In a longer
//! group, the frames from the keyframe to the first one at or after the sampling time are passed on. All others are dropped.
//!
//! A first look takes frames that are at most twice that time apart. So it takes keyframes of groups that are up to twice as long,
//! no more of them than needed.
//!
//! The decisions depend only on the frames and the range, never on timing. Times are in nanoseconds of the file's time and
//! may be negative before an edit. Frames come in the order of decoding.

use std::collections::VecDeque;

use super::frame::{ROUNDING, Range};
use super::group::{Action, Coded, Found, Group, Held};
use crate::sampling::Pace;

/// A frame to examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// When it is shown.
    pub(super) time_ns: i64,
    /// Number of frames of the range before it.
    pub(super) number: u64,
}

/// Why a stream cannot be sampled by its keyframes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Distrust {
    #[error("a keyframe has no time")]
    NoTime,
    #[error("the container has no times at which frames are shown")]
    NoOrder,
    #[error("the times of keyframes decrease")]
    Backwards,
    #[error("no frame is marked as a keyframe")]
    NoKeyframe,
    /// All frames are marked as keyframes, in a format whose frames depend on each other.
    #[error("all frames are marked as keyframes")]
    OnlyKeyframes,
    /// A frame that should decode alone did not.
    #[error("a frame marked as a keyframe cannot be decoded alone")]
    Undecodable,
}

/// Chooses among the compressed frames of a stream.
#[derive(Debug)]
pub(super) struct Groups<T> {
    every_ns: i64,
    /// A longer group is not represented by its keyframe alone.
    longest_ns: i64,
    is_look: bool,
    range: Range,
    /// Earlier frames are decoded and not shown.
    visible_ns: i64,
    /// Set if a frame consists of two fields that are decoded one after the other.
    has_fields: bool,
    /// Set if each frame may be marked as a keyframe.
    trusts_only_keyframes: bool,
    group: Option<Group<T>>,
    /// Set if the next keyframe is the nearest one to a sampling time before it.
    wants_next: bool,
    is_first: bool,
    /// Number of groups of a single frame at the start; `None` once there was a longer one.
    single_frames: Option<u32>,
    /// Number of frames before the first keyframe.
    headless: u64,
    /// Times of the frames of the range in the finished groups.
    times: Vec<i64>,
    wanted: VecDeque<Wanted>,
    /// Time of the last frame that was wanted.
    last_wanted_ns: Option<i64>,
    distrust: Option<Distrust>,
    is_over: bool,
}

/// So many groups of a single frame show that all frames are marked as keyframes.
const SINGLE_FRAMES: u32 = 4;

impl<T: Clone> Groups<T> {
    /// Frames of `range` at this pace.
    pub(super) fn new(pace: Pace, range: Range) -> Self {
        let every_ns = i64::try_from(pace.every_ns).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        Self {
            every_ns,
            longest_ns: if pace.is_look { 2 * every_ns } else { every_ns },
            is_look: pace.is_look,
            range,
            visible_ns: i64::MIN,
            has_fields: false,
            trusts_only_keyframes: true,
            group: None,
            wants_next: false,
            is_first: true,
            single_frames: Some(0),
            headless: 0,
            times: Vec::new(),
            wanted: VecDeque::new(),
            last_wanted_ns: None,
            distrust: None,
            is_over: false,
        }
    }

    /// The decoder hides frames before this time.
    pub(super) fn set_visible_from(&mut self, time_ns: i64) {
        self.visible_ns = time_ns;
    }

    /// Tells whether a frame may consist of two fields, and whether all frames may be keyframes.
    pub(super) fn set_format(&mut self, has_fields: bool, trusts_only_keyframes: bool) {
        (self.has_fields, self.trusts_only_keyframes) = (has_fields, trusts_only_keyframes);
    }

    /// The next frame to examine.
    pub(super) fn next_wanted(&self) -> Option<Wanted> {
        self.wanted.front().copied()
    }

    /// Takes the next frame to examine.
    pub(super) fn take_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// Times of the frames of the range; complete once the stream or the range has ended.
    pub(super) fn times(&self) -> impl Iterator<Item = i64> {
        self.times.iter().chain(self.group.iter().flat_map(|group| &group.all_times)).copied()
    }

    /// Why the stream cannot be sampled.
    pub(super) fn distrust(&self) -> Option<Distrust> {
        self.distrust
    }

    /// Something that belongs between the frames, such as an event. It stays in order.
    pub(super) fn push_between(&mut self, item: T, actions: &mut Vec<Action<T>>) {
        match &mut self.group {
            Some(group) if !self.is_over => group.held.push_back(Held::Between(item)),
            _ => actions.push(Action::Pass(item)),
        }
    }

    /// The next frame.
    pub(super) fn push(&mut self, coded: Coded<T>, actions: &mut Vec<Action<T>>) {
        if self.is_over {
            return;
        }
        if self.has_ended(&coded) {
            return self.end(actions);
        }
        match (coded.is_keyframe, &self.group) {
            (true, _) => self.push_keyframe(coded, actions),
            (false, Some(_)) => self.push_dependent(coded, actions),
            (false, None) => self.headless += 1,
        }
    }

    /// The end of the stream.
    pub(super) fn finish(&mut self, actions: &mut Vec<Action<T>>) {
        if !self.is_over {
            self.finish_group(None, actions);
            if self.is_first && self.headless > 0 {
                self.distrust = Some(Distrust::NoKeyframe);
            }
            self.is_over = true;
        }
    }

    /// True if `coded` and all frames behind it belong to the next slice. The frames that are decoded after the keyframe at
    /// the end and shown before it do not.
    fn has_ended(&self, coded: &Coded<T>) -> bool {
        let key_ns = self.group.as_ref().map(|group| group.key_ns);
        let is_at_end = key_ns.is_some_and(|key| key >= self.range.until_ns.saturating_sub(ROUNDING));
        is_at_end && (coded.is_keyframe || coded.time_ns.is_some_and(|time| Some(time) > key_ns))
    }

    fn end(&mut self, actions: &mut Vec<Action<T>>) {
        self.finish_group(None, actions);
        self.is_over = true;
        actions.push(Action::End);
    }

    fn give_up(&mut self, distrust: Distrust, actions: &mut Vec<Action<T>>) {
        (self.distrust, self.is_over) = (Some(distrust), true);
        actions.push(Action::End);
    }

    fn push_keyframe(&mut self, coded: Coded<T>, actions: &mut Vec<Action<T>>) {
        let Some(time_ns) = coded.time_ns else { return self.give_up(Distrust::NoTime, actions) };
        if self.group.as_ref().is_some_and(|group| time_ns <= group.key_ns) {
            return self.give_up(Distrust::Backwards, actions);
        }
        self.note_length();
        if !self.trusts_only_keyframes && self.single_frames.is_some_and(|groups| groups >= SINGLE_FRAMES) {
            return self.give_up(Distrust::OnlyKeyframes, actions);
        }
        self.finish_group(Some(time_ns), actions);
        self.begin_group(coded, time_ns, actions);
    }

    /// Notes whether the group that ends is a single frame.
    fn note_length(&mut self) {
        if let (Some(group), Some(count)) = (&self.group, self.single_frames) {
            self.single_frames = (group.frames == 1).then_some(count + 1);
        }
    }

    fn begin_group(&mut self, coded: Coded<T>, time_ns: i64, actions: &mut Vec<Action<T>>) {
        let since_sample = time_ns.saturating_add(ROUNDING).rem_euclid(self.every_ns);
        let is_sampled = since_sample <= 2 * ROUNDING;
        // Without a keyframe before it, this one is the nearest to the sampling time before it, or may be.
        let is_start = self.is_first && (self.range.from_ns == i64::MIN || since_sample <= self.every_ns / 2);
        let is_visible = time_ns.saturating_add(ROUNDING) >= self.visible_ns;
        let is_file_start = self.is_first && self.range.from_ns == i64::MIN;
        let mut group = Group::new(time_ns, coded, self.has_fields);
        group.wants_key = self.wants_next || is_sampled || is_start;
        group.is_eligible = is_visible && self.range.has(time_ns);
        // Only an edit at the beginning of the file hides a keyframe and shows frames that depend on it.
        group.is_long = !is_visible && is_file_start;
        group.starts_file = is_file_start;
        group.target_ns = self.sample_after(time_ns).max(self.first_sample());
        group.count(&self.range, time_ns);
        (self.wants_next, self.is_first) = (false, false);
        if is_file_start {
            self.show_first(&mut group, actions);
        }
        self.group = Some(group);
    }

    /// Lets the decoder output the first keyframe of the file at once. Whoever opened the file waits for it, while the
    /// demuxer holds only little of the other streams.
    fn show_first(&mut self, group: &mut Group<T>, actions: &mut Vec<Action<T>>) {
        if let (true, Some(Held::Frame(keyframe))) = (group.is_eligible && !self.has_fields, group.held.front()) {
            group.wants_key = false;
            self.add_wanted(group.key_ns, 0);
            actions.extend([Action::Pass(keyframe.item.clone()), Action::Drain]);
        }
    }

    /// The first sampling time behind the frame at `time_ns`.
    fn sample_after(&self, time_ns: i64) -> i64 {
        let sample = time_ns.saturating_add(ROUNDING).div_euclid(self.every_ns).saturating_add(1);
        sample.saturating_mul(self.every_ns)
    }

    /// The first sampling time of the range.
    fn first_sample(&self) -> i64 {
        if self.range.from_ns == i64::MIN { i64::MIN } else { self.sample_after(self.range.from_ns - 2 * ROUNDING) }
    }

    fn push_dependent(&mut self, coded: Coded<T>, actions: &mut Vec<Action<T>>) {
        let (longest_ns, range) = (self.longest_ns, self.range);
        let Some(group) = &mut self.group else { return };
        group.push(coded, &range);
        if group.has_outgrown(longest_ns) {
            self.decode_to_samples(actions);
        }
    }

    /// Treats the group as a long one, as far as its frames are known.
    fn decode_to_samples(&mut self, actions: &mut Vec<Action<T>>) {
        let Some(mut group) = self.group.take() else { return };
        // The frames behind it need it anyway.
        group.wants_key |= self.is_look && !group.is_long && self.last_wanted_ns.is_none_or(|last| last < group.key_ns);
        self.want_keyframe(&mut group, actions);
        group.is_long = true;
        while let Some(found) = group.find_sample(self.range.from_ns.max(self.visible_ns)) {
            self.want(&mut group, found, actions);
        }
        group.release_excess(actions);
        self.group = Some(group);
    }

    /// Passes on the keyframe, if it is wanted, and no longer passed on.
    fn want_keyframe(&mut self, group: &mut Group<T>, actions: &mut Vec<Action<T>>) {
        if std::mem::take(&mut group.wants_key) && group.is_eligible {
            self.add_wanted(group.key_ns, self.counted_before(group, group.key_ns));
            group.release(0, actions);
        }
    }

    /// Number of frames of the range before `time_ns`, a time in `group`.
    fn counted_before(&self, group: &Group<T>, time_ns: i64) -> u64 {
        self.times.len() as u64 + group.counted_before(time_ns)
    }

    fn add_wanted(&mut self, time_ns: i64, number: u64) {
        self.wanted.push_back(Wanted { time_ns, number });
        self.last_wanted_ns = Some(time_ns);
    }

    /// Passes on everything up to the frame that was found.
    fn want(&mut self, group: &mut Group<T>, found: Found, actions: &mut Vec<Action<T>>) {
        let Found { time_ns, position } = found;
        if self.range.has(time_ns) {
            self.add_wanted(time_ns, self.counted_before(group, time_ns));
            if let Some(position) = position {
                group.release(position, actions);
            }
            group.forget_until(time_ns);
        }
        group.target_ns = self.sample_after(time_ns);
    }

    /// Ends the group. The next one begins at `next_ns`; none does at the end of the stream.
    fn finish_group(&mut self, next_ns: Option<i64>, actions: &mut Vec<Action<T>>) {
        let longest_ns = self.longest_ns;
        let Some(group) = &mut self.group else { return };
        group.is_finished = true;
        if group.is_long || next_ns.is_some_and(|next| next - group.key_ns > longest_ns + ROUNDING) {
            self.decode_to_samples(actions);
            let target_ns = self.group.as_ref().map_or(i64::MAX, |group| group.target_ns);
            self.wants_next = next_ns.is_some_and(|next| target_ns <= next.saturating_add(ROUNDING));
        } else if self.is_look {
            self.choose_if_needed(next_ns, actions);
        } else {
            self.choose_keyframe(next_ns, actions);
        }
        let Some(group) = self.group.take() else { return };
        self.times.extend(&group.all_times);
        group.discard(actions);
    }

    /// Wants the keyframe of a short group if the next one is too far away from the last frame of the look.
    fn choose_if_needed(&mut self, next_ns: Option<i64>, actions: &mut Vec<Action<T>>) {
        let Some(mut group) = self.group.take() else { return };
        let is_close = |next: i64| self.last_wanted_ns.is_some_and(|last| next - last <= self.longest_ns + ROUNDING);
        let is_shown = self.last_wanted_ns.is_none_or(|last| last < group.key_ns);
        group.wants_key = is_shown && !next_ns.is_some_and(is_close);
        self.want_keyframe(&mut group, actions);
        self.group = Some(group);
    }

    /// Decides whether the keyframe of a short group or the next one is nearer to the sampling times between them.
    fn choose_keyframe(&mut self, next_ns: Option<i64>, actions: &mut Vec<Action<T>>) {
        let Some(mut group) = self.group.take() else { return };
        let mut sample_ns = self.sample_after(group.key_ns);
        let end_ns = next_ns.map_or(group.last_ns, |next| next.saturating_sub(ROUNDING + 1));
        while sample_ns <= end_ns {
            let is_nearer = next_ns.is_none_or(|next| sample_ns - group.key_ns <= next - sample_ns);
            if is_nearer {
                group.wants_key = true
            } else {
                self.wants_next = true
            }
            sample_ns = sample_ns.saturating_add(self.every_ns);
        }
        self.want_keyframe(&mut group, actions);
        self.group = Some(group);
    }
}

#[cfg(test)]
mod tests;
