// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a face does by its geometry: it turns away, closes its eyes, blinks, speaks.
//!
//! Each state of [`face_states`](super::face_states) has to last for the hysteresis.

use emotion_records::{Direction, EventKind};

use super::FrameTime;
use super::face_states::{Eyes, MAX_BLINK_NS, Orientation, lids};
use crate::face_geometry::{Blendshapes, FaceGeometry};

/// Half-life of the window in which a mouth's movement counts, in seconds.
const WINDOW_S: f32 = 0.5;
/// Movement to and fro above which a mouth speaks, and below which it is silent.
const SPEAKS: f32 = 0.4;
const SILENT: f32 = 0.15;
/// Movement beyond this does not count, so that a mouth is silent about a second after it was still.
const MAX_MOVEMENT: f32 = 0.6;
/// The blendshapes whose sum moves when a mouth speaks.
const MOUTH: [&str; 3] = ["jawOpen", "mouthFunnel", "mouthPucker"];

/// The states of one face.
#[derive(Clone, Debug)]
pub(super) struct Actions {
    orientation: Orientation,
    turned: Lasting<Option<Direction>>,
    eyes: Eyes<FrameTime>,
    closed: Lasting<bool>,
    speaking: Lasting<bool>,
    mouth: MouthActivity,
}

impl Actions {
    /// A face that faces the camera with open eyes, seen first at `time`.
    pub(super) fn new(time: FrameTime) -> Self {
        Self {
            orientation: Orientation::default(),
            turned: Lasting::new(None, time),
            eyes: Eyes::default(),
            closed: Lasting::new(false, time),
            speaking: Lasting::new(false, time),
            mouth: MouthActivity::default(),
        }
    }

    /// The events that become known with the geometry of a frame, each with the time at which it happened. What the geometry is not to
    /// be relied on for stays as it was.
    pub(super) fn see(&mut self, geometry: &FaceGeometry, time: &FrameTime, hysteresis_ns: u64) -> Vec<(FrameTime, EventKind)> {
        let at = FrameTime { duration_ns: 0, ..*time };
        let mut events = Vec::new();
        if geometry.is_pose_reliable() {
            let direction = self.orientation.see(geometry.pose);
            if let Some((before, now, when)) = self.turned.see(direction, at, time, hysteresis_ns) {
                let began = FrameTime { duration_ns: 0, ..when };
                events.extend(before.map(|direction| (when, EventKind::Turned { active: false, direction })));
                events.extend(now.map(|direction| (began, EventKind::Turned { active: true, direction })));
            }
        }
        if geometry.is_reliable() {
            events.extend(self.see_eyes(&geometry.blendshapes, at, time, hysteresis_ns));
            let is_speaking = self.mouth.update(&geometry.blendshapes, time, self.speaking.newest());
            let change = self.speaking.see(is_speaking, at, time, hysteresis_ns);
            events.extend(change.map(|change| switched(change, |active| EventKind::Speaking { active })));
        }
        events
    }

    /// The ends of all states, for a face that leaves at `end`.
    pub(super) fn leave(&self, end: &FrameTime) -> impl Iterator<Item = (FrameTime, EventKind)> {
        let turned = self.turned.current.map(|direction| (&self.turned.since, EventKind::Turned { active: false, direction }));
        let closed = self.closed.current.then_some((&self.closed.since, EventKind::EyesClosed { active: false }));
        let speaking = self.speaking.current.then_some((&self.speaking.since, EventKind::Speaking { active: false }));
        let at = |(since, kind): (&FrameTime, _)| (FrameTime { duration_ns: since.distance_ns(end), ..*end }, kind);
        [turned, closed, speaking].into_iter().flatten().map(at)
    }

    fn see_eyes(&mut self, shapes: &Blendshapes, at: FrameTime, time: &FrameTime, hysteresis_ns: u64) -> Vec<(FrameTime, EventKind)> {
        let closed_since = self.eyes.see(lids(shapes), at);
        let blink = closed_since.map(|since| FrameTime { duration_ns: since.distance_ns(&at), ..since });
        let blink = blink.filter(|blink| blink.duration_ns < MAX_BLINK_NS).map(|blink| (blink, EventKind::Blink {}));
        let is_closed = self.eyes.are_closed();
        let change = self.closed.see(is_closed, at, time, hysteresis_ns);
        blink.into_iter().chain(change.map(|change| switched(change, |active| EventKind::EyesClosed { active }))).collect()
    }
}

/// The event of a state that has begun or ended, with the time that it has.
fn switched((_, active, when): (bool, bool, FrameTime), event: impl Fn(bool) -> EventKind) -> (FrameTime, EventKind) {
    (if active { FrameTime { duration_ns: 0, ..when } } else { when }, event(active))
}

fn value(shapes: &Blendshapes, name: &str) -> f32 {
    shapes.get(name).unwrap_or_default()
}

/// A state that has to last before it counts.
#[derive(Clone, Debug)]
struct Lasting<S> {
    current: S,
    since: FrameTime,
    /// Another state that has not lasted yet.
    next: Option<(S, FrameTime)>,
}

impl<S: Copy + PartialEq> Lasting<S> {
    fn new(state: S, since: FrameTime) -> Self {
        Self { current: state, since: FrameTime { duration_ns: 0, ..since }, next: None }
    }

    /// The state of the last frame, whether it has lasted or not.
    fn newest(&self) -> S {
        self.next.as_ref().map_or(self.current, |(state, _)| *state)
    }

    /// Takes the `state` of the frame that begins at `at`. Once another one has lasted, returns the previous state, the new one, and
    /// when it began, with the duration of the previous one.
    fn see(&mut self, state: S, at: FrameTime, time: &FrameTime, hysteresis_ns: u64) -> Option<(S, S, FrameTime)> {
        if state == self.current {
            self.next = None;
            return None;
        }
        let since = match self.next {
            Some((known, since)) if known == state => since,
            _ => self.next.insert((state, at)).1,
        };
        if since.distance_ns(time) < hysteresis_ns {
            return None;
        }
        self.next = None;
        let before = std::mem::replace(&mut self.current, state);
        let duration_ns = std::mem::replace(&mut self.since, since).distance_ns(&since);
        Some((before, state, FrameTime { duration_ns, ..since }))
    }
}

/// How much a mouth moves to and fro: how far it moved in the last half second, less how far it got.
#[derive(Clone, Debug, Default)]
struct MouthActivity {
    last: Option<(f32, u64)>,
    path: f32,
    net: f32,
}

impl MouthActivity {
    /// True if the mouth speaks, given whether it did.
    fn update(&mut self, shapes: &Blendshapes, time: &FrameTime, was_speaking: bool) -> bool {
        let (opening, now_ns) = (MOUTH.iter().map(|name| value(shapes, name)).sum::<f32>(), time.position_ns());
        if let Some((before, last_ns)) = self.last.replace((opening, now_ns)) {
            let remainder = 0.5f32.powf(now_ns.abs_diff(last_ns) as f32 / 1e9 / WINDOW_S);
            let step = opening - before;
            self.path = (self.path * remainder + step.abs()).min(MAX_MOVEMENT);
            self.net = self.net * remainder + step;
        }
        self.path - self.net.abs() > if was_speaking { SILENT } else { SPEAKS }
    }
}
