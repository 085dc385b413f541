// SPDX-License-Identifier: MIT OR Apache-2.0
//! `blur-faces`: the pixels of known faces.

use super::composition::{composing, offer_to_compose};
use super::*;

/// A frame with the finest possible stripes in all components.
fn striped(info: &VideoInfo, faces: &[FaceRecord]) -> gst::Buffer {
    let mut buffer = frame(info, faces, 0);
    let mut map = buffer.get_mut().expect("the buffer is new").map_writable().expect("system memory");
    map.as_mut_slice().iter_mut().enumerate().for_each(|(at, byte)| *byte = if at / 4 % 2 == 0 { 40 } else { 210 });
    drop(map);
    buffer
}

#[test]
fn only_faces_are_blurred_in_every_format() {
    for format in FORMATS {
        let info = info(format, VGA);
        let mut harness = harness(&info);
        let element = harness.element().expect("the element");
        for part in ["draw-boxes", "draw-labels", "draw-scores", "draw-emoji", "draw-ids"] {
            element.set_property(part, false);
        }
        for blur in ["pixelate", "blur", "solid"] {
            element.set_property_from_str("blur-faces", blur);
            let buffer = striped(&info, &[face(3, BOX, VGA, Some(0.93))]);
            let before = bytes(&buffer);
            let after = harness.push_and_pull(buffer).expect("a frame comes out");
            // The box has 160 x 180 pixels around (280, 290).
            for y in 205..375 {
                let line = |x: i32| sample(&after, &info, (280 + x) as usize, y);
                assert!((-30..30).all(|x| line(x).abs_diff(line(x + 1)) < 30), "{format} {blur}: row {y} still has stripes");
            }
            for (x, y) in [(280, 130), (280, 450), (140, 290), (420, 290), (0, 0), (639, 479)] {
                let frame = VideoFrameRef::from_buffer_ref_readable(&after, &info).expect("the buffer fits the format");
                let at = y * frame.comp_stride(0) as usize + x * frame.comp_pstride(0) as usize + frame.comp_poffset(0) as usize;
                assert_eq!(
                    sample(&after, &info, x, y),
                    before[info.comp_offset(0) - info.comp_poffset(0) as usize + at],
                    "{format} {blur}: {x}, {y}"
                );
            }
        }
    }
}

#[test]
fn blurred_faces_keep_their_labels_and_blur_can_be_switched_off() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = harness(&info);
    let element = harness.element().expect("the element");
    let faces = [face(3, BOX, VGA, Some(0.93))];
    let mut shown = |blur: &str| {
        element.set_property_from_str("blur-faces", blur);
        harness.push_and_pull(striped(&info, &faces)).expect("a frame comes out")
    };
    let [plain, blurred, again] = ["none", "blur", "none"].map(&mut shown);
    assert!(bytes(&plain) == bytes(&again), "a change of the property applies to the next frame");
    assert_eq!(sample(&plain, &info, 280, 201), sample(&blurred, &info, 280, 201), "the box is drawn over the blur");
    for (x, y) in [(230, 178), (400, 205)] {
        assert!(sample(&blurred, &info, x, y) < 80, "the plates of label and graph are drawn over the blur: {x}, {y}");
    }
    assert!(bytes(&plain) != bytes(&blurred));
    let shared = striped(&info, &faces);
    let other_owner = shared.clone();
    element.set_property_from_str("blur-faces", "pixelate");
    harness.push_and_pull(shared).expect("a frame comes out");
    assert!(bytes(&other_owner) == bytes(&striped(&info, &faces)), "another owner of the frame sees no change");
}

#[test]
fn an_unconfirmed_face_is_blurred_but_not_drawn() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = harness(&info);
    let faces = [FaceRecord { confirmed: false, ..face(3, BOX, VGA, Some(0.93)) }];
    let stripes = striped(&info, &faces);
    let plain = harness.push_and_pull(striped(&info, &faces)).expect("a frame comes out");
    assert!(bytes(&plain) == bytes(&stripes), "nothing is drawn");
    let element = harness.element().expect("the element");
    element.set_property_from_str("blur-faces", "blur");
    let blurred = harness.push_and_pull(striped(&info, &faces)).expect("a frame comes out");
    assert!(sample(&blurred, &info, 280, 290).abs_diff(sample(&blurred, &info, 284, 290)) < 30, "the face is hidden");
    for part in ["draw-boxes", "draw-labels", "draw-scores", "draw-emoji", "draw-ids"] {
        element.set_property(part, false);
    }
    let nothing_drawn = harness.push_and_pull(striped(&info, &faces)).expect("a frame comes out");
    assert!(bytes(&blurred) == bytes(&nothing_drawn), "there is neither a box nor a label");
}

#[test]
fn faces_are_blurred_in_the_frame_even_if_labels_are_attached() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = composing(&info);
    offer_to_compose(&harness);
    harness.element().expect("the element").set_property_from_str("blur-faces", "pixelate");
    let buffer = striped(&info, &[face(3, BOX, VGA, Some(0.93))]);
    let before = bytes(&buffer);
    let after = harness.push_and_pull(buffer).expect("a frame comes out");
    assert!(after.meta::<VideoOverlayCompositionMeta>().is_some());
    assert!(bytes(&after) != before);
}

#[test]
fn a_frame_that_cannot_be_blurred_is_not_shown() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = harness(&info);
    harness.element().expect("the element").set_property_from_str("blur-faces", "blur");
    let mut short = gst::Buffer::with_size(1000).expect("memory");
    write_detections(short.get_mut().expect("the buffer is new"), VGA, &[face(1, BOX, VGA, None)]);
    assert_eq!(harness.push(short), Err(gst::FlowError::Error));
    assert_eq!(harness.buffers_in_queue(), 0);
}

#[test]
fn frames_are_held_back_so_that_a_face_is_hidden_before_it_was_found() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = harness(&info);
    let element = harness.element().expect("the element");
    element.set_property_from_str("blur-faces", "pixelate");
    element.set_property("blur-delay", 100_000_000_u64);
    let found = [face(3, BOX, VGA, None)];
    // Ten frames of 30 a second; the face is found on the sixth alone.
    for index in 0..10 {
        let mut buffer = striped(&info, if index == 5 { &found } else { &[] });
        buffer.make_mut().set_pts(index * gst::ClockTime::SECOND / 30);
        harness.push(buffer).expect("a frame is taken");
        assert_eq!(harness.buffers_in_queue() as u64, (index + 1).saturating_sub(3), "frame {index}");
        if index == 6 {
            // Negotiation in between loses nothing.
            element.static_pad("src").expect("a pad").mark_reconfigure();
        }
    }
    assert!(harness.push_event(gst::event::Eos::new()));
    let hidden: Vec<bool> = (0..10)
        .map(|index| {
            let out = harness.pull().expect("every frame comes out");
            assert_eq!(out.pts(), Some(index * gst::ClockTime::SECOND / 30));
            sample(&out, &info, 280, 290).abs_diff(sample(&out, &info, 284, 290)) < 30
        })
        .collect();
    assert_eq!(hidden, [false, false, true, true, true, true, true, true, true, false], "100 ms before and after");

    let latency = harness.query_latency().expect("a latency");
    assert_eq!(latency, gst::ClockTime::from_mseconds(100));
}
