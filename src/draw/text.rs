// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of text as filled outlines, from fonts that are embedded in the library.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve};
use tiny_skia::{FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

use super::pixels::color;
use super::style::Rgb;

/// Height of capital letters of the text font, in em.
pub(super) const CAP_HEIGHT_EM: f32 = 0.693;
/// Width in em by which strokes are widened: the text font is a light one, which is too thin for white on dark.
const EMBOLDEN_EM: f32 = 0.045;

/// The fonts, in the order in which they are searched for a character.
static FONTS: LazyLock<[FontRef<'static>; 3]> = LazyLock::new(|| {
    let fonts = [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR, epaint_default_fonts::NOTO_EMOJI_REGULAR];
    fonts.map(|bytes| FontRef::try_from_slice(bytes).expect("the embedded fonts are valid"))
});

/// The glyph of a character in the first font that has one.
#[derive(Clone, Copy)]
struct Glyph {
    font: usize,
    id: GlyphId,
}

impl Glyph {
    fn of(character: char) -> Self {
        let glyphs = FONTS.iter().enumerate().map(|(font, face)| Self { font, id: face.glyph_id(character) });
        // Glyph 0 is the placeholder for characters that a font lacks.
        glyphs.clone().find(|glyph| glyph.id.0 != 0).unwrap_or(Self { font: 0, id: GlyphId(0) })
    }

    fn units_per_em(self) -> f32 {
        FONTS[self.font].units_per_em().unwrap_or(1000.0)
    }

    fn advance_em(self) -> f32 {
        FONTS[self.font].h_advance_unscaled(self.id) / self.units_per_em()
    }

    fn kern_em(self, next: Self) -> f32 {
        if self.font == next.font { FONTS[self.font].kern_unscaled(self.id, next.id) / self.units_per_em() } else { 0.0 }
    }

    /// Appends the outline with its origin at `(x, baseline)`.
    fn trace(self, path: &mut PathBuilder, em_px: f32, x: f32, baseline: f32) {
        let Some(outline) = FONTS[self.font].outline(self.id) else { return };
        let scale = em_px / self.units_per_em();
        let at = |p: ab_glyph::Point| (x + p.x * scale, baseline - p.y * scale);
        let mut end = None;
        for curve in &outline.curves {
            let (OutlineCurve::Line(start, next) | OutlineCurve::Quad(start, _, next) | OutlineCurve::Cubic(start, _, _, next)) = curve;
            if end != Some(*start) {
                if end.is_some() {
                    path.close();
                }
                path.move_to(at(*start).0, at(*start).1);
            }
            let (to_x, to_y) = at(*next);
            match curve {
                OutlineCurve::Line(..) => path.line_to(to_x, to_y),
                OutlineCurve::Quad(_, control, _) => path.quad_to(at(*control).0, at(*control).1, to_x, to_y),
                OutlineCurve::Cubic(_, a, b, _) => path.cubic_to(at(*a).0, at(*a).1, at(*b).0, at(*b).1, to_x, to_y),
            }
            end = Some(*next);
        }
        if end.is_some() {
            path.close();
        }
    }
}

/// Calls `visit` with each glyph of `text` and its position in em; returns the width in em.
fn lay_out(text: &str, mut visit: impl FnMut(Glyph, f32)) -> f32 {
    let mut x_em = 0.0;
    let mut last: Option<Glyph> = None;
    for glyph in text.chars().map(Glyph::of) {
        x_em += last.map_or(0.0, |last| last.kern_em(glyph));
        visit(glyph, x_em);
        x_em += glyph.advance_em();
        last = Some(glyph);
    }
    x_em
}

/// The width of `text` in pixels at an em of `em_px`.
pub(super) fn width(text: &str, em_px: f32) -> f32 {
    lay_out(text, |_, _| {}) * em_px
}

/// Draws `text`, starting at `x`.
pub(super) fn draw(pixmap: &mut Pixmap, text: &str, em_px: f32, x: f32, baseline: f32, rgb: Rgb) {
    let mut builder = PathBuilder::new();
    lay_out(text, |glyph, x_em| glyph.trace(&mut builder, em_px, x + x_em * em_px, baseline));
    let Some(path) = builder.finish() else { return };
    fill(pixmap, &path, rgb, 1.0);
    let stroke = Stroke { width: EMBOLDEN_EM * em_px, line_join: LineJoin::Round, ..Stroke::default() };
    pixmap.stroke_path(&path, &paint(rgb, 1.0), &stroke, Transform::identity(), None);
}

/// Fills `path` in one colour.
pub(super) fn fill(pixmap: &mut Pixmap, path: &Path, rgb: Rgb, alpha: f32) {
    pixmap.fill_path(path, &paint(rgb, alpha), FillRule::Winding, Transform::identity(), None);
}

pub(super) fn paint(rgb: Rgb, alpha: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(color(rgb, alpha));
    paint.anti_alias = true;
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_text_is_the_sum_of_its_letters() {
        assert_eq!(width("", 20.0), 0.0);
        assert!((width("ii", 20.0) - 2.0 * width("i", 20.0)).abs() < 0.5);
        assert!(width("W", 20.0) > 2.0 * width("i", 20.0));
        assert_eq!(width("happiness", 40.0), 2.0 * width("happiness", 20.0));
    }

    #[test]
    fn characters_beyond_ascii_have_outlines() {
        for character in "üßñřžşłЖλ😀→".chars() {
            assert_ne!(Glyph::of(character).id.0, 0, "{character}");
        }
        assert_eq!(Glyph::of('\u{10fffd}').id.0, 0, "a character that no font has becomes the placeholder");
    }
}
