// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turns frames into chunks of text: combines schedule, summary and writer, and tracks the time that the text covers.

use std::io;

use super::{
    Aggregator, Content, Event, EventTracker, Format, FrameReport, FrameTime, GeometryFields, RecordWriter, Schedule, Span, Summary, Utc,
};

/// What to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Format of the text.
    pub format: Format,
    /// Length of an interval; 0 exports every frame.
    pub interval_ns: u64,
    /// Exports only records that differ from the previous one.
    pub on_change: bool,
    /// Exports summaries of intervals instead of faces or events.
    pub aggregate_only: bool,
    /// Time for which something must last to be an event.
    pub hysteresis_ns: u64,
    /// Which records have the geometry of a face.
    pub geometry: GeometryFields,
}

impl Options {
    /// What a record describes.
    fn content(&self) -> Content {
        match self.format {
            _ if self.aggregate_only => Content::Summaries,
            Format::Events => Content::Events,
            _ => Content::Faces,
        }
    }
}

/// Text for a span of the timeline. It consists of complete lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// When the text is shown.
    pub span: Span,
    /// The time of day that the text states, of a format that states one in every record.
    pub utc: Option<Utc>,
    /// The header of the file; set only in the first chunk.
    pub header: Option<String>,
    /// The text; empty only in a chunk that has a header.
    pub body: Vec<u8>,
    /// A message about scores or geometries that the format cannot hold; set once for each.
    pub warning: Option<String>,
}

/// The result of a frame or a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Text to pass on.
    Text(Chunk),
    /// A span without text.
    Gap(Span),
    /// No text, in a time that an earlier output covers.
    Covered,
}

/// Turns frames into timed text.
///
/// Text is returned as soon as it is known, with a span that starts no earlier than the previous one, so that a
/// downstream element that waits for text does not wait long. The summary of an interval is known at the interval's end
/// and is placed there; its record contains the time that it describes. Spans do not overlap, and the time between them
/// is returned as gaps.
pub struct Exporter {
    options: Options,
    writer: Box<dyn RecordWriter>,
    schedule: Schedule,
    aggregator: Aggregator,
    events: EventTracker,
    /// Stream id of the last frame, for events that become known after it.
    stream: String,
    covered_until_ns: Option<u64>,
    last_counts: Option<Vec<u64>>,
    header_done: bool,
    warned: bool,
    warned_of_geometry: bool,
}

impl Exporter {
    /// An exporter before its first frame.
    pub fn new(options: Options) -> Self {
        let writer = options.format.writer(options.content(), options.geometry);
        Self {
            options,
            schedule: Schedule::new(options.interval_ns, options.on_change, writer.marks_absence()),
            writer,
            aggregator: Aggregator::new(options.interval_ns),
            events: EventTracker::new(options.hysteresis_ns),
            stream: String::new(),
            covered_until_ns: None,
            last_counts: None,
            header_done: false,
            warned: false,
            warned_of_geometry: false,
        }
    }

    /// Exports the next frame.
    ///
    /// # Errors
    /// Those of [`RecordWriter`].
    pub fn frame(&mut self, frame: &FrameReport<'_>) -> io::Result<Output> {
        let chunk = match self.options.content() {
            Content::Faces => self.faces_chunk(frame)?,
            Content::Summaries => {
                let summary = self.aggregator.add(frame);
                self.summary_chunk(summary)?
            }
            Content::Events => {
                if self.stream != frame.stream {
                    frame.stream.clone_into(&mut self.stream);
                }
                let events = self.events.frame(frame);
                self.events_chunk(&events, frame.time.span())?
            }
        };
        Ok(self.cover(chunk, frame.time.span()))
    }

    /// Advances over a time without frames.
    ///
    /// # Errors
    /// Those of [`RecordWriter`].
    pub fn gap(&mut self, time: &FrameTime) -> io::Result<Output> {
        let end = time.end();
        let summary = self.aggregator.advance(&end);
        let events = self.events.advance(&end);
        let chunk = match self.summary_chunk(summary)? {
            None => self.events_chunk(&events, time.span())?,
            summary => summary,
        };
        Ok(self.cover(chunk, time.span()))
    }

    /// Ends a continuous part of the stream and returns what is still open, if anything: a summary, or faces that leave. The next frame may be
    /// anywhere on the timeline.
    ///
    /// # Errors
    /// Those of [`RecordWriter`].
    pub fn finish(&mut self) -> io::Result<Option<Chunk>> {
        let summary = self.aggregator.finish();
        let events = self.events.finish();
        let end = Span { pts_ns: self.covered_until_ns.unwrap_or_default(), duration_ns: 0 };
        let chunk = match self.summary_chunk(summary)? {
            None => self.events_chunk(&events, end)?,
            summary => summary,
        };
        self.restart();
        Ok(chunk)
    }

    /// The header, if it has not been returned yet: a file without records is still a valid file of its format.
    pub fn header(&mut self) -> Option<String> {
        self.take_header(None, false)
    }

