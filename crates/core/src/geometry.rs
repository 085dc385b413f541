// SPDX-License-Identifier: MIT OR Apache-2.0
//! Points, sizes, rectangles and the five landmarks of a face.
//!
//! Coordinates are `f32` pixels with the origin in the top left corner of the picture and the y axis pointing down;
//! pixel `(0, 0)` covers the square from `(0.0, 0.0)` to `(1.0, 1.0)`. A value that is normalised to 0..1 says so in
//! its name (`_norm`).

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Distance from the left edge.
    pub x: f32,
    /// Distance from the top edge.
    pub y: f32,
}

impl Point {
    /// The point at `(x, y)`.
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// The point halfway between `self` and `other`.
    pub fn midpoint(self, other: Self) -> Self {
        Self::new((self.x + other.x) / 2.0, (self.y + other.y) / 2.0)
    }

    /// Euclidean distance to `other`.
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Width and height in whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// The size `width` x `height`.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// True if either side is zero.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// The rectangle from the origin that covers everything of this size.
    pub fn rect(self) -> Rect {
        Rect::new(0.0, 0.0, self.width as f32, self.height as f32)
    }
}

/// An axis-aligned rectangle: left, top, width and height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width; the functions of this module never return a negative one.
    pub w: f32,
    /// Height; the functions of this module never return a negative one.
    pub h: f32,
}

impl Rect {
    /// The rectangle with its top left corner at `(x, y)`.
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }

    /// The rectangle with the given centre and sides.
    pub fn around(center: Point, w: f32, h: f32) -> Self {
        Self::new(center.x - w / 2.0, center.y - h / 2.0, w, h)
    }

    /// The square with the given centre and side length.
    pub fn square(center: Point, side: f32) -> Self {
        Self::around(center, side, side)
    }

    /// The rectangle between two opposite corners.
    pub fn from_corners(x_min: f32, y_min: f32, x_max: f32, y_max: f32) -> Self {
        Self::new(x_min, y_min, (x_max - x_min).max(0.0), (y_max - y_min).max(0.0))
    }

    /// The right edge.
    pub fn right(self) -> f32 {
        self.x + self.w
    }

    /// The bottom edge.
    pub fn bottom(self) -> f32 {
        self.y + self.h
    }

    /// The centre.
    pub fn center(self) -> Point {
        Point::new(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Width times height.
    pub fn area(self) -> f32 {
        self.w * self.h
    }

    /// True if all four numbers are finite and both sides are positive.
    pub fn is_valid(self) -> bool {
        self.x.is_finite() && self.y.is_finite() && self.w.is_finite() && self.h.is_finite() && self.w > 0.0 && self.h > 0.0
    }

    /// True if `point` is inside or on the left or top edge.
    pub fn contains(self, point: Point) -> bool {
        (self.x..self.right()).contains(&point.x) && (self.y..self.bottom()).contains(&point.y)
    }

    /// Linear interpolation: `self` at a `share` of 0, `other` at 1.
    pub fn toward(self, other: Self, share: f32) -> Self {
        let mix = |from: f32, to: f32| from + share * (to - from);
        Self::new(mix(self.x, other.x), mix(self.y, other.y), mix(self.w, other.w), mix(self.h, other.h))
    }

    /// The overlap of two rectangles; empty (`w` or `h` is 0) if there is none.
    pub fn intersection(self, other: Self) -> Self {
        Self::from_corners(self.x.max(other.x), self.y.max(other.y), self.right().min(other.right()), self.bottom().min(other.bottom()))
    }

    /// Intersection over union, 0..1; 0 for empty rectangles.
    ///
    /// ```
    /// use emotion_core::geometry::Rect;
    /// let a = Rect::new(0.0, 0.0, 2.0, 2.0);
    /// assert_eq!(a.iou(Rect::new(1.0, 0.0, 2.0, 2.0)), 2.0 / 6.0);
    /// ```
    pub fn iou(self, other: Self) -> f32 {
        let intersection = self.intersection(other).area();
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }

    /// The part inside of a picture of `size`.
    pub fn clamp_to(self, size: Size) -> Self {
        self.intersection(size.rect())
    }

    /// The rectangle with x coordinates multiplied by `sx` and y coordinates by `sy`.
    pub fn scaled(self, sx: f32, sy: f32) -> Self {
        Self::new(self.x * sx, self.y * sy, self.w * sx, self.h * sy)
    }

    /// The rectangle moved by `(dx, dy)`.
    pub fn translated(self, dx: f32, dy: f32) -> Self {
        Self::new(self.x + dx, self.y + dy, self.w, self.h)
    }

    /// Converts pixels of a picture of `size` to 0..1.
    ///
    /// ```
    /// use emotion_core::geometry::{Rect, Size};
    /// let half = Rect::new(160.0, 120.0, 320.0, 240.0).to_norm(Size::new(640, 480));
    /// assert_eq!(half, Rect::new(0.25, 0.25, 0.5, 0.5));
    /// assert_eq!(half.from_norm(Size::new(320, 240)), Rect::new(80.0, 60.0, 160.0, 120.0));
    /// ```
    pub fn to_norm(self, size: Size) -> Self {
        self.scaled(1.0 / size.width.max(1) as f32, 1.0 / size.height.max(1) as f32)
    }

    /// Converts 0..1 to pixels of a picture of `size`.
    pub fn from_norm(self, size: Size) -> Self {
        self.scaled(size.width as f32, size.height as f32)
    }
}

/// A transform that maps axis-aligned rectangles to axis-aligned rectangles: a combination of mirroring, quarter turns,
/// scaling and translation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisMap {
    /// True if x and y are swapped, as the first step.
    pub swap: bool,
    /// Factors of x and of y; negative ones mirror.
    pub scale: (f32, f32),
    /// Added to x and to y, as the last step.
    pub offset: (f32, f32),
}

