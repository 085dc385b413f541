// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many faces are classified on a frame: all in a file or a photo, some in a live stream, or as many as the property says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Number of faces on the frame; more than are classified on a frame of a live stream.
const FACES: u32 = 20;

/// Number of faces that have scores on the only frame of a stream.
fn scored(is_live: bool, max_faces_per_frame: Option<u32>) -> usize {
    init();
    let property = max_faces_per_frame.map_or_else(String::new, |number| format!("max-faces-per-frame={number}"));
    let line = format!(
        "videotestsrc num-buffers=1 is-live={is_live} ! video/x-raw,format=GRAY8,width=640,height=480,framerate=30/1 \
         ! emotionclassify name=classify {property} ! fakesink"
    );
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let pad = |name| pipeline.by_name("classify").and_then(|element| element.static_pad(name)).expect("a pad");
    pad("sink").add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            let place = |index: u32| Rect::new((index % 5 * 120) as f32, (index / 5 * 120) as f32, 100.0, 100.0);
            (0..FACES).for_each(|index| mark(buffer.make_mut(), place(index)));
        }
        gst::PadProbeReturn::Ok
    });
    let scored = Arc::new(AtomicUsize::new(0));
    let counter = scored.clone();
    pad("src").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            counter.fetch_add(faces(buffer).iter().filter(|face| face.expression().is_some()).count(), Ordering::SeqCst);
        }
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).expect("the stream ends");
    pipeline.set_state(gst::State::Null).expect("it stops");
    scored.load(Ordering::SeqCst)
}

#[test]
fn a_photo_has_a_label_for_each_of_its_faces() {
    if runtime_fetched() {
        assert_eq!(scored(false, None), FACES as usize);
    }
}

#[test]
fn faces_of_a_live_stream_take_turns() {
    if runtime_fetched() {
        assert_eq!(scored(true, None), 16);
    }
}

#[test]
fn an_explicit_number_holds_for_any_stream() {
    if runtime_fetched() {
        for is_live in [false, true] {
            assert_eq!((scored(is_live, Some(3)), scored(is_live, Some(19))), (3, 19), "live: {is_live}");
        }
    }
}
