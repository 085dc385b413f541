// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where plates go: inside the frame, beside their face, off other faces and off one another.

use crate::geometry::{Rect, Size};

/// A place beside a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub side: Side,
    pub align: Align,
}

/// Where along the box's edge a plate lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Flush with the left or upper end.
    Start,
    Middle,
    /// Flush with the right or lower end.
    End,
}

use Align::{End, Middle, Start};

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

/// The nearest even number. Pictures whose edges lie at even pixels cover whole samples of chroma, which keeps the edges
/// clean and lets [`super::Canvas`] use what it prepared again.
pub(super) fn even(position: f32) -> f32 {
    (position / 2.0).round() * 2.0
}

/// For labels, best first.
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

/// For graphs, best first.
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

/// A place for a plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub spot: Spot,
    pub rect: Rect,
    /// Area of what the plate hides: the face's own box counts once, other faces twice.
    pub hidden: f32,
}

/// The faces and the plates that were placed so far.
pub(super) struct Layout {
    frame: Size,
    faces: Vec<Rect>,
    taken: Vec<Rect>,
}

impl Layout {
    /// What a plate may hide, as a part of its own area, before it moves away from where it was on the last frame.
    pub(super) const INERTIA: f32 = 0.06;

    /// A frame with `faces` and no plates.
    pub(super) fn new(frame: Size, faces: Vec<Rect>) -> Self {
        Self { frame, faces, taken: Vec::new() }
    }

    /// The spot for a plate of `size` beside face `own` where it hides the least, the first of equals; `last` is where
    /// it was before. None if the plate is larger than the frame or would everywhere lie on another.
    pub(super) fn best(&self, own: usize, size: Size, gap: f32, spots: &[Spot], last: Option<Spot>) -> Option<Place> {
        let area = size.rect().area();
        let cost = |place: &Place| place.hidden - if last == Some(place.spot) { Self::INERTIA * area } else { 0.0 };
        let places = spots.iter().filter_map(|&spot| self.place(own, size, gap, spot)).filter(|place| self.is_free(place.rect));
        places.reduce(|best, place| if cost(&place) < cost(&best) { place } else { best })
    }

    /// Keeps later plates off `rect`.
    pub(super) fn take(&mut self, rect: Rect) {
        self.taken.push(rect);
    }

    /// The plate at `spot`, moved along the box's edge into the frame; none if it does not fit between edge and frame.
    fn place(&self, own: usize, size: Size, gap: f32, spot: Spot) -> Option<Place> {
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
        let (room_x, room_y) = (self.frame.width as f32 - w, self.frame.height as f32 - h);
        if room_x < 0.0 || room_y < 0.0 {
            return None;
        }
        let fit = |position: f32, room: f32| even(position.clamp(0.0, room) - 0.5);
        let inside = Rect::new(fit(x, room_x), fit(y, room_y), w, h);
        let moved_onto_the_box = match spot.side {
            Side::Above | Side::Below => (inside.y - y).abs() >= 2.0,
            Side::Right | Side::Left => (inside.x - x).abs() >= 2.0,
            Side::Inside => false,
        };
        (!moved_onto_the_box).then(|| Place { spot, rect: inside, hidden: self.hidden(Some(own), inside) })
    }

    fn is_free(&self, plate: Rect) -> bool {
        self.taken.iter().all(|other| plate.intersection(*other).area() == 0.0)
    }

    /// What `plate` would hide, see [`Place::hidden`]; `own` is the face that it belongs to.
    pub(super) fn hidden(&self, own: Option<usize>, plate: Rect) -> f32 {
        let area = |other: &Rect| plate.intersection(*other).area();
        self.faces.iter().enumerate().map(|(i, face)| if Some(i) == own { area(face) } else { 2.0 * area(face) }).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Size = Size::new(200, 100);
    const PLATE: Size = Size::new(40, 10);

    fn best(layout: &Layout, own: usize) -> Place {
        layout.best(own, PLATE, 2.0, &LABEL_SPOTS, None).expect("it fits")
    }

    #[test]
    fn the_first_choice_is_above_flush_left() {
        let layout = Layout::new(FRAME, vec![Rect::new(50.0, 40.0, 30.0, 30.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(50.0, 28.0, 40.0, 10.0));
        assert_eq!(best(&layout, 0).hidden, 0.0);
    }

    #[test]
    fn at_the_top_it_goes_below_and_at_the_right_it_moves_inside() {
        let layout = Layout::new(FRAME, vec![Rect::new(180.0, 4.0, 18.0, 30.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(160.0, 36.0, 40.0, 10.0));
    }

    #[test]
    fn a_face_as_high_as_the_frame_has_it_on_the_right() {
        let layout = Layout::new(FRAME, vec![Rect::new(50.0, 0.0, 60.0, 100.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(112.0, 0.0, 40.0, 10.0));
    }

    #[test]
    fn a_face_that_fills_the_frame_has_it_inside() {
        let layout = Layout::new(FRAME, vec![FRAME.rect()]);
        let place = best(&layout, 0);
        assert_eq!((place.spot.side, place.rect), (Side::Inside, Rect::new(80.0, 2.0, 40.0, 10.0)));
        assert_eq!(place.hidden, 400.0);
    }

    #[test]
    fn other_faces_and_plates_are_left_free() {
        let faces = vec![Rect::new(50.0, 40.0, 30.0, 30.0), Rect::new(50.0, 10.0, 30.0, 28.0)];
        let mut layout = Layout::new(FRAME, faces);
        assert_eq!(best(&layout, 0).rect.y, 72.0, "below, since a face is above");
        layout.take(Rect::new(40.0, 70.0, 60.0, 20.0));
        assert_eq!(best(&layout, 0).spot, spot(Side::Right, Start));
    }

    #[test]
    fn a_plate_stays_where_it_was_until_something_is_in_the_way() {
        let face = Rect::new(50.0, 40.0, 30.0, 30.0);
        let below = spot(Side::Below, Start);
        let at = |layout: &Layout| layout.best(0, PLATE, 2.0, &LABEL_SPOTS, Some(below)).expect("it fits").spot;
        assert_eq!(at(&Layout::new(FRAME, vec![face])), below);
        assert_eq!(at(&Layout::new(FRAME, vec![face, Rect::new(50.0, 75.0, 30.0, 20.0)])).side, Side::Above);
    }

    #[test]
    fn plates_never_cover_one_another() {
        let mut layout = Layout::new(FRAME, vec![Rect::new(50.0, 40.0, 30.0, 30.0)]);
        for placed in 0.. {
            let Some(place) = layout.best(0, PLATE, 2.0, &LABEL_SPOTS, None) else {
                assert!(placed >= 8, "{placed} plates around one face");
                break;
            };
            assert!(layout.is_free(place.rect));
            layout.take(place.rect);
        }
    }

    #[test]
    fn nothing_fits_a_frame_smaller_than_the_plate() {
        let layout = Layout::new(Size::new(39, 100), vec![Rect::new(0.0, 0.0, 39.0, 50.0)]);
        assert!(layout.best(0, PLATE, 2.0, &LABEL_SPOTS, None).is_none());
    }
}
