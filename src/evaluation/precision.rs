// SPDX-License-Identifier: MIT OR Apache-2.0
//! Average precision of boxes (Everingham et al., "The Pascal Visual Object Classes Challenge", 2010; the area under the
//! curve, not its samples).

use crate::geometry::Rect;

/// A face that was labelled on a photo, or a place where a box is neither right nor wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labelled {
    /// The box.
    pub rect: Rect,
    /// False if finding it counts neither for nor against: too small, of another size class, doubtful.
    pub counts: bool,
}

/// One box that counts: its confidence, and whether it is a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// 0..1.
    pub confidence: f32,
    /// True if it hit a face that nothing more confident had hit.
    pub hit: bool,
}

/// What the boxes of one photo, with their confidences, are worth.
///
/// A box takes the labelled face it overlaps most, if by at least `least_iou` and not taken yet; most confident boxes
/// come first. One that takes none is wrong if its size `counts`, unless it lies by half in one of `ignore`, or overlaps
/// it by at least `least_iou`.
pub fn outcomes(boxes: &[(Rect, f32)], faces: &[Labelled], ignore: &[Rect], least_iou: f32, counts: impl Fn(Rect) -> bool) -> Vec<Outcome> {
    let mut order: Vec<_> = boxes.iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut taken = vec![false; faces.len()];
    let mut result = Vec::new();
    for &&(rect, confidence) in &order {
        let free = faces.iter().enumerate().filter(|&(index, _)| !taken[index]);
        let best = free.map(|(index, face)| (face.rect.iou(rect), index)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, index)) = best.filter(|(iou, _)| *iou >= least_iou) {
            taken[index] = true;
            if faces[index].counts {
                result.push(Outcome { confidence, hit: true });
            }
            continue;
        }
        let doubtful = |place: &Rect| place.intersection(rect).area() > 0.5 * rect.area() || place.iou(rect) >= least_iou;
        if counts(rect) && !ignore.iter().any(doubtful) {
            result.push(Outcome { confidence, hit: false });
        }
    }
    result
}

/// Area under the precision over the recall, where precision is the best that is reached at that recall or beyond; 0..1,
/// 0 without faces.
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
    fn area_by_hand() {
        // Of four faces three are found: precision 1, then 2/3 and 3/4, of which the latter holds for both.
        let found = [outcome(0.9, true), outcome(0.8, false), outcome(0.7, true), outcome(0.6, true)];
        assert!((average_precision(&found, 4) - (1.0 + 0.75 + 0.75) / 4.0).abs() < 1e-12);
        assert_eq!(average_precision(&[], 4), 0.0);
        assert_eq!(average_precision(&[outcome(0.9, false)], 0), 0.0);
    }

    #[test]
    fn a_face_is_hit_once_and_by_the_surest_box() {
        let face = Labelled { rect: Rect::new(0.0, 0.0, 10.0, 10.0), counts: true };
        let boxes = [(Rect::new(1.0, 0.0, 10.0, 10.0), 0.4), (Rect::new(0.0, 1.0, 10.0, 10.0), 0.6)];
        assert_eq!(outcomes(&boxes, &[face], &[], 0.5, |_| true), [outcome(0.6, true), outcome(0.4, false)]);
    }

    #[test]
    fn what_does_not_count_is_neither_right_nor_wrong() {
        let small = Labelled { rect: Rect::new(0.0, 0.0, 4.0, 4.0), counts: false };
        let boxes = [(small.rect, 0.9), (Rect::new(50.0, 0.0, 4.0, 4.0), 0.8), (Rect::new(100.0, 0.0, 20.0, 20.0), 0.7)];
        let doubtful = [Rect::new(95.0, 0.0, 30.0, 30.0)];
        assert_eq!(outcomes(&boxes, &[small], &doubtful, 0.5, |rect| rect.w > 10.0), []);
        assert_eq!(outcomes(&boxes, &[small], &[], 0.5, |rect| rect.w > 10.0), [outcome(0.7, false)]);
    }
}
