// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small face for each expression, in its colour: the emoji of a font that draws them as a disc with the features cut
//! out.

use tiny_skia::{PathBuilder, Pixmap};

use super::style::{Expression, Rgb};
use super::text::{centered, fill};

/// Colour of eyes and mouth.
const INK: Rgb = [0x14, 0x18, 0x1c];

/// The emoji of a class; none for classes without one.
pub(super) fn character(class: &str) -> Option<char> {
    Expression::of(class).map(|expression| match expression {
        Expression::Neutral => '😐',
        Expression::Happiness => '😃',
        Expression::Surprise => '😲',
        Expression::Sadness => '😢',
        Expression::Anger => '😠',
        Expression::Disgust => '😖',
        Expression::Fear => '😨',
        Expression::Contempt => '😒',
    })
}

/// Draws the face of diameter `diameter` around `(x, y)`; without a character, a disc.
pub(super) fn draw(pixmap: &mut Pixmap, emoji: Option<char>, x: f32, y: f32, diameter: f32, rgb: Rgb) {
    let disc = |share: f32| PathBuilder::from_circle(x, y, diameter / 2.0 * share);
    match emoji.and_then(|emoji| centered(emoji, x, y, diameter)) {
        Some(face) => {
            // What shows through the eyes and the mouth.
            disc(0.9).iter().for_each(|path| fill(pixmap, path, INK, 1.0));
            fill(pixmap, &face, rgb, 1.0);
        }
        None => disc(0.95).iter().for_each(|path| fill(pixmap, path, rgb, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::picture::canvas;
    use crate::emotion::FERPLUS_LABELS;

    #[test]
    fn every_expression_has_a_face_of_its_own() {
        let mut faces: Vec<char> = FERPLUS_LABELS.iter().map(|label| character(label).expect("known")).collect();
        faces.sort_unstable();
        faces.dedup();
        assert_eq!(faces.len(), 8);
        assert_eq!(character("smirk"), None);
    }

    #[test]
    fn the_disc_has_the_colour_and_the_corners_stay_free() {
        let mut pixmap = canvas(20.0, 20.0);
        draw(&mut pixmap, None, 10.0, 10.0, 20.0, [10, 20, 30]);
        let pixel = |x, y| pixmap.pixel(x, y).map(|p| (p.red(), p.green(), p.blue(), p.alpha()));
        assert_eq!(pixel(10, 10), Some((10, 20, 30, 255)));
        assert_eq!(pixel(0, 0), Some((0, 0, 0, 0)));
    }
}
