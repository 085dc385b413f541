// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decides what must be blurred on a frame so that no face is visible: the known faces, or the whole frame.
//!
//! A detector reports how long ago it last searched for faces. After a recent search, the known faces are all faces of the
//! frame. Otherwise the frame may show a face that has not been searched for.

use std::time::Duration;

use crate::geometry::Rect;
use crate::record::{FaceRecord, FrameRecord, SearchAge};

/// What must be blurred on a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Cover {
    /// Boxes of the known faces, in 0..1 of the frame.
    pub boxes: Vec<Rect>,
    /// The reason why the frame may show other faces, so that all of it must be blurred; none if it cannot.
    pub uncovered: Option<Uncovered>,
}

/// Why a frame may show faces other than the known ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncovered {
    /// No search of this scene has finished yet.
    NotSearched,
    /// Searches are further apart than the maximum age.
    TooOld,
    /// The metadata contains faces whose positions in this frame are unknown.
    Misplaced,
}

/// Tracks the searches of a stream.
///
/// After two searches that are too far apart, frames stay uncovered until two searches are close enough again. Otherwise
/// the picture would flicker at a constant interval above the maximum age.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Set once a frame of this stream reports when it was searched. From then on every frame has to.
    announced: bool,
    /// Age of the last search on the previous frame.
    previous: Option<Duration>,
    /// The last two searches were too far apart, or the next one is overdue.
    overdue: bool,
    /// Ids and boxes on the frame of the last search. A detector without tracks reports no faces in between.
    found: Vec<(u32, Rect)>,
}

impl Coverage {
    /// Decides what must be blurred on the next frame. A search covers frames for up to `max_age`. If the metadata never
    /// reports when a frame was searched, only the known faces can be blurred: see [`is_announced`](Self::is_announced).
    pub fn observe(&mut self, frame: &FrameRecord, max_age: Duration) -> Cover {
        let unsearched = self.track_search(frame, max_age);
        let uncovered = if frame.misplaced.is_empty() { unsearched } else { Some(Uncovered::Misplaced) };
        let unmatched = self.unmatched(&frame.faces);
        Cover { boxes: frame.faces.iter().map(|face| face.rect_norm).chain(unmatched).collect(), uncovered }
    }

    /// True if the detector of this stream reports when it searched.
    pub fn is_announced(&self) -> bool {
        self.announced
    }

    fn track_search(&mut self, frame: &FrameRecord, max_age: Duration) -> Option<Uncovered> {
        let age = match frame.searched {
            SearchAge::Unknown if !self.announced => return None,
            SearchAge::Unknown | SearchAge::Never => {
                *self = Self { announced: true, ..Self::default() };
                return Some(Uncovered::NotSearched);
            }
            SearchAge::Ago(age) => age,
        };
        self.announced = true;
        // An age that has not grown belongs to a new search.
        if self.previous.is_none_or(|previous| age <= previous) {
            self.overdue = self.previous.is_some_and(|previous| previous > max_age);
            self.found.clear();
            self.found.extend(frame.faces.iter().map(|face| (face.id, face.rect_norm)));
        }
        self.overdue |= age > max_age;
        self.previous = Some(age);
        self.overdue.then_some(Uncovered::TooOld)
    }

