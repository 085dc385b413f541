// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plate with a face's emoji, expression, percentage and id.

use tiny_skia::Pixmap;

use super::edges::rounded;
use super::emoji;
use super::picture::{Picture, canvas};
use super::style::{Expression, Rgb};
use super::text::{self, CAP_HEIGHT_EM};
use crate::geometry::{Rect, Size};

/// Colour of the plates that texts stand on, dark enough for white text on any background.
const PLATE: Rgb = [0x10, 0x14, 0x1a];
const PLATE_ALPHA: f32 = 0.8;
/// Colour of the words that matter.
pub(super) const BRIGHT: Rgb = [0xff, 0xff, 0xff];
/// Colour of the words that matter less.
pub(super) const DIM: Rgb = [0xc2, 0xca, 0xd2];

// Lengths in em of the label's font.
const HEIGHT_EM: f32 = 1.6;
const PADDING_EM: f32 = 0.45;
const GAP_EM: f32 = 0.35;
const BADGE_EM: f32 = 1.24;
const ID_EM: f32 = 0.8;

/// What a label says; everything it looks like follows from this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    /// A disc in `color`, with the features of this expression if it is one of the known.
    pub badge: Option<Option<Expression>>,
    pub color: Rgb,
    pub text: Option<String>,
    pub id: Option<u32>,
    pub font_px: u32,
}

impl Label {
    /// True if the plate would be bare.
    pub(super) fn is_empty(&self) -> bool {
        self.badge.is_none() && self.text.is_none() && self.id.is_none()
    }

    /// The plate's size in pixels.
    pub(super) fn size(&self) -> Size {
        let em = self.font_px as f32;
        let widths = self.parts().map(|part| part.width(em));
        let gaps = widths.iter().flatten().count().saturating_sub(1) as f32 * GAP_EM * em;
        let paddings = (self.leading_em() + PADDING_EM) * em;
        let width = paddings + gaps + widths.iter().flatten().sum::<f32>();
        Size::new(width.ceil() as u32, (HEIGHT_EM * em).ceil() as u32)
    }

    /// The plate with all that is on it.
    pub(super) fn draw(&self) -> Picture {
        let Size { width, height } = self.size();
        let em = self.font_px as f32;
        let mut pixmap = plate(width as f32, height as f32, em * 0.35);
        let middle = height as f32 / 2.0;
        let mut x = self.leading_em() * em;
        for part in self.parts() {
            if let Some(width) = part.width(em) {
                part.draw(&mut pixmap, em, x, middle, self.color);
                x += width + GAP_EM * em;
            }
        }
        pixmap.into()
    }

    /// A round badge sits in the rounded end of the plate, text needs more room.
    fn leading_em(&self) -> f32 {
        if self.badge.is_some() { (HEIGHT_EM - BADGE_EM) / 2.0 } else { PADDING_EM }
    }

    fn parts(&self) -> [Part; 3] {
        [
            self.badge.map_or(Part::Nothing, Part::Badge),
            self.text.clone().map_or(Part::Nothing, |text| Part::Text(text, 1.0, BRIGHT)),
            self.id.map_or(Part::Nothing, |id| Part::Text(format!("#{id}"), ID_EM, DIM)),
        ]
    }
}

enum Part {
    Nothing,
    Badge(Option<Expression>),
    /// Words, their size in em of the label, their colour.
    Text(String, f32, Rgb),
}

impl Part {
    fn width(&self, em_px: f32) -> Option<f32> {
        match self {
            Self::Nothing => None,
            Self::Badge(_) => Some(BADGE_EM * em_px),
            Self::Text(text, size_em, _) => Some(text::width(text, size_em * em_px)),
        }
    }

    fn draw(&self, pixmap: &mut Pixmap, em_px: f32, x: f32, middle: f32, color: Rgb) {
        match self {
            Self::Nothing => {}
            Self::Badge(expression) => {
                let diameter = BADGE_EM * em_px;
                emoji::draw(pixmap, *expression, x + diameter / 2.0, middle, diameter, color);
            }
            // All on one baseline, at which capitals of the full size are centred.
            Self::Text(text, size_em, rgb) => {
                let baseline = (middle + CAP_HEIGHT_EM * em_px / 2.0).round();
                text::draw(pixmap, text, size_em * em_px, x, baseline, *rgb);
            }
        }
    }
}

/// An empty translucent plate with rounded corners.
pub(super) fn plate(width: f32, height: f32, radius: f32) -> Pixmap {
    let mut pixmap = canvas(width, height);
    let rect = Rect::new(0.0, 0.0, pixmap.width() as f32, pixmap.height() as f32);
    if let Some(path) = rounded(rect, radius) {
        text::fill(&mut pixmap, &path, PLATE, PLATE_ALPHA);
    }
    pixmap
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        Label { badge: Some(Some(Expression::Happiness)), color: [240, 228, 66], text: Some(text.to_owned()), id: Some(3), font_px: 20 }
    }

    #[test]
    fn the_picture_has_the_measured_size() {
        for label in [label("happiness 93 %"), Label { badge: None, id: None, ..label("é") }, Label { text: None, ..label("") }] {
            assert_eq!(label.draw().size(), label.size());
        }
        let height = label("x").size().height;
        assert_eq!(height, 32, "1.6 em of 20 px");
    }

    #[test]
    fn the_badge_shows_the_colour_and_the_plate_is_translucent() {
        let picture = label("happiness 93 %").draw();
        let pixels: Vec<&[u8]> = picture.rgba().chunks(4).collect();
        assert!(pixels.contains(&[240, 228, 66, 255].as_slice()));
        assert!(pixels.contains(&[255, 255, 255, 255].as_slice()), "bright text");
        assert!(pixels.contains(&[13, 16, 21, 204].as_slice()), "0.8 of the plate's colour");
        assert_eq!(pixels[0][3], 0, "corners are round");
    }

    #[test]
    fn a_label_without_anything_to_say_is_empty() {
        assert!(Label { badge: None, color: [0; 3], text: None, id: None, font_px: 20 }.is_empty());
        assert!(!label("x").is_empty());
    }
}
