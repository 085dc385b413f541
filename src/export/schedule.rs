// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which frames are exported.

use super::FrameReport;

/// Picks frames: every one, one in an interval, or only those on which something changed. Frames without faces are
/// never picked.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval_ns: u64,
    on_change: bool,
    last_ns: Option<u64>,
    last_faces: Vec<Shown>,
}

/// Id and label of a face: what has to differ for a change. The outer `None` is a face that was not scored yet.
type Shown = (u32, Option<Option<usize>>);

impl Schedule {
    /// At most one frame in `interval_ns`, where 0 sets no limit; with `on_change` only when a face came or went or its
    /// label is another than on the frame picked last.
    pub fn new(interval_ns: u64, on_change: bool) -> Self {
        Self { interval_ns, on_change, last_ns: None, last_faces: Vec::new() }
    }

    /// How long the frame's text holds, if it is picked: until the next frame that could be.
    ///
    /// Intervals begin where the position in the medium is a whole multiple of their length, and the first frame with a
    /// face is picked. With `on_change` they begin at the change, so that it is told at once.
    pub fn pick(&mut self, frame: &FrameReport<'_>) -> Option<u64> {
        let faces = self.on_change.then(|| shown(frame));
        if frame.faces.is_empty() {
            self.last_faces.clear();
            return None;
        }
        let hold_ns = self.hold_ns(frame)?;
        if let Some(faces) = faces {
            if faces == self.last_faces {
                return None;
            }
            self.last_faces = faces;
        }
        self.last_ns = Some(frame.time.position_ns());
        Some(hold_ns)
    }

    fn hold_ns(&self, frame: &FrameReport<'_>) -> Option<u64> {
        let (position_ns, interval_ns) = (frame.time.position_ns(), self.interval_ns);
        let frame_ns = frame.time.duration_ns.max(1);
        let Some(slot) = position_ns.checked_div(interval_ns) else { return Some(frame_ns) };
        let (free, left_ns) = if self.on_change {
            (self.last_ns.is_none_or(|last| position_ns.abs_diff(last) >= interval_ns), interval_ns)
        } else {
            (self.last_ns.is_none_or(|last| last / interval_ns != slot), interval_ns - position_ns % interval_ns)
        };
        // The next frame that may be picked begins a whole number of frames later: until then, or captions would blink.
        free.then(|| left_ns.div_ceil(frame_ns).saturating_mul(frame_ns))
    }
}

fn shown(frame: &FrameReport<'_>) -> Vec<Shown> {
    let mut faces: Vec<Shown> = frame.faces.iter().map(|face| (face.id, face.emotion.as_ref().map(|emotion| emotion.label_id))).collect();
    faces.sort_unstable();
    faces
}
