// SPDX-License-Identifier: MIT OR Apache-2.0
//! YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023).
//!
//! Four outputs for each stride s of 8, 16, 32. They list N = H/s * W/s cells, row by row:
//!
//! | output | shape | meaning | activation |
//! |---|---|---|---|
//! | `cls_s` | `[1, N, 1]` | probability of a face | sigmoid applied |
//! | `obj_s` | `[1, N, 1]` | objectness: quality of the box. The confidence is `sqrt(cls * obj)` | sigmoid applied |
//! | `bbox_s` | `[1, N, 4]` | centre `(column + v0) s`, `(row + v1) s`; size `exp(v2) s`, `exp(v3) s` | none |
//! | `kps_s` | `[1, N, 10]` | x, y of five landmarks: `(column + x) s`, `(row + y) s` | none |
//!
//! Input: BGR 0..255, no normalisation, both sides multiples of 32.

use super::Detection;
use crate::error::Result;
use crate::geometry::{Landmarks5, Point, Rect, Size};
use crate::image::tensor::{Colour, InputFormat};
use crate::model::runtime::{Outputs, TensorSpec};

/// Strides in pixels of the input, finest first.
const STRIDES: [usize; 3] = [8, 16, 32];
/// Prefixes of the output names, in the order of the graph's outputs.
const HEADS: [&str; 4] = ["cls", "obj", "bbox", "kps"];
/// Number of values of each head for one cell.
const VALUES: [usize; 4] = [1, 1, 4, 10];

/// True if `outputs` are the twelve of the table above: all strides of `cls`, then of `obj`, `bbox` and `kps`.
pub fn matches(outputs: &[TensorSpec]) -> bool {
    let names = HEADS.iter().flat_map(|head| STRIDES.map(|stride| format!("{head}_{stride}")));
    outputs.len() == HEADS.len() * STRIDES.len() && names.zip(outputs).all(|(name, output)| output.name == name)
}

/// BGR without normalisation.
pub fn input_format() -> InputFormat {
    InputFormat { colour: Colour::Bgr, ..Default::default() }
}

/// Appends a detection, in pixels of the input, for each cell whose confidence reaches `score_threshold`.
///
/// # Errors
/// [`Error::Inference`](crate::error::Error::Inference) if the number of cells of a head does not fit `input`.
pub(super) fn decode(outputs: &Outputs, input: Size, score_threshold: f32, detections: &mut Vec<Detection>) -> Result<()> {
    for (level, stride) in STRIDES.into_iter().enumerate() {
        let (columns, rows) = (input.width as usize / stride, input.height as usize / stride);
        let head = |index: usize| outputs.get_exactly(index * STRIDES.len() + level, VALUES[index] * columns * rows);
        let level = Level { class: head(0)?, objectness: head(1)?, boxes: head(2)?, landmarks: head(3)?, stride, columns };
        decode_level(&level, score_threshold, detections);
    }
    Ok(())
}

/// The outputs of one stride.
struct Level<'a> {
    class: &'a [f32],
    objectness: &'a [f32],
    boxes: &'a [f32],
    landmarks: &'a [f32],
    stride: usize,
    columns: usize,
}

fn decode_level(level: &Level, score_threshold: f32, detections: &mut Vec<Detection>) {
    // Comparing squares rejects most cells before the square root is computed.
    let min_squared = score_threshold * score_threshold;
    let stride = level.stride as f32;
    for (cell, (class, objectness)) in level.class.iter().zip(level.objectness).enumerate() {
        let squared = class.clamp(0.0, 1.0) * objectness.clamp(0.0, 1.0);
        if squared < min_squared {
            continue;
        }
        let (column, row) = ((cell % level.columns) as f32, (cell / level.columns) as f32);
        let [x, y, w, h] = std::array::from_fn(|i| level.boxes[4 * cell + i]);
        let (w, h) = (w.exp() * stride, h.exp() * stride);
        let rect = Rect::new((column + x) * stride - w / 2.0, (row + y) * stride - h / 2.0, w, h);
        let offsets = &level.landmarks[10 * cell..][..10];
        let landmark = |i: usize| Point::new((column + offsets[2 * i]) * stride, (row + offsets[2 * i + 1]) * stride);
        detections.push(Detection { rect, confidence: squared.sqrt(), landmarks: Some(Landmarks5(std::array::from_fn(landmark))) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cell_by_hand() {
        // Stride 8, two rows of two cells; the face is in row 1, column 1.
        let mut class = [0.0; 4];
        class[3] = 0.81;
        let mut boxes = [0.0; 16];
        boxes[12..].copy_from_slice(&[0.5, 0.25, 2.0f32.ln(), 0.0]);
        let mut landmarks = [0.0; 40];
        landmarks[30..32].copy_from_slice(&[0.5, -0.5]);
        let mut found = Vec::new();
        decode_level(
            &Level { class: &class, objectness: &[1.0; 4], boxes: &boxes, landmarks: &landmarks, stride: 8, columns: 2 },
            0.5,
            &mut found,
        );
        assert_eq!(found.len(), 1);
        assert!((found[0].confidence - 0.9).abs() < 1e-6);
        // Centre (12, 10), size 16 x 8.
        assert!((found[0].rect.x - 4.0).abs() < 1e-4 && (found[0].rect.y - 6.0).abs() < 1e-4, "{:?}", found[0].rect);
        assert_eq!(found[0].landmarks.unwrap().0[0], Point::new(12.0, 4.0));
    }
}
