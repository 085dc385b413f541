// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the columns of the tables of faces and of files contain. docs/scan.md describes them for readers of the tables.

use std::io::{self, Write};

use gstemotion::face_geometry::BLENDSHAPES;
use gstemotion::scores::FERPLUS_LABELS;

use super::{Column, Format, RowWriter, Seen, Type, Value};
use crate::findings::{Face, Kind};
use crate::models::Models;

/// Ids of slice n begin at n times this number. No minute of video has as many tracks.
const IDS_PER_SLICE: u64 = 1_000_000;
/// Landmarks in the order of `Face::landmarks`.
pub const LANDMARKS: [&str; 5] = ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"];
/// Numbers of a face's landmarks.
const LANDMARK_NUMBERS: usize = 2 * LANDMARKS.len();

/// What the rows come from, the same in all of them.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The expression model, as given to `emotionclassify`.
    pub classifier: &'a str,
    /// The models by their contents.
    pub models: &'a Models,
}

/// What the columns of the tables depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The classes that have scores.
    pub classes: Vec<String>,
    /// True if faces have a geometry.
    pub has_geometry: bool,
}

/// The table of faces: a row for each face of each examined frame.
pub struct FaceTable<'a> {
    writer: Box<dyn RowWriter + 'a>,
    layout: Layout,
    source: Source<'a>,
}

impl<'a> FaceTable<'a> {
    /// A table of faces that the models of `source` found.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(format: Format, layout: &Layout, source: Source<'a>, out: impl Write + Send + 'a) -> io::Result<Self> {
        Ok(Self { writer: format.writer(&face_columns(layout), out)?, layout: layout.clone(), source })
    }

    /// Writes a face of slice `slice` of `file`, in which `frames_before` frames are before the slice.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&mut self, file: &str, slice: usize, frames_before: u64, seen: &Seen<'_>) -> io::Result<()> {
        let face = seen.face;
        let mut row = vec![
            Value::Text(file),
            Some(frames_before + face.frame).into(),
            Value::Double(seconds(face.time_ns)),
            Some(face.time_ns).into(),
            face_id(slice, face).into(),
        ];
        row.extend(face.rect.map(Value::Float));
        row.extend([Value::from(face.confidence), face.detector.as_deref().into()]);
        row.extend((0..LANDMARK_NUMBERS).map(|number| Value::from(face.landmarks.map(|numbers| numbers[number]))));
        row.extend([face.label.as_deref(), face.reason.as_deref()].map(Value::from));
        row.extend([Value::from(face.score), face.second.as_deref().into()]);
        row.extend((0..self.layout.classes.len()).map(|class| Value::from(face.scores.get(class).copied())));
        let Source { classifier, models } = self.source;
        let (is_detected, is_scored) = (face.detector.is_some(), face.label.is_some());
        row.push(is_scored.then_some(classifier).into());
        row.push(is_detected.then_some(models.detector.as_str()).into());
        row.push(is_scored.then_some(models.classifier.as_str()).into());
        if self.layout.has_geometry {
            push_geometry(&mut row, seen, &models.geometry);
        }
        self.writer.write(&row)
    }

    /// Ends the table, which was made as `record` says.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(self, record: &str) -> io::Result<()> {
        self.writer.finish(record)
    }
}

/// Adds the values of [`geometry_columns`].
fn push_geometry<'a>(row: &mut Vec<Value<'a>>, seen: &Seen<'a>, sha256: &'a str) {
    let geometry = seen.face.geometry.as_ref();
    row.extend((0..3).map(|angle| Value::from(geometry.map(|geometry| geometry.pose[angle]))));
    row.push(geometry.map(|geometry| geometry.trust).into());
    row.extend([seen.activity.observation.is_facing, seen.activity.is_blink].map(Value::from));
    row.extend((0..BLENDSHAPES.len()).map(|shape| Value::from(geometry.and_then(|geometry| geometry.blendshapes.get(shape).copied()))));
    row.push(geometry.map(|geometry| geometry.landmarks.as_slice()).into());
    row.push(geometry.map(|_| sha256).into());
}

/// The classes that the tables have scores of: those of the expression model, or those of FER+ if no face was scored.
pub fn classes_of(labels: &[String]) -> Vec<String> {
    if labels.is_empty() { FERPLUS_LABELS.map(String::from).into() } else { labels.to_vec() }
}

/// The id of a face of slice `slice` in the table; `None` if faces are not tracked.
pub fn face_id(slice: usize, face: &Face) -> Option<u64> {
    face.track.map(|track| slice as u64 * IDS_PER_SLICE + u64::from(track))
}

