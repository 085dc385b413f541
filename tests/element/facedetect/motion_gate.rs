// SPDX-License-Identifier: MIT OR Apache-2.0
//! The motion gate: which frames are searched if nothing or a part of the picture changes. A harness is a live source.

use super::*;

fn counts(harness: &Harness) -> [u64; 4] {
    let stats = harness.element().expect("an element").property::<gst::Structure>("stats");
    ["inferred", "skipped", "unchanged", "partial"].map(|name| stats.get(name).expect(name))
}

/// The element with its default properties.
fn live(info: &VideoInfo) -> Harness {
    init();
    let mut harness = Harness::new("emotionfacedetect");
    harness.set_src_caps(info.to_caps().expect("caps"));
    harness
}

#[test]
fn a_still_live_picture_is_searched_once_a_second() {
    if !runtime_fetched() {
        return;
    }
    for format in [VideoFormat::I420, VideoFormat::Yuy2, VideoFormat::Bgrx] {
        let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, format);
        let mut harness = live(&info);
        for index in 0..60 {
            assert!(was_searched(&mut harness, frame_at(&frame, index)), "a frame on which nothing changed counts as searched");
        }
        // The second search confirms the faces.
        assert_eq!(counts(&harness), [3, 57, 57, 0], "{format:?}");
    }
}

#[test]
fn a_part_that_changed_is_searched_and_the_other_faces_keep_their_boxes() {
    if !runtime_fetched() {
        return;
    }
    let (without, info) = buffer(&three_faces().render(0.0), 640, 480, VideoFormat::I420);
    let small = vec![Key::new(0.0, (590.0, 60.0), 70.0, "neutral"), Key::new(9.0, (590.0, 60.0), 70.0, "neutral")];
    let (with, _) = buffer(&three_faces().actor(small).render(0.0), 640, 480, VideoFormat::I420);
    let mut harness = live(&info);
    let mut found = |frame, index| faces(&harness.push_and_pull(frame_at(frame, index)).expect("a frame"));
    let [_, _, before] = [0, 1, 2].map(|index| found(&without, index));
    let [_, after] = [3, 4].map(|index| found(&with, index));
    assert_eq!((before.len(), after.len()), (3, 4));
    // The body of the small person hides half of the face at the right.
    let visible: Vec<_> = before.iter().filter(|face| face.rect_norm.right() < 0.7).collect();
    assert_eq!(visible.len(), 2);
    for face in visible {
        let same = after.iter().find(|other| other.id == face.id).expect("the same face");
        assert!(same.rect_norm.iou(face.rect_norm) > 0.98, "{same:?} was {face:?}");
    }
    assert_eq!(counts(&harness)[3], 1, "one part; the search that confirms the new face is one of the whole frame");
}

#[test]
fn a_file_is_searched_on_each_frame_unless_the_gate_is_set() {
    if !runtime_fetched() {
        return;
    }
    init();
    for (gate, searched) in [("", 20), ("motion-gate=true", 1), ("motion-gate=false", 20)] {
        let line = format!(
            "videotestsrc pattern=white num-buffers=20 ! video/x-raw,width=320,height=240 ! emotionfacedetect name=d {gate} ! fakesink"
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        play(&pipeline).expect("a pipeline that ends");
        let stats = pipeline.by_name("d").expect("the detector").property::<gst::Structure>("stats");
        assert_eq!(stats.get::<u64>("inferred"), Ok(searched), "{gate}: {stats}");
        pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    }
}
