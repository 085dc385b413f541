// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contours of a face through its landmarks, its irises, and a line in the direction of the nose.
//!
//! Landmarks move on every frame, so each part of the face is a picture of its own, as small as the part.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tiny_skia::{LineCap, LineJoin, Path, PathBuilder, Pixmap, Stroke, Transform};

use super::picture::Placed;
use super::pixels::empty_pixmap;
use super::style::Rgb;
use super::text::paint;
use crate::face_geometry::FaceGeometry;
use crate::face_geometry::landmarks::{IRISES, JAW, LEFT_EYE, NOSE_TIP, PARTS, RIGHT_EYE};
use crate::geometry::{Point, Size};

/// Colour of the contours.
const LINE: Rgb = [0xf4, 0xf6, 0xf8];
const LINE_ALPHA: f32 = 0.9;
const SHADOW: Rgb = [0, 0, 0];
const SHADOW_ALPHA: f32 = 0.35;
/// Width of a line, in units of the distance between the eyes.
const LINE_OF_EYES: f32 = 0.018;
/// Maximum width of a line, in units of the line of the box.
const MAX_LINE_OF_BOX: f32 = 0.6;
/// Radius of an iris, in units of the width of the eye.
const IRIS_OF_EYE: f32 = 0.2;
/// Height of an eye, in units of its width, below which its iris is hidden.
const CLOSED_EYE: f32 = 0.12;
/// Length of the line from the nose if it points sideways, in units of the distance between the eyes.
const NOSE_LINE_OF_EYES: f32 = 1.1;
/// Number of pieces of the jaw. One picture of all of it would be as large as the face.
const JAW_PIECES: usize = 4;
/// A face has moved if a point is farther than this from where it was drawn, in pixels.
const MIN_MOVEMENT_PX: f32 = 0.25;
/// A part whose landmarks spread farther than this many times the frame's longer side is not drawn.
const MAX_SPREAD: f32 = 1.0;

/// What is drawn of a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appearance {
    pub landmarks: bool,
    pub pose: bool,
    /// Colour of irises and of the line from the nose.
    pub accent: Rgb,
    /// Width of the line of the box.
    pub box_line_px: u32,
}

/// Draws contours, and keeps those of the last frame for faces that have not moved.
#[derive(Default)]
pub(super) struct Contours {
    /// By track id, those of the last and of the current frame.
    last: HashMap<u32, Drawn>,
    current: HashMap<u32, Drawn>,
}

struct Drawn {
    appearance: Appearance,
    /// Where the landmarks and the end of the line from the nose were drawn.
    position: Vec<Point>,
    placed: Vec<Placed>,
}

impl Contours {
    /// Starts a frame.
    pub(super) fn next_frame(&mut self) {
        self.last = std::mem::take(&mut self.current);
    }

    /// The pictures of the face of track `id` on a frame of `frame` pixels.
    pub(super) fn draw(&mut self, id: u32, geometry: &FaceGeometry, appearance: Appearance, frame: Size) -> Vec<Placed> {
        let face = Outline::new(geometry, appearance, frame);
        let position = face.position();
        let is_near = |(a, b): (&Point, &Point)| a.distance(*b) <= MIN_MOVEMENT_PX;
        let is_same = |drawn: &Drawn| drawn.appearance == appearance && drawn.position.iter().zip(&position).all(is_near);
        let known = self.last.remove(&id).filter(is_same);
        let drawn = known.unwrap_or_else(|| Drawn { appearance, placed: face.draw(frame), position: position.clone() });
        let placed = drawn.placed.clone();
        self.current.insert(id, drawn);
        placed
    }
}

/// A face in pixels of the frame.
struct Outline {
    points: Vec<Point>,
    nose_end: Point,
    appearance: Appearance,
    line_px: f32,
}

impl Outline {
    fn new(geometry: &FaceGeometry, appearance: Appearance, frame: Size) -> Self {
        let landmarks = geometry.landmarks_norm.from_norm(frame);
        let eyes = landmarks.eye_distance();
        let [right, up, _] = geometry.pose.rotation().map(|row| row[2]);
        let (nose, length) = (landmarks.0[NOSE_TIP], NOSE_LINE_OF_EYES * eyes);
        Self {
            points: landmarks.0.to_vec(),
            nose_end: Point::new(nose.x + length * right, nose.y - length * up),
            appearance,
            line_px: (LINE_OF_EYES * eyes).min(MAX_LINE_OF_BOX * appearance.box_line_px as f32).max(1.0),
        }
    }

    fn position(&self) -> Vec<Point> {
        self.points.iter().chain([&self.nose_end]).copied().collect()
    }

