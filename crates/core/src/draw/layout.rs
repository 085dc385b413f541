// SPDX-License-Identifier: MIT OR Apache-2.0
//! Placement of plates: inside of the frame, beside their face, off other faces and off one another.

use crate::geometry::{Rect, Size};

/// A position relative to the box of a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub side: Side,
    pub align: Align,
}

/// Alignment of a plate along the edge of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Flush with the left or upper end.
    Start,
    Middle,
    /// Flush with the right or lower end.
    End,
}

use Align::{End, Middle, Start};

/// Side of the box at which a plate lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
    Right,
    Left,
    Inside,
}

const fn spot(side: Side, align: Align) -> Spot {
    Spot { side, align }
}

/// The nearest even number. Pictures with edges at even pixels cover whole chroma samples. That keeps their edges clean,
/// and lets [`super::Canvas`] reuse their prepared form.
pub(super) fn even(position: f32) -> f32 {
    (position / 2.0).round() * 2.0
}

/// The spots for labels, in order of preference.
pub(super) const LABEL_SPOTS: [Spot; 14] = [
    spot(Side::Above, Start),
    spot(Side::Above, End),
    spot(Side::Above, Middle),
    spot(Side::Below, Start),
    spot(Side::Below, End),
    spot(Side::Below, Middle),
    spot(Side::Right, Start),
    spot(Side::Left, Start),
    spot(Side::Right, End),
    spot(Side::Left, End),
    spot(Side::Right, Middle),
    spot(Side::Left, Middle),
    spot(Side::Inside, Start),
    spot(Side::Inside, End),
];

/// The spots for graphs, in order of preference.
pub(super) const GRAPH_SPOTS: [Spot; 12] = [
    spot(Side::Right, Start),
    spot(Side::Left, Start),
    spot(Side::Right, End),
    spot(Side::Left, End),
    spot(Side::Right, Middle),
    spot(Side::Left, Middle),
    spot(Side::Below, Start),
    spot(Side::Below, End),
    spot(Side::Below, Middle),
    spot(Side::Above, Start),
    spot(Side::Above, End),
    spot(Side::Above, Middle),
];

/// A candidate position of a plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub spot: Spot,
    pub rect: Rect,
    /// Area that the plate hides. The box of the face itself counts once, other faces count [`OTHERS_WEIGHT`] times.
    pub hidden_area: f32,
}

/// So much that a plate hides another face only if it has no other spot: it would seem to belong to that face.
const OTHERS_WEIGHT: f32 = 100.0;

impl Candidate {
    /// True if the plate hides at most this share of its own area, and next to nothing of other faces.
    pub(super) fn hides_at_most(&self, share: f32) -> bool {
        self.hidden_area <= share * self.rect.area()
    }
}

/// The faces of a frame and the plates placed so far.
pub(super) struct Layout {
    frame: Size,
    faces: Vec<Rect>,
    plates: Vec<Rect>,
}

impl Layout {
    /// Maximum part of its own area that a plate may hide before it leaves its spot on the previous frame.
    pub(super) const INERTIA: f32 = 0.06;

    /// A frame with `faces` and no plates.
    pub(super) fn new(frame: Size, faces: Vec<Rect>) -> Self {
        Self { frame, faces, plates: Vec::new() }
    }

    /// The candidate for a plate of `size` beside face `own` that hides the least; the first one of equals. `last` is the
    /// spot on the previous frame. None if the plate is larger than the frame or would overlap another plate at every spot.
    pub(super) fn best(&self, own: usize, size: Size, gap: f32, spots: &[Spot], last: Option<Spot>) -> Option<Candidate> {
        let area = size.rect().area();
        let cost = |at: &Candidate| at.hidden_area - if last == Some(at.spot) { Self::INERTIA * area } else { 0.0 };
        let candidates = spots.iter().filter_map(|&spot| self.candidate(own, size, gap, spot)).filter(|at| self.is_free(at.rect));
        candidates.reduce(|best, other| if cost(&other) < cost(&best) { other } else { best })
    }

    /// Keeps later plates off `rect`.
    pub(super) fn add_plate(&mut self, rect: Rect) {
        self.plates.push(rect);
    }

    /// The plate at `spot`, moved along the edge of the box into the frame; none if it does not fit between the edge of the
    /// box and that of the frame.
    fn candidate(&self, own: usize, size: Size, gap: f32, spot: Spot) -> Option<Candidate> {
        let face = self.faces[own];
        let Rect { w, h, .. } = size.rect();
        let (along_x, along_y) = match spot.align {
            Start => (face.x, face.y),
            Middle => (face.center().x - w / 2.0, face.center().y - h / 2.0),
            End => (face.right() - w, face.bottom() - h),
        };
        let (x, y) = match spot.side {
            Side::Above => (along_x, face.y - gap - h),
            Side::Below => (along_x, face.bottom() + gap),
            Side::Right => (face.right() + gap, along_y),
            Side::Left => (face.x - gap - w, along_y),
            Side::Inside => (face.center().x - w / 2.0, if spot.align == End { along_y - gap } else { along_y + gap }),
        };
        let (max_x, max_y) = (self.frame.width as f32 - w, self.frame.height as f32 - h);
        if max_x < 0.0 || max_y < 0.0 {
            return None;
        }
        // Half a pixel less, so that an odd maximum is rounded down to the even number below it.
        let fit = |position: f32, max: f32| even(position.clamp(0.0, max) - 0.5);
        let inside = Rect::new(fit(x, max_x), fit(y, max_y), w, h);
        let overlaps_box = match spot.side {
            Side::Above | Side::Below => (inside.y - y).abs() >= 2.0,
            Side::Right | Side::Left => (inside.x - x).abs() >= 2.0,
            Side::Inside => false,
        };
        (!overlaps_box).then(|| Candidate { spot, rect: inside, hidden_area: self.hidden_area(Some(own), inside) })
    }

