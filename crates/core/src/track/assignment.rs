// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which detection continues which track.

use std::time::Duration;

use super::motion::Track;
use crate::detector::Detection;
use crate::geometry::Rect;

/// Minimum IoU of a detection and the predicted box of a track.
const MIN_IOU: f32 = 0.2;
/// Boxes with a lower IoU still match if their centres are close and their sizes similar, as happens with fast motion and low
/// frame rates. This is the maximum distance of the centres, in mean sides of the two boxes.
const MAX_DISTANCE: f32 = 0.7;
/// Maximum ratio of the areas of such boxes.
const MAX_AREA_RATIO: f32 = 2.0;

/// For each detection, the index of the track that it continues. The best pairs are assigned first.
pub(super) fn assign(tracks: &[Track], detections: &[Detection], now: Duration) -> Vec<Option<usize>> {
    let mut pairs = Vec::new();
    for (t, track) in tracks.iter().enumerate() {
        let (predicted, max_distance) = (track.predicted_rect(now), MAX_DISTANCE + track.uncertainty(now));
        let affinities = detections.iter().map(|found| affinity(predicted, found.rect, max_distance));
        pairs.extend(affinities.enumerate().filter_map(|(d, affinity)| Some((affinity?, d, t))));
    }
    // A stable sort: equal affinities go to the detection and track that come first.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut track_of_detection = vec![None; detections.len()];
    let mut is_assigned = vec![false; tracks.len()];
    for (_, d, t) in pairs {
        if track_of_detection[d].is_none() && !is_assigned[t] {
            track_of_detection[d] = Some(t);
            is_assigned[t] = true;
        }
    }
    track_of_detection
}

/// How well two boxes fit one face: their IoU, or the negative distance of their centres if the IoU is too low, so that any
/// overlap ranks above any distance. `None` if they cannot be one face.
fn affinity(a: Rect, b: Rect, max_distance: f32) -> Option<f32> {
    let iou = a.iou(b);
    if iou >= MIN_IOU {
        return Some(iou);
    }
    let mean_side = (a.w + a.h + b.w + b.h) / 4.0;
    let distance = a.center().distance(b.center()) / mean_side;
    let area_ratio = (a.area() / b.area()).max(b.area() / a.area());
    (distance < max_distance && area_ratio < MAX_AREA_RATIO).then_some(-distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_ranks_above_distance_and_distance_has_a_limit() {
        let at = |x: f32, side: f32| Rect::new(x, 0.0, side, side);
        assert_eq!(affinity(at(0.0, 40.0), at(0.0, 40.0), 1.0), Some(1.0));
        assert_eq!(affinity(at(0.0, 40.0), at(36.0, 40.0), 1.0), Some(-0.9));
        assert_eq!(affinity(at(0.0, 40.0), at(36.0, 40.0), 0.9), None, "too far apart");
        assert_eq!(affinity(at(0.0, 40.0), at(36.0, 20.0), 2.0), None, "a quarter of the area");
    }

    #[test]
    fn the_better_pair_is_assigned_first() {
        let found = |x: f32| Detection { rect: Rect::new(x, 0.0, 40.0, 40.0), confidence: 0.9, landmarks: None };
        let track = |x: f32| Track::new(1, &found(x), Default::default(), true, Duration::ZERO);
        let assigned = assign(&[track(0.0), track(30.0)], &[found(10.0), found(1.0), found(500.0)], Duration::ZERO);
        assert_eq!(assigned, [Some(1), Some(0), None]);
    }
}
