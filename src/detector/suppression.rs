// SPDX-License-Identifier: MIT OR Apache-2.0
//! Non-maximum suppression, shared by every detector.

use super::Detection;
use crate::geometry::{Landmarks5, Point};

/// Boxes with a higher IoU belong to one face and are averaged.
const MERGE_IOU: f32 = 0.6;

/// Only this many of the most confident candidates are compared: the default `top_k` of OpenCV's `FaceDetectorYN`.
pub const MAX_CANDIDATES: usize = 5_000;
/// Maximum number of faces, the most confident ones.
pub const MAX_FACES: usize = 1_000;

/// Of detections with an IoU above `iou_threshold` the most confident stays; the result is sorted by falling confidence.
/// Each box becomes the mean, weighted by confidence, of itself and the suppressed boxes that overlap it most: averaging
/// reduces jitter.
///
/// The work is bounded whatever the score threshold is: at most [`MAX_CANDIDATES`] are compared and at most [`MAX_FACES`]
/// stay.
pub fn suppress(detections: &mut Vec<Detection>, iou_threshold: f32) {
    if detections.len() > MAX_CANDIDATES {
        detections.select_nth_unstable_by(MAX_CANDIDATES, |a, b| b.confidence.total_cmp(&a.confidence));
        detections.truncate(MAX_CANDIDATES);
    }
    // In place: a stable sort takes memory for more than a few.
    detections.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept = 0;
    for index in 0..detections.len() {
        if kept == MAX_FACES {
            break;
        }
        let rect = detections[index].rect;
        if detections[..kept].iter().all(|better| better.rect.iou(rect) <= iou_threshold) {
            detections.swap(kept, index);
            kept += 1;
        }
    }
    let (faces, others) = detections.split_at_mut(kept);
    for face in faces {
        let (rect, mut weight) = (face.rect, face.confidence);
        for other in others.iter().filter(|other| other.rect.iou(rect) > MERGE_IOU) {
            weight += other.confidence;
            // All may be 0; then the first stays as it is.
            move_toward(face, other, other.confidence / weight.max(f32::MIN_POSITIVE));
        }
    }
    detections.truncate(kept);
}

/// Moves box and landmarks by a `share` of the way, 0..1.
fn move_toward(face: &mut Detection, other: &Detection, share: f32) {
    let part = |from: f32, to: f32| from + share * (to - from);
    face.rect = face.rect.toward(other.rect, share);
    if let (Some(Landmarks5(from)), Some(Landmarks5(to))) = (&mut face.landmarks, &other.landmarks) {
        for (from, to) in from.iter_mut().zip(to) {
            *from = Point::new(part(from.x, to.x), part(from.y, to.y));
        }
    }
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

    #[test]
    fn what_is_alike_is_averaged_by_confidence() {
        let at =
            |x: f32, confidence| Detection { landmarks: Some(Landmarks5([Point::new(x, 1.0); 5])), ..detection(x, 0.0, 10.0, confidence) };
        // Overlaps with the first: 0.82, 0.82 and 0.43; the last goes for it too, but says little of where it is.
        let mut found = vec![at(0.0, 0.8), at(1.0, 0.4), at(-1.0, 0.2), at(4.0, 0.7)];
        suppress(&mut found, 0.3);
        let x = (0.4 - 0.2) / 1.4;
        assert_eq!(found.len(), 1);
        let (rect, Some(Landmarks5(points))) = (found[0].rect, found[0].landmarks) else { panic!("landmarks stay") };
        assert!((rect.x - x).abs() < 1e-6 && rect.y == 0.0 && (rect.w - 10.0).abs() < 1e-6, "{rect:?}");
        assert!((points[2].x - x).abs() < 1e-6 && points[2].y == 1.0, "{points:?}");
        assert_eq!(found[0].confidence, 0.8);
    }

    #[test]
    fn confidences_of_zero_give_numbers() {
        let mut found = vec![detection(0.0, 0.0, 10.0, 0.0), detection(1.0, 0.0, 10.0, 0.0)];
        suppress(&mut found, 0.3);
        assert_eq!(found, [detection(found[0].rect.x, 0.0, 10.0, 0.0)]);
    }

    #[test]
    fn of_very_many_candidates_the_most_confident_are_looked_at() {
        // All apart from one another, so that nothing is suppressed.
        let mut found: Vec<_> = (0..20_000).map(|i| detection((i % 200) as f32 * 20.0, (i / 200) as f32 * 20.0, 10.0, i as f32)).collect();
        suppress(&mut found, 0.3);
        assert_eq!(found.len(), 1_000);
        assert!(found.iter().zip((19_000..20_000).rev()).all(|(found, i)| found.confidence == i as f32));
        // One face found by all of them is the mean of the most confident only.
        let mut found: Vec<_> = (0..20_000).map(|i| detection(if i < 15_000 { 1.0 } else { 0.0 }, 0.0, 10.0, 1.0 + i as f32)).collect();
        suppress(&mut found, 0.3);
        assert_eq!(found, [detection(0.0, 0.0, 10.0, 20_000.0)]);
    }

    proptest! {
        #[test]
        fn independent_of_order_and_near_the_best(
            boxes in prop::collection::vec((0.0f32..50.0, 0.0f32..50.0, 1.0f32..30.0, 0.0f32..1.0), 0..40),
            threshold in 0.0f32..1.0,
        ) {
            // Equal confidences have no order, so make them differ.
            let mut found: Vec<_> = boxes.iter().enumerate().map(|(i, &(x, y, s, c))| detection(x, y, s, c + i as f32)).collect();
            let all = found.clone();
            let mut reversed: Vec<_> = found.iter().rev().cloned().collect();
            suppress(&mut found, threshold);
            suppress(&mut reversed, threshold);
            prop_assert_eq!(&found, &reversed);
            for face in &found {
                let best = all.iter().find(|one| one.confidence == face.confidence).expect("a face is one of the candidates");
                prop_assert!(face.rect.iou(best.rect) > 0.5, "{:?} was {:?}", face.rect, best.rect);
            }
        }
    }
}
