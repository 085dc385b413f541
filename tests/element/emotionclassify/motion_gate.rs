// SPDX-License-Identifier: MIT OR Apache-2.0
//! The motion gate: which faces are classified if some or none of them change. A harness is a live source.

use super::*;

fn counts(harness: &Harness) -> [u64; 4] {
    let stats = harness.element().expect("an element").property::<gst::Structure>("stats");
    ["inferred", "skipped", "unchanged", "partial"].map(|name| stats.get(name).expect(name))
}

#[test]
fn faces_of_a_still_live_picture_are_classified_once_a_second() {
    if !runtime_fetched() {
        return;
    }
    let (frame, info) = frame(VideoFormat::Nv12);
    let mut harness = harness(&info, &[("motion-gate", "true")]);
    let mut ages = Vec::new();
    for index in 0..60 {
        let out = harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        assert_eq!(labels(&out), NAMES);
        ages.push(faces(&out)[0].emotion.as_ref().expect("scores").age);
    }
    assert_eq!(counts(&harness), [2, 58, 58, 0]);
    assert_eq!(ages.iter().filter(|age| age.is_zero()).count(), 2);
    assert!(ages.iter().all(|age| *age < Duration::from_secs(1)), "{ages:?}");
}

#[test]
fn only_the_face_that_changed_is_classified() {
    if !runtime_fetched() {
        return;
    }
    let (first, info) = frame(VideoFormat::Nv12);
    // The face in the middle changes from happiness to surprise.
    let still = |x: f32, expression| vec![Key::new(0.0, (x, 220.0), 180.0, expression), Key::new(9.0, (x, 220.0), 180.0, expression)];
    let scene = Scene::new(640, 480).actor(still(110.0, "neutral")).actor(still(320.0, "surprise")).actor(still(530.0, "surprise"));
    let (mut second, _) = buffer(&scene.render(0.0), 640, 480, VideoFormat::Nv12);
    three_faces().appearances(0.0).iter().for_each(|shown| mark(second.make_mut(), shown.face));
    let mut harness = harness(&info, &[("motion-gate", "true"), ("smoothing", "0")]);
    harness.push_and_pull(frame_at(&first, 0)).expect("a frame");
    let out = harness.push_and_pull(frame_at(&second, 1)).expect("a frame");
    assert_eq!(labels(&out), ["neutral", "surprise", "surprise"]);
    let classified: Vec<_> = faces(&out).iter().map(|face| face.emotion.as_ref().expect("scores").age.is_zero()).collect();
    assert_eq!(classified, [false, true, false]);
    assert_eq!(counts(&harness), [2, 0, 0, 1]);
}

#[test]
fn the_read_only_properties_name_the_model() {
    if !runtime_fetched() {
        return;
    }
    init();
    for (file, names) in [(Some("expression"), vec!["expression"]), (None, vec!["expression", "expression-int8"])] {
        let element = gst::ElementFactory::make("emotionclassify").property("model-file", file).build().expect("an element");
        let property = |name: &str| element.property::<Option<String>>(name);
        let (name, sha256) = (|| property("model-name"), || property("model-sha256"));
        let description_sha256 = || property("model-description-sha256");
        assert_eq!((name(), sha256(), description_sha256()), (None, None, None));
        element.set_state(gst::State::Paused).expect("an element that starts");
        let started = name().expect("a started element");
        assert!(names.contains(&started.as_str()), "model-file={file:?}: {started}");
        let described = std::fs::read_to_string(repository().join("models").join(&started).join("model.toml")).expect("a description");
        assert!(described.contains(&format!("sha256 = \"{}\"", sha256().expect("a started element"))), "{started}");
        assert_eq!(description_sha256(), Some(emotion_core::model::file::sha256(described.as_bytes())));
        element.set_state(gst::State::Null).expect("an element that stops");
        assert_eq!((name(), sha256(), description_sha256()), (None, None, None));
    }
}
