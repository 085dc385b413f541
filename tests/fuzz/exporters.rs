// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exports of arbitrary faces, names, labels, numbers and times, which readers of each format have to parse.

use emotion_core::export::{Chunk, Exporter, Format, FrameReport, FrameTime, GeometryFields, Options, Output, Span, Utc};
use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use emotion_core::scores::UNKNOWN;

use crate::input::Input;
use crate::records::record;

const FORMATS: [Format; 8] =
    [Format::Ndjson, Format::Csv, Format::WebVtt, Format::WebVttMetadata, Format::Text, Format::Events, Format::DlStreamer, Format::Onvif];

/// An export: the written text, and the faces that it may contain.
struct Export {
    options: Options,
    stream: String,
    /// Text of the header and of all chunks.
    text: String,
    faces: Vec<FaceRecord>,
}

/// Each export is complete and equals the records.
pub fn check(input: &mut Input) {
    let options = Options {
        format: input.pick(&FORMATS),
        interval_ns: if input.flag() { 0 } else { input.integer() },
        on_change: input.flag(),
        aggregate_only: input.flag(),
        hysteresis_ns: if input.flag() { 0 } else { input.integer() },
        geometry: input.pick(&[GeometryFields::Auto, GeometryFields::Always, GeometryFields::Never]),
    };
    let mut export = Export { options, stream: input.text(), text: String::new(), faces: Vec::new() };
    let mut exporter = Exporter::new(options);
    let steady = input.flag();
    let size = Size::new(input.integer() as u32, input.integer() as u32);
    let mut pts_ns = 0u64;
    let mut covered_ns = None;
    for frame in 0..1 + input.below(6) as u64 {
        let time = time(input, steady, pts_ns);
        pts_ns = pts_ns.saturating_add(time.duration_ns);
        let output = match input.byte() % 8 {
            0 => exporter.gap(&time),
            1 => {
                let last = exporter.finish().expect("text");
                last.into_iter().for_each(|chunk| export.add(chunk));
                covered_ns = None;
                continue;
            }
            _ => {
                let faces = input.many(3, record);
                let output = exporter.frame(&FrameReport { stream: &export.stream, frame, time, size, faces: &faces, misplaced: false });
                export.faces.extend(faces);
                output
            }
        };
        let span = match output.expect("writing to memory does not fail") {
            Output::Text(chunk) => {
                let span = chunk.span;
                export.add(chunk);
                span
            }
            Output::Gap(span) => span,
            Output::Covered => continue,
        };
        if steady {
            check_span(span, &mut covered_ns);
        }
    }
    exporter.finish().expect("text").into_iter().for_each(|chunk| export.add(chunk));
    if let Some(header) = exporter.header() {
        export.text.insert_str(0, &header);
    }
    export.check();
}

/// In a stream with ordered times, each output starts no earlier than the previous one ends.
fn check_span(span: Span, covered_ns: &mut Option<u64>) {
    if let Some(covered) = *covered_ns {
        assert!(span.pts_ns >= covered || span.duration_ns == 0, "{span:?} begins before {covered}");
    }
    *covered_ns = Some(covered_ns.unwrap_or(0).max(span.pts_ns));
}

fn time(input: &mut Input, steady: bool, pts_ns: u64) -> FrameTime {
    if steady {
        let duration_ns = 1 + 1_000_000 * input.below(256) as u64;
        return FrameTime { pts_ns, duration_ns, stream_time_ns: Some(pts_ns), running_time_ns: None, utc: None };
    }
    let option = |input: &mut Input| input.flag().then(|| input.integer());
    FrameTime {
        pts_ns: input.integer(),
        duration_ns: input.integer(),
        stream_time_ns: option(input),
        running_time_ns: option(input),
        utc: option(input).map(Utc),
    }
}

impl Export {
    fn add(&mut self, chunk: Chunk) {
        if let Some(header) = chunk.header {
            assert!(self.text.is_empty(), "a header in the middle");
            self.text.push_str(&header);
        }
        let body = String::from_utf8(chunk.body).expect("UTF-8");
        assert!(body.is_empty() || body.ends_with('\n'), "{body:?} is truncated");
        self.text.push_str(&body);
    }

    fn check(&self) {
        match self.options.format {
            Format::Ndjson | Format::Events | Format::DlStreamer => {
                self.text.split_terminator('\n').for_each(|line| self.check_object(line))
            }
            Format::Csv => self.check_table(),
            Format::WebVtt | Format::WebVttMetadata => self.check_cues(),
            Format::Text => self.text.split_terminator('\n').for_each(|line| self.check_line(line)),
            Format::Onvif => self.text.split_terminator('\n').for_each(check_document),
        }
    }

    /// Checks that each line is a JSON object without repeated keys.
    fn check_object(&self, line: &str) {
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        let object: Strict = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let Strict::Object(fields) = object else { panic!("{line} is not an object") };
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let stream = field("stream").or(field("source"));
        assert_eq!(stream, Some(&Strict::String(self.stream.clone())), "{line}");
        if field("type") == Some(&Strict::String("face".into())) {
            let Some(label) = field("label") else { panic!("{line} has no label") };
            let known = |face: &FaceRecord| match (&face.emotion, label) {
                (Some(emotion), Strict::String(label)) => emotion.label() == label,
                (None, Strict::Other) => true,
                _ => false,
            };
            assert!(self.faces.iter().any(known), "{line}: nobody's label");
        }
    }