/// The columns of the table of faces.
pub(super) fn face_columns(layout: &Layout) -> Vec<Column> {
    let mut columns = vec![
        column("file", Type::Category),
        column("frame", Type::Int),
        column("time_s", Type::Double),
        column("time_ns", Type::Int),
        column("id", Type::Int),
    ];
    columns.extend(["x", "y", "w", "h", "confidence"].map(|name| column(name, Type::Float)));
    columns.push(column("detector", Type::Category));
    columns.extend(LANDMARKS.iter().flat_map(|name| ["x", "y"].map(|axis| column(&format!("{name}_{axis}"), Type::Float))));
    columns.extend(["label", "reason"].map(|name| column(name, Type::Category)));
    columns.extend([column("score", Type::Float), column("second_label", Type::Category)]);
    columns.extend(layout.classes.iter().map(|label| column(&format!("score_{label}"), Type::Float)));
    columns.extend(["classifier", "detector_sha256", "classifier_sha256"].map(|name| column(name, Type::Category)));
    if layout.has_geometry {
        columns.extend(geometry_columns());
    }
    columns
}

/// The columns of a face's geometry.
fn geometry_columns() -> impl Iterator<Item = Column> {
    let numbers = ["yaw", "pitch", "roll", "trust"].map(|name| column(name, Type::Float));
    let activity = ["facing", "blink"].map(|name| column(name, Type::Bool));
    let shapes = BLENDSHAPES.map(|name| column(&format!("blendshape_{name}"), Type::Float));
    let others = [column("landmarks", Type::Floats), column("geometry_sha256", Type::Category)];
    numbers.into_iter().chain(activity).chain(shapes).chain(others)
}

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
    /// Number of rows in the table of faces.
    pub faces: u64,
    /// Degrees by which the frames were turned clockwise before they were searched.
    pub turn: u16,
    /// Why the file was not examined to its end.
    pub error: Option<String>,
}

/// The table of files: a row for each file.
pub struct FileTable<'a>(Box<dyn RowWriter + 'a>);

impl<'a> FileTable<'a> {
    /// An empty table.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(format: Format, out: impl Write + Send + 'a) -> io::Result<Self> {
        Ok(Self(format.writer(&file_columns(), out)?))
    }

    /// Writes a file. Without an examined frame, the number of faces is unknown.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&mut self, row: &FileRow) -> io::Result<()> {
        let spans = row.spans_ns.as_ref().map(|spans| spans_text(spans, row.length_ns));
        let (width, height) = row.size.unzip();
        self.0.write(&[
            Value::Text(&row.file),
            row.kind.map(Kind::name).into(),
            row.length_ns.map_or(Value::Missing, |length| Value::Double(seconds(length))),
            row.video_tracks.map(u64::from).into(),
            width.map(u64::from).into(),
            height.map(u64::from).into(),
            Some(row.frames).into(),
            Some(row.examined).into(),
            Some(row.decoded).into(),
            (row.examined > 0).then_some(row.faces).into(),
            (row.examined > 0).then_some(u64::from(row.turn)).into(),
            spans.as_deref().into(),
            row.error.as_deref().into(),
        ])
    }

    /// Ends the table, which was made as `record` says.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(self, record: &str) -> io::Result<()> {
        self.0.finish(record)
    }
}

/// The columns of the table of files.
pub(super) fn file_columns() -> Vec<Column> {
    let columns = [
        ("file", Type::Text),
        ("kind", Type::Category),
        ("length_s", Type::Double),
        ("video_tracks", Type::Int),
        ("width", Type::Int),
        ("height", Type::Int),
        ("frames", Type::Int),
        ("examined", Type::Int),
        ("decoded", Type::Int),
        ("faces", Type::Int),
        ("turn", Type::Int),
        ("spans", Type::Text),
        ("error", Type::Text),
    ];
    columns.map(|(name, kind)| column(name, kind)).into()
}

pub(super) fn column(name: &str, kind: Type) -> Column {
    Column { name: name.to_owned(), kind }
}

/// `12.5-20 63-70.25` for two spans, in seconds.
fn spans_text(spans: &[(u64, u64)], length_ns: Option<u64>) -> String {
    let end = |end: u64| {
        if end == u64::MAX { length_ns.map_or(String::new(), |length| seconds(length).to_string()) } else { seconds(end).to_string() }
    };
    spans.iter().map(|(from, until)| format!("{}-{}", seconds(*from), end(*until))).collect::<Vec<_>>().join(" ")
}

