// SPDX-License-Identifier: MIT OR Apache-2.0
//! CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019).
//!
//! | output | shape | meaning | activation |
//! |---|---|---|---|
//! | 0 | `[1, 1, H/4, W/4]` | probability that a face's centre is in the cell | sigmoid applied |
//! | 1 | `[1, 2, H/4, W/4]` | height, width: `exp(v) * 4` pixels | none |
//! | 2 | `[1, 2, H/4, W/4]` | y, x of the face's centre, relative to the cell's centre; unit: cells | none |
//! | 3 | `[1, 10, H/4, W/4]` | y, x of five landmarks, relative to the box's top left corner; units: its height, its width | none |
//!
//! Input: RGB 0..255, no normalisation, both sides multiples of 32.

use super::Detection;
use crate::error::Result;
use crate::geometry::{Landmarks5, Point, Rect, Size};
use crate::image::tensor::InputFormat;
use crate::model::runtime::{Outputs, TensorSpec};

/// Side of an output cell, in pixels of the input.
const STRIDE: f32 = 4.0;
/// Number of channels of each output; the model is recognised by them.
const CHANNELS: [usize; 4] = [1, 2, 2, 10];

/// True if `outputs` are four with the channels of the table above.
pub fn matches(outputs: &[TensorSpec]) -> bool {
    let channels = |spec: &TensorSpec| if spec.shape.len() == 4 { spec.shape[1] } else { None };
    outputs.len() == CHANNELS.len() && outputs.iter().zip(CHANNELS).all(|(spec, expected)| channels(spec) == Some(expected))
}

/// RGB without normalisation.
pub fn input_format() -> InputFormat {
    InputFormat::default()
}

/// Appends a detection, in pixels of the input, for each cell whose probability reaches `score_threshold`.
///
/// # Errors
/// [`Error::Inference`](crate::error::Error::Inference) if the outputs have different numbers of cells.
pub(super) fn decode(outputs: &Outputs, _input: Size, score_threshold: f32, detections: &mut Vec<Detection>) -> Result<()> {
    let (shape, heat) = outputs.get(0)?;
    let values = |index: usize| outputs.get_exactly(index, CHANNELS[index] * heat.len());
    let [size, offset, landmarks] = [values(1)?, values(2)?, values(3)?];
    let columns = shape.last().map_or(1, |&columns| columns.max(1) as usize);
    decode_maps(Maps { heat, size, offset, landmarks, columns }, score_threshold, detections);
    Ok(())
}

/// The four outputs; each of their channels has `heat.len()` values.
struct Maps<'a> {
    heat: &'a [f32],
    size: &'a [f32],
    offset: &'a [f32],
    landmarks: &'a [f32],
    columns: usize,
}

fn decode_maps(maps: Maps, score_threshold: f32, detections: &mut Vec<Detection>) {
    let cells = maps.heat.len();
    for (cell, &confidence) in maps.heat.iter().enumerate().filter(|(_, confidence)| **confidence >= score_threshold) {
        let (row, column) = ((cell / maps.columns) as f32, (cell % maps.columns) as f32);
        let (h, w) = (maps.size[cell].exp() * STRIDE, maps.size[cells + cell].exp() * STRIDE);
        let center = Point::new((column + maps.offset[cells + cell] + 0.5) * STRIDE, (row + maps.offset[cell] + 0.5) * STRIDE);
        let rect = Rect::new(center.x - w / 2.0, center.y - h / 2.0, w, h);
        let landmark = |i: usize| {
            Point::new(rect.x + maps.landmarks[(2 * i + 1) * cells + cell] * w, rect.y + maps.landmarks[2 * i * cells + cell] * h)
        };
        detections.push(Detection { rect, confidence, landmarks: Some(Landmarks5(std::array::from_fn(landmark))) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cell_by_hand() {
        // Two rows of three cells; the face is in row 1, column 2.
        let cells = 6;
        let cell = 5;
        let mut heat = vec![0.1; cells];
        heat[cell] = 0.8;
        let mut size = vec![0.0; 2 * cells];
        size[cell] = 2.0f32.ln(); // height 8
        size[cells + cell] = 1.5f32.ln(); // width 6
        let mut offset = vec![0.0; 2 * cells];
        offset[cell] = 0.25; // y
        offset[cells + cell] = -0.5; // x
        let mut landmarks = vec![0.0; 10 * cells];
        landmarks[cell] = 0.5; // y of the right eye
        landmarks[cells + cell] = 0.25; // x of the right eye
        let mut found = Vec::new();
        decode_maps(Maps { heat: &heat, size: &size, offset: &offset, landmarks: &landmarks, columns: 3 }, 0.5, &mut found);
        assert_eq!(found.len(), 1);
        // Centre: x (2 - 0.5 + 0.5) * 4 = 8, y (1 + 0.25 + 0.5) * 4 = 7.
        let rect = found[0].rect;
        assert!((rect.x - 5.0).abs() < 1e-5 && (rect.y - 3.0).abs() < 1e-5 && (rect.w - 6.0).abs() < 1e-5 && (rect.h - 8.0).abs() < 1e-5);
        let eye = found[0].landmarks.unwrap().0[0];
        assert!((eye.x - 6.5).abs() < 1e-5 && (eye.y - 7.0).abs() < 1e-5, "{eye:?}");
    }

    #[test]
    fn recognised_by_the_number_of_channels() {
        let spec = |channels| TensorSpec { name: "any".into(), shape: vec![Some(10), Some(channels), Some(8), Some(8)] };
        assert!(matches(&[1, 2, 2, 10].map(spec)));
        assert!(!matches(&[1, 2, 10, 2].map(spec)));
        assert!(!matches(&[]));
    }
}
