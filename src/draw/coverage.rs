// SPDX-License-Identifier: MIT OR Apache-2.0
//! What must be blurred on a frame so that no face is seen: the known faces, or all of it.
//!
//! A detector says how long ago it last searched for faces. While that is recent, the faces that it found are the faces
//! of the picture. Otherwise someone may be in the picture whom nobody has looked for.

use std::time::Duration;

use crate::geometry::Rect;
use crate::record::{FaceRecord, FrameRecord, SearchAge};

/// What must be blurred on a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Cover {
    /// Boxes of the known faces, in 0..1 of the frame.
    pub boxes: Vec<Rect>,
    /// Why these may not be all faces of the frame, so that all of it must be blurred; none if they are.
    pub uncovered: Option<Uncovered>,
}

/// Why the known faces do not cover a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncovered {
    /// No search of this scene has ended yet.
    NotSearched,
    /// Searches are further apart than the maximum age.
    TooOld,
    /// A face is in the metadata, but nobody can tell where it is in this picture.
    Misplaced,
}

/// Follows the searches of a stream.
///
/// Once searches were too far apart, frames stay uncovered until two of them are close enough again. Otherwise a regular
/// interval above the maximum age would let the picture flicker.
#[derive(Debug, Default)]
pub struct Coverage {
    /// A frame of this stream told when it was searched, so from now on every frame has to.
    announced: bool,
    /// Age of the last search on the frame before this one.
    previous: Option<Duration>,
    /// The last two searches were too far apart, or the next one is overdue.
    overdue: bool,
    /// Ids and boxes on the frame that came with the last search. A detector without tracks gives no faces in between.
    found: Vec<(u32, Rect)>,
}

impl Coverage {
    /// Takes the next frame and says what must be blurred on it. A search covers a frame for up to `max_age`. Where the
    /// metadata never says when a frame was searched, only the known faces can be blurred: see
    /// [`is_announced`](Self::is_announced).
    pub fn observe(&mut self, frame: &FrameRecord, max_age: Duration) -> Cover {
        let unsearched = self.follow(frame, max_age);
        let uncovered = if frame.misplaced { Some(Uncovered::Misplaced) } else { unsearched };
        let left = self.left(&frame.faces);
        Cover { boxes: frame.faces.iter().map(|face| face.rect_norm).chain(left).collect(), uncovered }
    }

    /// True if the detector of this stream tells when it searched.
    pub fn is_announced(&self) -> bool {
        self.announced
    }

    fn follow(&mut self, frame: &FrameRecord, max_age: Duration) -> Option<Uncovered> {
        let age = match frame.searched {
            SearchAge::Unknown if !self.announced => return None,
            SearchAge::Unknown | SearchAge::Never => {
                *self = Self { announced: true, ..Self::default() };
                return Some(Uncovered::NotSearched);
            }
            SearchAge::Ago(age) => age,
        };
        self.announced = true;
        if self.previous.is_none_or(|previous| age <= previous) {
            self.overdue = self.previous.is_some_and(|previous| previous > max_age);
            self.found.clear();
            self.found.extend(frame.faces.iter().map(|face| (face.id, face.rect_norm)));
        }
        self.overdue |= age > max_age;
        self.previous = Some(age);
        self.overdue.then_some(Uncovered::TooOld)
    }

    /// The boxes of the last search that none of `faces` has followed.
    fn left(&self, faces: &[FaceRecord]) -> impl Iterator<Item = Rect> {
        let follows = |id: u32, rect: Rect| move |face: &FaceRecord| (id != 0 && face.id == id) || face.rect_norm.iou(rect) > 0.0;
        self.found.iter().filter(move |&&(id, rect)| !faces.iter().any(follows(id, rect))).map(|&(_, rect)| rect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: Duration = Duration::from_millis(500);
    const BOX: Rect = Rect::new(0.2, 0.2, 0.2, 0.2);

    fn face(id: u32, rect_norm: Rect) -> FaceRecord {
        FaceRecord { id, rect_norm, detection: None, emotion: None }
    }

    fn frame(searched: SearchAge, faces: &[FaceRecord]) -> FrameRecord {
        FrameRecord { faces: faces.into(), searched, misplaced: false }
    }

    fn ago(milliseconds: u64) -> SearchAge {
        SearchAge::Ago(Duration::from_millis(milliseconds))
    }

    /// Whether frames are covered that were last searched so many milliseconds ago.
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
    fn searches_at_a_long_interval_do_not_let_the_picture_flicker() {
        let second = (0..30).map(|frame| frame * 33);
        let shown = covered(second.clone().chain(second.clone()).chain(second));
        let first_hidden = shown.iter().position(|covered| !covered).expect("the interval is longer than the maximum age");
        assert_eq!(first_hidden, 16);
        assert!(shown[first_hidden..].iter().all(|covered| !covered));
    }

    #[test]
    fn after_one_late_search_two_close_ones_are_needed() {
        assert_eq!(covered([0, 300, 600, 100, 200, 0]), [true, true, false, false, false, true]);
    }

    #[test]
    fn a_scene_that_was_never_searched_is_hidden_until_its_first_search() {
        let mut coverage = Coverage::default();
        let mut uncovered = |searched| coverage.observe(&frame(searched, &[]), MAX_AGE).uncovered;
        assert_eq!(uncovered(SearchAge::Never), Some(Uncovered::NotSearched));
        assert_eq!(uncovered(ago(90)), None);
        assert_eq!(uncovered(SearchAge::Never), Some(Uncovered::NotSearched), "a scene cut");
        assert_eq!(uncovered(ago(0)), None);
    }

    #[test]
    fn a_detector_that_never_tells_is_trusted_but_one_that_stops_telling_is_not() {
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
    fn a_face_without_a_place_hides_the_frame() {
        for searched in [ago(0), SearchAge::Unknown] {
            let lost = FrameRecord { misplaced: true, ..frame(searched, &[]) };
            assert_eq!(Coverage::default().observe(&lost, MAX_AGE).uncovered, Some(Uncovered::Misplaced));
        }
    }

    #[test]
    fn between_searches_a_face_stays_hidden_where_it_was_found_until_it_is_followed() {
        let mut coverage = Coverage::default();
        let (near, far) = (BOX.translated(0.05, 0.0), BOX.translated(0.5, 0.5));
        let mut boxes = |age, faces: &[FaceRecord]| coverage.observe(&frame(ago(age), faces), MAX_AGE).boxes;
        assert_eq!(boxes(0, &[face(0, BOX), face(7, far)]), [BOX, far]);
        assert_eq!(boxes(33, &[]), [BOX, far], "a detector without tracks");
        let further = far.translated(0.25, 0.0);
        assert_eq!(boxes(66, &[face(0, near), face(7, further)]), [near, further]);
        assert_eq!(boxes(0, &[]), [], "a search that finds nobody");
    }
}
