// SPDX-License-Identifier: MIT OR Apache-2.0
//! Non-maximum suppression and the tracker, with arbitrary boxes and times.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use emotion_core::detector::Detection;
use emotion_core::detector::TileSchedule;
use emotion_core::detector::suppression::suppress;
use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::track::tracker::Tracker;

use crate::input::Input;

/// Largest id in metadata, which stores signed numbers.
const LARGEST_ID: u32 = i32::MAX as u32;

fn detection(input: &mut Input, hostile: bool) -> Detection {
    let rect = if hostile && input.one_in(4) {
        Rect::new(input.float(), input.float(), input.float(), input.float())
    } else {
        Rect::new(input.within(-50.0, 700.0), input.within(-50.0, 500.0), input.within(0.5, 300.0), input.within(0.5, 300.0))
    };
    let confidence = if hostile && input.one_in(4) { input.float() } else { input.within(0.0, 1.0) };
    let landmarks =
        input.flag().then(|| Landmarks5(std::array::from_fn(|_| Point::new(input.within(0.0, 640.0), input.within(0.0, 480.0)))));
    Detection { rect, confidence, landmarks }
}

/// The kept boxes are the best of each group of overlapping boxes, and each lies within the boxes of its group.
pub fn check_suppression(input: &mut Input) {
    let hostile = input.flag();
    let threshold = if hostile { input.float() } else { input.within(0.0, 1.0) };
    let all = input.many(40, |input| detection(input, hostile));
    let mut kept = all.clone();
    suppress(&mut kept, threshold);
    assert!(kept.len() <= all.len());
    let usable = |found: &Detection| found.rect.is_valid() && found.rect.area().is_finite() && (0.0..=1.0).contains(&found.confidence);
    if hostile && !(all.iter().all(usable) && threshold.is_finite()) {
        return;
    }
    assert!(kept.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence), "the most confident comes first");
    let best = all.iter().map(|found| found.confidence).fold(f32::NEG_INFINITY, f32::max);
    assert!(all.is_empty() || kept.first().is_some_and(|first| first.confidence == best), "the best is kept");
    for face in &kept {
        assert!(face.rect.is_valid(), "{face:?} of {all:?}");
        let origins: Vec<_> = all.iter().filter(|found| found.confidence == face.confidence).collect();
        assert!(!origins.is_empty(), "{face:?} is not derived from {all:?}");
        let (mut low, mut high) = ([f32::INFINITY; 4], [f32::NEG_INFINITY; 4]);
        for found in &all {
            for (index, side) in [found.rect.x, found.rect.y, found.rect.w, found.rect.h].into_iter().enumerate() {
                (low[index], high[index]) = (low[index].min(side), high[index].max(side));
            }
        }
        let slack = |index: usize| 1e-4 * low[index].abs().max(high[index].abs());
        let sides = [face.rect.x, face.rect.y, face.rect.w, face.rect.h];
        let inside = (0..4).all(|index| (low[index] - slack(index)..=high[index] + slack(index)).contains(&sides[index]));
        assert!(inside, "{face:?} is not a mean of {all:?}");
    }
    for found in &all {
        let stands_for = |origin: &Detection| origin.rect.iou(found.rect) > threshold || origin == found;
        let origin = |face: &Detection| all.iter().any(|origin| origin.confidence == face.confidence && stands_for(origin));
        assert!(kept.iter().any(origin), "{found:?} was dropped, and no kept box overlaps it");
    }
}

/// Ids fit into metadata, no two faces of a frame have the same one, and none is reused.
pub fn check_tracker(input: &mut Input) {
    let hostile = input.flag();
    let size = Size::new(640, 480);
    let mut tracker = Tracker::new(Duration::from_millis(input.integer()));
    let (mut now, mut newest, mut last_seen) = (Duration::ZERO, 0, HashMap::new());
    let mut step = 0;
    // Most cases are short. A long one ends with its bytes.
    for _ in 0..1 + input.below(24) {
        step += 1;
        match input.byte() % 12 {
            0 => tracker.clear(),
            1 => tracker.set_timeout(Duration::from_millis(input.integer())),
            2 => tracker.set_tile_schedule(TileSchedule { searches: 1 + input.below(9) as u32, small_face_px: input.within(0.0, 100.0) }),
            3 if hostile => tracker.reserve(input.integer() as u32),
            4 if hostile => now = Duration::from_nanos(input.integer()),
            _ => now = now.saturating_add(Duration::from_millis(input.below(300) as u64)),
        }
        let found = input.many(6, |input| detection(input, hostile));
        let tracks = tracker.update(&found, input.within(0.0, 1.0), now);
        assert!(tracks.len() <= found.len());
        assert!(tracks.iter().all(|track| track.age == Duration::ZERO));
        for track in &tracks {
            assert!((1..=LARGEST_ID).contains(&track.id), "id {}", track.id);
            let before = last_seen.insert(track.id, step);
            assert_ne!(before, Some(step), "two faces of a frame have the id {}", track.id);
            assert!(before.is_some() || track.id > newest, "the id {} was already used", track.id);
            newest = newest.max(track.id);
        }
        let later = now.saturating_add(Duration::from_millis(input.below(600) as u64));
        for shown in [tracker.predict(now, size), tracker.predict(later, size)] {
            assert!(shown.iter().all(|track| last_seen.contains_key(&track.id)), "a face is reported that was never detected");
            let ids: HashSet<_> = shown.iter().map(|track| track.id).collect();
            assert_eq!(ids.len(), shown.len(), "a face is reported twice");
        }
    }
}
