// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small face for each expression: a disc in the expression's colour with brows, eyes and mouth.
//!
//! The faces are drawn here rather than taken from the emoji font, whose outlines are hard to tell apart at the 16 pixels
//! that a label has for them.

use tiny_skia::{LineCap, LineJoin, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::style::{Expression, Rgb};
use super::text::{fill, paint};

const DARK: Rgb = [0x14, 0x18, 0x1c];
const WHITE: Rgb = [0xff, 0xff, 0xff];
/// Maximum luminance (0..1) of a disc on which white features have more contrast than dark ones.
const MAX_DARK_LUMINANCE: f32 = 0.17;
/// Width of lines in radii of the disc.
const LINE: f32 = 0.15;

/// A stroke or a filled shape. The disc has its centre at 0, 0 and the radius 1; y points down.
enum Part {
    /// A line from one point to another.
    Line([f32; 4]),
    /// A quadratic Bézier curve: start, control point, end.
    Curve([f32; 6]),
    /// The filled area between such a curve and its chord, an open mouth.
    Open([f32; 6]),
    /// A filled ellipse: centre, half width, half height.
    Dot([f32; 4]),
    /// The same ellipse in white, for a wide-open eye.
    Eye([f32; 4]),
}

use Part::{Curve, Dot, Eye, Line, Open};

const fn features(expression: Expression) -> &'static [Part] {
    match expression {
        Expression::Neutral => &[Dot([-0.34, -0.16, 0.13, 0.15]), Dot([0.34, -0.16, 0.13, 0.15]), Line([-0.36, 0.42, 0.36, 0.42])],
        Expression::Happiness => &[
            Curve([-0.54, -0.1, -0.34, -0.44, -0.14, -0.1]),
            Curve([0.14, -0.1, 0.34, -0.44, 0.54, -0.1]),
            Open([-0.54, 0.16, 0.0, 1.24, 0.54, 0.16]),
        ],
        Expression::Surprise => &[
            Curve([-0.56, -0.5, -0.36, -0.7, -0.16, -0.54]),
            Curve([0.16, -0.54, 0.36, -0.7, 0.56, -0.5]),
            Dot([-0.34, -0.16, 0.15, 0.19]),
            Dot([0.34, -0.16, 0.15, 0.19]),
            Dot([0.0, 0.48, 0.21, 0.29]),
        ],
        Expression::Sadness => &[
            Line([-0.6, -0.32, -0.2, -0.54]),
            Line([0.6, -0.32, 0.2, -0.54]),
            Dot([-0.34, -0.08, 0.12, 0.14]),
            Dot([0.34, -0.08, 0.12, 0.14]),
            Curve([-0.4, 0.6, 0.0, 0.14, 0.4, 0.6]),
        ],
        Expression::Anger => &[
            Line([-0.62, -0.46, -0.14, -0.24]),
            Line([0.62, -0.46, 0.14, -0.24]),
            Dot([-0.34, -0.04, 0.13, 0.13]),
            Dot([0.34, -0.04, 0.13, 0.13]),
            Line([-0.34, 0.52, 0.34, 0.52]),
            Line([-0.34, 0.52, -0.44, 0.62]),
            Line([0.34, 0.52, 0.44, 0.62]),
        ],
        Expression::Disgust => &[
            Line([-0.58, -0.34, -0.2, -0.16]),
            Line([-0.58, 0.0, -0.2, -0.16]),
            Line([0.58, -0.34, 0.2, -0.16]),
            Line([0.58, 0.0, 0.2, -0.16]),
            Curve([-0.5, 0.56, -0.28, 0.2, -0.06, 0.46]),
            Curve([-0.06, 0.46, 0.2, 0.76, 0.48, 0.36]),
        ],
        Expression::Fear => &[
            Line([-0.66, -0.46, -0.3, -0.66]),
            Line([0.66, -0.46, 0.3, -0.66]),
            Eye([-0.35, -0.14, 0.25, 0.27]),
            Eye([0.35, -0.14, 0.25, 0.27]),
            Dot([-0.35, -0.1, 0.1, 0.11]),
            Dot([0.35, -0.1, 0.1, 0.11]),
            Open([-0.5, 0.72, 0.0, -0.1, 0.5, 0.72]),
        ],
        Expression::Contempt => &[
            Line([-0.56, -0.24, -0.14, -0.24]),
            Line([0.14, -0.3, 0.56, -0.44]),
            Dot([-0.3, -0.12, 0.12, 0.11]),
            Dot([0.38, -0.14, 0.12, 0.11]),
            Curve([-0.38, 0.5, 0.26, 0.56, 0.46, 0.24]),
        ],
    }
}

