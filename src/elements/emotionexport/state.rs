// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `emotionexport` knows of its stream.

use std::io;

use smallvec::SmallVec;

use super::imp::Settings;
use crate::elements::detector_watch::DetectorWatch;
use crate::elements::picture_changes::PictureChanges;
use crate::export::{Chunk, Exporter, FrameLengths, FrameReport, FrameTime, Options, Output, Span, Utc};
use crate::geometry::Size;
use crate::record::FaceRecord;

/// What a frame or an event leads to: first for a frame that was held, then for itself.
pub(super) type Outputs = SmallVec<[Output; 2]>;

/// What the stream made of the settings.
pub(super) struct State {
    pub(super) exporter: Exporter,
    pub(super) caps: gst::Caps,
    pub(super) video: Option<Video>,
    /// What lies between the picture that faces were marked on and this one.
    pub(super) picture_changes: PictureChanges,
    pub(super) segment: gst::FormattedSegment<gst::ClockTime>,
    pub(super) stream_id: String,
    pub(super) frames: u64,
    /// End of the frame before.
    pub(super) position: Option<gst::ClockTime>,
    /// Whether upstream is live; asked for at the first frame of a segment.
    pub(super) live: Option<bool>,
    /// True if the next buffer does not continue the one before.
    pub(super) discont: bool,
    pub(super) detector_watch: DetectorWatch,
    /// Holds a frame of unknown length until the next one.
    pub(super) lengths: FrameLengths,
}

/// What matters of the video's caps.
#[derive(Clone, Copy)]
pub(super) struct Video {
    pub(super) size: Size,
    pub(super) frame_duration: Option<gst::ClockTime>,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        let options = Options {
            format: settings.format.into(),
            interval_ns: settings.interval,
            on_change: settings.on_change,
            aggregate_only: settings.aggregate_only,
        };
        Self {
            exporter: Exporter::new(options),
            caps: settings.format.caps(),
            video: None,
            picture_changes: PictureChanges::default(),
            segment: gst::FormattedSegment::new(),
            stream_id: String::new(),
            frames: 0,
            position: None,
            live: None,
            discont: true,
            detector_watch: DetectorWatch::default(),
            lengths: FrameLengths::default(),
        }
    }

    /// What `buffer` leads to; none before there are caps. `utc_at` tells the time of day at a running time, for live
    /// pictures that do not say it themselves.
    pub(super) fn frame(&mut self, buffer: &gst::BufferRef, utc_at: impl FnOnce(u64) -> Option<Utc>) -> Option<io::Result<Outputs>> {
        let video = self.video?;
        let length = buffer.duration().filter(|duration| !duration.is_zero()).or(video.frame_duration);
        let mut time = self.time(buffer, length.unwrap_or(clock_time(self.lengths.usual_ns())));
        if self.live == Some(true) && time.utc.is_none() {
            time.utc = time.running_time_ns.and_then(utc_at);
        }
        self.position = Some(clock_time(time.end_ns()));
        self.frames += 1;
        let faces = self.picture_changes.read_faces(buffer, video.size);
        Some(self.report(time, length.is_some(), &faces))
    }

    fn report(&mut self, time: FrameTime, is_length_known: bool, faces: &[FaceRecord]) -> io::Result<Outputs> {
        let mut outputs = self.end_frame(Some(time.pts_ns))?;
        let report = FrameReport { stream: &self.stream_id, frame: self.frames - 1, time, faces };
        if is_length_known {
            outputs.push(self.exporter.frame(&report)?);
        } else {
            self.lengths.keep(report);
        }
        Ok(outputs)
    }

    /// What the frame that is held leads to, which ends where something follows at `pts_ns`.
    fn end_frame(&mut self, pts_ns: Option<u64>) -> io::Result<Outputs> {
        let ended = match pts_ns {
            Some(pts_ns) => self.lengths.end_at(pts_ns),
            None => self.lengths.end(),
        };
        ended.into_iter().map(|frame| self.exporter.frame(&frame.report())).collect()
    }

    /// What a stretch of time without frames leads to.
    pub(super) fn gap(&mut self, pts: gst::ClockTime, duration: gst::ClockTime) -> io::Result<Outputs> {
        let mut outputs = self.end_frame(Some(pts.nseconds()))?;
        self.position = Some(pts.saturating_add(duration));
        let time = self.time_at(pts, duration);
        outputs.push(self.exporter.gap(&time)?);
        Ok(outputs)
    }

    /// Where the frame is: its own times, else those that follow from the frame before.
    fn time(&self, buffer: &gst::BufferRef, duration: gst::ClockTime) -> FrameTime {
        let pts = buffer.pts().or(self.position).or(self.segment.start()).unwrap_or_default();
        FrameTime { utc: reference_utc(buffer), ..self.time_at(pts, duration) }
    }

    fn time_at(&self, pts: gst::ClockTime, duration: gst::ClockTime) -> FrameTime {
        FrameTime {
            pts_ns: pts.nseconds(),
            duration_ns: duration.nseconds(),
            stream_time_ns: self.segment.to_stream_time(pts).map(gst::ClockTime::nseconds),
            running_time_ns: self.segment.to_running_time(pts).map(gst::ClockTime::nseconds),
            utc: None,
        }
    }

    /// The nearest time in the segment. What is sent at the end of a segment would start after it, and every sink drops
    /// what does.
    fn inside_segment(&self, ns: u64) -> u64 {
        let last = self.segment.stop().map_or(u64::MAX, |stop| stop.nseconds().saturating_sub(1));
        ns.min(last).max(self.segment.start().unwrap_or_default().nseconds())
    }

    /// What is still held back; with `last`, also the header of a file that has no records.
    pub(super) fn finish(&mut self, last: bool) -> io::Result<Outputs> {
        let mut outputs = self.end_frame(None)?;
        let position = self.position.unwrap_or_default().nseconds();
        let mut chunk = self.exporter.finish()?;
        if chunk.is_none() && last && self.video.is_some() {
            let span = Span { pts_ns: position, duration_ns: 0 };
            chunk = self.exporter.header().map(|header| Chunk { span, header: Some(header), body: Vec::new(), warning: None });
        }
        let chunk = chunk.map(|chunk| Chunk { span: Span { pts_ns: self.inside_segment(chunk.span.pts_ns), ..chunk.span }, ..chunk });
        outputs.extend(chunk.map(Output::Text));
        Ok(outputs)
    }

    /// Forgets what is open and where the time line was, as after a flush.
    pub(super) fn flush(&mut self) {
        self.exporter.restart();
        self.lengths.clear();
        self.begin(gst::FormattedSegment::new());
    }

    /// Goes on in another segment.
    pub(super) fn begin(&mut self, segment: gst::FormattedSegment<gst::ClockTime>) {
        self.segment = segment;
        self.position = None;
        self.live = None;
        self.discont = true;
    }
}

/// The time of that many nanoseconds; the one value that means no time is taken for the last one that does.
pub(super) fn clock_time(ns: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(ns.min(gst::ClockTime::MAX.nseconds()))
}

/// The time at which the picture was taken, as a source that knows it says.
fn reference_utc(buffer: &gst::BufferRef) -> Option<Utc> {
    buffer.iter_meta::<gst::meta::ReferenceTimestampMeta>().find_map(|meta| {
        let ns = meta.timestamp().nseconds();
        match meta.reference().structure(0)?.name().as_str() {
            "timestamp/x-unix" => Some(Utc(ns)),
            "timestamp/x-ntp" => Utc::from_ntp(ns),
            _ => None,
        }
    })
}
