// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionoverlay blur-faces` hides frames that were not searched for faces, and `facedetect` reports when it searched.

use std::time::Duration;

use super::warnings;
use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{FaceRecord, SearchAge};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo};
use gstemotion::meta::{custom, read_faces, write_detections};
use test_support::gate::Gate;
use test_support::gstreamer::{buffer, flush, init, wait_for};
use test_support::{runtime_fetched, three_faces};

const VGA: Size = Size::new(640, 480);
const BOX: Rect = Rect::new(0.4, 0.4, 0.2, 0.2);
const STEP_MS: u64 = 40;

fn ago(milliseconds: u64) -> SearchAge {
    SearchAge::Ago(Duration::from_millis(milliseconds))
}

fn face(id: u32) -> FaceRecord {
    FaceRecord { id, rect_norm: BOX, detection: None, emotion: None, geometry: None, confirmed: true }
}

/// An overlay that only blurs, and its bus.
fn overlay(properties: &str, size: Size) -> (Harness, gst::Bus) {
    init();
    let line = format!("emotionoverlay draw-boxes=false draw-labels=false draw-scores=false draw-emoji=false draw-ids=false {properties}");
    let mut harness = Harness::new_parse(&line);
    harness.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={},height={},framerate=25/1", size.width, size.height));
    let bus = gst::Bus::new();
    harness.find_element("emotionoverlay").expect("the element").set_bus(Some(&bus));
    (harness, bus)
}

/// Fine stripes, which blurring removes.
fn striped(size: Size, dark: u8, light: u8) -> Vec<u8> {
    (0..size.width * size.height).map(|at| if at % 2 == 0 { dark } else { light }).collect()
}

/// A frame with `pixels` and `faces`, whose metadata reports `searched` as the last search.
fn frame(pixels: Vec<u8>, size: Size, index: u64, searched: SearchAge, faces: &[FaceRecord]) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(pixels);
    let writable = buffer.get_mut().expect("the buffer is new");
    writable.set_pts(gst::ClockTime::from_mseconds(index * STEP_MS));
    if searched != SearchAge::Unknown {
        custom::write_search(writable, size, faces, &[], searched);
    }
    write_detections(writable, size, faces);
    buffer
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().expect("system memory").to_vec()
}

/// True if no stripes are visible anywhere.
fn is_hidden(buffer: &gst::Buffer) -> bool {
    bytes(buffer).chunks_exact(VGA.width as usize).all(|row| row.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 30))
}

#[test]
fn a_frame_is_hidden_unless_it_was_searched_recently() {
    for blur in ["pixelate", "blur"] {
        for (searched, hidden) in [(ago(0), false), (ago(500), false), (ago(501), true), (SearchAge::Never, true)] {
            let (mut harness, bus) = overlay(&format!("blur-faces={blur}"), VGA);
            let stripes = striped(VGA, 40, 210);
            let out = harness.push_and_pull(frame(stripes.clone(), VGA, 0, searched, &[])).expect("a frame comes out");
            assert_eq!(is_hidden(&out), hidden, "{blur} {searched:?}");
            assert!(hidden || bytes(&out) == stripes, "{blur} {searched:?}: a frame that is not hidden is unchanged");
            assert_eq!(warnings(&bus).len(), usize::from(searched == ago(501)), "{blur} {searched:?}");
        }
    }
}

#[test]
fn the_maximum_age_may_change_while_playing() {
    let (mut harness, _bus) = overlay("blur-faces=pixelate", VGA);
    let element = harness.find_element("emotionoverlay").expect("the element");
    for (max_age_ms, hidden) in [(100_u64, true), (300, false)] {
        element.set_property("blur-max-age", max_age_ms * 1_000_000);
        // A flush, so that earlier searches do not matter.
        flush(&mut harness);
        let out = harness.push_and_pull(frame(striped(VGA, 40, 210), VGA, 0, ago(200), &[])).expect("a frame comes out");
        assert_eq!(is_hidden(&out), hidden, "{max_age_ms} ms");
    }
}

#[test]
fn without_the_guard_only_known_faces_are_blurred() {
    let (mut harness, bus) = overlay("blur-faces=pixelate blur-unsearched=none", VGA);
    for (index, searched) in [SearchAge::Never, ago(900), SearchAge::Unknown].into_iter().enumerate() {
        let stripes = striped(VGA, 40, 210);
        let out = harness.push_and_pull(frame(stripes.clone(), VGA, index as u64, searched, &[])).expect("a frame comes out");
        assert!(bytes(&out) == stripes, "{searched:?}");
    }
    assert!(warnings(&bus).is_empty());
}