impl AxisMap {
    /// The transform that changes nothing.
    pub const IDENTITY: Self = Self { swap: false, scale: (1.0, 1.0), offset: (0.0, 0.0) };

    /// The transform that applies `self`, then `next`.
    ///
    /// ```
    /// use emotion_core::geometry::{AxisMap, Point};
    /// let mirror = AxisMap { scale: (-1.0, 1.0), offset: (1.0, 0.0), ..AxisMap::IDENTITY };
    /// let transpose = AxisMap { swap: true, ..AxisMap::IDENTITY };
    /// assert_eq!(mirror.then(transpose).point(Point::new(0.25, 0.5)), Point::new(0.5, 0.75));
    /// ```
    pub fn then(self, next: Self) -> Self {
        let turn = |(x, y): (f32, f32)| if next.swap { (y, x) } else { (x, y) };
        let ((sx, sy), (ox, oy)) = (turn(self.scale), turn(self.offset));
        Self {
            swap: self.swap != next.swap,
            scale: (sx * next.scale.0, sy * next.scale.1),
            offset: (ox * next.scale.0 + next.offset.0, oy * next.scale.1 + next.offset.1),
        }
    }

    /// Transforms a point.
    pub fn point(self, Point { x, y }: Point) -> Point {
        let (x, y) = if self.swap { (y, x) } else { (x, y) };
        Point::new(x * self.scale.0 + self.offset.0, y * self.scale.1 + self.offset.1)
    }

    /// True if left and right, or top and bottom, are exchanged in a way that no turn of the picture explains.
    ///
    /// ```
    /// use emotion_core::geometry::AxisMap;
    /// let mirror = AxisMap { scale: (-1.0, 1.0), ..AxisMap::IDENTITY };
    /// let quarter_turn = AxisMap { swap: true, ..mirror };
    /// assert!(mirror.is_mirrored() && !quarter_turn.is_mirrored());
    /// ```
    pub fn is_mirrored(self) -> bool {
        (self.scale.0 * self.scale.1 < 0.0) != self.swap
    }

    /// The clockwise turn of the picture in radians, after left and right were exchanged if it is mirrored.
    pub fn turn(self) -> f32 {
        let side = if self.is_mirrored() { -1.0 } else { 1.0 };
        let (x, y) = if self.swap { (0.0, side * self.scale.1.signum()) } else { (side * self.scale.0.signum(), 0.0_f32) };
        y.atan2(x)
    }

