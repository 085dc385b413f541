// SPDX-License-Identifier: MIT OR Apache-2.0
//! Average precision of boxes (Everingham et al., "The Pascal Visual Object Classes Challenge", 2010), as the exact area
//! under the curve instead of samples at 11 recalls.

use emotion_core::geometry::Rect;

/// A labelled face of a photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labelled {
    /// The box.
    pub rect: Rect,
    /// False if the face is neither a hit when found nor a miss when not, as one that is too small.
    pub counts: bool,
}

/// The outcome of a detected box that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Confidence of the box, 0..1.
    pub confidence: f32,
    /// True if the box matches a face that no more confident box matches.
    pub hit: bool,
}

/// The outcomes of the detected boxes of one photo, given with their confidences.
///
/// Boxes are matched in the order of their confidence. A box matches the unmatched face with the highest IoU, if that is
/// at least `min_iou`. A box without a match is a false positive if its size `counts`, unless more than half of it lies in
/// an `ignore` area or its IoU with one is at least `min_iou`.
pub fn outcomes(boxes: &[(Rect, f32)], faces: &[Labelled], ignore: &[Rect], min_iou: f32, counts: impl Fn(Rect) -> bool) -> Vec<Outcome> {
    let mut order: Vec<_> = boxes.iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut matched = vec![false; faces.len()];
    let mut result = Vec::new();
    for &&(rect, confidence) in &order {
        let unmatched = faces.iter().enumerate().filter(|&(index, _)| !matched[index]);
        let best = unmatched.map(|(index, face)| (face.rect.iou(rect), index)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, index)) = best.filter(|(iou, _)| *iou >= min_iou) {
            matched[index] = true;
            if faces[index].counts {
                result.push(Outcome { confidence, hit: true });
            }
            continue;
        }
        let ignored = |area: &Rect| area.intersection(rect).area() > 0.5 * rect.area() || area.iou(rect) >= min_iou;
        if counts(rect) && !ignore.iter().any(ignored) {
            result.push(Outcome { confidence, hit: false });
        }
    }
    result
}

/// The area under the precision-recall curve, 0..1; 0 without faces. The precision at a recall is the maximum at that or
/// any higher recall.
pub fn average_precision(outcomes: &[Outcome], faces: usize) -> f64 {
    let mut order: Vec<_> = outcomes.iter().collect();
    order.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let (mut hits, mut area, mut best) = (0.0, 0.0, 0.0f64);
    let precisions: Vec<_> = order
        .iter()
        .enumerate()
        .map(|(index, outcome)| {
            hits += f64::from(u8::from(outcome.hit));
            (outcome.hit, hits / (index + 1) as f64)
        })
        .collect();
    // From the highest recall down, so that `best` is the maximum so far.
    for &(hit, precision) in precisions.iter().rev() {
        best = best.max(precision);
        area += if hit { best } else { 0.0 };
    }
    area / faces.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(confidence: f32, hit: bool) -> Outcome {
        Outcome { confidence, hit }
    }

    #[test]
    fn average_precision_matches_a_hand_computed_area() {
        // Three of four faces are found, at precisions of 1, 2/3 and 3/4. The last one is the maximum for both.
        let found = [outcome(0.9, true), outcome(0.8, false), outcome(0.7, true), outcome(0.6, true)];
        assert!((average_precision(&found, 4) - (1.0 + 0.75 + 0.75) / 4.0).abs() < 1e-12);
        assert_eq!(average_precision(&[], 4), 0.0);
        assert_eq!(average_precision(&[outcome(0.9, false)], 0), 0.0);
    }

    #[test]
    fn a_face_is_hit_once_by_the_most_confident_box() {
        let face = Labelled { rect: Rect::new(0.0, 0.0, 10.0, 10.0), counts: true };
        let boxes = [(Rect::new(1.0, 0.0, 10.0, 10.0), 0.4), (Rect::new(0.0, 1.0, 10.0, 10.0), 0.6)];
        assert_eq!(outcomes(&boxes, &[face], &[], 0.5, |_| true), [outcome(0.6, true), outcome(0.4, false)]);
    }

    #[test]
    fn faces_that_do_not_count_and_ignored_areas_yield_no_outcome() {
        let small = Labelled { rect: Rect::new(0.0, 0.0, 4.0, 4.0), counts: false };
        let boxes = [(small.rect, 0.9), (Rect::new(50.0, 0.0, 4.0, 4.0), 0.8), (Rect::new(100.0, 0.0, 20.0, 20.0), 0.7)];
        let ignore = [Rect::new(95.0, 0.0, 30.0, 30.0)];
        assert_eq!(outcomes(&boxes, &[small], &ignore, 0.5, |rect| rect.w > 10.0), []);
        assert_eq!(outcomes(&boxes, &[small], &[], 0.5, |rect| rect.w > 10.0), [outcome(0.7, false)]);
    }
}
