// SPDX-License-Identifier: MIT OR Apache-2.0
//! UltraFace (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB", 2019): the slim and the RFB network, in each exported
//! size.
//!
//! | output | shape | meaning | activation |
//! |---|---|---|---|
//! | scores | `[1, N, 2]` | probability of background, probability of a face | softmax applied |
//! | boxes | `[1, N, 4]` | left, top, right, bottom; 0..1 of the input's width and height | decoded |
//!
//! The outputs may come in either order; the length of the last axis tells them apart. There are no landmarks. The N anchors
//! are constants of the graph, so the input must have the size that the file declares: 320 x 240 with N = 4420, or 640 x 480
//! with N = 17640.
//!
//! Input: RGB, `(pixel - 127) / 128`.

use super::Detection;
use crate::error::Result;
use crate::geometry::{Rect, Size};
use crate::image::tensor::{InputFormat, Normalization};
use crate::model::runtime::{Outputs, TensorSpec};

/// Length of the last axis of the scores.
const SCORES: usize = 2;
/// Length of the last axis of the boxes.
const BOXES: usize = 4;

/// True if `outputs` are two with the shapes of the table above.
pub fn matches(outputs: &[TensorSpec]) -> bool {
    let last = |spec: &TensorSpec| if spec.shape.len() == 3 { spec.shape[2] } else { None };
    matches!(outputs, [first, second] if [[Some(SCORES), Some(BOXES)], [Some(BOXES), Some(SCORES)]].contains(&[last(first), last(second)]))
}

/// RGB, normalised as in training to about -1..1.
pub fn input_format() -> InputFormat {
    InputFormat { normalization: Normalization { mean: [127.0; 3], scale: [1.0 / 128.0; 3] }, ..Default::default() }
}

/// Appends a detection, in pixels of the input, for each anchor whose probability reaches `score_threshold`.
///
/// # Errors
/// [`Error::Inference`](crate::error::Error::Inference) if the numbers of boxes and scores differ.
pub(super) fn decode(outputs: &Outputs, input: Size, score_threshold: f32, detections: &mut Vec<Detection>) -> Result<()> {
    let (scores, boxes) = if outputs.get(0)?.0.last() == Some(&(SCORES as i64)) { (0, 1) } else { (1, 0) };
    let (_, scores) = outputs.get(scores)?;
    let boxes = outputs.get_exactly(boxes, scores.len() / SCORES * BOXES)?;
    decode_anchors(scores, boxes, input, score_threshold, detections);
    Ok(())
}

fn decode_anchors(scores: &[f32], boxes: &[f32], input: Size, score_threshold: f32, detections: &mut Vec<Detection>) {
    let faces = scores.chunks_exact(SCORES).zip(boxes.chunks_exact(BOXES)).filter(|(scores, _)| scores[1] >= score_threshold);
    detections.extend(faces.map(|(scores, corners)| {
        let rect = Rect::new(corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]);
        Detection { rect: rect.scaled(input.width as f32, input.height as f32), confidence: scores[1], landmarks: None }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_anchor_by_hand() {
        let mut found = Vec::new();
        let (scores, boxes) = ([0.9, 0.1, 0.25, 0.75], [0.0, 0.0, 1.0, 1.0, 0.25, 0.5, 0.5, 1.0]);
        decode_anchors(&scores, &boxes, Size::new(320, 240), 0.5, &mut found);
        assert_eq!(found, [Detection { rect: Rect::new(80.0, 120.0, 80.0, 120.0), confidence: 0.75, landmarks: None }]);
    }

    #[test]
    fn recognised_by_the_last_axes_in_either_order() {
        let spec = |last| TensorSpec { name: "any".into(), shape: vec![Some(1), Some(4420), Some(last)] };
        assert!(matches(&[2, 4].map(spec)) && matches(&[4, 2].map(spec)));
        assert!(!matches(&[2, 2].map(spec)) && !matches(&[2, 4, 10].map(spec)) && !matches(&[]));
    }
}
