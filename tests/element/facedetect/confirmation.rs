// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces of a live stream are confirmed by a second search; those of a file or a photo are not questioned.

use super::*;

/// A detector behind a source that is live or not, and a frame with three faces.
fn stream(is_live: bool, properties: &[(&str, &str)]) -> (Harness, gst::Buffer) {
    let (harness, frame) = detector(VideoFormat::I420);
    let element = harness.element().expect("an element");
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    let source = harness.srcpad().expect("the pad before the element");
    source.add_probe(gst::PadProbeType::QUERY_UPSTREAM, move |_, info| {
        let Some(gst::QueryViewMut::Latency(query)) = info.query_mut().map(gst::QueryRef::view_mut) else {
            return gst::PadProbeReturn::Ok;
        };
        query.set(is_live, gst::ClockTime::ZERO, gst::ClockTime::NONE);
        gst::PadProbeReturn::Handled
    });
    (harness, frame)
}

/// For each of the first frames, whether it was searched and its faces are confirmed.
fn confirmed(harness: &mut Harness, frame: &gst::Buffer, frames: u64) -> Vec<(bool, bool)> {
    let mut one = |index| {
        let found = faces(&harness.push_and_pull(frame_at(frame, index)).expect("a frame"));
        assert_eq!(found.len(), 3, "an unconfirmed face is attached, too");
        let searched = found.iter().all(|face| face.detection.as_ref().is_some_and(|detection| detection.age.is_zero()));
        (searched, found.iter().all(|face| face.confirmed))
    };
    (0..frames).map(&mut one).collect()
}

#[test]
fn the_second_search_of_a_live_stream_confirms_its_faces() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = stream(true, &[("detect-interval", "3")]);
    let expected = [(true, false), (true, true), (false, true), (false, true), (true, true)];
    assert_eq!(confirmed(&mut harness, &frame, 5), expected, "a new face forces the search of the next frame");
}

#[test]
fn faces_of_a_file_are_confirmed_at_once() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = stream(false, &[("detect-interval", "3")]);
    assert_eq!(confirmed(&mut harness, &frame, 4), [(true, true), (false, true), (false, true), (true, true)]);
}

#[test]
fn faces_without_tracks_are_confirmed_at_once() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = stream(true, &[("track", "false")]);
    assert_eq!(confirmed(&mut harness, &frame, 1), [(true, true)]);
}

#[test]
fn messages_and_statistics_leave_unconfirmed_faces_out() {
    if !runtime_fetched() {
        return;
    }
    let (mut harness, frame) = stream(true, &[("post-messages", "every")]);
    let bus = gst::Bus::new();
    harness.element().expect("an element").set_bus(Some(&bus));
    let mut reported = |index| {
        harness.push_and_pull(frame_at(&frame, index)).expect("a frame");
        let message = bus.pop_filtered(&[gst::MessageType::Element]).expect("a message for each frame");
        message.structure().and_then(|said| said.get::<gst::List>("faces").ok()).expect("faces").len()
    };
    assert_eq!((reported(0), reported(1)), (0, 3));
    let stats = harness.element().expect("an element").property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("faces"), Ok(3));
}
