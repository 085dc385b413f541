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

/// Removes each detection that has an IoU above `iou_threshold` with a more confident one, and sorts the rest by falling
/// confidence. Each remaining box and its landmarks become the mean, weighted by confidence, of itself and the removed boxes
/// with an IoU above 0.6. Averaging reduces jitter.
///
/// A low score threshold cannot make this slow: at most [`MAX_CANDIDATES`] are compared and at most [`MAX_FACES`] remain.
pub fn suppress(detections: &mut Vec<Detection>, iou_threshold: f32) {
    if detections.len() > MAX_CANDIDATES {
        detections.select_nth_unstable_by(MAX_CANDIDATES, |a, b| b.confidence.total_cmp(&a.confidence));
        detections.truncate(MAX_CANDIDATES);
    }
    // A stable sort would allocate memory on each frame.
    detections.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
    // Faces are moved to the front; removed detections stay behind them and are averaged in below.
    let mut face_count = 0;
    for index in 0..detections.len() {
        if face_count == MAX_FACES {
            break;
        }
        let rect = detections[index].rect;
        if detections[..face_count].iter().all(|better| better.rect.iou(rect) <= iou_threshold) {
            detections.swap(face_count, index);
            face_count += 1;
        }
    }
    let (faces, others) = detections.split_at_mut(face_count);
    for face in faces {
        let (rect, mut weight) = (face.rect, face.confidence);
        for other in others.iter().filter(|other| other.rect.iou(rect) > MERGE_IOU) {
            weight += other.confidence;
            // If all confidences are 0, this avoids a division by 0 and the face stays where it is.
            move_toward(face, other, other.confidence / weight.max(f32::MIN_POSITIVE));
        }
    }
    detections.truncate(face_count);
}

/// Moves box and landmarks of `face` towards those of `other` by `share` of the distance, 0..1.
fn move_toward(face: &mut Detection, other: &Detection, share: f32) {
    let interpolate = |from: f32, to: f32| from + share * (to - from);
    face.rect = face.rect.toward(other.rect, share);
    if let (Some(Landmarks5(from)), Some(Landmarks5(to))) = (&mut face.landmarks, &other.landmarks) {
        for (from, to) in from.iter_mut().zip(to) {
            *from = Point::new(interpolate(from.x, to.x), interpolate(from.y, to.y));
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
    fn the_most_confident_of_a_cluster_remains() {
        let mut found = vec![detection(0.0, 0.0, 10.0, 0.6), detection(1.0, 0.0, 10.0, 0.9), detection(30.0, 0.0, 10.0, 0.5)];
        suppress(&mut found, 0.3);
        assert_eq!(found.iter().map(|d| d.confidence).collect::<Vec<_>>(), [0.9, 0.5]);
    }

    #[test]
    fn an_iou_equal_to_the_threshold_is_not_suppressed() {
        // Boxes of 2x1 pixels, shifted by one pixel: IoU 1/3.
        let wide = |x| Detection { rect: Rect::new(x, 0.0, 2.0, 1.0), confidence: 0.5, landmarks: None };
        let mut found = vec![wide(0.0), wide(1.0)];
        suppress(&mut found, 1.0 / 3.0);
        assert_eq!(found.len(), 2);
        suppress(&mut found, 0.33);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn overlapping_boxes_are_averaged_by_confidence() {
        let at =
            |x: f32, confidence| Detection { landmarks: Some(Landmarks5([Point::new(x, 1.0); 5])), ..detection(x, 0.0, 10.0, confidence) };
        // IoU with the first: 0.82, 0.82 and 0.43. The last one is suppressed but not averaged.
        let mut found = vec![at(0.0, 0.8), at(1.0, 0.4), at(-1.0, 0.2), at(4.0, 0.7)];
        suppress(&mut found, 0.3);
        let x = (0.4 - 0.2) / 1.4;
        assert_eq!(found.len(), 1);
        let (rect, Some(Landmarks5(points))) = (found[0].rect, found[0].landmarks) else { panic!("landmarks were lost") };
        assert!((rect.x - x).abs() < 1e-6 && rect.y == 0.0 && (rect.w - 10.0).abs() < 1e-6, "{rect:?}");
        assert!((points[2].x - x).abs() < 1e-6 && points[2].y == 1.0, "{points:?}");
        assert_eq!(found[0].confidence, 0.8);
    }

    #[test]
    fn confidences_of_zero_do_not_divide_by_zero() {
        let mut found = vec![detection(0.0, 0.0, 10.0, 0.0), detection(1.0, 0.0, 10.0, 0.0)];
        suppress(&mut found, 0.3);
        assert_eq!(found, [detection(found[0].rect.x, 0.0, 10.0, 0.0)]);
    }

    #[test]
    fn only_the_most_confident_candidates_are_compared() {
        // No two boxes overlap, so nothing is suppressed.
        let mut found: Vec<_> = (0..20_000).map(|i| detection((i % 200) as f32 * 20.0, (i / 200) as f32 * 20.0, 10.0, i as f32)).collect();
        suppress(&mut found, 0.3);
        assert_eq!(found.len(), 1_000);
        assert!(found.iter().zip((19_000..20_000).rev()).all(|(found, i)| found.confidence == i as f32));
        // All candidates are one face, and only the most confident ones enter the mean.
        let mut found: Vec<_> = (0..20_000).map(|i| detection(if i < 15_000 { 1.0 } else { 0.0 }, 0.0, 10.0, 1.0 + i as f32)).collect();
        suppress(&mut found, 0.3);
        assert_eq!(found, [detection(0.0, 0.0, 10.0, 20_000.0)]);
    }

    proptest! {
        #[test]
        fn the_result_is_independent_of_order_and_close_to_the_best_box(
            boxes in prop::collection::vec((0.0f32..50.0, 0.0f32..50.0, 1.0f32..30.0, 0.0f32..1.0), 0..40),
            threshold in 0.0f32..1.0,
        ) {
            // Equal confidences have no defined order, so the index makes them differ.
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
