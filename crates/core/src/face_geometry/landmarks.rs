// SPDX-License-Identifier: MIT OR Apache-2.0
//! The landmarks of a face: iBUG's 68 points and the centres of the irises.
//!
//! Right and left are the person's own: in a picture that is not mirrored, the right eye is on the left.

use std::ops::Range;

use crate::geometry::{Landmarks5, Point, Size};

/// Number of landmarks.
pub const LANDMARKS: usize = 70;

/// From the right temple along the chin to the left temple.
pub const JAW: Range<usize> = 0..17;
/// The right brow, from its outer end.
pub const RIGHT_BROW: Range<usize> = 17..22;
/// The left brow, from its inner end.
pub const LEFT_BROW: Range<usize> = 22..27;
/// The bridge of the nose, down to its tip.
pub const NOSE_BRIDGE: Range<usize> = 27..31;
/// Below the nose, from right to left.
pub const NOSE_BASE: Range<usize> = 31..36;
/// The right eye: its outer corner, along the upper lid to the inner corner, and back along the lower lid.
pub const RIGHT_EYE: Range<usize> = 36..42;
/// The left eye: its inner corner, along the upper lid to the outer corner, and back along the lower lid.
pub const LEFT_EYE: Range<usize> = 42..48;
/// The outer edge of the lips: from the right corner of the mouth along the upper lip, and back along the lower lip.
pub const OUTER_LIPS: Range<usize> = 48..60;
/// The inner edge of the lips, likewise.
pub const INNER_LIPS: Range<usize> = 60..68;
/// The centres of the right and the left iris.
pub const IRISES: Range<usize> = 68..70;

/// The tip of the nose.
pub const NOSE_TIP: usize = 30;
const RIGHT_EYE_OUTER_CORNER: usize = 36;
const LEFT_EYE_OUTER_CORNER: usize = 45;
const RIGHT_MOUTH_CORNER: usize = 48;
const LEFT_MOUTH_CORNER: usize = 54;

/// A part of the face, for drawing and for tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Its landmarks, in the order of a line.
    pub points: Range<usize>,
    /// True if the line returns to its first point.
    pub is_closed: bool,
}

/// The parts of the face that are lines.
pub const PARTS: [Part; 9] = [
    Part { name: "jaw", points: JAW, is_closed: false },
    Part { name: "right_brow", points: RIGHT_BROW, is_closed: false },
    Part { name: "left_brow", points: LEFT_BROW, is_closed: false },
    Part { name: "nose_bridge", points: NOSE_BRIDGE, is_closed: false },
    Part { name: "nose_base", points: NOSE_BASE, is_closed: false },
    Part { name: "right_eye", points: RIGHT_EYE, is_closed: true },
    Part { name: "left_eye", points: LEFT_EYE, is_closed: true },
    Part { name: "outer_lips", points: OUTER_LIPS, is_closed: true },
    Part { name: "inner_lips", points: INNER_LIPS, is_closed: true },
];

/// For each landmark, the one on the other side of the face.
const COUNTERPARTS: [u8; LANDMARKS] = [
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, // jaw
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17, // brows
    27, 28, 29, 30, 35, 34, 33, 32, 31, // nose
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, // eyes
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, // outer lips
    64, 63, 62, 61, 60, 67, 66, 65, // inner lips
    69, 68, // irises
];

/// The landmarks of a face, in the order of this module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmarks70(pub [Point; LANDMARKS]);

impl Landmarks70 {
    /// Applies `f` to each point.
    pub fn map(self, f: impl FnMut(Point) -> Point) -> Self {
        Self(self.0.map(f))
    }

    /// The same points, with the names that they have in a mirrored picture.
    pub fn mirrored(self) -> Self {
        Self(COUNTERPARTS.map(|index| self.0[usize::from(index)]))
    }

    /// Converts 0..1 to pixels of a picture of `size`.
    pub fn from_norm(self, size: Size) -> Self {
        self.map(|p| Point::new(p.x * size.width as f32, p.y * size.height as f32))
    }

    /// Converts pixels of a picture of `size` to 0..1.
    pub fn to_norm(self, size: Size) -> Self {
        self.map(|p| Point::new(p.x / size.width.max(1) as f32, p.y / size.height.max(1) as f32))
    }

    /// Distance between the outer corners of the eyes, the unit in which errors of landmarks are given.
    pub fn eye_distance(&self) -> f32 {
        self.0[RIGHT_EYE_OUTER_CORNER].distance(self.0[LEFT_EYE_OUTER_CORNER])
    }

    /// The five landmarks that detectors give: centres of the eyes, tip of the nose, corners of the mouth.
    pub fn five(&self) -> Landmarks5 {
        let nose_and_mouth = [NOSE_TIP, RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER].map(|index| self.0[index]);
        let [nose, right, left] = nose_and_mouth;
        Landmarks5([self.center(RIGHT_EYE), self.center(LEFT_EYE), nose, right, left])
    }

    /// The mean of some landmarks.
    fn center(&self, points: Range<usize>) -> Point {
        let share = 1.0 / points.len() as f32;
        self.0[points].iter().fold(Point::default(), |sum, point| Point::new(sum.x + share * point.x, sum.y + share * point.y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_landmark_and_its_counterpart_are_each_other_s() {
        for (index, &counterpart) in COUNTERPARTS.iter().enumerate() {
            assert_eq!(usize::from(COUNTERPARTS[usize::from(counterpart)]), index);
        }
        let part_of = |index: usize| PARTS.iter().find(|part| part.points.contains(&index)).map(|part| part.name.replace("left", "right"));
        assert!((0..LANDMARKS).all(|index| part_of(index) == part_of(COUNTERPARTS[index].into())), "sides change, parts do not");
    }

    #[test]
    fn the_parts_are_all_points_but_the_irises() {
        let points: Vec<usize> = PARTS.iter().flat_map(|part| part.points.clone()).chain(IRISES).collect();
        assert!(points.into_iter().eq(0..LANDMARKS));
    }

    #[test]
    fn the_five_landmarks_are_those_of_detectors() {
        let landmarks = Landmarks70(std::array::from_fn(|n| Point::new(n as f32, 2.0 * n as f32)));
        let Landmarks5([right, left, nose, ..]) = landmarks.five();
        assert!((right.x - 38.5).abs() < 1e-4 && (left.y - 89.0).abs() < 1e-4, "{right:?} {left:?}");
        assert_eq!(nose, Point::new(30.0, 60.0));
        assert!((landmarks.eye_distance() - 9.0 * 5.0_f32.sqrt()).abs() < 1e-4);
    }
}
