// SPDX-License-Identifier: MIT OR Apache-2.0
//! Overlay compositions: attached where downstream composes them, blended elsewhere.

use super::*;

fn composed(info: &VideoInfo) -> gst::Caps {
    let mut caps = info.to_caps().expect("caps of a valid format");
    let features = [gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, gst_video::CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION];
    caps.make_mut().set_features(0, Some(gst::CapsFeatures::new(features)));
    caps
}

/// A harness whose sink accepts caps with and without compositions.
pub fn composing(info: &VideoInfo) -> Harness {
    init();
    let mut harness = Harness::new("emotionoverlay");
    let plain = info.to_caps().expect("caps of a valid format");
    let mut both = composed(info);
    both.merge(plain.clone());
    harness.set_src_caps(plain);
    harness.set_sink_caps(both);
    harness
}

/// Makes the sink of the harness offer overlay compositions in ALLOCATION queries.
pub fn offer_to_compose(harness: &Harness) {
    let pad = harness.sinkpad().expect("the harness has a sink");
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| match info.query_mut().map(|query| query.view_mut()) {
        Some(gst::QueryViewMut::Allocation(query)) => {
            query.add_allocation_meta::<VideoOverlayCompositionMeta>(None);
            gst::PadProbeReturn::Handled
        }
        _ => gst::PadProbeReturn::Ok,
    });
}

#[test]
fn compositions_are_attached_if_downstream_composes_them() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = composing(&info);
    offer_to_compose(&harness);
    let faces = [face(3, BOX, VGA, Some(0.93))];
    let buffer = drawn(&mut harness, &info, &faces);
    assert!(bytes(&buffer).iter().all(|&byte| byte == 128), "the frame itself is unchanged");
    let rectangles = |buffer: &gst::Buffer| -> Vec<gst_video::VideoOverlayRectangle> {
        buffer.meta::<VideoOverlayCompositionMeta>().expect("a composition").overlay_owned().iter().collect()
    };
    let first = rectangles(&buffer);
    assert_eq!(first.len(), 12, "four corners, four strips, a label and its percentage, a graph and the only bar that is long enough");
    assert!(first.iter().all(|rectangle| {
        let (x, y, width, height) = rectangle.render_rectangle();
        x >= 0 && y >= 0 && x as u32 + width <= 640 && y as u32 + height <= 480
    }));
    let second = harness.push_and_pull(frame(&info, &faces, 1)).expect("a frame comes out");
    let same = first.iter().zip(&rectangles(&second)).all(|(a, b)| a.seqnum() == b.seqnum());
    assert!(same, "an unchanged rectangle has the same sequence number, by which sinks cache it");
}

#[test]
fn composed_and_blended_pictures_are_the_same() {
    let info = info(VideoFormat::Bgra, VGA);
    let faces = [face(3, BOX, VGA, Some(0.93))];
    let blended = bytes(&drawn(&mut harness(&info), &info, &faces));
    let mut harness = composing(&info);
    offer_to_compose(&harness);
    let attached = drawn(&mut harness, &info, &faces);
    let composition = attached.meta::<VideoOverlayCompositionMeta>().expect("a composition").overlay_owned();
    let mut opaque = gst::Buffer::from_mut_slice([128, 128, 128, 255].repeat(640 * 480));
    {
        let writable = opaque.get_mut().expect("the buffer is new");
        let mut frame = VideoFrameRef::from_buffer_ref_writable(writable, &info).expect("the buffer fits");
        composition.blend(&mut frame).expect("GStreamer blends");
    }
    let differs = |(a, b): (&[u8], &[u8])| a[..3].iter().zip(&b[..3]).any(|(a, b)| a.abs_diff(*b) > 3);
    let wrong = blended.chunks(4).zip(bytes(&opaque).chunks(4)).filter(|pair| differs(*pair)).count();
    assert_eq!(wrong, 0, "number of pixels that differ");
}

#[test]
fn without_a_compositor_downstream_frames_are_blended() {
    let info = info(VideoFormat::I420, VGA);
    let mut harness = composing(&info);
    harness.push_and_pull(frame(&info, &[], 0)).expect("a frame comes out");
    let caps = harness.sinkpad().and_then(|pad| pad.current_caps()).expect("caps were set");
    assert!(caps.is_strictly_equal(&info.to_caps().expect("caps of a valid format")), "the caps before the first frame: {caps}");
    for index in 1..3 {
        let buffer = harness.push_and_pull(frame(&info, &[face(3, BOX, VGA, Some(0.93))], index)).expect("a frame comes out");
        assert!(buffer.meta::<VideoOverlayCompositionMeta>().is_none());
        assert!(bytes(&buffer).iter().any(|&byte| byte != 128));
    }
}

#[test]
fn a_composition_from_upstream_is_kept_below_ours() {
    init();
    let info = info(VideoFormat::I420, VGA);
    let mut harness = Harness::new("emotionoverlay");
    harness.set_src_caps(composed(&info));
    harness.set_sink_caps(composed(&info));
    let mut pixels = gst::Buffer::from_mut_slice(vec![255_u8; 4 * 4 * 4]);
    let flags = gst_video::VideoFrameFlags::empty();
    gst_video::VideoMeta::add(pixels.get_mut().expect("the buffer is new"), flags, VideoFormat::Bgra, 4, 4).expect("a valid format");
    let theirs = gst_video::VideoOverlayRectangle::new_raw(&pixels, 1, 2, 4, 4, gst_video::VideoOverlayFormatFlags::empty());
    let overlay = gst_video::VideoOverlayComposition::new([&theirs]).expect("a composition");
    let mut buffer = frame(&info, &[face(3, BOX, VGA, Some(0.93))], 0);
    VideoOverlayCompositionMeta::add(buffer.get_mut().expect("the buffer is new"), &overlay);
    let out = harness.push_and_pull(buffer).expect("a frame comes out");
    let rectangles: Vec<_> = out.meta::<VideoOverlayCompositionMeta>().expect("a composition").overlay_owned().iter().collect();
    assert_eq!(rectangles.len(), 13);
    assert_eq!(rectangles[0].seqnum(), theirs.seqnum());
    assert_eq!(out.iter_meta::<VideoOverlayCompositionMeta>().count(), 1, "older sinks read only the first one");
}

#[test]
fn an_element_downstream_may_flush_before_it_answers_the_query_for_compositions() {
    let info = info(VideoFormat::I420, VGA);
    let (done, answered) = std::sync::mpsc::channel();
    // On a thread of its own, since the stream would stand still for ever.
    std::thread::spawn(move || {
        let mut harness = composing(&info);
        let pad = harness.element().and_then(|element| element.static_pad("sink")).expect("a pad");
        let downstream = harness.sinkpad().expect("the harness has a sink");
        downstream.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
            if info.query().is_some_and(|query| query.type_() == gst::QueryType::Allocation) {
                pad.send_event(gst::event::FlushStop::new(false));
                pad.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
            }
            gst::PadProbeReturn::Ok
        });
        offer_to_compose(&harness);
        let buffer = drawn(&mut harness, &info, &[face(3, BOX, VGA, Some(0.93))]);
        done.send(buffer.meta::<VideoOverlayCompositionMeta>().is_some()).expect("the test waits");
    });
    assert_eq!(answered.recv_timeout(Duration::from_secs(60)), Ok(true), "a composition");
}
