// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events: a face appeared, its expression changed, it turned away, closed its eyes, blinked, spoke, it left. Each is reported only
//! after it has lasted, so that a missed detection or a label that flickers causes none.

use std::collections::{BTreeMap, BTreeSet};

use emotion_records::{ByLabel, EventKind, rounding};

use super::actions::Actions;
use super::{FrameReport, FrameTime};
use crate::record::{EmotionResult, FaceRecord};

/// An event of one face.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Track id of the face.
    pub id: u32,
    /// When it happened, which is before it is reported. The duration is that of what ended then: the previous expression
    /// or the stay; 0 for `appeared`.
    pub time: FrameTime,
    /// What happened.
    pub kind: EventKind,
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
            let changes = presence.confirm(self.hysteresis_ns, &frame.time).collect::<Vec<_>>();
            if let Some(geometry) = &face.geometry {
                presence.acted.extend(presence.actions.see(geometry, &frame.time, self.hysteresis_ns));
            }
            // A face that was in view for a moment has done nothing.
            let acted = presence.acted.drain(..if presence.is_reported { presence.acted.len() } else { 0 });
            events.extend(changes.into_iter().chain(acted).map(|(time, kind)| Event { id: face.id, time, kind }));
        }
        events
    }

    /// The events that become known because no face was seen until `time`.
    pub fn advance(&mut self, time: &FrameTime) -> Vec<Event> {
        self.remove_absent(time, &[])
    }

    /// Ends the stream: every face leaves.
    pub fn finish(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.faces).into_iter().flat_map(|(id, presence)| presence.leave(id)).collect()
    }

    fn remove_absent(&mut self, time: &FrameTime, seen: &[FaceRecord]) -> Vec<Event> {
        let seen: BTreeSet<u32> = seen.iter().map(|face| face.id).collect();
        let absent = self.faces.extract_if(.., |id, presence| !seen.contains(id) && presence.end.distance_ns(time) >= self.hysteresis_ns);
        absent.flat_map(|(id, presence)| presence.leave(id)).collect()
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
    /// How long each label was the reported expression, up to the current one, in nanoseconds.
    shown_ns: BTreeMap<String, u64>,
    actions: Actions,
    /// What it did before it was reported.
    acted: Vec<(FrameTime, EventKind)>,
}

impl Presence {
    fn new(time: FrameTime) -> Self {
        let start = FrameTime { duration_ns: 0, ..time };
        let (actions, acted) = (Actions::new(start), Vec::new());
        Self { start, end: start, is_reported: false, current: None, next: None, shown_ns: BTreeMap::new(), actions, acted }
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
        let lasted = |since: &FrameTime| since.distance_ns(now) >= hysteresis_ns;
        let appeared = (!self.is_reported && lasted(&self.start)).then_some((self.start, EventKind::Appeared {}));
        self.is_reported |= appeared.is_some();
        let next = self.next.take_if(|(_, since)| lasted(since));
        appeared.into_iter().chain(next.map(|(to, since)| self.change(to, since)))
    }

    fn change(&mut self, to: String, since: FrameTime) -> (FrameTime, EventKind) {
        let previous = self.current.replace((to.clone(), since));
        let duration_ns = previous.as_ref().map_or(&self.start, |(_, start)| start).distance_ns(&since);
        let from = previous.map(|(label, _)| label);
        from.iter().for_each(|label| self.add(label, duration_ns));
        (FrameTime { duration_ns, ..since }, EventKind::Expression { from, to })
    }

    /// Adds to the time of `label`. A face may stay for days, so there is one sum for each label, not one for each change.
    fn add(&mut self, label: &str, duration_ns: u64) {
        match self.shown_ns.get_mut(label) {
            Some(shown_ns) => *shown_ns = shown_ns.saturating_add(duration_ns),
            None => _ = self.shown_ns.insert(label.to_owned(), duration_ns),
        }
    }

    /// What ends with the face, and last that it has left; empty if it was not in view for long enough to have appeared.
    fn leave(mut self, id: u32) -> Vec<Event> {
        if !self.is_reported {
            return Vec::new();
        }
        let time = FrameTime { duration_ns: self.start.distance_ns(&self.end), ..self.end };
        if let Some((label, since)) = self.current.take() {
            self.add(&label, since.distance_ns(&self.end));
        }
        let left = (time, EventKind::Left { shares: shares(self.shown_ns) });
        self.actions.leave(&self.end).chain([left]).map(|(time, kind)| Event { id, time, kind }).collect()
    }
}

/// The time of each label as a share of all of it, largest first; none without labels.
fn shares(shown_ns: BTreeMap<String, u64>) -> Option<ByLabel<String, f64>> {
    let total = shown_ns.values().fold(0_u64, |sum, time| sum.saturating_add(*time));
    let mut shares: Vec<_> =
        shown_ns.into_iter().map(|(label, time)| (label, rounding::score(time as f64 / total.max(1) as f64))).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    (!shares.is_empty()).then_some(ByLabel(shares))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Rect, Size};
    use crate::scores::{LabelSet, Scores};
    use std::time::Duration;

    /// A face of track 1 with the first or the second of two labels.
    fn face(label_id: usize) -> FaceRecord {
        let (labels, scores) = (LabelSet::new(["neutral", "happiness"]), Scores::from_probabilities([0.5, 0.5]));
        let emotion = EmotionResult { labels, scores, label_id: Some(label_id), reason: None, smoothed: false, age: Duration::ZERO };
        FaceRecord {
            id: 1,
            rect_norm: Rect::new(0.1, 0.1, 0.2, 0.2),
            detection: None,
            emotion: Some(emotion),
            geometry: None,
            confirmed: true,
        }
    }

    #[test]
    fn a_face_that_stays_and_changes_needs_no_more_memory_than_its_labels() {
        let mut tracker = EventTracker::new(0);
        for frame in 0..10_000_u64 {
            let time = FrameTime { pts_ns: 40 * frame, duration_ns: 40, ..FrameTime::default() };
            let faces = [face(usize::from(frame % 4 == 3))];
            let events =
                tracker.frame(&FrameReport { stream: "", frame, time, size: Size::new(640, 480), faces: &faces, misplaced: false });
            assert_eq!(events.len(), if frame == 0 { 2 } else { usize::from(frame % 4 == 3 || frame % 4 == 0) }, "{frame}");
        }
        assert_eq!(tracker.faces[&1].shown_ns.len(), 2);
        let left = tracker.finish().pop().expect("the face leaves");
        assert_eq!(left.kind, EventKind::Left { shares: Some(ByLabel(vec![("neutral".into(), 0.75), ("happiness".into(), 0.25)])) });
    }
}