    fn draw(&self, frame: Size) -> Vec<Placed> {
        let mut strokes = Vec::new();
        if self.appearance.landmarks {
            self.add_parts(&mut strokes);
            [RIGHT_EYE, LEFT_EYE].into_iter().zip(IRISES).for_each(|(eye, iris)| strokes.extend(self.iris(eye, iris)));
        }
        if self.appearance.pose {
            strokes.push(self.nose_line());
        }
        strokes.into_iter().filter_map(|stroke| stroke.draw(frame)).collect()
    }

    fn add_parts(&self, strokes: &mut Vec<Line>) {
        for part in PARTS {
            let curve = curve(&self.points[part.points.clone()], part.is_closed);
            let pieces = if part.points == JAW { JAW_PIECES } else { 1 };
            let line = |piece: &[[Point; 4]]| Line { is_closed: part.is_closed, ..self.line(piece.to_vec(), LINE, self.line_px) };
            strokes.extend(curve.chunks(curve.len().div_ceil(pieces)).map(line));
        }
    }

    /// A ring around the centre of an iris; none if the eye is closed.
    fn iris(&self, eye: Range<usize>, iris: usize) -> Option<Line> {
        let lid = &self.points[eye];
        let width = lid[0].distance(lid[3]);
        let height = (lid[1].distance(lid[5]) + lid[2].distance(lid[4])) / 2.0;
        let (center, radius) = (self.points[iris], IRIS_OF_EYE * width);
        let ring: [Point; 8] = std::array::from_fn(|n| {
            let (sin, cos) = (n as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
            Point::new(center.x + radius * cos, center.y + radius * sin)
        });
        let is_open = width > 0.0 && height > CLOSED_EYE * width;
        is_open.then(|| Line { is_closed: true, ..self.line(curve(&ring, true), self.appearance.accent, self.line_px) })
    }

    /// A line from the tip of the nose to where it points, with a knob at its end.
    fn nose_line(&self) -> Line {
        let (start, end) = (self.points[NOSE_TIP], self.nose_end);
        let width = (1.6 * self.line_px).max(1.5);
        Line {
            knob: Some(1.1 * width),
            ..self.line(vec![[start, start.midpoint(end), start.midpoint(end), end]], self.appearance.accent, width)
        }
    }

    fn line(&self, curve: Vec<[Point; 4]>, rgb: Rgb, width: f32) -> Line {
        Line { curve, is_closed: false, rgb, width, knob: None }
    }
}

/// A curved line on a shadow.
struct Line {
    /// Cubic Bézier curves, one after the other.
    curve: Vec<[Point; 4]>,
    is_closed: bool,
    rgb: Rgb,
    width: f32,
    /// Radius of a disc at the end.
    knob: Option<f32>,
}

impl Line {
    /// The line as a picture; none if it is outside of the frame.
    fn draw(&self, frame: Size) -> Option<Placed> {
        let shadow_px = (0.5 * self.width).max(0.75);
        let margin = self.width / 2.0 + shadow_px + self.knob.unwrap_or(0.0) + 1.0;
        let points = || self.curve.iter().flatten();
        if points().any(|point| !point.x.is_finite() || !point.y.is_finite()) {
            return None;
        }
        let bound = |pick: fn(&Point) -> f32, better: fn(f32, f32) -> f32, start: f32| points().map(pick).fold(start, better);
        let (left, top) = ((bound(|p| p.x, f32::min, f32::MAX) - margin).floor(), (bound(|p| p.y, f32::min, f32::MAX) - margin).floor());
        let (right, bottom) = (bound(|p| p.x, f32::max, f32::MIN) + margin, bound(|p| p.y, f32::max, f32::MIN) + margin);
        let longest = MAX_SPREAD * frame.width.max(frame.height) as f32;
        let is_visible = right > 0.0 && bottom > 0.0 && left < frame.width as f32 && top < frame.height as f32;
        if !is_visible || right - left > longest || bottom - top > longest {
            return None;
        }
        let mut pixmap = empty_pixmap(right - left, bottom - top);
        let path = self.path(left, top)?;
        self.stroke(&mut pixmap, &path, SHADOW, SHADOW_ALPHA, self.width + 2.0 * shadow_px);
        self.stroke(&mut pixmap, &path, self.rgb, LINE_ALPHA, self.width);
        Some(Placed::whole(Arc::new(pixmap.into()), left as i32, top as i32))
    }

