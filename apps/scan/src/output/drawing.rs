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
use emotion_photo_reader::{Reading, Stream, source};
use emotion_supervise::decoding::{forbid_direct_rendering, link_default_video, name_dnxhr};
use emotion_supervise::encoding;
use gst::prelude::*;
use gstemotion::meta;
use parking_lot::Mutex;

use super::faces_by_time::FacesByTime;
use crate::decode::Timeline;
use crate::error::Error;
use crate::findings::Kind;

/// Encoders of sound in the order of preference.
const SOUND_ENCODERS: [&str; 3] = ["fdkaacenc", "avenc_aac", "voaacenc"];

/// A pipeline that draws `faces` on the photo or video `input` and writes it to `output`, a photo as PNG or JPEG.
pub(super) fn build(input: &Path, kind: Kind, is_png: bool, output: &Path, faces: FacesByTime) -> Result<gst::Pipeline, Error> {
    let (encode, mux) = match kind {
        Kind::Photo if is_png => ("pngenc snapshot=true", "identity"),
        Kind::Photo => ("jpegenc quality=95 snapshot=true", "identity"),
        _ => (encoding::encoder()?.recording, "mp4mux"),
    };
    let line = format!(
        "queue name=video ! videoconvert ! videoflip name=flip video-direction=auto ! videoconvert ! emotionoverlay name=overlay ! videoconvert ! {encode} ! \
         queue ! {mux} name=mux ! filesink name=out"
    );
    let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().expect("a line of several elements is a pipeline");
    let element = |name: &str| pipeline.by_name(name).expect("the line has this name");
    element("out").set_property("location", output);
    attach(&element("overlay"), faces);
    forbid_direct_rendering(&pipeline);
    name_dnxhr(&pipeline);
    match Reading::of(input) {
        Ok(Reading::Photo(_)) => {
            let pictures = source::of_file(input);
            pipeline.add(&pictures)?;
            pictures.link(&element("video"))?;
        }
        // If the file can no longer be read, the pipeline says why.
        Err(_) => decode(&pipeline, input, &Stream::default(), kind)?,
        Ok(Reading::Stream(stream)) => decode(&pipeline, input, &stream, kind)?,
    }
    Ok(pipeline)
}

/// Adds the elements by which GStreamer decodes `input`.
fn decode(pipeline: &gst::Pipeline, input: &Path, stream: &Stream, kind: Kind) -> Result<(), Error> {
    let element = |name: &str| pipeline.by_name(name).expect("the line has this name");
    if let Some(direction) = stream.tag().and_then(|tags| gst_video::VideoOrientationMethod::from_tag(&tags)) {
        element("flip").set_property("video-direction", direction);
    }
    let (file, decode) = (stream.source(input)?, gst::ElementFactory::make("decodebin").build()?);
    pipeline.add_many([&file, &decode])?;
    file.link(&decode)?;
    let sound = (kind == Kind::Video).then(sound_encoder).transpose()?;
    link_streams(pipeline, &decode, element("video"), element("mux"), sound);
    Ok(())
}

/// The first encoder that is installed.
fn sound_encoder() -> Result<&'static str, Error> {
    let found = SOUND_ENCODERS.into_iter().find(|name| gst::ElementFactory::find(name).is_some());
    found.ok_or_else(|| Error::NoSoundEncoder(SOUND_ENCODERS.into()))
}

/// Links what `decode` finds: the default video, and each sound if there is an encoder for it.
fn link_streams(pipeline: &gst::Pipeline, decode: &gst::Element, video: gst::Element, mux: gst::Element, sound: Option<&'static str>) {
    link_default_video(decode, &video);
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
