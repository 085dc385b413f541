// SPDX-License-Identifier: MIT OR Apache-2.0
//! The schedule: which frames are exported.

use super::FrameReport;
use crate::record::UnknownReason;

/// Selects frames: every frame, one in each interval, or only those on which something changed. A frame without faces is
/// selected only where that is the change: if only changes are exported, or if the format marks the absence of faces.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval_ns: u64,
    on_change: bool,
    marks_absence: bool,
    last_ns: Option<u64>,
    last_faces: Vec<FaceState>,
    /// The last selected frame had no faces.
    is_absence_marked: bool,
}

/// Id and label of a face, which a change is detected by: for `unknown`, with the reason. `None` is a face that nothing scores.
type FaceState = (u32, Option<(Option<usize>, Option<UnknownReason>)>);

impl Schedule {
    /// Selects at most one frame in `interval_ns`, where 0 sets no limit. With `on_change`, it selects a frame only if a
    /// face has appeared, disappeared or changed its label since the last selected frame. With `marks_absence`, it also
    /// selects the first frame without faces at the start and after each frame with faces.
    pub fn new(interval_ns: u64, on_change: bool, marks_absence: bool) -> Self {
        Self { interval_ns, on_change, marks_absence, last_ns: None, last_faces: Vec::new(), is_absence_marked: false }
    }

    /// Selects the frame or skips it. For a selected frame, returns the time in nanoseconds for which its text holds: until
    /// the next frame that can be selected.
    ///
    /// Intervals begin at positions in the media that are multiples of their length, and the first frame with a face is
    /// selected. With `on_change` an interval begins at the change, so that a change is exported without delay.
    pub fn select(&mut self, frame: &FrameReport<'_>) -> Option<u64> {
        let is_absence = frame.faces.is_empty();
        let is_absence_due = is_absence && self.marks_absence && !self.is_absence_marked;
        if is_absence && !self.on_change && !is_absence_due {
            return None;
        }
        let hold_ns = self.hold_ns(frame)?;
        if self.on_change {
            let faces = face_states(frame);
            if faces == self.last_faces && !is_absence_due {
                return None;
            }
            self.last_faces = faces;
        }
        self.is_absence_marked = is_absence;
        self.last_ns = Some(frame.time.position_ns());
        Some(hold_ns)
    }

    fn hold_ns(&self, frame: &FrameReport<'_>) -> Option<u64> {
        let (position_ns, interval_ns) = (frame.time.position_ns(), self.interval_ns);
        let frame_ns = frame.time.duration_ns.max(1);
        if interval_ns == 0 {
            return Some(frame_ns);
        }
        // Timestamps are rounded: the frame at the start of an interval may lie a few nanoseconds before it.
        let rounding_ns = frame_ns / 100;
        let slot = |ns: u64| ns.saturating_add(rounding_ns) / interval_ns;
        let (is_due, left_ns) = if self.on_change {
            let passed = |last: u64| position_ns.abs_diff(last).saturating_add(rounding_ns) >= interval_ns;
            (self.last_ns.is_none_or(passed), interval_ns.saturating_sub(rounding_ns))
        } else {
            let left_ns = interval_ns - position_ns.saturating_add(rounding_ns) % interval_ns;
            (self.last_ns.is_none_or(|last| slot(last) != slot(position_ns)), left_ns)
        };
        // The next selectable frame begins a whole number of frames later. A shorter time would make captions blink.
        is_due.then(|| left_ns.div_ceil(frame_ns).max(1).saturating_mul(frame_ns))
    }
}

fn face_states(frame: &FrameReport<'_>) -> Vec<FaceState> {
    let mut faces: Vec<FaceState> =
        frame.faces.iter().map(|face| (face.id, face.emotion.as_ref().map(|emotion| (emotion.label_id, emotion.reason)))).collect();
    faces.sort_unstable();
    faces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::FrameTime;
    use crate::geometry::{Rect, Size};
    use crate::record::FaceRecord;

    #[test]
    fn a_selected_frame_holds_until_the_next_one_despite_rounded_timestamps() {
        let faces = [FaceRecord {
            id: 1,
            rect_norm: Rect::new(0.1, 0.1, 0.2, 0.2),
            detection: None,
            emotion: None,
            geometry: None,
            confirmed: true,
        }];
        let rates = [(33_333_333, 0.0), (33_333_333, 1.0 / 3.0), (33_366_666, 2.0 / 3.0), (16_666_666, 0.0), (16_666_666, 2.0 / 3.0)];
        for (duration_ns, rest_ns) in rates {
            let mut schedule = Schedule::new(500_000_000, false, false);
            let at = |frame: u64| (frame as f64 * (duration_ns as f64 + rest_ns)) as u64;
            let selected = (0..300).filter_map(|frame| {
                let time = FrameTime { pts_ns: at(frame), duration_ns, ..FrameTime::default() };
                let hold_ns =
                    schedule.select(&FrameReport { stream: "s", frame, time, size: Size::default(), faces: &faces, misplaced: false })?;
                Some((at(frame), at(frame) + hold_ns))
            });
            let selected: Vec<_> = selected.collect();
            assert!(selected.len() >= 9);
            assert!(selected.windows(2).all(|pair| pair[0].1.abs_diff(pair[1].0) < 1_000), "{duration_ns}: {selected:?}");
        }
    }
}
