// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the copy of a file is written as.

use std::path::Path;

use emotion_supervise::encoding;
use gst::prelude::*;

use crate::error::Error;
use crate::findings::Kind;
use crate::output::drawing::sound_encoder;

/// Fields of encoded sound that a parser changes to what a muxer takes.
const PARSED: [&str; 5] = ["framed", "parsed", "stream-format", "alignment", "codec_data"];

/// How the copy of a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    /// What follows the name of the file; empty if the copy has the same name.
    pub ending: &'static str,
    /// Elements from pictures to what the muxer takes.
    pub encode: String,
    /// The muxer.
    pub mux: &'static str,
}

impl Container {
    /// That of a photo or video of this name: its own, if it can be written, else PNG or MP4.
    pub(super) fn of(input: &Path, kind: Kind) -> Result<Self, Error> {
        let extension = input.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let (ending, encode, mux) = match (kind, extension.as_str()) {
            (Kind::Photo, "jpg" | "jpeg") => ("", "jpegenc quality=95 snapshot=true".to_owned(), "identity"),
            (Kind::Photo, _) => (if extension == "png" { "" } else { ".png" }, "pngenc snapshot=true".to_owned(), "identity"),
            // The format WebM has no H.264.
            (_, "webm") => (
                "",
                "vp8enc deadline=1 cpu-used=8 end-usage=cq cq-level=16 min-quantizer=4 threads=4 target-bitrate=6000000".to_owned(),
                "webmmux",
            ),
            (_, "mkv") => ("", encoding::encoder()?.recording.to_owned(), "matroskamux"),
            (_, "mov") => ("", encoding::encoder()?.recording.to_owned(), "qtmux"),
            (_, "mp4" | "m4v") => ("", encoding::encoder()?.recording.to_owned(), "mp4mux"),
            _ => (".mp4", encoding::encoder()?.recording.to_owned(), "mp4mux"),
        };
        Ok(Self { ending, encode, mux })
    }
}

/// The line from sound of these caps to `mux`: as it is, if the muxer takes it, else encoded anew.
pub(super) fn sound_line(caps: &gst::Caps, mux: &gst::Element) -> Result<String, Error> {
    let mut own = caps.copy();
    own.make_mut().iter_mut().for_each(|one| one.remove_fields(PARSED));
    let takes = |template: &gst::PadTemplate| template.name_template().starts_with("audio") && template.caps().can_intersect(&own);
    if !mux.pad_template_list().iter().any(takes) {
        let encoder = if mux.factory().is_some_and(|factory| factory.name() == "webmmux") { "vorbisenc" } else { sound_encoder()? };
        return Ok(format!("queue ! decodebin ! audioconvert ! audioresample ! {encoder} ! queue name=end"));
    }
    let first = own.structure(0);
    let version = first.and_then(|first| first.get::<i32>("mpegversion").ok());
    let parser = match (first.map_or("", |first| first.name().as_str()), version) {
        ("audio/mpeg", Some(1)) => "mpegaudioparse ! ",
        ("audio/mpeg", _) => "aacparse ! ",
        ("audio/x-ac3" | "audio/x-eac3", _) => "ac3parse ! ",
        ("audio/x-opus", _) => "opusparse ! ",
        _ => "",
    };
    Ok(format!("queue ! {parser}queue name=end"))
}