/// Draws a face with the given diameter around `(x, y)`; without an expression, only the disc.
pub(super) fn draw(pixmap: &mut Pixmap, expression: Option<Expression>, x: f32, y: f32, diameter: f32, rgb: Rgb) {
    let radius = diameter / 2.0;
    if let Some(disc) = PathBuilder::from_circle(x, y, radius) {
        fill(pixmap, &disc, rgb, 1.0);
    }
    let ink = if luminance(rgb) < MAX_DARK_LUMINANCE { WHITE } else { DARK };
    let place = Transform::from_row(radius, 0.0, 0.0, radius, x, y);
    for part in expression.map(features).unwrap_or_default() {
        draw_part(pixmap, part, place, ink);
    }
}

fn draw_part(pixmap: &mut Pixmap, part: &Part, place: Transform, ink: Rgb) {
    let mut builder = PathBuilder::new();
    match *part {
        Line([x0, y0, x1, y1]) => {
            builder.move_to(x0, y0);
            builder.line_to(x1, y1);
        }
        Curve([x0, y0, cx, cy, x1, y1]) | Open([x0, y0, cx, cy, x1, y1]) => {
            builder.move_to(x0, y0);
            builder.quad_to(cx, cy, x1, y1);
        }
        Dot([x, y, rx, ry]) | Eye([x, y, rx, ry]) => {
            if let Some(bounds) = Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry) {
                builder.push_oval(bounds);
            }
        }
    }
    let Some(path) = builder.finish().and_then(|path| path.transform(place)) else { return };
    match part {
        Line(_) | Curve(_) => {
            let width = LINE * place.sx;
            let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
            pixmap.stroke_path(&path, &paint(ink, 1.0), &stroke, Transform::identity(), None);
        }
        Open(_) | Dot(_) => fill(pixmap, &path, ink, 1.0),
        // On a dark disc the pupils are white like all features, so the white of the eye is left out.
        Eye(_) if ink == DARK => fill(pixmap, &path, WHITE, 1.0),
        Eye(_) => {}
    }
}

/// Relative luminance of an sRGB colour, 0..1, as WCAG 2 defines it.
fn luminance(rgb: Rgb) -> f32 {
    let linear = rgb.map(|value| {
        let value = f32::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::pixels::empty_pixmap;
    use crate::scores::FERPLUS_LABELS;

    fn face(expression: Option<Expression>, rgb: Rgb) -> Pixmap {
        let mut pixmap = empty_pixmap(20.0, 20.0);
        draw(&mut pixmap, expression, 10.0, 10.0, 20.0, rgb);
        pixmap
    }

    #[test]
    fn the_faces_of_all_expressions_differ() {
        let faces: Vec<Pixmap> = FERPLUS_LABELS.iter().map(|label| face(Expression::of(label), [240, 228, 66])).collect();
        for (index, one) in faces.iter().enumerate() {
            for other in &faces[..index] {
                let differing = one.pixels().iter().zip(other.pixels()).filter(|(a, b)| a != b).count();
                assert!(differing > 20, "{} of 400 pixels", differing);
            }
        }
    }

    #[test]
    fn the_disc_has_its_colour_and_the_corners_are_transparent() {
        let disc = face(None, [10, 20, 30]);
        let pixel = |x, y| disc.pixel(x, y).map(|p| (p.red(), p.green(), p.blue(), p.alpha()));
        assert_eq!(pixel(10, 10), Some((10, 20, 30, 255)));
        assert_eq!(pixel(0, 0), Some((0, 0, 0, 0)));
    }

    #[test]
    fn features_contrast_with_dark_and_bright_discs() {
        let mouth = |rgb| face(Some(Expression::Neutral), rgb).pixel(10, 14).map(|p| [p.red(), p.green(), p.blue()]);
        assert_eq!(mouth([0x00, 0x72, 0xb2]), Some(WHITE));
        assert_eq!(mouth([0xf0, 0xe4, 0x42]), Some(DARK));
        assert!((luminance([255, 255, 255]) - 1.0).abs() < 1e-4 && luminance([0, 0, 0]) == 0.0);
    }
}
