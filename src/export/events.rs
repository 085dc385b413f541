// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events: a face appeared, its expression changed, it left. Each is reported only after it has lasted, so that a missed
//! detection or a label that flickers causes none.

use std::collections::BTreeMap;

use super::{FrameReport, FrameTime};
use crate::record::{EmotionResult, FaceRecord};

/// An event of one face.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Track id of the face.
    pub id: u32,
    /// When it happened, which is before it is reported. The duration is that of what ended then: the previous expression
    /// or the stay; 0 for [`EventKind::Appeared`].
    pub time: FrameTime,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a face.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The face came into view.
    Appeared,
    /// Its expression changed.
    Expression {
        /// The previous label; none for the first expression of a face.
        from: Option<String>,
        /// The new label.
        to: String,
    },
    /// The face went out of view.
    Left {
        /// Each label and its share of the time with an expression, largest first; empty if no expression lasted.
        shares: Vec<(String, f64)>,
    },
}

/// Turns the faces of successive frames into events. Faces without a track id cause none.
#[derive(Clone, Debug)]
pub struct EventTracker {
    hysteresis_ns: u64,
    faces: BTreeMap<u32, Presence>,
}

impl EventTracker {
    /// Reports what has lasted for `hysteresis_ns`: the presence of a face, its absence, or another label. With 0, every
    /// change is an event.
    pub fn new(hysteresis_ns: u64) -> Self {
        Self { hysteresis_ns, faces: BTreeMap::new() }
    }

    /// The events that become known with this frame.
    pub fn frame(&mut self, frame: &FrameReport<'_>) -> Vec<Event> {
        let mut events = self.remove_absent(&frame.time, frame.faces);
        for face in frame.faces.iter().filter(|face| face.id != 0) {
            let presence = self.faces.entry(face.id).or_insert_with(|| Presence::new(frame.time));
            presence.see(&frame.time, face.expression());
            events.extend(presence.confirm(self.hysteresis_ns, &frame.time).map(|(time, kind)| Event { id: face.id, time, kind }));
        }
        events
    }

    /// The events that become known because no face was seen until `time`.
    pub fn advance(&mut self, time: &FrameTime) -> Vec<Event> {
        self.remove_absent(time, &[])
    }

    /// Ends the stream: every face leaves.
    pub fn finish(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.faces).into_iter().filter_map(|(id, presence)| presence.leave(id)).collect()
    }

    fn remove_absent(&mut self, time: &FrameTime, seen: &[FaceRecord]) -> Vec<Event> {
        let absent = self.faces.extract_if(.., |id, presence| {
            seen.iter().all(|face| face.id != *id) && distance_ns(&presence.end, time) >= self.hysteresis_ns
        });
        absent.filter_map(|(id, presence)| presence.leave(id)).collect()
    }
}

/// A face that is in view, or has been until recently.
#[derive(Clone, Debug)]
struct Presence {
    start: FrameTime,
    /// End of the last frame that shows the face.
    end: FrameTime,
    is_reported: bool,
    /// The reported expression, since when.
    current: Option<(String, FrameTime)>,
    /// Another expression that has not lasted yet.
    next: Option<(String, FrameTime)>,
    /// Each ended expression, and how long it lasted.
    ended: Vec<(String, u64)>,
}

impl Presence {
    fn new(time: FrameTime) -> Self {
        let start = FrameTime { duration_ns: 0, ..time };
        Self { start, end: start, is_reported: false, current: None, next: None, ended: Vec::new() }
    }

    fn see(&mut self, time: &FrameTime, emotion: Option<&EmotionResult>) {
        self.end = time.end();
        let Some(label) = emotion.map(EmotionResult::label) else { return };
        let is = |expression: &Option<(String, FrameTime)>| expression.as_ref().is_some_and(|(known, _)| known == label);
        if is(&self.current) {
            self.next = None;
        } else if !is(&self.next) {
            self.next = Some((label.to_owned(), FrameTime { duration_ns: 0, ..*time }));
        }
    }

    /// What has lasted until `now`.
    fn confirm(&mut self, hysteresis_ns: u64, now: &FrameTime) -> impl Iterator<Item = (FrameTime, EventKind)> {
        let lasted = |since: &FrameTime| distance_ns(since, now) >= hysteresis_ns;
        let appeared = (!self.is_reported && lasted(&self.start)).then_some((self.start, EventKind::Appeared));
        self.is_reported |= appeared.is_some();
        let next = self.next.take_if(|(_, since)| lasted(since));
        appeared.into_iter().chain(next.map(|(to, since)| self.change(to, since)))
    }

    fn change(&mut self, to: String, since: FrameTime) -> (FrameTime, EventKind) {
        let previous = self.current.replace((to.clone(), since));
        let duration_ns = distance_ns(previous.as_ref().map_or(&self.start, |(_, start)| start), &since);
        let from = previous.map(|(label, _)| label);
        self.ended.extend(from.clone().map(|label| (label, duration_ns)));
        (FrameTime { duration_ns, ..since }, EventKind::Expression { from, to })
    }

    /// None if the face was not in view for long enough to have appeared.
    fn leave(mut self, id: u32) -> Option<Event> {
        let time = FrameTime { duration_ns: distance_ns(&self.start, &self.end), ..self.end };
        self.ended.extend(self.current.take().map(|(label, since)| (label, distance_ns(&since, &self.end))));
        self.is_reported.then(|| Event { id, time, kind: EventKind::Left { shares: shares(self.ended) } })
    }
}

/// The time of each label as a share of all of it, largest first.
fn shares(ended: Vec<(String, u64)>) -> Vec<(String, f64)> {
    let mut times = BTreeMap::<String, u64>::new();
    for (label, duration_ns) in ended {
        let time = times.entry(label).or_default();
        *time = time.saturating_add(duration_ns);
    }
    let total = times.values().fold(0_u64, |sum, time| sum.saturating_add(*time));
    let mut shares: Vec<_> = times.into_iter().map(|(label, time)| (label, time as f64 / total.max(1) as f64)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

/// Time between two positions in the media, in either direction, since playback may be in reverse.
fn distance_ns(from: &FrameTime, to: &FrameTime) -> u64 {
    from.position_ns().abs_diff(to.position_ns())
}