    fn is_free(&self, plate: Rect) -> bool {
        self.plates.iter().all(|other| plate.intersection(*other).area() == 0.0)
    }

    /// The area that `plate` would hide, see [`Candidate::hidden_area`]; `own` is the face that it belongs to.
    pub(super) fn hidden_area(&self, own: Option<usize>, plate: Rect) -> f32 {
        let area = |other: &Rect| plate.intersection(*other).area();
        self.faces.iter().enumerate().map(|(i, face)| if Some(i) == own { area(face) } else { OTHERS_WEIGHT * area(face) }).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Size = Size::new(200, 100);
    const PLATE: Size = Size::new(40, 10);

    fn best(layout: &Layout, own: usize) -> Candidate {
        layout.best(own, PLATE, 2.0, &LABEL_SPOTS, None).expect("it fits")
    }

    #[test]
    fn a_plate_prefers_the_spot_above_aligned_left() {
        let layout = Layout::new(FRAME, vec![Rect::new(50.0, 40.0, 30.0, 30.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(50.0, 28.0, 40.0, 10.0));
        assert_eq!(best(&layout, 0).hidden_area, 0.0);
    }

    #[test]
    fn a_plate_goes_below_at_the_top_edge_and_moves_left_at_the_right_edge() {
        let layout = Layout::new(FRAME, vec![Rect::new(180.0, 4.0, 18.0, 30.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(160.0, 36.0, 40.0, 10.0));
    }

    #[test]
    fn a_face_as_high_as_the_frame_has_its_plate_on_the_right() {
        let layout = Layout::new(FRAME, vec![Rect::new(50.0, 0.0, 60.0, 100.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(112.0, 0.0, 40.0, 10.0));
    }

    #[test]
    fn a_face_that_fills_the_frame_has_its_plate_inside() {
        let layout = Layout::new(FRAME, vec![FRAME.rect()]);
        let place = best(&layout, 0);
        assert_eq!((place.spot.side, place.rect), (Side::Inside, Rect::new(80.0, 2.0, 40.0, 10.0)));
        assert_eq!(place.hidden_area, 400.0);
    }

    #[test]
    fn plates_avoid_other_faces_and_plates() {
        let faces = vec![Rect::new(50.0, 40.0, 30.0, 30.0), Rect::new(50.0, 10.0, 30.0, 28.0)];
        let mut layout = Layout::new(FRAME, faces);
        assert_eq!(best(&layout, 0).rect.y, 72.0, "below, since a face is above");
        layout.add_plate(Rect::new(40.0, 70.0, 60.0, 20.0));
        assert_eq!(best(&layout, 0).spot, spot(Side::Right, Start));
    }

    #[test]
    fn a_plate_between_faces_goes_onto_its_own_face() {
        // Columns and rows of faces that leave no room for a plate, which would hide the least of the face above.
        let place = |n: usize| Rect::new((n % 4) as f32 * 48.0, (n / 4) as f32 * 34.0, 44.0, 26.0);
        let layout = Layout::new(FRAME, (0..12).map(place).collect());
        for own in 0..12 {
            let found = best(&layout, own);
            assert_eq!(found.spot.side, Side::Inside, "face {own}");
            assert!(found.hides_at_most(1.0));
        }
    }

    #[test]
    fn a_plate_keeps_its_spot_until_it_would_hide_a_face() {
        let face = Rect::new(50.0, 40.0, 30.0, 30.0);
        let below = spot(Side::Below, Start);
        let at = |layout: &Layout| layout.best(0, PLATE, 2.0, &LABEL_SPOTS, Some(below)).expect("it fits").spot;
        assert_eq!(at(&Layout::new(FRAME, vec![face])), below);
        assert_eq!(at(&Layout::new(FRAME, vec![face, Rect::new(50.0, 75.0, 30.0, 20.0)])).side, Side::Above);
    }

    #[test]
    fn plates_never_overlap() {
        let mut layout = Layout::new(FRAME, vec![Rect::new(50.0, 40.0, 30.0, 30.0)]);
        for placed in 0.. {
            let Some(place) = layout.best(0, PLATE, 2.0, &LABEL_SPOTS, None) else {
                assert!(placed >= 8, "{placed} plates around one face");
                break;
            };
            assert!(layout.is_free(place.rect));
            layout.add_plate(place.rect);
        }
    }

    #[test]
    fn a_plate_larger_than_the_frame_has_no_spot() {
        let layout = Layout::new(Size::new(39, 100), vec![Rect::new(0.0, 0.0, 39.0, 50.0)]);
        assert!(layout.best(0, PLATE, 2.0, &LABEL_SPOTS, None).is_none());
    }
}