    /// Checks that there is a header, and that all rows have the same number of cells with the values of their columns.
    fn check_table(&self) {
        let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(self.text.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let column = |name: &str| header.iter().position(|column| column == name);
        for row in reader.records() {
            let row = row.unwrap_or_else(|error| panic!("{error}: {:?}", self.text));
            // A cell that a spreadsheet would evaluate as a formula is prefixed with an apostrophe.
            let plain = |cell: &str| cell.strip_prefix('\'').filter(|_| !self.stream.starts_with('\'')).unwrap_or(cell).to_owned();
            assert_eq!(plain(&row[0]), self.stream, "{row:?}");
            let numbers = [
                "time_s",
                "duration_s",
                "pts",
                "duration",
                "x",
                "y",
                "w",
                "h",
                "confidence",
                "score",
                "age",
                "frames",
                "faces_mean",
                "label_id",
            ];
            for name in numbers {
                let cell = column(name).map_or("", |column| &row[column]);
                assert!(cell.is_empty() || cell.parse::<f64>().is_ok_and(f64::is_finite), "{name} is {cell:?} in {row:?}");
            }
            if let Some(label) = column("label").map(|column| &row[column]) {
                let same = |label: &str| self.faces.iter().any(|face| face.emotion.as_ref().map_or("", |emotion| emotion.label()) == label);
                assert!(label.is_empty() || same(label) || same(label.trim_start_matches('\'')), "{label:?}: nobody's label");
            }
        }
    }

    /// Checks for `WEBVTT`, then cues that end after they start and contain neither an empty line nor an arrow.
    fn check_cues(&self) {
        let cues = self.text.strip_prefix("WEBVTT\n\n").unwrap_or_else(|| panic!("no header: {:?}", self.text));
        for cue in cues.split_terminator("\n\n") {
            let (times, payload) = cue.split_once('\n').unwrap_or_else(|| panic!("no payload: {cue:?}"));
            let (start, end) = times.split_once(" --> ").unwrap_or_else(|| panic!("no times: {cue:?}"));
            assert!(milliseconds(start) < milliseconds(end), "{times}");
            assert!(!payload.contains("-->"), "{payload:?}");
            // WebVTT readers treat each of these as the end of a line.
            assert!(payload.split(['\n', '\r']).all(|line| !line.is_empty()), "{payload:?}");
            if self.options.format == Format::WebVttMetadata {
                self.check_object(payload);
            } else {
                assert!(!payload.contains(['<', '>']), "a tag: {payload:?}");
                payload.lines().for_each(|line| self.check_line(line));
            }
        }
    }

    /// Checks a line of plain text.
    fn check_line(&self, line: &str) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let begins = if self.options.aggregate_only { line.contains(" faces") } else { line.starts_with("face") };
        assert!(begins, "{line:?}");
        assert!(!line.contains("NaN") && !line.contains("inf"), "{line:?}");
        let unscored = self.faces.iter().all(|face| face.expression().is_none());
        assert!(!unscored || !line.contains('%') && !line.contains(UNKNOWN), "{line:?}: no face was scored");
    }
}

/// Checks that the line is one well-formed XML document without comments and sections.
fn check_document(line: &str) {
    let is_allowed = |c: char| c >= ' ' && c != '\u{fffe}' && c != '\u{ffff}';
    assert!(line.chars().all(is_allowed), "{line:?}");
    let elements = line.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?><").unwrap_or_else(|| panic!("no declaration: {line}"));
    let mut open = Vec::new();
    for (index, part) in elements.split('<').enumerate() {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("no end of <{part}: {line}"));
        assert!(index == 0 || !open.is_empty(), "a second root: {line}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}: {line}");
        assert!(!text.contains('>'), "{text}: {line}");
        let references = part.match_indices('&').map(|(at, _)| &part[at..]);
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#9;", "&#10;", "&#13;"];
        assert!(references.into_iter().all(|text| known.iter().any(|reference| text.starts_with(reference))), "{part}: {line}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{line}"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap_or_default()),
        }
    }
    assert!(open.is_empty(), "{open:?} are open: {line}");
}

/// Parses `hh:mm:ss.mmm`, with two or more digits of hours, to milliseconds.
fn milliseconds(time: &str) -> u64 {
    let parts: Vec<u64> = time.split([':', '.']).map(|part| part.parse().unwrap_or_else(|error| panic!("{time}: {error}"))).collect();
    let [hours, minutes, seconds, milliseconds] = parts[..] else { panic!("{time}") };
    assert!(minutes < 60 && seconds < 60 && milliseconds < 1000, "{time}");
    ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
}

/// JSON without repeated keys, with finite numbers.
#[derive(Debug, PartialEq)]
enum Strict {
    Object(Vec<(String, Strict)>),
    String(String),
    Other,
}

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Strict;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut fields: Vec<(String, Strict)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Strict>()? {
                    if fields.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format!("the key {key:?} twice")));
                    }
                    fields.push((key, value));
                }
                Ok(Strict::Object(fields))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut values: A) -> Result<Strict, A::Error> {
                while values.next_element::<Strict>()?.is_some() {}
                Ok(Strict::Other)
            }

            fn visit_str<E>(self, text: &str) -> Result<Strict, E> {
                Ok(Strict::String(text.to_owned()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
                Ok(Strict::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
                Ok(Strict::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
                Ok(Strict::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                Ok(Strict::Other)
            }

            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict::Other)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
