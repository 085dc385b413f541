// SPDX-License-Identifier: MIT OR Apache-2.0
//! The decoder of this project's face network (trained by `models/training/face`).
//!
//! One output for each stride s, finest first:
//!
//! | channels of `stride_s` `[1, 15, H/s, W/s]` | meaning | activation |
//! |---|---|---|
//! | 0 | logit of the probability that the cell predicts a face | none |
//! | 1, 2 | centre `(column + v1) s`, `(row + v2) s` | none |
//! | 3, 4 | size `exp(v3) s`, `exp(v4) s` | none |
//! | 5 to 14 | x, y of five landmarks: `(column + x) s`, `(row + y) s` | none |
//!
//! Input: RGB 0..255, no normalisation, both sides multiples of 32.

use super::Detection;
use crate::error::Result;
use crate::geometry::{Landmarks5, Point, Rect, Size};
use crate::image::tensor::InputFormat;
use crate::model::runtime::{Outputs, TensorSpec};

/// Values of each cell.
pub const CHANNELS: usize = 15;

/// True if `outputs` are those of the table above, each stride twice the previous one.
pub fn matches(outputs: &[TensorSpec]) -> bool {
    let stride = |spec: &TensorSpec| {
        let fits = spec.shape.len() == 4 && spec.shape[1].is_none_or(|channels| channels == CHANNELS);
        spec.name.strip_prefix("stride_").filter(|_| fits)?.parse::<usize>().ok().filter(|stride| stride.is_power_of_two())
    };
    let Some(strides) = outputs.iter().map(stride).collect::<Option<Vec<_>>>() else { return false };
    !strides.is_empty() && strides.windows(2).all(|pair| pair[1] == 2 * pair[0])
}

/// RGB without normalisation.
pub fn input_format() -> InputFormat {
    InputFormat::default()
}

/// Appends a detection, in pixels of the input, for each cell whose confidence reaches `score_threshold`.
///
/// # Errors
/// [`Error::Inference`](crate::error::Error::Inference) if an output has another number of channels.
pub(super) fn decode(outputs: &Outputs, input: Size, score_threshold: f32, detections: &mut Vec<Detection>) -> Result<()> {
    for level in 0..outputs.count() {
        let (shape, _) = outputs.get(level)?;
        let side = |axis: usize| shape.get(axis).map_or(1, |&length| length.max(1) as usize);
        let (rows, columns) = (side(2), side(3));
        let values = outputs.get_exactly(level, CHANNELS * rows * columns)?;
        decode_level(values, input.width as usize / columns, columns, score_threshold, detections);
    }
    Ok(())
}

/// Decodes one stride, in pixels of the input; `values` holds its channels one after the other.
pub fn decode_level(values: &[f32], stride: usize, columns: usize, score_threshold: f32, detections: &mut Vec<Detection>) {
    let cells = values.len() / CHANNELS;
    // Comparing logits rejects most cells before the sigmoid is computed.
    let min_logit = (score_threshold / (1.0 - score_threshold)).ln();
    let stride = stride as f32;
    for (cell, &logit) in values[..cells].iter().enumerate().filter(|(_, logit)| **logit >= min_logit) {
        let channel = |index: usize| values[index * cells + cell];
        let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
        let point = |index: usize| Point::new((column + channel(index)) * stride, (row + channel(index + 1)) * stride);
        let (center, w, h) = (point(1), channel(3).exp() * stride, channel(4).exp() * stride);
        detections.push(Detection {
            rect: Rect::new(center.x - w / 2.0, center.y - h / 2.0, w, h),
            confidence: 1.0 / (1.0 + (-logit).exp()),
            landmarks: Some(Landmarks5(std::array::from_fn(|i| point(5 + 2 * i)))),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cell_by_hand() {
        // Stride 8, two rows of two cells; the face is in row 1, column 1.
        let mut values = vec![0.0; 4 * CHANNELS];
        values[..4].copy_from_slice(&[-4.0, -4.0, -4.0, 9.0f32.ln()]);
        for (channel, value) in [(1, 0.5), (2, 0.25), (3, 2.0f32.ln()), (4, 0.0), (13, 0.5), (14, -0.5)] {
            values[4 * channel + 3] = value;
        }
        let mut found = Vec::new();
        decode_level(&values, 8, 2, 0.5, &mut found);
        assert_eq!(found.len(), 1);
        assert!((found[0].confidence - 0.9).abs() < 1e-6);
        // Centre (12, 10), size 16 x 8.
        let rect = found[0].rect;
        assert!((rect.x - 4.0).abs() < 1e-4 && (rect.y - 6.0).abs() < 1e-4 && (rect.w - 16.0).abs() < 1e-4, "{rect:?}");
        assert_eq!(found[0].landmarks.unwrap().0[4], Point::new(12.0, 4.0));
    }

    #[test]
    fn every_threshold_decides_as_the_probability_does() {
        let mut values = vec![0.0; 3 * CHANNELS];
        values[..3].copy_from_slice(&[-1.0, 0.0, 1.0]);
        for (threshold, count) in [(0.0, 3), (0.3, 2), (0.5, 2), (0.7, 1), (1.0, 0)] {
            let mut found = Vec::new();
            decode_level(&values, 8, 3, threshold, &mut found);
            assert_eq!(found.len(), count, "at {threshold}");
        }
    }

    #[test]
    fn recognised_by_names_and_channels() {
        let spec = |stride: usize| TensorSpec { name: format!("stride_{stride}"), shape: vec![Some(1), Some(15), None, None] };
        assert!(matches(&[4, 8, 16, 32].map(spec)) && matches(&[8, 16, 32].map(spec)));
        assert!(!matches(&[8, 16, 64].map(spec)) && !matches(&[16, 8].map(spec)) && !matches(&[0, 0].map(spec)) && !matches(&[]));
        let other = |name: &str, channels| TensorSpec { name: name.into(), shape: vec![Some(1), Some(channels), None, None] };
        assert!(!matches(&[other("stride_8", 14)]) && !matches(&[other("stride", 15)]) && !matches(&[other("stride_x", 15)]));
    }
}
