// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds frames back, so that a face is hidden from before it was found until after it was lost: the property `blur-delay`.

use std::collections::VecDeque;
use std::time::Duration;

use super::settings::Settings;
use crate::geometry::Rect;
use crate::record::{FaceRecord, FrameRecord};

/// A box before a face was found, or after it was lost, is larger by this share of its sides on each side: it has moved.
const GROWTH: f32 = 0.25;

/// A frame that is held back, and the faces on it.
#[derive(Debug)]
pub struct Held {
    /// The frame.
    pub buffer: gst::Buffer,
    /// Its faces.
    pub record: FrameRecord,
    /// Its time in the stream.
    pub time: Duration,
    /// The settings that it came with: a face that was to be hidden then is hidden.
    pub settings: Settings,
}

/// The frames that are held back, the oldest first.
#[derive(Debug, Default)]
pub struct Delay {
    held: VecDeque<Held>,
    /// Times and faces of frames that were shown, the newest first.
    shown: VecDeque<(Duration, Vec<(u32, Rect)>)>,
}

impl Delay {
    /// Takes the next frame.
    pub fn push(&mut self, frame: Held) {
        self.held.push_back(frame);
    }

    /// True if no frame is held back.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The oldest frame, if it is held for `delay` or none may be held any longer, and the boxes to hide beside its own: those of faces
    /// that were found while it was held, or lost within its own delay before it.
    pub fn next(&mut self, delay: Duration, is_last: bool) -> Option<(Held, Vec<Rect>)> {
        let (oldest, newest) = (self.held.front()?.time, self.held.back()?.time);
        if !is_last && newest.checked_sub(oldest).is_some_and(|held| held < delay) {
            return None;
        }
        let frame = self.held.pop_front()?;
        let hidden_for = frame.settings.blur.held();
        self.shown.retain(|(time, _)| frame.time.checked_sub(*time).is_some_and(|age| age <= hidden_for));
        let later = self.held.iter().map(|held| boxes(&held.record.faces));
        let earlier = self.shown.iter().map(|(_, faces)| faces.clone());
        let hidden = missing(&boxes(&frame.record.faces), later.chain(earlier));
        self.shown.push_front((frame.time, boxes(&frame.record.faces)));
        Some((frame, hidden))
    }

    /// Forgets all frames, as after a seek.
    pub fn clear(&mut self) {
        self.held.clear();
        self.shown.clear();
    }
}

fn boxes(faces: &[FaceRecord]) -> Vec<(u32, Rect)> {
    faces.iter().map(|face| (face.id, face.rect_norm)).collect()
}

/// The enlarged boxes of faces on `others`, the nearest frames first, that are not among `faces`, each once.
fn missing(faces: &[(u32, Rect)], others: impl Iterator<Item = Vec<(u32, Rect)>>) -> Vec<Rect> {
    let mut known = faces.to_vec();
    for (id, rect) in others.flatten() {
        let is_known = |&(other, place): &(u32, Rect)| (id != 0 && id == other) || ((id == 0 || other == 0) && place.iou(rect) > 0.0);
        if !known.iter().any(is_known) {
            known.push((id, Rect::around(rect.center(), rect.w * (1.0 + 2.0 * GROWTH), rect.h * (1.0 + 2.0 * GROWTH))));
        }
    }
    known.drain(..faces.len());
    known.into_iter().map(|(_, rect)| rect).collect()
}

#[cfg(test)]
mod tests {
    use super::super::privacy::BlurSettings;
    use super::*;
    use crate::choices::BlurFaces;

    const DELAY: Duration = Duration::from_millis(100);
    const BOX: Rect = Rect::new(0.4, 0.4, 0.2, 0.2);

    fn frame(time_ms: u64, faces: &[(u32, Rect)]) -> Held {
        gst::init().expect("GStreamer starts");
        let face =
            |&(id, rect_norm): &(u32, Rect)| FaceRecord { id, rect_norm, detection: None, emotion: None, geometry: None, confirmed: true };
        let record = FrameRecord { faces: faces.iter().map(face).collect(), ..FrameRecord::default() };
        let blur = BlurSettings { faces: BlurFaces::Solid, delay: DELAY, ..BlurSettings::default() };
        let settings = Settings { blur, ..Settings::default() };
        Held { buffer: gst::Buffer::new(), record, time: Duration::from_millis(time_ms), settings }
    }

    /// The time of each frame that is shown, in milliseconds, and how many boxes are hidden beside its own.
    fn shown(frames: impl IntoIterator<Item = Held>) -> Vec<(u128, usize)> {
        let mut delay = Delay::default();
        let mut shown = Vec::new();
        let mut note = |delay: &mut Delay, is_last| {
            while let Some((frame, hidden)) = delay.next(DELAY, is_last) {
                shown.push((frame.time.as_millis(), hidden.len()));
            }
        };
        for frame in frames {
            delay.push(frame);
            note(&mut delay, false);
        }
        note(&mut delay, true);
        assert!(delay.is_empty());
        shown
    }

    #[test]
    fn a_face_is_hidden_from_before_it_was_found_until_after_it_was_lost() {
        let frames = (0..12).map(|n| frame(40 * n, if (4..6).contains(&n) { &[(7, BOX)] } else { &[] }));
        let hidden: Vec<usize> = shown(frames).into_iter().map(|(_, hidden)| hidden).collect();
        assert_eq!(hidden, [0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_frame_is_hidden_as_it_was_to_be_when_it_came() {
        let mut delay = Delay::default();
        [frame(0, &[(7, BOX)]), frame(40, &[])].into_iter().for_each(|frame| delay.push(frame));
        // None is held from now on.
        delay.push(Held { settings: Settings::default(), ..frame(80, &[]) });
        let shown: Vec<_> = std::iter::from_fn(|| delay.next(Duration::ZERO, false)).collect();
        let hidden: Vec<_> = shown.iter().map(|(frame, beside)| (frame.settings.blur.faces, beside.len())).collect();
        assert_eq!(hidden, [(BlurFaces::Solid, 0), (BlurFaces::Solid, 1), (BlurFaces::None, 0)]);
    }

    #[test]
    fn all_frames_are_shown_in_order_and_no_earlier_than_the_delay() {
        let all = shown((0..10).map(|n| frame(40 * n, &[])));
        assert_eq!(all.iter().map(|(time, _)| *time).collect::<Vec<_>>(), (0..10).map(|n| 40 * n).collect::<Vec<_>>());
        let mut delay = Delay::default();
        for time_ms in [0, 40, 80] {
            delay.push(frame(time_ms, &[]));
            assert!(delay.next(DELAY, false).is_none(), "{time_ms} ms");
        }
        delay.push(frame(120, &[]));
        assert_eq!(delay.next(DELAY, false).expect("a frame").0.time, Duration::ZERO);
        // Time that goes back begins anew: nothing waits for it.
        delay.push(frame(0, &[]));
        assert!(delay.next(DELAY, false).is_some());
    }

    #[test]
    fn a_face_is_followed_by_its_id_and_without_one_by_its_place() {
        let far = BOX.translated(0.3, 0.3);
        let moved = |ids: [u32; 2]| shown([frame(0, &[(ids[0], BOX)]), frame(40, &[(ids[1], far)])])[0].1;
        assert_eq!((moved([7, 7]), moved([7, 8]), moved([0, 0])), (0, 1, 1));
        let near = BOX.translated(0.05, 0.0);
        assert_eq!(shown([frame(0, &[(0, BOX)]), frame(40, &[(0, near)])])[0].1, 0);
    }
}
