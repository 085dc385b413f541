// SPDX-License-Identifier: MIT OR Apache-2.0
//! The graph of all scores: a plate with the names of the classes, and a bar for each class.
//!
//! Bars are separate pictures that are cut from a full bar, so that nothing has to be drawn again when scores change, which
//! they do on every frame.

use super::edges::rounded;
use super::label::{BRIGHT, DIM, plate};
use super::layout::even;
use super::picture::Picture;
use super::pixels::empty_pixmap;
use super::style::Rgb;
use super::text;
use crate::geometry::{Rect, Size};
use crate::scores::LabelSet;

/// Font size of the graph in em of the label's font.
const FONT_EM: f32 = 0.74;
/// Minimum legible font size.
const MIN_FONT_PX: f32 = 9.0;
// Lengths in em of the graph's font.
const ROW_EM: f32 = 1.28;
const PADDING_EM: f32 = 0.6;
const GAP_EM: f32 = 0.55;
const BAR_EM: f32 = 6.0;
const BAR_HEIGHT_EM: f32 = 0.56;
/// Height of lowercase letters, on which rows are centred.
const X_HEIGHT_EM: f32 = 0.52;
/// Opacity of the track, the unfilled bar behind each bar.
const TRACK_ALPHA: f32 = 0.16;

/// The layout of a graph's plate.
pub(super) struct Graph {
    em_px: f32,
    rows: usize,
    /// Column at which the bars start.
    bars_x: f32,
}

impl Graph {
    /// The graph for classes with the names `words`, beside labels whose em is `label_font_px`.
    pub(super) fn new(words: &LabelSet, label_font_px: u32) -> Self {
        let em_px = (label_font_px as f32 * FONT_EM).max(MIN_FONT_PX);
        let widest = words.as_slice().iter().map(|word| text::width(word, em_px)).fold(0.0, f32::max);
        Self { em_px, rows: words.len(), bars_x: even((PADDING_EM + GAP_EM) * em_px + widest) }
    }

    /// The plate's size in pixels.
    pub(super) fn size(&self) -> Size {
        let width = self.bars_x + self.bar_length() + PADDING_EM * self.em_px;
        let height = self.rows as f32 * self.row_height() + 2.0 * self.first_row();
        Size::new(width.ceil() as u32, height.ceil() as u32)
    }

    /// Draws the plate with the names and the tracks of the bars. The name of class `top` is the brightest.
    pub(super) fn background(&self, words: &LabelSet, top: Option<usize>) -> Picture {
        let Size { width, height } = self.size();
        let mut pixmap = plate(width as f32, height as f32, self.em_px * 0.5);
        for (row, word) in words.as_slice().iter().enumerate() {
            let rgb = if top == Some(row) { BRIGHT } else { DIM };
            let (x, y) = self.bar_corner(row);
            let baseline = y as f32 + (self.bar_height() + X_HEIGHT_EM * self.em_px) / 2.0;
            text::draw(&mut pixmap, word, self.em_px, PADDING_EM * self.em_px, baseline.round(), rgb);
            let track = Rect::new(x as f32, y as f32, self.bar_length(), self.bar_height());
            if let Some(path) = rounded(track, track.h / 3.0) {
                text::fill(&mut pixmap, &path, BRIGHT, TRACK_ALPHA);
            }
        }
        pixmap.into()
    }

    /// Position on the plate of the top left corner of the bar in `row`.
    pub(super) fn bar_corner(&self, row: usize) -> (i32, i32) {
        let above = even((self.row_height() - self.bar_height()) / 2.0);
        (self.bars_x as i32, (self.first_row() + row as f32 * self.row_height() + above) as i32)
    }

    /// The bar of a class at a score of 1.
    pub(super) fn bar(&self, color: Rgb) -> Bar {
        Bar { color, length_px: self.bar_length() as u32, height_px: self.bar_height() as u32 }
    }

    /// Length of the bar at a score of 0..1, an even number of pixels.
    pub(super) fn filled_px(&self, score: f32) -> u32 {
        even(score.clamp(0.0, 1.0) * self.bar_length()) as u32
    }

    fn bar_length(&self) -> f32 {
        even(BAR_EM * self.em_px)
    }

    fn bar_height(&self) -> f32 {
        even(BAR_HEIGHT_EM * self.em_px)
    }

    fn row_height(&self) -> f32 {
        even(ROW_EM * self.em_px)
    }

    fn first_row(&self) -> f32 {
        even(PADDING_EM / 2.0 * self.em_px)
    }
}

/// The appearance of a full bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bar {
    color: Rgb,
    length_px: u32,
    height_px: u32,
}

impl Bar {
    pub(super) fn draw(self) -> Picture {
        let rect = Rect::new(0.0, 0.0, self.length_px as f32, self.height_px as f32);
        let mut pixmap = empty_pixmap(rect.w, rect.h);
        if let Some(path) = rounded(rect, rect.h / 3.0) {
            text::fill(&mut pixmap, &path, self.color, 1.0);
        }
        pixmap.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb = [255, 0, 0];

    fn words() -> LabelSet {
        LabelSet::new(["one", "eleven"])
    }

    fn graph() -> Graph {
        Graph::new(&words(), 20)
    }

    #[test]
    fn bar_lengths_are_proportional_to_scores() {
        // The em is 0.74 * 20 px = 14.8 px, and a bar is 6 em long: 88 px.
        assert_eq!([0.25, 1.0, 7.0].map(|score| graph().filled_px(score)), [22, 88, 88]);
        assert_eq!([0.0, 0.005, -1.0, f32::NAN].map(|score| graph().filled_px(score)), [0; 4]);
        assert_eq!(Graph::new(&words(), 6).filled_px(1.0), 54, "9 px is the minimum font size");
    }

    #[test]
    fn a_bar_has_the_colour_of_its_class() {
        let picture = graph().bar(RED).draw();
        assert_eq!(picture.size(), Size::new(88, 8));
        let red = picture.rgba().chunks(4).filter(|pixel| *pixel == [255, 0, 0, 255]).count();
        assert!((88 * 8 - 30..88 * 8).contains(&red), "{red} of 88 x 8 pixels, minus the rounded corners");
    }

    #[test]
    fn the_plate_is_large_enough_for_names_and_bars() {
        let graph = graph();
        let picture = graph.background(&words(), Some(0));
        assert_eq!(picture.size(), graph.size());
        let (x, y) = graph.bar_corner(1);
        assert!(x as f32 + graph.bar_length() < graph.size().width as f32 && y as f32 + graph.bar_height() < graph.size().height as f32);
        let wide = Graph::new(&LabelSet::new(["a very long name indeed"]), 20);
        assert!(wide.size().width > graph.size().width);
    }
}
