// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the finder with a motion gate.

use super::tests::{SIZE, ago, completed, options, time};
use super::*;
use crate::geometry::{Point, Rect};
use crate::image::{Colorimetry, PixelFormat, Plane};
use crate::track::search::MotionGate;

/// Options with a gate, for frames that are searched at their own size.
fn gated(idle_frames: u64) -> FindOptions {
    FindOptions { motion_gate: Some(MotionGate { idle_interval: time(idle_frames), detect_size: 0 }), ..options(true, 1) }
}

/// Lets `finder` observe a grey picture of 320x240 pixels with a brighter square at `bright`.
fn observe_square(finder: &mut FaceFinder, options: &FindOptions, bright: Option<(usize, usize)>) {
    let mut data = vec![90; 320 * 240];
    if let Some((x, y)) = bright {
        (y..y + 24).for_each(|row| data[row * 320 + x..row * 320 + x + 24].fill(140));
    }
    let plane = Plane { data: &data, stride: 320 };
    finder.observe(
        &FrameView::new(PixelFormat::Gray8, Size::new(320, 240), &[plane], Colorimetry::default()).unwrap(),
        options,
        Duration::ZERO,
    );
}

#[test]
fn a_still_picture_is_searched_once_in_an_idle_interval_and_keeps_its_faces() {
    let (mut finder, options) = (FaceFinder::new("test", false), gated(4));
    let mut frame = |number| {
        observe_square(&mut finder, &options, None);
        let search = finder.begin(&options, time(number), |_, _| false);
        let searched = search.as_ref().map(Search::is_partial).map_err(|skipped| *skipped);
        if let Ok(search) = search {
            finder.finish(completed(search, 0.9), &options);
        }
        let (faces, age) = finder.faces(&options, SIZE, time(number));
        assert_eq!((faces.len(), faces[0].id, age), (1, 1, ago(0)), "frame {number}");
        searched
    };
    let unchanged = Err(Skipped::Unchanged);
    assert_eq!([0, 1, 2, 3, 4, 5].map(&mut frame), [Ok(false), unchanged, unchanged, unchanged, Ok(false), unchanged]);
}

#[test]
fn a_part_that_changed_is_searched_alone_and_the_other_faces_stay() {
    let (mut finder, options) = (FaceFinder::new("test", false), gated(100));
    observe_square(&mut finder, &options, None);
    let search = finder.begin(&options, time(0), |_, _| false).expect("the first search");
    finder.finish(completed(search, 0.9), &options);
    observe_square(&mut finder, &options, Some((240, 160)));
    let mut search = finder.begin(&options, time(1), |_, _| false).expect("a part changed");
    let part = search.part.expect("only a part");
    assert!(part.contains(Point::new(252.0, 172.0)) && part.area() < 100.0 * 100.0, "{part:?}");
    let new = Detection { rect: Rect::new(240.0, 160.0, 24.0, 24.0), confidence: 0.95, landmarks: None };
    let outside = Detection { rect: Rect::new(10.0, 12.0, 20.0, 20.0), ..new.clone() };
    search.add(vec![new, outside], part);
    finder.finish(search, &options);
    let faces = finder.faces(&options, Size::new(320, 240), time(1)).0;
    assert_eq!(faces.iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2]);
    observe_square(&mut finder, &options, None);
    let search = finder.begin(&options, time(2), |_, _| false).expect("the square is gone");
    assert!(search.is_partial() && search.detections.len() == 1, "the face in the part is searched again");
}

#[test]
fn an_unconfirmed_face_and_a_changed_setting_override_the_gate() {
    let (mut finder, options) = (FaceFinder::new("test", false), FindOptions { confirm: true, ..gated(100) });
    let searched = |number, finder: &mut FaceFinder| {
        observe_square(finder, &options, None);
        finder.begin(&options, time(number), |_, _| false).map(|search| finder.finish(completed(search, 0.9), &options)).is_ok()
    };
    assert_eq!([0, 1, 2].map(|number| searched(number, &mut finder)), [true, true, false]);
    finder.search_next();
    assert_eq!([3, 4].map(|number| searched(number, &mut finder)), [true, false]);
}

#[test]
fn while_a_search_runs_an_unchanged_frame_is_not_searched_and_a_changed_one_as_a_whole() {
    let (mut finder, options) = (FaceFinder::new("test", true), gated(100));
    observe_square(&mut finder, &options, None);
    let first = finder.begin(&options, time(0), |_, _| false).expect("the first search");
    observe_square(&mut finder, &options, None);
    assert_eq!(finder.begin(&options, time(1), |_, _| false).map(|_| ()), Err(Skipped::Unchanged));
    assert_eq!(finder.faces(&options, SIZE, time(1)), (vec![], SearchAge::Never));
    observe_square(&mut finder, &options, Some((240, 160)));
    assert!(!finder.begin(&options, time(2), |_, _| false).expect("a part changed").is_partial());
    finder.finish(completed(first, 0.9), &options);
    assert_eq!(finder.faces(&options, SIZE, time(2)).1, ago(2));
}

#[test]
fn a_steady_face_that_changes_is_searched_on_every_second_frame() {
    let (mut finder, options) = (FaceFinder::new("test", false), gated(100));
    let mut searched = |number: u64, bright| {
        observe_square(&mut finder, &options, Some(bright));
        let search = finder.begin(&options, time(number), |_, _| false).map(|search| finder.finish(completed(search, 0.9), &options));
        assert_eq!(finder.faces(&options, Size::new(320, 240), time(number)).0.len(), 1, "frame {number}");
        search.err()
    };
    // The square changes its place within the surroundings of the face.
    let near = |number: u64| (8 + 8 * (number as usize % 3), 20);
    let steady = Some(Skipped::Steady);
    assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|number| searched(number, near(number))), [None, None, None, steady, None, steady, None]);
    assert_eq!(searched(7, (200, 20)), None, "something changed elsewhere");
}
