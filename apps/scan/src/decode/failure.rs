// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a file has no frames.

use std::time::Duration;

use super::groups::Distrust;
use super::missing;
use crate::error::Error;
use crate::inputs::Unavailable;

/// Why there are no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Failure {
    /// The file has no pictures: it is sound, text or something else.
    #[error("expected a photo or a video, found a file without pictures")]
    Other,
    #[error("expected a photo or a video, found contents of no known kind")]
    Unknown,
    #[error("no decoder for {0} is installed; {help}", help = missing::help())]
    NoDecoder(String),
    /// An MXF file without a video that the demuxer knows.
    #[error("GStreamer's demuxer finds no video in this MXF file; {help}", help = missing::help())]
    NoMxfVideo,
    /// The decoder outputs a pixel format that GStreamer does not have.
    #[error(
        "the decoder's pixel format is unknown to this version of GStreamer; convert the file: \
         ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p OUT.mkv"
    )]
    PixelFormat,
    /// A recorder could not write the index.
    #[error(
        "the recording was cut off: its index is missing, which is written last; with an intact recording of the same camera, \
         `untrunc` repairs it (https://github.com/anthwlock/untrunc); recordings as Matroska or fragmented MP4 need no index"
    )]
    NoIndex,
    #[error("the file was cut off: {0} bytes are missing at its end; what is there was examined")]
    CutOff(u64),
    /// A demuxer has ended in the middle of a file.
    #[error("the file is damaged: GStreamer reads {} s of {} s; what is before the damage was examined", .at_ns / 1_000_000_000, .length_ns / 1_000_000_000)]
    Ended { at_ns: u64, length_ns: u64 },
    /// Raw video with more than 8 bits, which GStreamer would read as 8 bits.
    #[error("expected raw video of 8 bits, found more; convert the file: ffmpeg -i FILE -pix_fmt yuv420p OUT.y4m")]
    DeepRawVideo,
    #[error("no frame within {} s", .0.as_secs_f64())]
    Stuck(Duration),
    #[error("cannot seek to {} s", .0 / 1_000_000_000)]
    NoSeek(u64),
    /// GStreamer's reason why pictures cannot be decoded.
    #[error("{0}")]
    Decoding(String),
    /// Why the reader of photos cannot read it.
    #[error(transparent)]
    Photo(#[from] emotion_photo_reader::Error),
    /// Why a frame could not be analysed.
    #[error("{0}")]
    Analysis(String),
    /// Why a video cannot be sampled by its keyframes. All its frames can be decoded instead.
    #[error(transparent)]
    Unsampled(#[from] Distrust),
    /// Why a remote file could not be downloaded.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// An error of the elements is one of the slice, since the analysis of other files may succeed.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Analysis(error.to_string())
    }
}
