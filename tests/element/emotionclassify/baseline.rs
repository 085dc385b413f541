// SPDX-License-Identifier: MIT OR Apache-2.0
//! `baseline=track` and its action signals.

use super::*;

/// A still face between two expressions, whose label is not neutral.
fn unclear() -> (gst::Buffer, VideoInfo) {
    let scene = Scene::new(640, 480).actor([0.0, 9.0].map(|time| Key::new(time, (320.0, 240.0), 200.0, "fear")).into());
    let (mut frame, info) = buffer(&scene.render(0.0), 640, 480, VideoFormat::Gray8);
    mark(frame.make_mut(), scene.appearances(0.0)[0].face);
    (frame, info)
}

/// Id, label and baseline of the face on the next frame of `harness`.
fn next(harness: &mut Harness, frame: &gst::Buffer, index: u64) -> (u32, String, Option<Duration>) {
    let out = harness.push_and_pull(frame_at(frame, index)).expect("a frame");
    let [roi, custom] =
        [roi::read(&out, VGA), custom::read(&out)].map(|faces| faces[0].emotion.as_ref().map(|emotion| emotion.scores.baseline()));
    assert_eq!(roi, custom);
    let face = faces(&out).remove(0);
    let emotion = face.emotion.expect("scores");
    (face.id, emotion.label().to_owned(), emotion.scores.baseline())
}

#[test]
fn a_calibrated_face_is_neutral_until_its_baseline_is_reset() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = unclear();
    let mut harness = harness(&info, &[("baseline", "track"), ("min-confidence", "0")]);
    let element = harness.element().expect("an element");
    let (id, label, baseline) = next(&mut harness, &frame, 0);
    assert!(label != "neutral" && baseline == Some(Duration::ZERO), "{label}, {baseline:?}");
    element.emit_by_name::<()>("calibrate", &[&(id + 1)]);
    assert_eq!(next(&mut harness, &frame, 1).1, label, "another face is calibrated");
    element.emit_by_name::<()>("calibrate", &[&id]);
    let (_, calibrated, baseline) = next(&mut harness, &frame, 2);
    assert!(calibrated == "neutral" && baseline > Some(Duration::from_secs(5)), "{calibrated}, {baseline:?}");
    element.emit_by_name::<()>("reset-baseline", &[&id]);
    assert_eq!(next(&mut harness, &frame, 3), (id, label.clone(), Some(Duration::ZERO)));
    element.emit_by_name::<()>("calibrate", &[&id]);
    element.set_property_from_str("baseline", "none");
    assert_eq!(next(&mut harness, &frame, 4), (id, label, None), "switched off");
}

#[test]
fn a_baseline_grows_with_its_track_and_a_flush_ends_both() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = unclear();
    let mut harness = harness(&info, &[("baseline", "track")]);
    let rests_on: Vec<_> = (0..30).map(|index| next(&mut harness, &frame, index).2.expect("a baseline")).collect();
    assert!(rests_on.is_sorted() && rests_on[0].is_zero() && rests_on[29] > Duration::from_millis(500), "{rests_on:?}");
    flush(&mut harness);
    assert_eq!(next(&mut harness, &frame, 0).2, Some(Duration::ZERO));
}

#[test]
fn with_a_worker_a_face_is_calibrated_too() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = unclear();
    let mut harness = harness(&info, &[("baseline", "track"), ("async", "true"), ("min-confidence", "0")]);
    let element = harness.element().expect("an element");
    let mut is_asked = false;
    let calibrated = (0..2_000).find(|&index| {
        let (id, label, baseline) = next(&mut harness, &frame, index);
        if baseline.is_some() && !is_asked {
            element.emit_by_name::<()>("calibrate", &[&id]);
            is_asked = true;
        }
        std::thread::sleep(Duration::from_millis(1));
        label == "neutral"
    });
    assert!(calibrated.is_some());
}
