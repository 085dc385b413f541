// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a face does by its geometry: it turns away, closes its eyes, blinks, speaks.
//!
//! Each state has a threshold to begin and an easier one to go on, and has to last for the hysteresis.

use super::FrameTime;
use super::events::{EventKind, distance_ns};
use crate::face_geometry::{Blendshapes, FaceGeometry, HeadPose};

/// Angles in degrees beyond which a face is turned away, and to which it must return.
const AWAY_YAW: f32 = 30.0;
const AWAY_PITCH: f32 = 25.0;
const BACK_YAW: f32 = 24.0;
const BACK_PITCH: f32 = 19.0;
/// Mean of both blinks above which the eyes are closed, and below which they are open again.
const CLOSED: f32 = 0.5;
const OPEN: f32 = 0.35;
/// Eyes that were closed for less than this have blinked, in nanoseconds.
const MAX_BLINK_NS: u64 = 500_000_000;
/// Half-life of the window in which a mouth's movement counts, in seconds.
const WINDOW_S: f32 = 0.5;
/// Movement to and fro above which a mouth speaks, and below which it is silent.
const SPEAKS: f32 = 0.4;
const SILENT: f32 = 0.15;
/// Movement beyond this does not count, so that a mouth is silent about a second after it was still.
const MAX_MOVEMENT: f32 = 0.6;
/// The blendshapes whose sum moves when a mouth speaks.
const MOUTH: [&str; 3] = ["jawOpen", "mouthFunnel", "mouthPucker"];

/// Where a turned face looks, for the person; up and down are those of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the person's own left, the right of the picture.
    Left,
    /// To the person's own right, the left of the picture.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// A state of a face that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaceState {
    /// It has turned away from the camera.
    Turned(Direction),
    /// Both eyes are closed.
    EyesClosed,
    /// Its mouth moves to and fro.
    Speaking,
}

/// The states of one face.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    turned: Lasting<Option<Direction>>,
    closed: Lasting<bool>,
    /// Since when the eyes are closed.
    closed_since: Option<FrameTime>,
    speaking: Lasting<bool>,
    mouth: MouthActivity,
}

impl Behaviour {
    /// A face that faces the camera with open eyes, seen first at `time`.
    pub(super) fn new(time: FrameTime) -> Self {
        let (turned, closed, speaking) = (Lasting::new(None, time), Lasting::new(false, time), Lasting::new(false, time));
        Self { turned, closed, closed_since: None, speaking, mouth: MouthActivity::default() }
    }

    /// The events that become known with the geometry of a frame, each with the time at which it happened. What the geometry is not to
    /// be relied on for stays as it was.
    pub(super) fn see(&mut self, geometry: &FaceGeometry, time: &FrameTime, hysteresis_ns: u64) -> Vec<(FrameTime, EventKind)> {
        let at = FrameTime { duration_ns: 0, ..*time };
        let mut events = Vec::new();
        if geometry.is_pose_reliable() {
            let direction = direction(geometry.pose, self.turned.newest());
            if let Some((before, now, when)) = self.turned.see(direction, at, time, hysteresis_ns) {
                let began = FrameTime { duration_ns: 0, ..when };
                events.extend(before.map(|direction| (when, EventKind::Ended(FaceState::Turned(direction)))));
                events.extend(now.map(|direction| (began, EventKind::Began(FaceState::Turned(direction)))));
            }
        }
        if geometry.is_reliable() {
            events.extend(self.see_eyes(&geometry.blendshapes, at, time, hysteresis_ns));
            let is_speaking = self.mouth.update(&geometry.blendshapes, time, self.speaking.newest());
            events.extend(switched(self.speaking.see(is_speaking, at, time, hysteresis_ns), FaceState::Speaking));
        }
        events
    }

    fn see_eyes(&mut self, shapes: &Blendshapes, at: FrameTime, time: &FrameTime, hysteresis_ns: u64) -> Vec<(FrameTime, EventKind)> {
        let lids = (value(shapes, "eyeBlinkLeft") + value(shapes, "eyeBlinkRight")) / 2.0;
        let is_closed = lids > if self.closed.newest() { OPEN } else { CLOSED };
        let mut events = Vec::new();
        if is_closed {
            self.closed_since.get_or_insert(at);
        } else if let Some(since) = self.closed_since.take() {
            let duration_ns = distance_ns(&since, &at);
            events.extend((duration_ns < MAX_BLINK_NS).then_some((FrameTime { duration_ns, ..since }, EventKind::Blink)));
        }
        events.extend(switched(self.closed.see(is_closed, at, time, hysteresis_ns), FaceState::EyesClosed));
        events
    }
}

/// The event of a state that has begun or ended.
fn switched(change: Option<(bool, bool, FrameTime)>, state: FaceState) -> Option<(FrameTime, EventKind)> {
    change.map(|(_, now, when)| match now {
        true => (FrameTime { duration_ns: 0, ..when }, EventKind::Began(state)),
        false => (when, EventKind::Ended(state)),
    })
}

fn value(shapes: &Blendshapes, name: &str) -> f32 {
    shapes.get(name).unwrap_or_default()
}

/// Where a head that looked `before` looks now; none to the camera.
fn direction(pose: HeadPose, before: Option<Direction>) -> Option<Direction> {
    let (yaw_limit, pitch_limit) = if before.is_some() { (BACK_YAW, BACK_PITCH) } else { (AWAY_YAW, AWAY_PITCH) };
    let (sideways, upwards) = (pose.yaw.abs() / yaw_limit, pose.pitch.abs() / pitch_limit);
    if sideways.max(upwards) <= 1.0 {
        return None;
    }
    Some(match (sideways >= upwards, pose.yaw > 0.0, pose.pitch > 0.0) {
        (true, true, _) => Direction::Left,
        (true, false, _) => Direction::Right,
        (false, _, true) => Direction::Up,
        (false, _, false) => Direction::Down,
    })
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
        if distance_ns(&since, time) < hysteresis_ns {
            return None;
        }
        self.next = None;
        let before = std::mem::replace(&mut self.current, state);
        let duration_ns = distance_ns(&std::mem::replace(&mut self.since, since), &since);
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
