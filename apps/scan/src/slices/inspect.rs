// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds out what a file is, and where it is cut into slices.

use super::plan;
use crate::decode::{Failure, Frames};
use crate::findings::{FileFacts, Kind};

/// Finds out what a file is. The decoder is `None` if the file has no pictures.
pub fn inspect(opened: Result<Frames, Failure>) -> (FileFacts, Option<Frames>) {
    match opened.and_then(|mut decoder| Ok((facts_of(&mut decoder)?, decoder))) {
        Ok((facts, decoder)) => (facts, Some(decoder)),
        Err(failure) => (unreadable(failure), None),
    }
}

/// Finds out what a file is and where it is cut into slices.
fn facts_of(decoder: &mut Frames) -> Result<FileFacts, Failure> {
    let kind = decoder.kind();
    let length_ns = decoder.length_ns().filter(|_| kind == Kind::Video);
    let mut slices = vec![0];
    for cut in length_ns.into_iter().flat_map(plan::cuts) {
        let Some(keyframe) = decoder.keyframe_before(cut)? else { break };
        plan::add_slice(&mut slices, keyframe, cut);
    }
    // The decoder is at the last keyframe; if it cannot seek, it is still at the beginning of a single slice.
    decoder.rewind()?;
    let video_tracks = (kind == Kind::Video).then(|| decoder.videos());
    Ok(FileFacts { kind: Some(kind), length_ns, video_tracks, slices, error: None })
}

/// The facts of a file that could not be opened.
fn unreadable(failure: Failure) -> FileFacts {
    match failure {
        Failure::Other => FileFacts { kind: Some(Kind::Other), ..FileFacts::default() },
        broken => FileFacts { error: Some(broken.to_string()), ..FileFacts::default() },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::decode::Decoder;
    use crate::sampling::Sampling;
    use gst::prelude::*;

    /// A video of 100 frames, one for each second.
    fn video() -> gst::Buffer {
        let line =
            "videotestsrc num-buffers=100 ! video/x-raw,width=32,height=32,framerate=1/1 ! jpegenc ! matroskamux ! filesink name=out";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let file = std::env::temp_dir().join(format!("emotion-scan-inspect-{}.mkv", std::process::id()));
        pipeline.by_name("out").unwrap().set_property("location", &file);
        pipeline.set_state(gst::State::Playing).unwrap();
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        pipeline.set_state(gst::State::Null).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        gst::Buffer::from_slice(bytes)
    }

    #[test]
    fn a_long_video_that_cannot_seek_is_one_slice() {
        gst::init().unwrap();
        let source = gst_app::AppSrc::builder().stream_type(gst_app::AppStreamType::Stream).build();
        source.push_buffer(video()).unwrap();
        source.end_of_stream().unwrap();
        let opened = Decoder::start(source.upcast_ref(), Duration::from_secs(30), Sampling::All).unwrap();
        let mut decoder = Frames::Stream(Box::new(opened));
        let facts = facts_of(&mut decoder).unwrap();
        assert_eq!((facts.length_ns, facts.slices, facts.error), (Some(100_000_000_000), vec![0], None));
        assert!(std::iter::from_fn(|| decoder.next_frame().unwrap()).count() == 100, "its first frame is still there");
    }
}