    /// Transforms a rectangle.
    pub fn rect(self, rect: Rect) -> Rect {
        // Mirroring exchanges corners, so the smaller coordinates are found anew.
        let (a, b) = (self.point(Point::new(rect.x, rect.y)), self.point(Point::new(rect.right(), rect.bottom())));
        Rect::from_corners(a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y))
    }
}

/// Right eye, left eye, nose tip, right and left corner of the mouth. Right and left are the person's: in an unmirrored
/// picture of an upright face, the right eye has the smaller x.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Landmarks5(pub [Point; 5]);

impl Landmarks5 {
    /// The point halfway between the eyes.
    pub fn eyes(&self) -> Point {
        self.0[0].midpoint(self.0[1])
    }

    /// The point halfway between the corners of the mouth.
    pub fn mouth(&self) -> Point {
        self.0[3].midpoint(self.0[4])
    }

    /// Rotation of the face in the image plane, in radians, clockwise as seen by the viewer; 0 is upright.
    ///
    /// It is the direction of the sum of two vectors: from eye to eye, and from the eyes to the mouth, turned by 90°. The
    /// longer one weighs more, since in profile the eyes are too close together to define a direction.
    pub fn roll(&self) -> f32 {
        let ([right, left, ..], down) = (self.0, (self.mouth().x - self.eyes().x, self.mouth().y - self.eyes().y));
        let across = (left.x - right.x + down.1, left.y - right.y - down.0);
        across.1.atan2(across.0)
    }

    /// Applies `f` to each point.
    pub fn map(self, f: impl FnMut(Point) -> Point) -> Self {
        Self(self.0.map(f))
    }

    /// The same points, with the names that they have in a mirrored picture.
    pub fn mirrored(self) -> Self {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = self.0;
        Self([left_eye, right_eye, nose, left_mouth, right_mouth])
    }

    /// Converts pixels of a picture of `size` to 0..1.
    pub fn to_norm(self, size: Size) -> Self {
        self.map(|p| Point::new(p.x / size.width.max(1) as f32, p.y / size.height.max(1) as f32))
    }

    /// Converts 0..1 to pixels of a picture of `size`.
    pub fn from_norm(self, size: Size) -> Self {
        self.map(|p| Point::new(p.x * size.width as f32, p.y * size.height as f32))
    }
}

/// A square, possibly rotated: the part of a frame that a classifier sees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Crop {
    /// The centre.
    pub center: Point,
    /// Side length.
    pub side: f32,
    /// Rotation of the square in the frame in radians, clockwise as seen by the viewer.
    pub roll: f32,
}

impl Crop {
    /// Minimum side length of a crop that can be sampled, in pixels.
    const MIN_SIDE: f32 = 0.01;
    /// Maximum side length, and maximum distance of the centre from the origin along each axis, in pixels.
    const MAX_EXTENT: f32 = 1e6;

    /// A crop that can be sampled. Numbers out of range are clamped, so that a crop with no area becomes a spot at its
    /// centre. A NaN in the centre becomes 0, and a roll that is not finite becomes upright.
    pub fn sampleable(self) -> Self {
        let (min, max) = (Self::MIN_SIDE, Self::MAX_EXTENT);
        let clamped = |position: f32| if position.is_nan() { 0.0 } else { position.clamp(-max, max) };
        let center = Point::new(clamped(self.center.x), clamped(self.center.y));
        // Of a NaN and a number, `max` returns the number.
        Self { center, side: self.side.max(min).min(max), roll: if self.roll.is_finite() { self.roll } else { 0.0 } }
    }

    /// The smallest upright square around the crop.
    pub fn bounds(self) -> Rect {
        Rect::square(self.center, self.side * (self.roll.cos().abs() + self.roll.sin().abs()))
    }
}