    /// The boxes of the last search that match none of `faces`, neither by id nor by overlap.
    fn unmatched(&self, faces: &[FaceRecord]) -> impl Iterator<Item = Rect> {
        let matches = |id: u32, rect: Rect| move |face: &FaceRecord| (id != 0 && face.id == id) || face.rect_norm.iou(rect) > 0.0;
        // Faces are mostly in the same order as on the frame before.
        let is_matched = move |at: usize, id, rect| faces.get(at).is_some_and(matches(id, rect)) || faces.iter().any(matches(id, rect));
        self.found.iter().enumerate().filter(move |&(at, &(id, rect))| !is_matched(at, id, rect)).map(|(_, &(_, rect))| rect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: Duration = Duration::from_millis(500);
    const BOX: Rect = Rect::new(0.2, 0.2, 0.2, 0.2);

    fn face(id: u32, rect_norm: Rect) -> FaceRecord {
        FaceRecord { id, rect_norm, detection: None, emotion: None, geometry: None, confirmed: true }
    }

    fn frame(searched: SearchAge, faces: &[FaceRecord]) -> FrameRecord {
        FrameRecord { faces: faces.into(), searched, misplaced: Vec::new() }
    }

    fn ago(milliseconds: u64) -> SearchAge {
        SearchAge::Ago(Duration::from_millis(milliseconds))
    }

    /// Whether each of the frames is covered whose last search was this many milliseconds ago.
    fn covered(ages_ms: impl IntoIterator<Item = u64>) -> Vec<bool> {
        let mut coverage = Coverage::default();
        let is_covered = |age| coverage.observe(&frame(ago(age), &[]), MAX_AGE).uncovered.is_none();
        ages_ms.into_iter().map(is_covered).collect()
    }

    #[test]
    fn a_search_covers_frames_up_to_the_maximum_age() {
        assert_eq!(covered([0, 33, 500, 0]), [true; 4]);
        assert_eq!(covered([0, 501]), [true, false]);
    }

    #[test]
    fn a_search_interval_above_the_maximum_age_does_not_flicker() {
        let one_second = (0..30).map(|frame| frame * 33);
        let covered = covered(one_second.clone().chain(one_second.clone()).chain(one_second));
        let first_uncovered = covered.iter().position(|covered| !covered).expect("the interval is longer than the maximum age");
        assert_eq!(first_uncovered, 16);
        assert!(covered[first_uncovered..].iter().all(|covered| !covered));
    }

    #[test]
    fn a_late_search_requires_two_close_ones() {
        assert_eq!(covered([0, 300, 600, 100, 200, 0]), [true, true, false, false, false, true]);
    }

    #[test]
    fn a_new_scene_is_uncovered_until_its_first_search() {
        let mut coverage = Coverage::default();
        let mut uncovered = |searched| coverage.observe(&frame(searched, &[]), MAX_AGE).uncovered;
        assert_eq!(uncovered(SearchAge::Never), Some(Uncovered::NotSearched));
        assert_eq!(uncovered(ago(90)), None);
        assert_eq!(uncovered(SearchAge::Never), Some(Uncovered::NotSearched), "a scene cut");
        assert_eq!(uncovered(ago(0)), None);
    }

    #[test]
    fn a_detector_that_never_reports_searches_is_trusted_but_one_that_stops_is_not() {
        let mut coverage = Coverage::default();
        let mut covered = |searched| {
            let cover = coverage.observe(&frame(searched, &[face(1, BOX)]), MAX_AGE);
            assert_eq!(cover.boxes, [BOX]);
            (cover.uncovered, coverage.is_announced())
        };
        assert_eq!(covered(SearchAge::Unknown), (None, false));
        assert_eq!(covered(ago(0)), (None, true));
        assert_eq!(covered(SearchAge::Unknown), (Some(Uncovered::NotSearched), true));
    }

    #[test]
    fn a_misplaced_face_leaves_the_frame_uncovered() {
        for searched in [ago(0), SearchAge::Unknown] {
            let lost = FrameRecord { misplaced: vec!["rotate0".into()], ..frame(searched, &[]) };
            assert_eq!(Coverage::default().observe(&lost, MAX_AGE).uncovered, Some(Uncovered::Misplaced));
        }
    }

    #[test]
    fn between_searches_a_face_stays_hidden_at_its_last_box_until_it_is_matched() {
        let mut coverage = Coverage::default();
        let (near, far) = (BOX.translated(0.05, 0.0), BOX.translated(0.5, 0.5));
        let mut boxes = |age, faces: &[FaceRecord]| coverage.observe(&frame(ago(age), faces), MAX_AGE).boxes;
        assert_eq!(boxes(0, &[face(0, BOX), face(7, far)]), [BOX, far]);
        assert_eq!(boxes(33, &[]), [BOX, far], "a detector without tracks");
        let further = far.translated(0.25, 0.0);
        assert_eq!(boxes(66, &[face(0, near), face(7, further)]), [near, further]);
        assert_eq!(boxes(0, &[]), [], "a search that finds no face");
    }
}