pub(super) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::posed;
    use crate::table::activities;

    fn face() -> Face {
        Face {
            frame: 2,
            time_ns: 61_500_000_000,
            track: Some(3),
            rect: [0.1, 0.2, 0.3, 0.4],
            confidence: Some(0.9),
            detector: Some("face".into()),
            landmarks: None,
            label: Some("happiness".into()),
            reason: None,
            score: Some(0.75),
            second: Some("neutral".into()),
            scores: vec![0.25, 0.75],
            geometry: None,
        }
    }

    fn written(format: Format) -> Vec<u8> {
        written_of(format, &face(), false)
    }

    fn written_of(format: Format, face: &Face, has_geometry: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let layout = Layout { classes: ["neutral", "happiness"].map(String::from).into(), has_geometry };
        let models = Models { detector: "a1 b2".into(), classifier: "c3".into(), geometry: "d4".into(), ..Models::default() };
        let source = Source { classifier: "expression", models: &models };
        let mut table = FaceTable::new(format, &layout, source, &mut out).unwrap();
        let activity = activities(std::slice::from_ref(face))[0];
        table.write("=a.mp4", 1, 1800, &Seen { face, activity }).unwrap();
        table.finish("{}").unwrap();
        out
    }

    #[test]
    fn csv_has_empty_cells_for_missing_values_and_no_formulas() {
        let text = String::from_utf8(written(Format::Csv)).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("file,frame,time_s,time_ns,id,x,y,w,h,confidence,detector,right_eye_x,right_eye_y,"), "{}", lines[0]);
        assert!(
            lines[0]
                .ends_with(",label,reason,score,second_label,score_neutral,score_happiness,classifier,detector_sha256,classifier_sha256"),
            "{}",
            lines[0]
        );
        assert_eq!(
            lines[1],
            "'=a.mp4,1802,61.5,61500000000,1000003,0.1,0.2,0.3,0.4,0.9,face,,,,,,,,,,,happiness,,0.75,neutral,0.25,0.75,expression,a1 b2,c3"
        );
    }

    #[test]
    fn ndjson_has_every_key() {
        let text = String::from_utf8(written(Format::Ndjson)).unwrap();
        let row: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(row["file"], "=a.mp4");
        assert_eq!(row["id"], 1_000_003);
        assert!(row["nose_x"].is_null() && row.get("nose_x").is_some());
        assert!(text.contains("\"x\":0.1,"), "{text}");
    }

    #[test]
    fn the_geometry_follows_behind_all_other_columns() {
        let (plain, posed) = (written(Format::Csv), written_of(Format::Csv, &posed(face(), -31.25, 0.5), true));
        let [plain, posed] = [plain, posed].map(|text| String::from_utf8(text).unwrap());
        for (plain, posed) in plain.lines().zip(posed.lines()) {
            assert!(posed.starts_with(plain), "{posed}");
        }
        let mut reader = ::csv::Reader::from_reader(posed.as_bytes());
        let (header, row) = (reader.headers().unwrap().clone(), reader.records().next().unwrap().unwrap());
        let cell = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
        assert_eq!(["yaw", "pitch", "trust", "facing", "blink"].map(cell), ["-31.25", "0", "0.9", "false", ""]);
        assert_eq!(["blendshape_eyeBlinkLeft", "blendshape_jawOpen", "geometry_sha256"].map(cell), ["0.5", "0", "d4"]);
        assert!(posed.ends_with(",\"[0.5,0.25]\",d4\r\n"), "a list is JSON: {posed}");
        let small = String::from_utf8(written_of(Format::Csv, &face(), true)).unwrap();
        assert!(small.ends_with(&format!(",c3{}\r\n", ",".repeat(60))), "{small}");
    }

    #[test]
    fn spans_are_texts_of_seconds() {
        let spans = [(12_500_000_000, 20_000_000_000), (63_000_000_000, u64::MAX)];
        assert_eq!(spans_text(&spans, Some(70_250_000_000)), "12.5-20 63-70.25");
        assert_eq!((spans_text(&spans[1..], None), spans_text(&[], None)), ("63-".to_owned(), String::new()));
    }

    #[test]
    fn a_file_that_was_not_examined_has_no_number_of_faces() {
        let mut out = Vec::new();
        let mut table = FileTable::new(Format::Csv, &mut out).unwrap();
        let examined = FileRow { file: "a".into(), kind: Some(Kind::Photo), frames: 1, examined: 1, decoded: 1, ..FileRow::default() };
        table.write(&examined).unwrap();
        table.write(&FileRow { file: "b".into(), kind: Some(Kind::Other), ..FileRow::default() }).unwrap();
        table.finish("{}").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("a,photo,,,,,1,1,1,0,0,,\r\nb,other,,,,,0,0,0,,,,\r\n"), "{text}");
    }
}