#[test]
fn repeat_shows_the_last_covered_frame_again() {
    let (mut harness, _bus) = overlay("blur-faces=pixelate blur-unsearched=repeat", VGA);
    let mut push = |index, searched, light, faces: &[FaceRecord]| {
        harness.push_and_pull(frame(striped(VGA, 40, light), VGA, index, searched, faces)).expect("a frame comes out")
    };
    assert!(is_hidden(&push(0, SearchAge::Never, 210, &[])), "there is no earlier frame yet");
    let covered = push(1, ago(0), 200, &[face(1)]);
    assert!(!is_hidden(&covered));
    let repeated = push(2, SearchAge::Never, 90, &[]);
    assert!(bytes(&repeated) == bytes(&covered));
    assert_eq!(repeated.pts(), Some(gst::ClockTime::from_mseconds(2 * STEP_MS)));
    let next = push(3, ago(0), 120, &[]);
    assert!(bytes(&next) == striped(VGA, 40, 120), "a covered frame is shown");
}

#[test]
fn a_flush_discards_the_frame_to_repeat() {
    let (mut harness, _bus) = overlay("blur-faces=pixelate blur-unsearched=repeat", VGA);
    harness.push_and_pull(frame(striped(VGA, 40, 200), VGA, 0, ago(0), &[])).expect("a frame comes out");
    flush(&mut harness);
    let out = harness.push_and_pull(frame(striped(VGA, 40, 200), VGA, 0, SearchAge::Never, &[])).expect("a frame comes out");
    assert!(is_hidden(&out), "the old scene is shown after a seek");
}

#[test]
fn a_face_that_cannot_be_placed_hides_the_frame() {
    let (mut harness, bus) = overlay("blur-faces=pixelate", VGA);
    let mut cropped = gst::Buffer::from_mut_slice(striped(VGA, 40, 210));
    // The face was marked on a wider picture, from which an element has cut off an unknown part and the regions.
    custom::write_search(cropped.get_mut().expect("the buffer is new"), Size::new(1280, 480), &[face(1)], &[], ago(0));
    let out = harness.push_and_pull(cropped).expect("a frame comes out");
    assert!(is_hidden(&out));
    assert_eq!(warnings(&bus).len(), 1);
}

#[test]
fn with_a_foreign_detector_only_known_faces_are_blurred_with_one_warning() {
    let (mut harness, bus) = overlay("blur-faces=pixelate", VGA);
    for index in 0..3 {
        let stripes = striped(VGA, 40, 210);
        let out = harness.push_and_pull(frame(stripes.clone(), VGA, index, SearchAge::Unknown, &[face(1)])).expect("a frame");
        let out = bytes(&out);
        assert!(out[..640] == stripes[..640], "pixels far from the face are unchanged");
        assert!((300..340).all(|x| out[240 * 640 + x].abs_diff(out[240 * 640 + x + 1]) < 30), "the face is blurred");
    }
    let warnings = warnings(&bus);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("no element upstream reports which frames were searched"), "{warnings:?}");
}

#[test]
fn a_long_detection_interval_does_not_flicker_and_causes_one_warning() {
    let (mut harness, bus) = overlay("blur-faces=pixelate", VGA);
    let hidden: Vec<bool> = (0..75)
        .map(|index| {
            let searched = ago(index % 25 * STEP_MS);
            is_hidden(&harness.push_and_pull(frame(striped(VGA, 40, 210), VGA, index, searched, &[])).expect("a frame comes out"))
        })
        .collect();
    let first = hidden.iter().position(|hidden| *hidden).expect("1 s is above the maximum age");
    assert!(hidden[first..].iter().all(|hidden| *hidden), "{hidden:?}");
    let warnings = warnings(&bus);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("lower detect-interval"), "{warnings:?}");
}

/// A harness of a chain of elements that takes RGB frames of 640x480.
fn chain(line: &str) -> Harness {
    init();
    let mut harness = Harness::new_parse(line);
    harness.set_src_caps_str("video/x-raw,format=RGB,width=640,height=480,framerate=25/1");
    harness
}

/// A frame with the picture `rgb`, as number `index` of a stream of 25 frames per second.
fn still(rgb: &[u8], index: u64) -> gst::Buffer {
    let (mut frame, _) = buffer(rgb, VGA.width, VGA.height, VideoFormat::Rgb);
    frame.make_mut().set_pts(gst::ClockTime::from_mseconds(index * STEP_MS));
    frame
}