    /// Drops the open summary, the faces in view and the position on the timeline, as after a seek. The header is not written again.
    pub fn restart(&mut self) {
        self.schedule = Schedule::new(self.options.interval_ns, self.options.on_change, self.writer.marks_absence());
        self.aggregator = Aggregator::new(self.options.interval_ns);
        self.events = EventTracker::new(self.options.hysteresis_ns);
        self.covered_until_ns = None;
        self.last_counts = None;
    }

    fn faces_chunk(&mut self, frame: &FrameReport<'_>) -> io::Result<Option<Chunk>> {
        let Some(hold_ns) = self.schedule.select(frame) else { return Ok(None) };
        let header = self.take_header(frame.labels(), frame.has_geometry());
        let mut body = Vec::new();
        self.writer.write_faces(frame, hold_ns, &mut body)?;
        if body.is_empty() && header.is_none() {
            return Ok(None);
        }
        let warning = frame.labels().and_then(|labels| self.warn_once(labels)).or_else(|| self.warn_of_geometry(frame));
        let span = Span { pts_ns: frame.time.pts_ns, duration_ns: hold_ns };
        Ok(Some(Chunk { span, utc: self.writer.stated_utc(&frame.time), header, body, warning }))
    }

    fn summary_chunk(&mut self, summary: Option<Summary>) -> io::Result<Option<Chunk>> {
        let Some(summary) = summary.filter(|summary| self.differs_from_last(summary)) else { return Ok(None) };
        let labels = summary.labels();
        let header = self.take_header((!labels.is_empty()).then_some(labels.as_slice()), false);
        let mut body = Vec::new();
        self.writer.write_summary(&summary, &mut body)?;
        if body.is_empty() && header.is_none() {
            return Ok(None);
        }
        let (span, utc) = (self.summary_span(&summary), self.writer.stated_utc(&summary.time));
        Ok(Some(Chunk { span, utc, header, body, warning: self.warn_once(&labels) }))
    }

    /// The text of `events`, in the time in which they become known.
    fn events_chunk(&mut self, events: &[Event], span: Span) -> io::Result<Option<Chunk>> {
        let mut body = Vec::new();
        events.iter().try_for_each(|event| self.writer.write_event(&self.stream, event, &mut body))?;
        let pts_ns = self.covered_until_ns.map_or(span.pts_ns, |covered| covered.max(span.pts_ns));
        let duration_ns = span.end_ns().saturating_sub(pts_ns);
        Ok((!body.is_empty()).then_some(Chunk { span: Span { pts_ns, duration_ns }, utc: None, header: None, body, warning: None }))
    }

    fn differs_from_last(&mut self, summary: &Summary) -> bool {
        let counts = self.options.on_change.then(|| summary.counts().map(|(_, count)| count).chain([summary.faces_max]).collect());
        let known = counts.is_some() && counts == self.last_counts;
        self.last_counts = counts;
        !known
    }

    fn summary_span(&self, summary: &Summary) -> Span {
        let Summary { time, .. } = summary;
        // A summary of a single frame is known when the frame arrives.
        let known_ns = if self.options.interval_ns == 0 { time.pts_ns } else { time.end_ns() };
        Span { pts_ns: self.covered_until_ns.map_or(known_ns, |covered| covered.max(known_ns)), duration_ns: time.duration_ns }
    }

    fn take_header(&mut self, labels: Option<&[String]>, has_geometry: bool) -> Option<String> {
        if std::mem::replace(&mut self.header_done, true) { None } else { self.writer.header(labels, has_geometry) }
    }

    /// A message, once, about a geometry that has no place in the table.
    fn warn_of_geometry(&mut self, frame: &FrameReport<'_>) -> Option<String> {
        if self.warned_of_geometry || !frame.has_geometry() || self.writer.takes_geometry() {
            return None;
        }
        self.warned_of_geometry = true;
        Some("the first record had no geometry of a face, so the table has no columns for it; geometry=always adds them".to_owned())
    }

    fn warn_once(&mut self, labels: &[String]) -> Option<String> {
        if self.warned || self.writer.takes(labels) {
            return None;
        }
        self.warned = true;
        Some(format!("the columns of the table are fixed, and some of these labels have none: {}", labels.join(", ")))
    }

    fn cover(&mut self, chunk: Option<Chunk>, span: Span) -> Output {
        let covered_ns = self.covered_until_ns.unwrap_or(span.pts_ns);
        let (until_ns, output) = match chunk {
            Some(chunk) => (chunk.span.end_ns(), Output::Text(chunk)),
            None if span.end_ns() > covered_ns => {
                let pts_ns = span.pts_ns.max(covered_ns);
                (span.end_ns(), Output::Gap(Span { pts_ns, duration_ns: span.end_ns() - pts_ns }))
            }
            None => (covered_ns, Output::Covered),
        };
        self.covered_until_ns = Some(until_ns.max(covered_ns));
        output
    }
}
