// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where plates go: inside the frame, beside their face, off other faces and off one another.

use crate::geometry::{Rect, Size};

/// A place beside a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub side: Side,
    /// Flush with the right or lower end of the box's edge, in place of the left or upper.
    pub at_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
    Right,
    Left,
    Inside,
}

const fn spot(side: Side, at_end: bool) -> Spot {
    Spot { side, at_end }
}

/// For labels, best first.
pub(super) const LABEL_SPOTS: [Spot; 10] = [
    spot(Side::Above, false),
    spot(Side::Above, true),
    spot(Side::Below, false),
    spot(Side::Below, true),
    spot(Side::Right, false),
    spot(Side::Left, false),
    spot(Side::Right, true),
    spot(Side::Left, true),
    spot(Side::Inside, false),
    spot(Side::Inside, true),
];

/// For graphs, best first.
pub(super) const GRAPH_SPOTS: [Spot; 8] = [
    spot(Side::Right, false),
    spot(Side::Left, false),
    spot(Side::Right, true),
    spot(Side::Left, true),
    spot(Side::Below, false),
    spot(Side::Above, false),
    spot(Side::Below, true),
    spot(Side::Above, true),
];

/// A place for a plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub spot: Spot,
    pub rect: Rect,
    /// Area of what the plate hides: the face's own box counts once, other faces twice, other plates four times.
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
    const INERTIA: f32 = 0.06;

    /// A frame with `faces` and no plates.
    pub(super) fn new(frame: Size, faces: Vec<Rect>) -> Self {
        Self { frame, faces, taken: Vec::new() }
    }

    /// The spot for a plate of `size` beside face `own` where it hides the least, the first of equals; `last` is where
    /// it was before. None if the plate is larger than the frame.
    pub(super) fn best(&self, own: usize, size: Size, gap: f32, spots: &[Spot], last: Option<Spot>) -> Option<Place> {
        let area = size.rect().area();
        let cost = |place: &Place| place.hidden - if last == Some(place.spot) { Self::INERTIA * area } else { 0.0 };
        let places = spots.iter().filter_map(|&spot| self.place(own, size, gap, spot));
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
        let along_x = if spot.at_end { face.right() - w } else { face.x };
        let along_y = if spot.at_end { face.bottom() - h } else { face.y };
        let (x, y) = match spot.side {
            Side::Above => (along_x, face.y - gap - h),
            Side::Below => (along_x, face.bottom() + gap),
            Side::Right => (face.right() + gap, along_y),
            Side::Left => (face.x - gap - w, along_y),
            Side::Inside => (face.center().x - w / 2.0, if spot.at_end { along_y - gap } else { along_y + gap }),
        };
        let (room_x, room_y) = (self.frame.width as f32 - w, self.frame.height as f32 - h);
        if room_x < 0.0 || room_y < 0.0 {
            return None;
        }
        let inside = Rect::new(x.clamp(0.0, room_x).round(), y.clamp(0.0, room_y).round(), w, h);
        let moved_onto_the_box = match spot.side {
            Side::Above | Side::Below => (inside.y - y).abs() > 0.5,
            Side::Right | Side::Left => (inside.x - x).abs() > 0.5,
            Side::Inside => false,
        };
        (!moved_onto_the_box).then(|| Place { spot, rect: inside, hidden: self.hidden(Some(own), inside) })
    }

    /// What `plate` would hide, see [`Place::hidden`]; `own` is the face that it belongs to.
    pub(super) fn hidden(&self, own: Option<usize>, plate: Rect) -> f32 {
        let area = |other: &Rect| plate.intersection(*other).area();
        let faces: f32 = self.faces.iter().enumerate().map(|(i, face)| if Some(i) == own { area(face) } else { 2.0 * area(face) }).sum();
        faces + 4.0 * self.taken.iter().map(area).sum::<f32>()
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
        let layout = Layout::new(FRAME, vec![Rect::new(180.0, 5.0, 18.0, 30.0)]);
        assert_eq!(best(&layout, 0).rect, Rect::new(160.0, 37.0, 40.0, 10.0));
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
        assert_eq!(best(&layout, 0).spot, Spot { side: Side::Right, at_end: false });
    }

    #[test]
    fn a_plate_stays_where_it_was_until_something_is_in_the_way() {
        let face = Rect::new(50.0, 40.0, 30.0, 30.0);
        let below = Spot { side: Side::Below, at_end: false };
        let at = |layout: &Layout| layout.best(0, PLATE, 2.0, &LABEL_SPOTS, Some(below)).expect("it fits").spot;
        assert_eq!(at(&Layout::new(FRAME, vec![face])), below);
        assert_eq!(at(&Layout::new(FRAME, vec![face, Rect::new(50.0, 75.0, 30.0, 20.0)])).side, Side::Above);
    }

    #[test]
    fn nothing_fits_a_frame_smaller_than_the_plate() {
        let layout = Layout::new(Size::new(39, 100), vec![Rect::new(0.0, 0.0, 39.0, 50.0)]);
        assert!(layout.best(0, PLATE, 2.0, &LABEL_SPOTS, None).is_none());
    }
}