/// The faces that another detector finds in the pixels of `shown`.
fn found_again(shown: &gst::Buffer) -> Vec<Rect> {
    let pixels = bytes(shown);
    let mut harness = chain("emotionfacedetect track=false");
    let out = harness.push_and_pull(still(&pixels, 0)).expect("a frame comes out");
    read_faces(&out, VGA).into_iter().map(|face| face.rect_norm).collect()
}

#[test]
fn no_frame_shows_a_face_at_any_timing_of_searches() {
    if !runtime_fetched() {
        return;
    }
    let rgb = three_faces().render(0.0);
    assert_eq!(found_again(&still(&rgb, 0)).len(), 3, "three faces are visible without the overlay");
    for detector in ["async=true", "detect-interval=4 track=false", "detect-interval=4", "detect-interval=30 track=false"] {
        let mut harness = chain(&format!("emotionfacedetect {detector} ! emotionoverlay blur-faces=pixelate draw-boxes=false"));
        for index in 0..20 {
            let out = harness.push_and_pull(still(&rgb, index)).expect("a frame comes out");
            assert_eq!(found_again(&out), [], "{detector}: frame {index}");
        }
    }
}

#[test]
fn a_frame_that_the_detector_cannot_read_is_not_shown() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = chain("emotionfacedetect ! emotionoverlay blur-faces=pixelate");
    let info = VideoInfo::builder(VideoFormat::Rgb, VGA.width, VGA.height).build().expect("a format");
    harness.push_and_pull(still(&vec![9; info.size()], 0)).expect("a readable frame comes out");
    assert_eq!(harness.push(gst::Buffer::with_size(1000).expect("memory")), Err(gst::FlowError::Error));
    assert_eq!(harness.buffers_in_queue(), 0);
}

/// The last search that the metadata of `out` reports.
fn searched(out: &gst::Buffer) -> SearchAge {
    custom::searched(out)
}

#[test]
fn the_age_of_the_last_search_is_written_on_every_frame() {
    if !runtime_fetched() {
        return;
    }
    for track in [true, false] {
        let mut harness = chain(&format!("emotionfacedetect detect-interval=3 track={track}"));
        let rgb = three_faces().render(0.0);
        let ages: Vec<_> = (0..5).map(|index| searched(&harness.push_and_pull(still(&rgb, index)).expect("a frame"))).collect();
        // The harness is a live source, so tracks are confirmed by a search of the second frame.
        let confirmed = [ago(0), ago(0), ago(40), ago(80), ago(0)];
        assert_eq!(ages, if track { confirmed } else { [ago(0), ago(40), ago(80), ago(0), ago(40)] }, "track={track}");
    }
}

#[test]
fn a_late_stream_searches_a_new_scene_at_once() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = chain("emotionfacedetect");
    let scene = three_faces().render(0.0);
    harness.push_and_pull(still(&scene, 0)).expect("a frame");
    let late = gst::event::Qos::builder(gst::QOSType::Underflow, 5.0, 400_000_000).timestamp(gst::ClockTime::ZERO).build();
    harness.push_upstream_event(late);
    let skipped = harness.push_and_pull(still(&scene, 1)).expect("a frame");
    assert_eq!(searched(&skipped), ago(40), "a late frame of the same scene is not searched");
    let other: Vec<u8> = (0..VGA.width * VGA.height).flat_map(|at| [(at % VGA.width / 3) as u8; 3]).collect();
    let cut = harness.push_and_pull(still(&other, 2)).expect("a frame");
    assert_eq!(searched(&cut), ago(0));
}

#[test]
fn a_flush_discards_the_last_search() {
    if !runtime_fetched() {
        return;
    }
    let mut harness = chain("emotionfacedetect name=searched async=true");
    let scene = three_faces().render(0.0);
    let element = harness.find_element("emotionfacedetect").expect("the element");
    harness.push_and_pull(still(&scene, 0)).expect("a frame");
    wait_for(&element, 1);
    let _gate = Gate::new("searched");
    assert_eq!(searched(&harness.push_and_pull(still(&scene, 1)).expect("a frame")), ago(40));
    flush(&mut harness);
    assert_eq!(searched(&harness.push_and_pull(still(&scene, 0)).expect("a frame")), SearchAge::Never);
}
