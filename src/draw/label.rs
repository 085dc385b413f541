// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plate with a face's emoji, expression, percentage and id.

use tiny_skia::Pixmap;

use super::edges::rounded;
use super::emoji;
use super::layout::even;
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

/// What a label says; everything it looks like follows from this. Figures change with every frame, so that they are a
/// picture of their own and the plate has room for the widest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    /// A disc in `color`, with the features of this expression if it is one of the known.
    pub badge: Option<Option<Expression>>,
    pub color: Rgb,
    pub text: Option<String>,
    pub room: Room,
    pub id: Option<u32>,
    pub font_px: u32,
}

/// Room for a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Room {
    None,
    /// For figures of this many digits.
    Figures(u32),
    /// The same, with a space before the sign.
    SpacedFigures(u32),
}

impl Room {
    /// Two digits even for one: labels whose score falls below ten do not jump.
    pub(super) fn digits(percent: u32) -> u32 {
        if percent < 100 { 2 } else { 3 }
    }

    /// What is written there.
    pub(super) fn text(self, percent: u32) -> String {
        match self {
            Self::None => String::new(),
            Self::Figures(_) => format!("{percent}%"),
            Self::SpacedFigures(_) => format!("{percent} %"),
        }
    }

    fn widest(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Figures(digits) | Self::SpacedFigures(digits) => Some(self.text(10_u32.pow(digits) - 1)),
        }
    }
}

impl Label {
    /// True if the plate would be bare.
    pub(super) fn is_empty(&self) -> bool {
        self.badge.is_none() && self.text.is_none() && self.room == Room::None && self.id.is_none()
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

    /// The plate with all that is on it but the figures.
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

    /// Column of the plate from which on the figures are to be shown, at the height of the plate's top.
    pub(super) fn figures_x(&self) -> Option<i32> {
        self.laid_out().into_iter().find(|(part, _)| matches!(part, Part::Room(_))).map(|(_, x)| even(x) as i32)
    }

    /// Figures, as a picture as high as the plate.
    pub(super) fn draw_figures(text: &str, font_px: u32) -> Picture {
        let (em, height) = (font_px as f32, plate_height(font_px));
        let mut pixmap = canvas(text::width(text, em).ceil() + 2.0, height);
        text::draw(&mut pixmap, text, em, 0.0, baseline(em, height.ceil() / 2.0), BRIGHT);
        pixmap.into()
    }

    /// Every part and where it begins.
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

    /// A round badge sits in the rounded end of the plate, text needs more room.
    fn leading_em(&self) -> f32 {
        if self.badge.is_some() { (HEIGHT_EM - BADGE_EM) / 2.0 } else { PADDING_EM }
    }

    fn parts(&self) -> [Part; 4] {
        [
            self.badge.map_or(Part::Nothing, Part::Badge),
            self.text.clone().map_or(Part::Nothing, |text| Part::Text(text, 1.0, BRIGHT)),
            self.room.widest().map_or(Part::Nothing, Part::Room),
            self.id.map_or(Part::Nothing, |id| Part::Text(format!("#{id}"), ID_EM, DIM)),
        ]
    }
}

enum Part {
    Nothing,
    Badge(Option<Expression>),
    /// Words, their size in em of the label, their colour.
    Text(String, f32, Rgb),
    /// As much as the text would take.
    Room(String),
}

impl Part {
    fn width(&self, em_px: f32) -> Option<f32> {
        match self {
            Self::Nothing => None,
            Self::Badge(_) => Some(BADGE_EM * em_px),
            Self::Text(text, size_em, _) => Some(text::width(text, size_em * em_px)),
            Self::Room(text) => Some(text::width(text, em_px)),
        }
    }

    fn draw(&self, pixmap: &mut Pixmap, em_px: f32, x: f32, middle: f32, color: Rgb) {
        match self {
            Self::Nothing | Self::Room(_) => {}
            Self::Badge(expression) => {
                let diameter = BADGE_EM * em_px;
                emoji::draw(pixmap, *expression, x + diameter / 2.0, middle, diameter, color);
            }
            // All on one baseline, at which capitals of the full size are centred.
            Self::Text(text, size_em, rgb) => {
                text::draw(pixmap, text, size_em * em_px, x, baseline(em_px, middle), *rgb);
            }
        }
    }
}

fn plate_height(font_px: u32) -> f32 {
    (HEIGHT_EM * font_px as f32).ceil()
}

/// Where capitals of the label's font stand that are centred at `middle`.
fn baseline(em_px: f32, middle: f32) -> f32 {
    (middle + CAP_HEIGHT_EM * em_px / 2.0).round()
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
        Label {
            badge: Some(Some(Expression::Happiness)),
            color: [240, 228, 66],
            text: Some(text.to_owned()),
            room: Room::None,
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
    fn the_badge_shows_the_colour_and_the_plate_is_translucent() {
        let picture = label("happiness 93 %").draw();
        let pixels: Vec<&[u8]> = picture.rgba().chunks(4).collect();
        assert!(pixels.contains(&[240, 228, 66, 255].as_slice()));
        assert!(pixels.contains(&[255, 255, 255, 255].as_slice()), "bright text");
        assert!(pixels.contains(&[13, 16, 21, 204].as_slice()), "0.8 of the plate's colour");
        assert_eq!(pixels[0][3], 0, "corners are round");
    }

    #[test]
    fn figures_fit_their_room() {
        for room in [Room::Figures(2), Room::SpacedFigures(2), Room::SpacedFigures(3)] {
            let label = Label { room, ..label("happiness") };
            let picture = Label::draw_figures(&room.text(99), 20);
            assert_eq!(picture.size().height, label.size().height);
            let x = label.figures_x().expect("there is room") as u32;
            assert!(x.is_multiple_of(2) && x + picture.size().width < label.size().width, "{room:?}");
        }
        assert_eq!((Room::digits(7), Room::digits(99), Room::digits(100)), (2, 2, 3));
        assert_eq!((Room::Figures(2).text(7), Room::SpacedFigures(2).text(93)), ("7%".into(), "93 %".into()));
        assert_eq!(label("x").figures_x(), None);
    }

    #[test]
    fn a_label_without_anything_to_say_is_empty() {
        assert!(Label { badge: None, color: [0; 3], text: None, room: Room::None, id: None, font_px: 20 }.is_empty());
        assert!(!label("x").is_empty());
    }
}
