// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of files: a row for each file.

use super::column::Type::{Category, Double, Int, Text};
use super::column::{Column, Columns, Layout, Value, describe, fill, one, seconds};
use crate::findings::{Kind, Missing};

/// A row of the table of files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileRow {
    /// Name of the file.
    pub file: String,
    /// What it is, if it could be opened.
    pub kind: Option<Kind>,
    /// Length of a video.
    pub length_ns: Option<u64>,
    /// Number of videos in the file, of which one is examined.
    pub video_tracks: Option<u32>,
    /// Size of the frames, upright.
    pub size: Option<(u32, u32)>,
    /// Number of frames.
    pub frames: u64,
    /// Number of examined frames.
    pub examined: u64,
    /// Number of decoded frames.
    pub decoded: u64,
    /// Start and end of the spans that were examined after a first look, in nanoseconds; `u64::MAX` is the end of the file.
    pub spans_ns: Option<Vec<(u64, u64)>>,
    /// Frames that are missing.
    pub missing: Vec<Missing>,
    /// Number of rows in the table of faces.
    pub faces: u64,
    /// Degrees by which the frames were turned clockwise before they were searched.
    pub turn: u16,
    /// Name of the photo or film of the same moment.
    pub pair: Option<String>,
    /// Why the file was not examined to its end.
    pub error: Option<String>,
}

type Of = for<'a> fn(&'a FileRow, usize) -> Value<'a>;

#[rustfmt::skip] // A column is a line.
pub(super) const FILES: &[Columns<Of>] = &[
    one("file", Text, "Path as it was given or found in a folder, or URL", |row, _| row.file.as_str().into()),
    one("kind", Category, "photo, video or other", |row, _| row.kind.map(Kind::name).into()),
    one("length_s", Double, "Length of a video, in seconds", |row, _| row.length_ns.map(seconds).into()),
    one("video_tracks", Int, "Number of videos in the file, of which one is examined", |row, _| row.video_tracks.into()),
    one("width", Int, "Size of the upright frames, in pixels", |row, _| row.size.map(|size| size.0).into()),
    one("height", Int, "Size of the upright frames, in pixels", |row, _| row.size.map(|size| size.1).into()),
    one("frames", Int, "Number of frames, those that are missing included", |row, _| row.frames.into()),
    one("examined", Int, "Number of examined frames", |row, _| row.examined.into()),
    one("decoded", Int, "Number of decoded frames", |row, _| row.decoded.into()),
    one("faces", Int, "Number of rows in the table of faces", |row, _| row.if_examined(row.faces)),
    one("turn", Int, "Degrees by which the frames were turned clockwise for the search; boxes are those before the turn", |row, _| row.if_examined(row.turn)),
    one("spans", Text, "Spans that were examined after a first look, in seconds", |row, _| row.spans().into()),
    one("pair", Text, "Name of the other half of a Live Photo: the film of a photo, or the photo of a film", |row, _| row.pair.as_deref().into()),
    one("missing", Int, "Number of frames that are missing at the constant rate of a video", |row, _| row.missing().into()),
    one("missing_spans", Text, "Where frames are missing, in seconds", |row, _| row.missing_spans().into()),
    one("error", Text, "Why the file was not examined to its end", |row, _| row.error.as_deref().into()),
];

pub(super) fn columns(layout: &Layout) -> Vec<Column> {
    let mut columns = Vec::new();
    describe(FILES, layout, &mut columns);
    columns
}

impl FileRow {
    /// The values below the columns.
    pub fn values(&self, layout: &Layout) -> Vec<Value<'_>> {
        let mut values = Vec::new();
        fill(FILES, layout, &mut values, |of, _| of(self, 0));
        values
    }

    /// What is not known without an examined frame.
    fn if_examined(&self, number: impl Into<u64>) -> Value<'static> {
        (self.examined > 0).then(|| number.into()).into()
    }

    /// `12.5-20 63-70.25` for two spans, in seconds.
    fn spans(&self) -> Option<String> {
        Some(self.text_of(self.spans_ns.as_ref()?.iter().copied()))
    }

    /// The number of missing frames; `None` unless the frames of a video were examined.
    fn missing(&self) -> Option<u64> {
        (self.kind == Some(Kind::Video) && self.examined > 0).then(|| self.missing.iter().map(|gap| gap.frames).sum())
    }

    /// The spans of missing frames, as [`Self::spans`].
    fn missing_spans(&self) -> Option<String> {
        self.missing().map(|_| self.text_of(self.missing.iter().map(|gap| (gap.start_ns, gap.end_ns))))
    }

    fn text_of(&self, spans_ns: impl Iterator<Item = (u64, u64)>) -> String {
        let end = |end: u64| if end == u64::MAX { self.length_ns } else { Some(end) }.map_or(String::new(), |end| seconds(end).to_string());
        spans_ns.map(|(from, until)| format!("{}-{}", seconds(from), end(until))).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Format;

    #[test]
    fn spans_are_texts_of_seconds() {
        let all = [(12_500_000_000, 20_000_000_000), (63_000_000_000, u64::MAX)];
        let text = |spans: &[(u64, u64)], length_ns| FileRow { spans_ns: Some(spans.to_vec()), length_ns, ..FileRow::default() }.spans();
        assert_eq!(text(&all, Some(70_250_000_000)).as_deref(), Some("12.5-20 63-70.25"));
        assert_eq!((text(&all[1..], None).as_deref(), text(&[], None).as_deref()), (Some("63-"), Some("")));
    }

    #[test]
    fn a_file_that_was_not_examined_has_no_number_of_faces() {
        let (mut out, layout) = (Vec::new(), Layout::default());
        let mut writer = Format::Csv.writer(&columns(&layout), &mut out).unwrap();
        let examined = FileRow { file: "a".into(), kind: Some(Kind::Photo), frames: 1, examined: 1, decoded: 1, ..FileRow::default() };
        let other = FileRow { file: "b".into(), kind: Some(Kind::Other), ..FileRow::default() };
        [examined, other].iter().for_each(|row| writer.write(&row.values(&layout)).unwrap());
        writer.finish("{}").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("a,photo,,,,,1,1,1,0,0,,,,,\r\nb,other,,,,,0,0,0,,,,,,,\r\n"), "{text}");
    }
}