/// The box as x, y, width and height in whole pixels, inside the frame and at least one pixel large.
pub fn pixels(rect_norm: Rect, frame: Size) -> (u32, u32, u32, u32) {
    let rect = rect_norm.from_norm(frame);
    let start = |value: f32, limit: u32| (value.round().max(0.0) as u32).min(limit.saturating_sub(1));
    let (x, y) = (start(rect.x, frame.width), start(rect.y, frame.height));
    let length = |end: f32, start: u32, limit: u32| (end.round().max(0.0) as u32).min(limit).saturating_sub(start).max(1);
    (x, y, length(rect.right(), x, frame.width), length(rect.bottom(), y, frame.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn then_applies_both_maps_in_order() {
        let turn = AxisMap { swap: true, scale: (-1.0, 1.0), offset: (1.0, 0.0) };
        let mirror = AxisMap { swap: false, scale: (-1.0, 1.0), offset: (1.0, 0.0) };
        let crop = AxisMap { swap: false, scale: (2.0, 4.0), offset: (-0.5, -1.0) };
        let rect = Rect::new(0.25, 0.25, 0.125, 0.5);
        assert_eq!(turn.rect(rect), Rect::new(0.25, 0.25, 0.5, 0.125), "a quarter turn clockwise: left becomes up");
        assert_eq!(mirror.rect(rect), Rect::new(0.625, 0.25, 0.125, 0.5));
        for (a, b) in [(turn, mirror), (mirror, turn), (turn, crop), (crop, turn), (turn, turn)] {
            assert_eq!(a.then(b).rect(rect), b.rect(a.rect(rect)), "{a:?} then {b:?}");
        }
        assert_eq!(turn.then(turn).then(turn).then(turn), AxisMap::IDENTITY);
    }

    #[test]
    fn iou_matches_hand_computed_values() {
        let a = Rect::new(0.0, 0.0, 4.0, 4.0);
        assert_eq!(a.iou(a), 1.0);
        assert_eq!(a.iou(Rect::new(4.0, 0.0, 4.0, 4.0)), 0.0, "touching edges do not overlap");
        assert_eq!(a.iou(Rect::new(1.0, 1.0, 2.0, 2.0)), 4.0 / 16.0, "contained");
        assert_eq!(Rect::default().iou(Rect::default()), 0.0, "empty boxes do not divide by zero");
    }

    #[test]
    fn clamping_cuts_at_the_frame() {
        let size = Size::new(10, 8);
        assert_eq!(Rect::new(-2.0, 3.0, 5.0, 50.0).clamp_to(size), Rect::new(0.0, 3.0, 3.0, 5.0));
        assert_eq!(Rect::new(20.0, 0.0, 5.0, 5.0).clamp_to(size).area(), 0.0);
    }

    #[test]
    fn normalising_and_back_yields_the_same_rectangle() {
        let size = Size::new(640, 480);
        let rect = Rect::new(64.0, 48.0, 128.0, 96.0);
        assert!((rect.to_norm(size).right() - 0.3).abs() < 1e-6);
        let back = rect.to_norm(size).from_norm(size);
        assert!((back.x - rect.x).abs() < 1e-4 && (back.bottom() - rect.bottom()).abs() < 1e-4, "{back:?}");
    }

    #[test]
    fn roll_is_the_angle_of_the_face_even_in_profile() {
        let upright = Landmarks5([(-1.0, -1.0), (1.0, -1.0), (0.0, 0.0), (-1.0, 1.0), (1.0, 1.0)].map(|(x, y)| Point::new(x, y)));
        assert!(upright.roll().abs() < 1e-6);
        let turn = |angle: f32| upright.map(|p| Point::new(p.x * angle.cos() - p.y * angle.sin(), p.x * angle.sin() + p.y * angle.cos()));
        for angle in [-1.2, -0.3, 0.5, 1.5] {
            assert!((turn(angle).roll() - angle).abs() < 1e-5, "{angle}");
        }
        let profile = upright.map(|p| Point::new(p.x * 0.01, p.y));
        assert!(profile.roll().abs() < 1e-6, "the eyes nearly coincide");
        assert_eq!(Landmarks5::default().roll(), 0.0);
    }

    #[test]
    fn rectangles_with_nan_or_no_area_are_invalid() {
        assert!(!Rect::new(f32::NAN, 0.0, 1.0, 1.0).is_valid());
        assert!(!Rect::new(0.0, 0.0, 0.0, 1.0).is_valid());
        assert!(Rect::new(-1.0, 0.0, 1.0, 1.0).is_valid());
    }
}
