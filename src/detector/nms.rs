// SPDX-License-Identifier: MIT OR Apache-2.0
//! Non-maximum suppression, shared by every detector.

use super::Detection;

/// Keeps the most confident of detections that overlap by more than `iou_threshold`; the rest, sorted by falling
/// confidence, stays in `detections`.
pub fn suppress(detections: &mut Vec<Detection>, iou_threshold: f32) {
    // In place: a stable sort takes memory for more than a few.
    detections.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept = 0;
    for index in 0..detections.len() {
        let rect = detections[index].rect;
        if detections[..kept].iter().all(|better| better.rect.iou(rect) <= iou_threshold) {
            detections.swap(kept, index);
            kept += 1;
        }
    }
    detections.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;
    use proptest::prelude::*;

    fn detection(x: f32, y: f32, side: f32, confidence: f32) -> Detection {
        Detection { rect: Rect::new(x, y, side, side), confidence, landmarks: None }
    }

    #[test]
    fn the_best_of_a_cluster_stays() {
        let mut found = vec![detection(0.0, 0.0, 10.0, 0.6), detection(1.0, 0.0, 10.0, 0.9), detection(30.0, 0.0, 10.0, 0.5)];
        suppress(&mut found, 0.3);
        assert_eq!(found.iter().map(|d| d.confidence).collect::<Vec<_>>(), [0.9, 0.5]);
    }

    #[test]
    fn overlap_at_the_threshold_is_kept() {
        // Two unit-high boxes sharing a third: 2x1 boxes shifted by one, IoU 1/3.
        let wide = |x| Detection { rect: Rect::new(x, 0.0, 2.0, 1.0), confidence: 0.5, landmarks: None };
        let mut found = vec![wide(0.0), wide(1.0)];
        suppress(&mut found, 1.0 / 3.0);
        assert_eq!(found.len(), 2);
        suppress(&mut found, 0.33);
        assert_eq!(found.len(), 1);
    }

    proptest! {
        #[test]
        fn idempotent_and_independent_of_order(
            boxes in prop::collection::vec((0.0f32..50.0, 0.0f32..50.0, 1.0f32..30.0, 0.0f32..1.0), 0..40),
            threshold in 0.0f32..1.0,
        ) {
            // Equal confidences have no order, so make them differ.
            let mut found: Vec<_> = boxes.iter().enumerate().map(|(i, &(x, y, s, c))| detection(x, y, s, c + i as f32)).collect();
            let mut reversed: Vec<_> = found.iter().rev().cloned().collect();
            suppress(&mut found, threshold);
            suppress(&mut reversed, threshold);
            prop_assert_eq!(&found, &reversed);
            let once = found.clone();
            suppress(&mut found, threshold);
            prop_assert_eq!(found, once);
        }
    }
}
