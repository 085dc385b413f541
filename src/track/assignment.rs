// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which detection continues which track.

use std::time::Duration;

use super::motion::Track;
use crate::detector::Detection;
use crate::geometry::Rect;

/// Least overlap of a detection with a track's predicted box.
const MIN_IOU: f32 = 0.2;
/// Where boxes do not overlap: furthest distance of the centres, in mean sides of the two boxes, and the largest ratio of
/// their areas. It serves fast motion and low frame rates.
const MAX_DISTANCE: f32 = 0.7;
const MAX_AREA_RATIO: f32 = 2.0;

/// For each detection the track that it continues: the best pairs first.
pub(super) fn assign(tracks: &[Track], detections: &[Detection], now: Duration) -> Vec<Option<usize>> {
    let mut pairs = Vec::new();
    for (t, track) in tracks.iter().enumerate() {
        let (predicted, reach) = (track.predicted(now), MAX_DISTANCE + track.uncertainty(now));
        pairs.extend(detections.iter().enumerate().filter_map(|(d, found)| Some((affinity(predicted, found.rect, reach)?, d, t))));
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut of_detection = vec![None; detections.len()];
    let mut taken = vec![false; tracks.len()];
    for (_, d, t) in pairs {
        if of_detection[d].is_none() && !taken[t] {
            of_detection[d] = Some(t);
            taken[t] = true;
        }
    }
    of_detection
}

/// How well two boxes fit one face: the overlap, or below every overlap the nearness; none if they cannot be one, as when
/// they are further apart than `reach` mean sides.
fn affinity(a: Rect, b: Rect, reach: f32) -> Option<f32> {
    let iou = a.iou(b);
    if iou >= MIN_IOU {
        return Some(iou);
    }
    let side = (a.w + a.h + b.w + b.h) / 4.0;
    let distance = a.center().distance(b.center()) / side;
    let ratio = (a.area() / b.area()).max(b.area() / a.area());
    (distance < reach && ratio < MAX_AREA_RATIO).then_some(-distance)
}
