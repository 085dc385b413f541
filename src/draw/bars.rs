// SPDX-License-Identifier: MIT OR Apache-2.0
//! The graph of all scores: a plate with a name and a bar for each class.

use tiny_skia::{IntSize, Pixmap};

use super::edges::rounded;
use super::label::{BRIGHT, DIM, plate};
use super::picture::Picture;
use super::style::Rgb;
use super::text;
use crate::geometry::{Rect, Size};

/// The graph's font in em of the label's, and the smallest that can be read.
const FONT_EM: f32 = 0.74;
const MIN_FONT_PX: f32 = 9.0;
// Lengths in em of the graph's font.
const ROW_EM: f32 = 1.28;
const PADDING_EM: f32 = 0.6;
const GAP_EM: f32 = 0.55;
const BAR_EM: f32 = 6.0;
const BAR_HEIGHT_EM: f32 = 0.56;
/// Height of small letters, at which rows are centred.
const X_HEIGHT_EM: f32 = 0.52;
const TRACK_ALPHA: f32 = 0.16;

/// One class.
pub(super) struct Row<'a> {
    pub word: &'a str,
    pub color: Rgb,
}

/// Where everything lies on a graph's plate.
pub(super) struct Graph<'a> {
    rows: Vec<Row<'a>>,
    em_px: f32,
    bars_x: f32,
}

impl<'a> Graph<'a> {
    /// The graph beside labels with an em of `label_font_px`.
    pub(super) fn new(rows: Vec<Row<'a>>, label_font_px: u32) -> Self {
        let em_px = graph_em(label_font_px);
        let widest = rows.iter().map(|row| text::width(row.word, em_px)).fold(0.0, f32::max);
        Self { rows, em_px, bars_x: ((PADDING_EM + GAP_EM) * em_px + widest).round() }
    }

    /// The plate with names and empty bars; the name of class `top` is the brightest.
    pub(super) fn background(&self, top: Option<usize>) -> Picture {
        let width = self.bars_x + bar_length(self.em_px) + PADDING_EM * self.em_px;
        let height = self.rows.len() as f32 * ROW_EM * self.em_px + PADDING_EM * self.em_px;
        let mut pixmap = plate(width, height, self.em_px * 0.5);
        for (index, row) in self.rows.iter().enumerate() {
            let rgb = if top == Some(index) { BRIGHT } else { DIM };
            let baseline = (self.middle(index) + X_HEIGHT_EM * self.em_px / 2.0).round();
            text::draw(&mut pixmap, row.word, self.em_px, PADDING_EM * self.em_px, baseline, rgb);
            self.bar(&mut pixmap, index, bar_length(self.em_px), BRIGHT, TRACK_ALPHA);
        }
        pixmap.into()
    }

    /// `background` with bars of the given lengths, see [`bar_lengths`].
    pub(super) fn fill(&self, background: &Picture, lengths_px: &[u16]) -> Picture {
        let Size { width, height } = background.size();
        let size = IntSize::from_wh(width, height).expect("pictures of plates are not empty");
        let mut pixmap = Pixmap::from_vec(background.rgba().to_vec(), size).expect("a picture holds four bytes for each pixel");
        for (index, (row, &length)) in self.rows.iter().zip(lengths_px).enumerate() {
            self.bar(&mut pixmap, index, f32::from(length), row.color, 1.0);
        }
        pixmap.into()
    }

    fn middle(&self, row: usize) -> f32 {
        (PADDING_EM / 2.0 + (row as f32 + 0.5) * ROW_EM) * self.em_px
    }

    fn bar(&self, pixmap: &mut Pixmap, row: usize, length: f32, rgb: Rgb, alpha: f32) {
        let height = (BAR_HEIGHT_EM * self.em_px).round();
        let rect = Rect::new(self.bars_x, (self.middle(row) - height / 2.0).round(), length, height);
        if let Some(path) = rounded(rect, height / 3.0).filter(|_| length > 0.0) {
            text::fill(pixmap, &path, rgb, alpha);
        }
    }
}

fn graph_em(label_font_px: u32) -> f32 {
    (label_font_px as f32 * FONT_EM).max(MIN_FONT_PX)
}

fn bar_length(em_px: f32) -> f32 {
    (BAR_EM * em_px).round()
}

/// The lengths in pixels of bars for `scores` (0..1), so that graphs that look the same compare equal.
pub(super) fn bar_lengths(scores: &[f32], label_font_px: u32) -> Vec<u16> {
    let full = bar_length(graph_em(label_font_px));
    scores.iter().map(|score| (score.clamp(0.0, 1.0) * full).round() as u16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph<'static> {
        Graph::new(vec![Row { word: "one", color: [255, 0, 0] }, Row { word: "eleven", color: [0, 255, 0] }], 20)
    }

    fn count(picture: &Picture, color: [u8; 4]) -> usize {
        picture.rgba().chunks(4).filter(|pixel| *pixel == color).count()
    }

    #[test]
    fn lengths_follow_the_scores() {
        // 0.74 * 20 = 14.8 px, times 6 makes bars of 89 px.
        assert_eq!(bar_lengths(&[0.0, 0.25, 1.0, 7.0, -1.0, f32::NAN], 20), [0, 22, 89, 89, 0, 0]);
        assert_eq!(bar_lengths(&[1.0], 6), [54], "9 px is the smallest font");
    }

    #[test]
    fn bars_have_their_class_colour_and_length() {
        let graph = graph();
        let background = graph.background(Some(0));
        assert_eq!(count(&background, [255, 0, 0, 255]), 0);
        let filled = graph.fill(&background, &[40, 0]);
        let red = count(&filled, [255, 0, 0, 255]);
        assert!((40 * 8 - 30..=40 * 8).contains(&red), "{red} of 40 x 8 pixels, less the round corners");
        assert_eq!(count(&filled, [0, 255, 0, 255]), 0, "a score of nothing has no bar");
    }

    #[test]
    fn the_plate_makes_room_for_the_longest_name() {
        let wide = Graph::new(vec![Row { word: "a very long name indeed", color: [0; 3] }], 20);
        assert!(wide.background(None).size().width > graph().background(None).size().width);
    }
}
