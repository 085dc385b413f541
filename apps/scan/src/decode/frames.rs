// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames of a file, by the decoder that reads it: GStreamer, or the reader of photos.

use std::path::Path;
use std::time::Duration;

use emotion_photo_reader::{Photo, Reading, frame};

use super::decoder::Decoder;
use super::failure::Failure;
use super::frame::{Chosen, Frame, Part};
use super::limits::Limits;
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
    /// Opens a file, of which the frames of `sampling` are examined.
    pub fn open(path: &Path, limits: Limits, sampling: Sampling) -> Result<Self, Failure> {
        match Reading::of(path)? {
            Reading::Stream(stream) => {
                limits.check(stream.size)?;
                let opened = Decoder::open(path, &stream, limits, sampling);
                let is_decoded = opened.as_ref().is_ok_and(|decoder| !decoder.is_at_end());
                match stream.refused.filter(|_| !is_decoded) {
                    Some(refused) => Err(refused.into()),
                    None => Ok(Self::Stream(Box::new(opened?))),
                }
            }
            Reading::Photo(photo) => {
                limits.check(Some(photo.facts().size))?;
                Ok(Self::Photo(Box::new(photo)))
            }
        }
    }

    /// Opens the same file again, to decode all its frames.
    pub fn reopen(&mut self) -> Result<(), Failure> {
        self.stream_mut().map_or(Ok(()), |decoder| decoder.reopen(decoder.sampling().exact()))
    }

    /// The decoder of GStreamer.
    fn stream(&self) -> Option<&Decoder> {
        if let Self::Stream(decoder) = self { Some(decoder) } else { None }
    }

    fn stream_mut(&mut self) -> Option<&mut Decoder> {
        if let Self::Stream(decoder) = self { Some(decoder) } else { None }
    }

    /// Photo or video.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Stream(decoder) => decoder.kind(),
            Self::Photo(photo) if photo.facts().length().is_some() => Kind::Video,
            Self::Photo(_) => Kind::Photo,
        }
    }

    /// False if the file can only be decoded once, from one end to the other.
    pub fn is_stream(&self) -> bool {
        self.stream().is_some()
    }

    /// Position in the stream of time 0, if the file is read from its beginning because seeks would change the times of its frames.
    pub fn origin_ns(&self) -> Option<u64> {
        self.stream().and_then(Decoder::origin_ns)
    }

    /// Finds out, at the beginning of the file, whether seeks keep the times of frames.
    pub fn check_seeks(&mut self) -> Result<(), Failure> {
        self.stream_mut().map_or(Ok(()), Decoder::check_seeks)
    }

    /// Number of videos in the file, of which one is decoded.
    pub fn videos(&self) -> u32 {
        self.stream().map_or(1, Decoder::videos)
    }

    /// Times of the frames of the slice, at its end; `None` if all of them were decoded. Fails if the video cannot be sampled by its
    /// keyframes.
    pub fn times(&self) -> Result<Option<Vec<u64>>, Failure> {
        self.stream().map_or(Ok(None), Decoder::times)
    }

    /// Length of the file; `None` if its container does not have it.
    pub fn length_ns(&self) -> Option<u64> {
        match self {
            Self::Stream(decoder) => decoder.length_ns(),
            Self::Photo(photo) => photo.facts().length().map(nanoseconds),
        }
    }

    /// The keyframe at or before `time_ns`; `None` if the file cannot seek there.
    pub fn keyframe_before(&mut self, time_ns: u64) -> Result<Option<u64>, Failure> {
        self.stream_mut().map_or(Ok(None), |decoder| decoder.keyframe_before(time_ns))
    }

    /// Returns to the beginning, unless the decoder is there.
    pub fn rewind(&mut self) -> Result<(), Failure> {
        self.stream_mut().map_or(Ok(()), Decoder::rewind)
    }

    /// Continues with a part of the file, exactly at its run-up. A photo has no keyframes, so it is a single slice.
    pub fn continue_at(&mut self, part: Part) -> Result<(), Failure> {
        self.stream_mut().map_or(Err(Failure::NoSeek(part.run_up_ns)), |decoder| decoder.continue_at(part))
    }

    /// Other frames are examined after the next seek.
    pub fn set_sampling(&mut self, sampling: Sampling) {
        self.stream_mut().into_iter().for_each(|decoder| decoder.set_sampling(sampling));
    }

    /// The next frame; `None` at the end.
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
        self.stream().map_or_else(Vec::new, Decoder::tags)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
