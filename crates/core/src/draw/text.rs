// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of text as filled outlines, from fonts that are embedded in the library.

use std::sync::LazyLock;

use tiny_skia::{FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use super::pixels::color;
use super::style::Rgb;

/// Height of capital letters of the text font, in em.
pub(super) const CAP_HEIGHT_EM: f32 = 0.693;
/// Width in em by which strokes are widened: the text font is a light one, which is too thin for white on dark.
const EMBOLDEN_EM: f32 = 0.045;

/// The fonts, in the order in which they are searched for a character. None of them has a table of kerning.
static FONTS: LazyLock<[Face; 3]> = LazyLock::new(|| {
    let fonts = [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR, epaint_default_fonts::NOTO_EMOJI_REGULAR];
    fonts.map(|bytes| Face::parse(bytes, 0).expect("the embedded fonts are valid"))
});

/// Glyph 0 is the placeholder for characters that a font lacks.
const PLACEHOLDER: GlyphId = GlyphId(0);

/// The glyph of a character in the first font that has one.
#[derive(Clone, Copy)]
struct Glyph {
    font: usize,
    id: GlyphId,
}

impl Glyph {
    fn of(character: char) -> Self {
        let mut glyphs = FONTS.iter().enumerate().filter_map(|(font, face)| Some(Self { font, id: face.glyph_index(character)? }));
        glyphs.find(|glyph| glyph.id != PLACEHOLDER).unwrap_or(Self { font: 0, id: PLACEHOLDER })
    }

    fn advance_em(self) -> f32 {
        let font = &FONTS[self.font];
        f32::from(font.glyph_hor_advance(self.id).unwrap_or(0)) / f32::from(font.units_per_em())
    }

    /// Appends the outline, if the glyph has one, with its origin at `(x, baseline)`.
    fn trace(self, path: &mut PathBuilder, em_px: f32, x: f32, baseline: f32) {
        let font = &FONTS[self.font];
        let mut pen = Pen { path, scale: em_px / f32::from(font.units_per_em()), x, baseline };
        let _ = font.outline_glyph(self.id, &mut pen);
    }
}

/// Converts an outline in font units to a path in pixels, whose y axis points down.
struct Pen<'a> {
    path: &'a mut PathBuilder,
    scale: f32,
    x: f32,
    baseline: f32,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.baseline - y * self.scale)
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, control_x: f32, control_y: f32, x: f32, y: f32) {
        let ((control_x, control_y), (x, y)) = (self.at(control_x, control_y), self.at(x, y));
        self.path.quad_to(control_x, control_y, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// Calls `visit` with each glyph of `text` and its position in em; returns the width in em.
fn lay_out(text: &str, mut visit: impl FnMut(Glyph, f32)) -> f32 {
    text.chars().map(Glyph::of).fold(0.0, |x_em, glyph| {
        visit(glyph, x_em);
        x_em + glyph.advance_em()
    })
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
            assert_ne!(Glyph::of(character).id, PLACEHOLDER, "{character}");
        }
        assert_eq!(Glyph::of('\u{10fffd}').id, PLACEHOLDER, "a character that no font has becomes the placeholder");
    }
}