    fn path(&self, left: f32, top: f32) -> Option<Path> {
        let at = |point: Point| (point.x - left, point.y - top);
        let mut path = PathBuilder::new();
        let (x, y) = at(self.curve.first()?[0]);
        path.move_to(x, y);
        for &[_, a, b, end] in &self.curve {
            let ((ax, ay), (bx, by), (x, y)) = (at(a), at(b), at(end));
            path.cubic_to(ax, ay, bx, by, x, y);
        }
        if self.is_closed {
            path.close();
        }
        path.finish()
    }

    fn stroke(&self, pixmap: &mut Pixmap, path: &Path, rgb: Rgb, alpha: f32, width: f32) {
        let stroke = Stroke { width, line_cap: LineCap::Butt, line_join: LineJoin::Round, ..Stroke::default() };
        pixmap.stroke_path(path, &paint(rgb, alpha), &stroke, Transform::identity(), None);
        if let Some((radius, end)) = self.knob.zip(path.points().last())
            && let Some(disc) = PathBuilder::from_circle(end.x, end.y, radius + (width - self.width) / 2.0)
        {
            super::text::fill(pixmap, &disc, rgb, alpha);
        }
    }
}

/// A smooth curve through `points`: a Catmull-Rom spline as Bézier curves, one from each point to the next.
fn curve(points: &[Point], is_closed: bool) -> Vec<[Point; 4]> {
    let count = points.len();
    let at = |index: isize| {
        let last = count as isize - 1;
        points[if is_closed { index.rem_euclid(count as isize) } else { index.clamp(0, last) } as usize]
    };
    let ahead = |from: Point, a: Point, b: Point, share: f32| Point::new(from.x + share * (b.x - a.x), from.y + share * (b.y - a.y));
    let segments = if is_closed { count } else { count.saturating_sub(1) };
    let segment = |index: isize| {
        let [before, start, end, after] = [-1, 0, 1, 2].map(|step| at(index + step));
        [start, ahead(start, before, end, 1.0 / 6.0), ahead(end, start, after, -1.0 / 6.0), end]
    };
    (0..segments as isize).map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face_geometry::{Blendshapes, HeadPose, Landmarks70};
    use std::time::Duration;

    const FRAME: Size = Size::new(640, 480);
    const APPEARANCE: Appearance = Appearance { landmarks: true, pose: true, accent: [255, 0, 0], box_line_px: 2 };

    fn geometry(point: impl Fn(usize) -> Point) -> FaceGeometry {
        FaceGeometry {
            pose: HeadPose::default(),
            landmarks_norm: Landmarks70(std::array::from_fn(point)),
            blendshapes: Blendshapes::default(),
            trust: 1.0,
            age: Duration::ZERO,
            model_name: "test".into(),
        }
    }

    fn spiral(n: usize) -> Point {
        let (sin, cos) = (n as f32 * 0.3).sin_cos();
        Point::new(0.5 + 0.003 * n as f32 * cos, 0.5 + 0.003 * n as f32 * sin)
    }

    #[test]
    fn a_curve_passes_through_its_points_and_closes() {
        let points: Vec<Point> = (0..6).map(spiral).collect();
        let (open, closed) = (curve(&points, false), curve(&points, true));
        assert_eq!((open.len(), closed.len()), (5, 6));
        assert!(open.iter().zip(&points).all(|(segment, point)| segment[0] == *point));
        assert_eq!(closed[5][3], points[0]);
    }

    #[test]
    fn an_unmoved_face_returns_the_same_pictures_and_a_moved_one_others() {
        let mut contours = Contours::default();
        let mut draw = |shift: f32| {
            contours.next_frame();
            contours.draw(3, &geometry(|n| Point::new(spiral(n).x + shift, spiral(n).y)), APPEARANCE, FRAME)
        };
        let [first, same, moved] = [draw(0.0), draw(0.000_01), draw(0.01)];
        assert!(first.len() > 10, "{} pictures", first.len());
        assert!(first.iter().zip(&same).all(|(a, b)| Arc::ptr_eq(&a.picture, &b.picture)));
        assert!(first.iter().zip(&moved).all(|(a, b)| !Arc::ptr_eq(&a.picture, &b.picture)));
    }

    #[test]
    fn landmarks_of_any_numbers_are_drawn_or_left_out() {
        for value in [f32::NAN, f32::INFINITY, -1e30, 1e30, 1e6, -3.0, 0.0] {
            let wild = geometry(|n| Point::new(if n % 2 == 0 { value } else { 0.5 }, 0.5));
            let placed = Contours::default().draw(1, &wild, APPEARANCE, FRAME);
            assert!(placed.iter().all(|placed| placed.size.width <= 642 && placed.size.height <= 642), "{value}");
        }
    }
}
