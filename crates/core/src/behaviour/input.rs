// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a stream of faces consists of: the faces of one frame and the frame's times.

use emotion_records::Utc;

use crate::geometry::Size;
use crate::record::FaceRecord;

/// A span of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Start.
    pub pts_ns: u64,
    /// Duration.
    pub duration_ns: u64,
}

impl Span {
    /// The first nanosecond after the span.
    pub fn end_ns(&self) -> u64 {
        self.pts_ns.saturating_add(self.duration_ns)
    }
}

/// The times of a frame, or of the first frame of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameTime {
    /// Timestamp.
    pub pts_ns: u64,
    /// Duration.
    pub duration_ns: u64,
    /// Position in the media.
    pub stream_time_ns: Option<u64>,
    /// Time since the pipeline began to play.
    pub running_time_ns: Option<u64>,
    /// Capture time.
    pub utc: Option<Utc>,
}

impl FrameTime {
    /// Position in the media, which places intervals and cues: the stream time, or the timestamp where that is unknown.
    pub fn position_ns(&self) -> u64 {
        self.stream_time_ns.unwrap_or(self.pts_ns)
    }

    /// Timestamp and duration.
    pub fn span(&self) -> Span {
        Span { pts_ns: self.pts_ns, duration_ns: self.duration_ns }
    }

    /// The first nanosecond after the frame.
    pub fn end_ns(&self) -> u64 {
        self.pts_ns.saturating_add(self.duration_ns)
    }

    /// Time between two positions in the media, in either direction, since playback may be in reverse.
    pub(super) fn distance_ns(&self, other: &Self) -> u64 {
        self.position_ns().abs_diff(other.position_ns())
    }

    /// The moment at which the frame ends; its duration is 0.
    pub fn end(&self) -> Self {
        let later = |start_ns: u64| start_ns.saturating_add(self.duration_ns);
        Self {
            pts_ns: self.end_ns(),
            duration_ns: 0,
            stream_time_ns: self.stream_time_ns.map(later),
            running_time_ns: self.running_time_ns.map(later),
            utc: self.utc.map(|Utc(start_ns)| Utc(later(start_ns))),
        }
    }
}

/// The faces of one frame, with the fields that every record has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameReport<'a> {
    /// Name of the video.
    pub stream: &'a str,
    /// Number of frames that arrived before this one.
    pub frame: u64,
    /// Times of the frame.
    pub time: FrameTime,
    /// Size of the frame in pixels.
    pub size: Size,
    /// All faces on the frame.
    pub faces: &'a [FaceRecord],
    /// True if faces may be missing or have wrong positions; see [`FrameRecord::misplaced`](crate::record::FrameRecord::misplaced).
    pub misplaced: bool,
}

impl FrameReport<'_> {
    /// True if a face has a geometry.
    pub fn has_geometry(&self) -> bool {
        self.faces.iter().any(|face| face.geometry.is_some())
    }

    /// The labels of the first scored face; none if no face was scored yet.
    pub fn labels(&self) -> Option<&[String]> {
        self.faces.iter().find_map(|face| face.emotion.as_ref()).map(|emotion| emotion.labels.as_slice())
    }
}
