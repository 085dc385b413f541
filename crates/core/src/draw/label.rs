// SPDX-License-Identifier: MIT OR Apache-2.0
//! The label of a face: a plate with emoji, expression, percentage and id.

use tiny_skia::Pixmap;

use super::edges::rounded;
use super::emoji;
use super::layout::even;
use super::picture::Picture;
use super::pixels::empty_pixmap;
use super::style::{Expression, Rgb};
use super::text::{self, CAP_HEIGHT_EM};
use crate::geometry::{Rect, Size};

/// Colour of plates, dark enough for white text on any background.
const PLATE: Rgb = [0x10, 0x14, 0x1a];
const PLATE_ALPHA: f32 = 0.8;
/// Colour of primary text.
pub(super) const BRIGHT: Rgb = [0xff, 0xff, 0xff];
/// Colour of secondary text.
pub(super) const DIM: Rgb = [0xc2, 0xca, 0xd2];

// Lengths in em of the label's font.
const HEIGHT_EM: f32 = 1.6;
const PADDING_EM: f32 = 0.45;
const GAP_EM: f32 = 0.35;
const BADGE_EM: f32 = 1.24;
const ID_EM: f32 = 0.8;

/// The content of a label, which determines its picture. The percentage changes with every frame, so it is a picture of
/// its own, and the plate reserves room for the widest one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    /// A disc in `color`, with the face of the expression if it is a known one.
    pub badge: Option<Option<Expression>>,
    pub color: Rgb,
    pub text: Option<String>,
    /// Colour of text and percentage.
    pub tone: Rgb,
    pub percentage: Percentage,
    pub id: Option<u32>,
    pub font_px: u32,
}

/// Format of the percentage, for which the plate reserves room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Percentage {
    None,
    /// Up to this many digits and a percent sign.
    Compact(u32),
    /// The same, with a space before the percent sign.
    Spaced(u32),
}

impl Percentage {
    /// Number of digits to reserve: at least two, so that a label keeps its width when the score falls below 10 %.
    pub(super) fn digits(percent: u32) -> u32 {
        if percent < 100 { 2 } else { 3 }
    }

    /// The text for `percent`.
    pub(super) fn text(self, percent: u32) -> String {
        match self {
            Self::None => String::new(),
            Self::Compact(_) => format!("{percent}%"),
            Self::Spaced(_) => format!("{percent} %"),
        }
    }

    fn widest(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Compact(digits) | Self::Spaced(digits) => Some(self.text(10_u32.pow(digits) - 1)),
        }
    }
}

impl Label {
    /// True if there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.badge.is_none() && self.text.is_none() && self.percentage == Percentage::None && self.id.is_none()
    }

    /// The plate's size in pixels.
    pub(super) fn size(&self) -> Size {
        let em = self.font_px as f32;
        let widths = self.parts().map(|part| part.width(em));
        let gaps = widths.iter().flatten().count().saturating_sub(1) as f32 * GAP_EM * em;
        let paddings = (self.leading_em() + PADDING_EM) * em;
        let width = paddings + gaps + widths.iter().flatten().sum::<f32>();
        Size::new(width.ceil() as u32, plate_height(self.font_px) as u32)
    }

    /// Draws the plate with everything but the percentage.
    pub(super) fn draw(&self) -> Picture {
        let Size { width, height } = self.size();
        let em = self.font_px as f32;
        let mut pixmap = plate(width as f32, height as f32, em * 0.35);
        let middle = height as f32 / 2.0;
        for (part, x) in self.laid_out() {
            part.draw(&mut pixmap, em, x, middle, self.color);
        }
        pixmap.into()
    }

    /// Column of the plate at which the picture of the percentage starts. Its row is 0.
    pub(super) fn percentage_x(&self) -> Option<i32> {
        self.laid_out().into_iter().find(|(part, _)| matches!(part, Part::Reserved(_))).map(|(_, x)| even(x) as i32)
    }

    /// Draws a percentage as a picture with the height of the plate.
    pub(super) fn draw_percentage(text: &str, font_px: u32, tone: Rgb) -> Picture {
        let (em, height) = (font_px as f32, plate_height(font_px));
        let mut pixmap = empty_pixmap(text::width(text, em).ceil() + 2.0, height);
        text::draw(&mut pixmap, text, em, 0.0, baseline(em, height.ceil() / 2.0), tone);
        pixmap.into()
    }

    /// Each part and the column at which it starts.
    fn laid_out(&self) -> Vec<(Part, f32)> {
        let em = self.font_px as f32;
        let mut x = self.leading_em() * em;
        let parts = self.parts().into_iter().filter_map(|part| part.width(em).map(|width| (part, width)));
        let place = |(part, width)| {
            let at = x;
            x += width + GAP_EM * em;
            (part, at)
        };
        parts.map(place).collect()
    }

    /// Padding at the left end, in em: a round badge fits into the rounded end of the plate, text needs more room.
    fn leading_em(&self) -> f32 {
        if self.badge.is_some() { (HEIGHT_EM - BADGE_EM) / 2.0 } else { PADDING_EM }
    }

    fn parts(&self) -> [Part; 4] {
        [
            self.badge.map_or(Part::Nothing, Part::Badge),
            self.text.clone().map_or(Part::Nothing, |text| Part::Text(text, 1.0, self.tone)),
            self.percentage.widest().map_or(Part::Nothing, Part::Reserved),
            self.id.map_or(Part::Nothing, |id| Part::Text(format!("#{id}"), ID_EM, DIM)),
        ]
    }
}

