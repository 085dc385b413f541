// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline that draws the faces of one file. Videos keep their sound.
//!
//! ```text
//! filesrc ! decodebin ! videoconvert ! videoflip ! videoconvert ! emotionoverlay ! videoconvert ! encoder ! mp4mux ! filesink
//!                     ! audioconvert ! audioresample ! encoder ! mp4mux
//! ```
//!
//! Frames are not analysed again: a pad probe before the overlay attaches the faces of the journal to the frames.

use std::path::Path;
use std::time::Duration;

use emotion_core::geometry::Size;
use emotion_core::record::SearchAge;
use emotion_supervise::encoding;
use gst::prelude::*;
use gstemotion::meta;
use parking_lot::Mutex;

use super::faces_by_time::FacesByTime;
use crate::decode::Timeline;
use crate::error::Error;
use crate::findings::Kind;
use crate::upright;

/// Encoders of sound in the order of preference.
const SOUND_ENCODERS: [&str; 3] = ["fdkaacenc", "avenc_aac", "voaacenc"];

/// A pipeline that draws `faces` on the photo or video `input` and writes it to `output`, a photo as PNG or JPEG.
pub(super) fn build(input: &Path, kind: Kind, is_png: bool, output: &Path, faces: FacesByTime) -> Result<gst::Pipeline, Error> {
    let (encode, mux) = match kind {
        Kind::Photo if is_png => ("pngenc snapshot=true", "identity"),
        Kind::Photo => ("jpegenc quality=95 snapshot=true", "identity"),
        _ => (encoding::encoder()?.recording, "mp4mux"),
    };
    let line = format!("emotionoverlay name=overlay ! videoconvert ! {encode} ! queue ! {mux} name=mux ! filesink name=out");
    let pipeline = upright::pipeline(&line)?;
    upright::element(&pipeline, "out").set_property("location", output);
    attach(&upright::element(&pipeline, "overlay"), faces);
    upright::read(&pipeline, input, || {
        let decode = gst::ElementFactory::make("decodebin").build()?;
        let sound = (kind == Kind::Video).then(sound_encoder).transpose()?;
        link_sound(&pipeline, &decode, upright::element(&pipeline, "mux"), sound);
        Ok(decode)
    })?;
    Ok(pipeline)
}

/// The first encoder that is installed.
pub(crate) fn sound_encoder() -> Result<&'static str, Error> {
    let found = SOUND_ENCODERS.into_iter().find(|name| gst::ElementFactory::find(name).is_some());
    found.ok_or_else(|| Error::NoSoundEncoder(SOUND_ENCODERS.into()))
}

/// Links each sound that `decode` finds, if there is an encoder for it.
fn link_sound(pipeline: &gst::Pipeline, decode: &gst::Element, mux: gst::Element, sound: Option<&'static str>) {
    let pipeline = pipeline.downgrade();
    decode.connect_pad_added(move |decode, pad| {
        let name = pad.current_caps().and_then(|caps| Some(caps.structure(0)?.name().to_string())).unwrap_or_default();
        let linked = match (name.as_str(), pipeline.upgrade()) {
            ("audio/x-raw", Some(pipeline)) => sound.map_or(Ok(()), |sound| add_sound(pad, &pipeline, &mux, sound)),
            _ => Ok(()),
        };
        if let Err(error) = linked {
            gst::element_error!(decode, gst::StreamError::Failed, ["{error}"]);
        }
    });
}

/// Adds a sound track.
fn add_sound(pad: &gst::Pad, pipeline: &gst::Pipeline, mux: &gst::Element, encoder: &str) -> Result<(), Error> {
    let line = format!("queue ! audioconvert ! audioresample ! {encoder} ! queue");
    let branch = gst::parse::bin_from_description(&line, true)?;
    pipeline.add(&branch)?;
    branch.link(mux)?;
    branch.sync_state_with_parent()?;
    pad.link(&branch.static_pad("sink").expect("the line has an open end"))?;
    Ok(())
}

/// Attaches the faces to the frames that enter `overlay`.
fn attach(overlay: &gst::Element, faces: FacesByTime) {
    let pad = overlay.static_pad("sink").expect("a filter has this pad");
    let state = Mutex::new((faces, Timeline::default()));
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let (caps, segment) = (pad.current_caps(), pad.sticky_event::<gst::event::Segment>(0));
        let video = caps.as_ref().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
        if let (Some(video), Some(gst::PadProbeData::Buffer(buffer))) = (video, &mut info.data) {
            let (faces, timeline) = &mut *state.lock();
            let found = faces.at(timeline.stamp(buffer, caps.as_deref(), segment.as_ref().map(|event| event.segment())));
            let size = Size::new(video.width(), video.height());
            let buffer = buffer.make_mut();
            meta::write_search(buffer, size, &found, SearchAge::Ago(Duration::ZERO));
            meta::write_emotions(buffer, size, &found);
        }
        gst::PadProbeReturn::Ok
    });
}
