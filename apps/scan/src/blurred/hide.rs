// SPDX-License-Identifier: MIT OR Apache-2.0
//! The copy of a file in which what a plan says is hidden. Nothing but the pictures of one video, and its sound, is copied.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use emotion_core::choices::Blur;
use emotion_core::geometry::Size;
use emotion_supervise::decoding::file_decoder;
use gst::prelude::*;
use gstemotion::elements::frame;
use parking_lot::Mutex;

use super::container::{Container, sound_line};
use super::failure::Failure;
use super::options::Sound;
use super::tracks::{Cover, Plan};
use crate::error::Error;
use crate::upright;

/// What is copied, and how.
#[derive(Clone, Copy)]
pub(super) struct Copying<'a> {
    pub input: &'a Path,
    pub output: &'a Path,
    pub container: &'a Container,
    pub style: Blur,
    pub sound: Sound,
    /// A file is given up after this time without progress.
    pub limit: Duration,
}

/// Frames that passed, and the first error.
type Passed = Arc<Mutex<(usize, Option<emotion_core::error::Error>)>>;

/// Writes the copy.
pub(super) fn hide(copying: Copying, plan: &Plan) -> Result<(), Failure> {
    let Container { encode, mux, .. } = copying.container;
    let line = format!("identity name=hidden silent=true ! videoconvert ! {encode} ! queue name=end ! {mux} name=mux ! filesink name=out");
    let pipeline = upright::pipeline(&line)?;
    upright::element(&pipeline, "out").set_property("location", copying.output);
    let passed = Passed::default();
    hide_frames(&upright::element(&pipeline, "hidden"), plan.covers.clone(), copying.style, passed.clone());
    keep_no_tags(&upright::element(&pipeline, "end"));
    upright::read(&pipeline, copying.input, || {
        let decode = file_decoder()?;
        if copying.sound == Sound::Keep && *mux != "identity" {
            copy_sound(&decode, &pipeline, &upright::element(&pipeline, "mux"));
        }
        Ok(decode)
    })?;
    let played = upright::play(&pipeline, copying.limit);
    let _ = pipeline.set_state(gst::State::Null);
    let (frames, error) = std::mem::take(&mut *passed.lock());
    match error {
        Some(error) => Err(error.into()),
        None if played.is_ok() && frames != plan.covers.len() => Err(Failure::Frames { expected: plan.covers.len(), found: frames }),
        None => Ok(played?),
    }
}

/// Hides the faces of the frames that leave `element`. A frame that cannot be hidden does not leave it.
fn hide_frames(element: &gst::Element, covers: Vec<Cover>, blur: Blur, passed: Passed) {
    let pad = element.static_pad("src").expect("a filter has this pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        let (Some(video), Some(gst::PadProbeData::Buffer(buffer))) = (video, &mut info.data) else { return gst::PadProbeReturn::Ok };
        let mut passed = passed.lock();
        let whole = Cover { is_whole: true, ..Cover::default() };
        match hide_frame(buffer.make_mut(), &video, covers.get(passed.0).unwrap_or(&whole), blur) {
            Ok(()) => {
                passed.0 += 1;
                gst::PadProbeReturn::Ok
            }
            Err(error) => {
                passed.1.get_or_insert(error);
                *buffer = gst::Buffer::new();
                if let Some(element) = pad.parent_element() {
                    gst::element_error!(element, gst::StreamError::Failed, ["a frame cannot be hidden"]);
                }
                gst::PadProbeReturn::Ok
            }
        }
    });
}

fn hide_frame(buffer: &mut gst::BufferRef, info: &gst_video::VideoInfo, cover: &Cover, blur: Blur) -> emotion_core::error::Result<()> {
    // Captions, for example.
    buffer.foreach_meta_mut(|meta| {
        let is_layout = [gst_video::VideoMeta::meta_api(), gst_video::VideoCropMeta::meta_api()].contains(&meta.api());
        let action = if is_layout { gst::buffer::BufferMetaForeachAction::Keep } else { gst::buffer::BufferMetaForeachAction::Remove };
        ControlFlow::Continue(action)
    });
    if cover.boxes.is_empty() && !cover.is_whole {
        return Ok(());
    }
    let size = Size::new(info.width(), info.height());
    let mut mapped = frame::map_writable(buffer, info)?;
    let mut canvas = frame::canvas(&mut mapped)?;
    if cover.is_whole {
        canvas.blur_all(blur);
    } else {
        canvas.blur_faces(cover.boxes.iter().map(|rect| rect.from_norm(size)), blur);
    }
    Ok(())
}

/// Lets neither tags nor tables of contents leave `element`: titles, places, cover pictures and chapters.
fn keep_no_tags(element: &gst::Element) {
    let pad = element.static_pad("src").expect("a queue has this pad");
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let is_about = info.event().is_some_and(|event| [gst::EventType::Tag, gst::EventType::Toc].contains(&event.type_()));
        // The bindings free what is dropped a second time.
        if is_about { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
}

/// Copies the first sound that `decode` finds to `mux`.
fn copy_sound(decode: &gst::Element, pipeline: &gst::Pipeline, mux: &gst::Element) {
    let (pipeline, mux, copied) = (pipeline.downgrade(), mux.downgrade(), Mutex::new(false));
    decode.connect_pad_added(move |decode, pad| {
        let Some(caps) = pad.current_caps().filter(|caps| caps.structure(0).is_some_and(|first| first.name().starts_with("audio/"))) else {
            return;
        };
        let (Some(pipeline), Some(mux)) = (pipeline.upgrade(), mux.upgrade()) else { return };
        if !std::mem::replace(&mut *copied.lock(), true)
            && let Err(error) = add_sound(pad, &caps, &pipeline, &mux)
        {
            gst::element_error!(decode, gst::StreamError::Failed, ["{error}"]);
        }
    });
}

fn add_sound(pad: &gst::Pad, caps: &gst::Caps, pipeline: &gst::Pipeline, mux: &gst::Element) -> Result<(), Error> {
    let branch = gst::parse::bin_from_description(&sound_line(caps, mux)?, true)?;
    keep_no_tags(&branch.by_name("end").expect("the line has this name"));
    pipeline.add(&branch)?;
    branch.link(mux)?;
    branch.sync_state_with_parent()?;
    pad.link(&branch.static_pad("sink").expect("the line has an open end"))?;
    Ok(())
}
