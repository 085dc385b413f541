// SPDX-License-Identifier: MIT OR Apache-2.0
//! What arrives at an appsink.

use gst_app::{AppSink, AppSinkCallbacks};

/// Calls `take` with each sample of `sink`, in its thread.
///
/// By itself, an appsink keeps all events until the next sample is taken: a GAP event for each frame, as long as none of them leads to a
/// sample. They are taken out at once.
pub fn take(sink: &AppSink, mut take: impl FnMut(&AppSink, gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> + Send + 'static) {
    let callbacks = AppSinkCallbacks::builder()
        .new_sample(move |sink| take(sink, sink.pull_sample().map_err(|_| gst::FlowError::Eos)?))
        .new_event(|sink| {
            drop(sink.try_pull_object(gst::ClockTime::ZERO));
            // The element still has to see it.
            false
        });
    sink.set_callbacks(callbacks.build());
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use gst::prelude::*;

    use super::*;

    #[test]
    fn no_event_waits_for_the_next_sample() {
        gst::init().unwrap();
        let line = "appsrc name=in format=time ! appsink name=out sync=false async=false";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let entry = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
        let (sender, samples) = mpsc::channel();
        take(&sink, move |_, sample| {
            sender.send((sample.caps_owned(), sample.segment().is_some(), sample.buffer().and_then(|buffer| buffer.pts()))).unwrap();
            Ok(gst::FlowSuccess::Ok)
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let (caps, second) = (gst::Caps::new_empty_simple("text/x-raw"), gst::ClockTime::SECOND);
        entry.set_caps(Some(&caps));
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().unwrap().set_pts(second);
        entry.push_buffer(buffer).unwrap();
        for later in 2..5 {
            entry.send_event(gst::event::Gap::builder(later * second).build());
        }
        entry.end_of_stream().unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(10 * second, &types).unwrap();
        assert_eq!(end.type_(), gst::MessageType::Eos);
        assert_eq!(samples.try_iter().collect::<Vec<_>>(), [(Some(caps), true, Some(second))]);
        assert!(sink.try_pull_object(gst::ClockTime::ZERO).is_none(), "an event waits");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
