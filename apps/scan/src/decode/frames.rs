// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames of a file, by the decoder that reads it: GStreamer, or the reader of photos.

use std::path::Path;
use std::time::Duration;

use emotion_photo_reader::{Photo, Reading, frame};

use super::decoder::Decoder;
use super::failure::Failure;
use super::frame::{Chosen, Frame};
use super::groups::Part;
use crate::findings::Kind;
use crate::sampling::Sampling;

/// The frames of an opened file.
#[derive(Debug)]
pub enum Frames {
    /// By GStreamer.
    Stream(Box<Decoder>),
    /// By the reader of photos, upright.
    Photo(Box<Photo>),
}

impl Frames {
    /// Opens a file, of which the frames of `sampling` are examined. GStreamer gives it up after `limit` without progress.
    ///
    /// # Errors
    /// If the file has no pictures or cannot be decoded.
    pub fn open(path: &Path, limit: Duration, sampling: Sampling) -> Result<Self, Failure> {
        match Reading::of(path)? {
            Reading::Stream(stream) => {
                let opened = Decoder::open(path, &stream, limit, sampling);
                let is_decoded = opened.as_ref().is_ok_and(|decoder| !decoder.is_at_end());
                match stream.refused.filter(|_| !is_decoded) {
                    Some(refused) => Err(refused.into()),
                    None => Ok(Self::Stream(Box::new(opened?))),
                }
            }
            Reading::Photo(photo) => Ok(Self::Photo(Box::new(photo))),
        }
    }

    /// Opens the same file again, to decode all its frames.
    ///
    /// # Errors
    /// If the file has no pictures or cannot be decoded.
    pub fn reopened(self) -> Result<Self, Failure> {
        match self {
            Self::Stream(decoder) => Ok(Self::Stream(Box::new(decoder.reopened()?))),
            Self::Photo(_) => Ok(self),
        }
    }

    /// Photo or video.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Stream(decoder) => decoder.kind(),
            Self::Photo(photo) if photo.facts().length().is_some() => Kind::Video,
            Self::Photo(_) => Kind::Photo,
        }
    }

    /// False if the file can only be decoded from one end to the other.
    pub fn may_seek(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Number of videos in the file, of which one is decoded.
    pub fn videos(&self) -> u32 {
        match self {
            Self::Stream(decoder) => decoder.videos(),
            Self::Photo(_) => 1,
        }
    }

    /// Number of frames of the slice, at its end; `None` if all of them were decoded.
    ///
    /// # Errors
    /// If the video cannot be sampled by its keyframes.
    pub fn frames(&self) -> Result<Option<u64>, Failure> {
        match self {
            Self::Stream(decoder) => decoder.frames(),
            Self::Photo(_) => Ok(None),
        }
    }

    /// Length of the file; `None` if its container does not have it.
    pub fn length_ns(&self) -> Option<u64> {
        match self {
            Self::Stream(decoder) => decoder.length_ns(),
            Self::Photo(photo) => photo.facts().length().map(nanoseconds),
        }
    }

    /// The keyframe at or before `time_ns`; `None` if the file cannot seek there.
    ///
    /// # Errors
    /// If the file cannot be decoded there.
    pub fn keyframe_before(&mut self, time_ns: u64) -> Result<Option<u64>, Failure> {
        match self {
            Self::Stream(decoder) => decoder.keyframe_before(time_ns),
            Self::Photo(_) => Ok(None),
        }
    }

    /// Returns to the beginning, unless the decoder is there.
    ///
    /// # Errors
    /// If the file cannot be decoded there.
    pub fn rewind(&mut self) -> Result<(), Failure> {
        match self {
            Self::Stream(decoder) => decoder.rewind(),
            Self::Photo(_) => Ok(()),
        }
    }

    /// Continues with a part of the file, exactly at its run-up.
    ///
    /// # Errors
    /// If the file cannot be decoded there.
    pub fn continue_at(&mut self, part: Part) -> Result<(), Failure> {
        match self {
            Self::Stream(decoder) => decoder.continue_at(part),
            // It has no keyframes, so it is a single slice.
            Self::Photo(_) => Err(Failure::NoSeek(part.run_up_ns)),
        }
    }

    /// Other frames are examined after the next seek.
    pub fn set_sampling(&mut self, sampling: Sampling) {
        if let Self::Stream(decoder) = self {
            decoder.set_sampling(sampling);
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// If decoding fails or makes no progress.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        match self {
            Self::Stream(decoder) => decoder.next_frame(),
            Self::Photo(photo) => {
                let Some(timed) = photo.next_picture()? else { return Ok(None) };
                let time_ns = nanoseconds(timed.start);
                let sample = frame::sample(timed, frame::rate(photo.facts())).map_err(|error| Failure::Decoding(error.to_string()))?;
                Ok(Some(Frame { sample, time_ns, chosen: Chosen::Undecided }))
            }
        }
    }

    /// The tags of the photo or video, such as the orientation.
    pub fn tags(&self) -> Vec<gst::Event> {
        match self {
            Self::Stream(decoder) => decoder.tags(),
            Self::Photo(_) => Vec::new(),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
