// SPDX-License-Identifier: MIT OR Apache-2.0
//! What decodebin finds in a file, and which of its videos is decoded.

use std::sync::Arc;

use emotion_supervise::decoding::{decode_on_one_thread, forbid_direct_rendering, name_dnxhr, refuse, videos};
use gst::prelude::*;
use parking_lot::Mutex;

use super::frame::{Part, Range};
use super::gate::{Gate, Gates, decoder_of};
use super::{missing, pictures};
use crate::sampling::Sampling;

/// Name of the message that a pipeline without video posts.
const NO_VIDEO: &str = "emotion-scan-no-video";
/// Media types of videos whose name does not begin with `video/` or `image/`.
const VISUAL_TYPES: [&str; 5] =
    ["application/ogg", "application/mxf", "application/vnd.rn-realmedia", "application/x-gst-av-nut", "application/x-shockwave-flash"];
/// Containers in which a frame has the same time after a seek as in a run from the start: those of which the truth film (see
/// `tests/scan/truth`) finds nothing else. In transport streams, the times after a seek are others, by the difference between two
/// clocks; in ASF, timestamps are lost, in FLV frames, and in MXF, times may be those of the frame before.
const SEEKABLE: [&str; 8] =
    ["video/quicktime", "application/x-3gp", "video/x-m4v", "video/mj2", "video/x-matroska", "video/webm", AVI, "application/ogg"];
/// The container whose frames have only the time at which they are decoded.
const AVI: &str = "video/x-msvideo";
/// Media types of videos whose frames may be shown in another order than they are decoded, and profiles in which they are not.
const REORDERED_TYPES: [&str; 3] = ["video/mpeg", "video/x-h264", "video/x-h265"];
const ORDERED_PROFILES: [&str; 3] = ["simple", "baseline", "constrained-baseline"];
/// The media type of ASF, in which a picture beside the sound is a track: the cover of an album.
const ASF: &str = "video/x-ms-asf";

/// What decodebin finds while it builds the pipeline.
#[derive(Debug, Default)]
pub struct Found {
    /// Media type of the file.
    pub media_type: Option<String>,
    /// Description of a video without a decoder.
    pub undecodable: Option<String>,
    /// Number of videos that can be decoded.
    pub videos: u32,
    /// Drops the frames that nobody examines.
    pub gate: Option<Arc<Gate>>,
    /// Set if frames of the video may be shown in another order than they are decoded.
    pub is_reordered: bool,
}

impl Found {
    /// True if the file is a photo.
    pub fn is_photo(&self) -> bool {
        self.media_type.as_deref().is_some_and(|name| name.starts_with("image/"))
    }

    /// True if the container is one in which seeks keep times.
    pub fn is_seekable(&self) -> bool {
        !self.lacks_times() && self.media_type.as_deref().is_some_and(|name| SEEKABLE.contains(&name))
    }

    /// True if compressed frames do not have the time at which they are shown.
    pub fn lacks_times(&self) -> bool {
        self.is_reordered && self.media_type.as_deref() == Some(AVI)
    }

    /// True if the file is known to have no pictures.
    pub fn is_other(&self) -> bool {
        self.media_type.as_deref().is_some_and(|media_type| !is_visual(media_type))
    }
}

/// Links one video of `decode` to `sink` and records what is found. Sound and text stay encoded.
pub fn watch(decode: &gst::Element, sink: &gst_app::AppSink, sampling: Sampling) -> Arc<Mutex<Found>> {
    let found = Arc::new(Mutex::new(Found::default()));
    pictures::stamp(decode);
    let gates = gates(decode, &found, sampling);
    forbid_direct_rendering(decode);
    decode_on_one_thread(decode);
    name_dnxhr(decode);
    refuse(decode, |_| false);
    record_types(decode, &found);
    let (entry, seen) = (sink.static_pad("sink").expect("a sink has a pad"), found.clone());
    // All pads exist by then. In a transport stream that changes, this happens again.
    decode.connect_no_more_pads(move |decode| {
        if entry.is_linked() {
            return;
        }
        let (number, default) = videos(decode);
        let mut seen = seen.lock();
        seen.videos = seen.videos.max(number as u32);
        seen.gate = default.as_ref().and_then(|video| gates.as_ref()?.of_output(video));
        let compressed = default.as_ref().and_then(|video| decoder_of(video)?.static_pad("sink")?.current_caps());
        seen.is_reordered = compressed.is_some_and(|caps| is_reordered(&caps));
        drop(seen);
        match default {
            Some(video) => {
                // Without a link, the pipeline fails with an error of its own.
                let _ = video.link(&entry);
            }
            None => {
                let message = gst::message::Application::builder(gst::Structure::new_empty(NO_VIDEO)).src(decode).build();
                let _ = decode.post_message(message);
            }
        }
    });
    found
}

/// The gates before the decoders, if few frames are examined.
fn gates(decode: &gst::Element, found: &Arc<Mutex<Found>>, sampling: Sampling) -> Option<Arc<Gates>> {
    let pace = sampling.pace()?;
    let seen = found.clone();
    let kind = move || {
        let seen = seen.lock();
        (!seen.is_photo()).then(|| seen.is_seekable())
    };
    Some(Gates::watch(decode, (pace, Range::of(Part::default())), kind))
}

/// Records the type of the file and what cannot be decoded.
fn record_types(decode: &gst::Element, found: &Arc<Mutex<Found>>) {
    let seen = found.clone();
    decode.connect("autoplug-continue", false, move |arguments| {
        let name = arguments[2].get::<gst::Caps>().ok().and_then(|caps| media_type(&caps)).unwrap_or_default();
        let is_cover = name.starts_with("image/") && seen.lock().media_type.as_deref() == Some(ASF);
        Some((!is_cover && !name.starts_with("audio/") && !name.starts_with("text/")).to_value())
    });
    let seen = found.clone();
    decode.connect("unknown-type", false, move |arguments| {
        let caps = arguments[2].get::<gst::Caps>().ok()?;
        if media_type(&caps).is_some_and(|name| is_visual(&name)) {
            seen.lock().undecodable = missing::description(&caps);
        }
        None
    });
    let typefind = decode.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("typefind"));
    let seen = found.clone();
    typefind.inspect(|typefind| {
        typefind.connect("have-type", false, move |arguments| {
            seen.lock().media_type = arguments[2].get::<gst::Caps>().ok().and_then(|caps| media_type(&caps));
            None
        });
    });
}

/// True if frames of these caps may be shown in another order than they are decoded.
fn is_reordered(caps: &gst::CapsRef) -> bool {
    let Some(first) = caps.structure(0) else { return false };
    let is_ordered = first.get::<&str>("profile").is_ok_and(|profile| ORDERED_PROFILES.contains(&profile));
    REORDERED_TYPES.contains(&first.name().as_str()) && !is_ordered
}

fn media_type(caps: &gst::Caps) -> Option<String> {
    caps.structure(0).map(|first| first.name().to_string())
}

/// True if files of this type have pictures.
fn is_visual(media_type: &str) -> bool {
    media_type.starts_with("video/") || media_type.starts_with("image/") || VISUAL_TYPES.contains(&media_type)
}