enum Part {
    Nothing,
    Badge(Option<Expression>),
    /// A text, its size in em of the label, its colour.
    Text(String, f32, Rgb),
    /// Empty room as wide as this text.
    Reserved(String),
}

impl Part {
    fn width(&self, em_px: f32) -> Option<f32> {
        match self {
            Self::Nothing => None,
            Self::Badge(_) => Some(BADGE_EM * em_px),
            Self::Text(text, size_em, _) => Some(text::width(text, size_em * em_px)),
            Self::Reserved(text) => Some(text::width(text, em_px)),
        }
    }

    fn draw(&self, pixmap: &mut Pixmap, em_px: f32, x: f32, middle: f32, color: Rgb) {
        match self {
            Self::Nothing | Self::Reserved(_) => {}
            Self::Badge(expression) => {
                let diameter = BADGE_EM * em_px;
                emoji::draw(pixmap, *expression, x + diameter / 2.0, middle, diameter, color);
            }
            // All texts share one baseline, on which capitals of the full size are vertically centred.
            Self::Text(text, size_em, rgb) => {
                text::draw(pixmap, text, size_em * em_px, x, baseline(em_px, middle), *rgb);
            }
        }
    }
}

fn plate_height(font_px: u32) -> f32 {
    (HEIGHT_EM * font_px as f32).ceil()
}

/// The baseline of text whose capitals are centred at `middle`.
fn baseline(em_px: f32, middle: f32) -> f32 {
    (middle + CAP_HEIGHT_EM * em_px / 2.0).round()
}

/// An empty translucent plate with rounded corners.
pub(super) fn plate(width: f32, height: f32, radius: f32) -> Pixmap {
    let mut pixmap = empty_pixmap(width, height);
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
        Label {
            badge: Some(Some(Expression::Happiness)),
            color: [240, 228, 66],
            text: Some(text.to_owned()),
            tone: BRIGHT,
            percentage: Percentage::None,
            id: Some(3),
            font_px: 20,
        }
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
    fn the_badge_has_its_colour_and_the_plate_is_translucent() {
        let picture = label("happiness 93 %").draw();
        let pixels: Vec<&[u8]> = picture.rgba().chunks(4).collect();
        assert!(pixels.contains(&[240, 228, 66, 255].as_slice()));
        assert!(pixels.contains(&[255, 255, 255, 255].as_slice()), "bright text");
        assert!(pixels.contains(&[13, 16, 21, 204].as_slice()), "0.8 of the plate's colour");
        assert_eq!(pixels[0][3], 0, "the corners are rounded");
    }

    #[test]
    fn percentages_fit_their_reserved_room() {
        for percentage in [Percentage::Compact(2), Percentage::Spaced(2), Percentage::Spaced(3)] {
            let label = Label { percentage, ..label("happiness") };
            let picture = Label::draw_percentage(&percentage.text(99), 20, BRIGHT);
            assert_eq!(picture.size().height, label.size().height);
            let x = label.percentage_x().expect("the label has a percentage") as u32;
            assert!(x.is_multiple_of(2) && x + picture.size().width < label.size().width, "{percentage:?}");
        }
        assert_eq!((Percentage::digits(7), Percentage::digits(99), Percentage::digits(100)), (2, 2, 3));
        assert_eq!((Percentage::Compact(2).text(7), Percentage::Spaced(2).text(93)), ("7%".into(), "93 %".into()));
        assert_eq!(label("x").percentage_x(), None);
    }

    #[test]
    fn a_label_without_parts_is_empty() {
        assert!(
            Label { badge: None, color: [0; 3], text: None, tone: BRIGHT, percentage: Percentage::None, id: None, font_px: 20 }.is_empty()
        );
        assert!(!label("x").is_empty());
    }
}
