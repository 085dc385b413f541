// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stream of `emotionexport`: what each frame, gap and end of segment leads to.

use std::io;

use smallvec::SmallVec;

use super::settings::Settings;
use super::times::{clock_time, time_of_day};
use crate::elements::upstream::detector_watch::DetectorWatch;
use crate::elements::upstream::names;
use crate::elements::upstream::picture_changes::PictureChanges;
use crate::export::{Chunk, Exporter, FrameLengths, FrameReport, FrameTime, Output, Span, Utc};
use crate::geometry::Size;
use crate::record::FrameRecord;

/// What a frame or an event leads to. A frame that was held back comes first, then the frame or event itself.
pub(super) type Outputs = SmallVec<[Output; 2]>;

/// What exists between READY and PAUSED.
pub(super) struct State {
    pub(super) exporter: Exporter,
    pub(super) caps: gst::Caps,
    pub(super) video: Option<Video>,
    /// What the elements upstream did to the picture since the faces were detected.
    pub(super) picture_changes: PictureChanges,
    /// The first elements that may have moved the picture, of which the application is told once.
    pub(super) misplaced: Option<String>,
    pub(super) segment: gst::FormattedSegment<gst::ClockTime>,
    pub(super) stream_id: String,
    /// Name of the video in the records; none is `stream_id`.
    pub(super) source: Option<String>,
    /// Frames of this stream so far.
    pub(super) frames: u64,
    /// End of the last frame or gap.
    pub(super) position: Option<gst::ClockTime>,
    /// Whether upstream is live; none until the first frame of a segment, when upstream is queried.
    pub(super) is_live: Option<bool>,
    /// Set if the next buffer does not continue the last one.
    pub(super) is_discont: bool,
    pub(super) detector_watch: DetectorWatch,
    /// Holds back a frame of unknown length until the next frame arrives.
    pub(super) lengths: FrameLengths,
}

/// The fields of the video's caps that are used.
#[derive(Clone, Copy)]
pub(super) struct Video {
    pub(super) size: Size,
    pub(super) frame_duration: Option<gst::ClockTime>,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            caps: settings.caps(),
            exporter: Exporter::new(settings.options),
            video: None,
            picture_changes: PictureChanges::keeping(names(settings.keeps_place.as_deref())),
            misplaced: None,
            segment: gst::FormattedSegment::new(),
            stream_id: String::new(),
            source: settings.source,
            frames: 0,
            position: None,
            is_live: None,
            is_discont: true,
            detector_watch: DetectorWatch::default(),
            lengths: FrameLengths::default(),
        }
    }

    /// What `buffer` leads to; none before the caps are known. `utc_at` gives the time of day at a running time in
    /// nanoseconds; it is called for live pictures without a time of their own.
    pub(super) fn frame(&mut self, buffer: &gst::BufferRef, utc_at: impl FnOnce(u64) -> Option<Utc>) -> Option<io::Result<Outputs>> {
        let video = self.video?;
        let length = buffer.duration().filter(|duration| !duration.is_zero()).or(video.frame_duration);
        let mut time = self.time(buffer, length.unwrap_or(clock_time(self.lengths.usual_ns())));
        if self.is_live == Some(true) && time.utc.is_none() {
            time.utc = time.running_time_ns.and_then(utc_at);
        }
        self.position = Some(clock_time(time.end_ns()));
        self.frames += 1;
        let (mut record, _) = self.picture_changes.read(buffer, video.size);
        record.faces.retain(|face| face.confirmed);
        if self.misplaced.is_none() && !record.misplaced.is_empty() {
            self.misplaced = Some(record.misplaced.join(", "));
        }
        Some(self.report(time, length.is_some(), video.size, &record))
    }

    fn report(&mut self, time: FrameTime, is_length_known: bool, size: Size, record: &FrameRecord) -> io::Result<Outputs> {
        let mut outputs = self.end_held_frame(Some(time.pts_ns))?;
        let stream = self.source.as_deref().unwrap_or(&self.stream_id);
        let misplaced = !record.misplaced.is_empty();
        let report = FrameReport { stream, frame: self.frames - 1, time, size, faces: &record.faces, misplaced };
        if is_length_known {
            outputs.push(self.exporter.frame(&report)?);
        } else {
            self.lengths.keep(report);
        }
        Ok(outputs)
    }

    /// What the frame that was held back leads to. Its length follows from `pts_ns`, the start of the next frame or gap;
    /// with none, it is that of the previous frame.
    fn end_held_frame(&mut self, pts_ns: Option<u64>) -> io::Result<Outputs> {
        let ended = match pts_ns {
            Some(pts_ns) => self.lengths.end_at(pts_ns),
            None => self.lengths.end(),
        };
        ended.into_iter().map(|frame| self.exporter.frame(&frame.report())).collect()
    }

    /// What a span of time without frames leads to.
    pub(super) fn gap(&mut self, pts: gst::ClockTime, duration: gst::ClockTime) -> io::Result<Outputs> {
        let mut outputs = self.end_held_frame(Some(pts.nseconds()))?;
        self.position = Some(pts.saturating_add(duration));
        let time = self.time_at(pts, duration);
        outputs.push(self.exporter.gap(&time)?);
        Ok(outputs)
    }

    /// The times of a frame: its own, or those after the last frame if it has no timestamp.
    fn time(&self, buffer: &gst::BufferRef, duration: gst::ClockTime) -> FrameTime {
        let pts = buffer.pts().or(self.position).or(self.segment.start()).unwrap_or_default();
        FrameTime { utc: time_of_day(buffer), ..self.time_at(pts, duration) }
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

    /// The nearest time inside the segment. Sinks drop buffers that start at or after its end, which the last summary
    /// would.
    fn clamp_to_segment(&self, ns: u64) -> u64 {
        let last = self.segment.stop().map_or(u64::MAX, |stop| stop.nseconds().saturating_sub(1));
        ns.min(last).max(self.segment.start().unwrap_or_default().nseconds())
    }

    /// What is still held back. With `is_last`, a file without records still gets its header.
    pub(super) fn finish(&mut self, is_last: bool) -> io::Result<Outputs> {
        let mut outputs = self.end_held_frame(None)?;
        let position = self.position.unwrap_or_default().nseconds();
        let mut chunk = self.exporter.finish()?;
        if chunk.is_none() && is_last && self.video.is_some() {
            let span = Span { pts_ns: position, duration_ns: 0 };
            chunk = self.exporter.header().map(|header| Chunk { span, utc: None, header: Some(header), body: Vec::new(), warning: None });
        }
        let chunk = chunk.map(|chunk| Chunk { span: Span { pts_ns: self.clamp_to_segment(chunk.span.pts_ns), ..chunk.span }, ..chunk });
        outputs.extend(chunk.map(Output::Text));
        Ok(outputs)
    }

    /// Forgets the open summary, the frame that is held back and the position, as after a flush.
    pub(super) fn flush(&mut self) {
        self.exporter.restart();
        self.lengths.clear();
        self.start_segment(gst::FormattedSegment::new());
    }

    /// Continues in another segment.
    pub(super) fn start_segment(&mut self, segment: gst::FormattedSegment<gst::ClockTime>) {
        self.segment = segment;
        self.position = None;
        self.is_live = None;
        self.is_discont = true;
    }
}
