// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of faces: a row for each face of each examined frame.

use super::activity::{Seen, face_id};
use super::column::Members::{Blendshapes, Classes, Facing, Landmarks, Sides};
use super::column::Type::{Bool, Category, Double, Float, Floats, Int};
use super::column::{Column, Columns, Layout, Value, describe, each, fill, one, seconds};
use crate::findings::Geometry;
use crate::models::Models;

/// A row of the table of faces.
pub struct FaceRow<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Number of the slice of the file.
    pub slice: usize,
    /// Number of frames of the file before the slice.
    pub frames_before: u64,
    /// The face.
    pub seen: Seen<'a>,
    /// The expression model, as given to `emotionclassify`.
    pub classifier: &'a str,
    /// The models by their contents.
    pub models: &'a Models,
}

type Of = for<'a> fn(&'a FaceRow<'a>, usize) -> Value<'a>;

#[rustfmt::skip] // A column is a line.
pub(super) const FACES: &[Columns<Of>] = &[
    one("file", Category, "Path as it was given or found in a folder, or URL", |row, _| row.file.into()),
    one("frame", Int, "Number of frames of the file before this one, those that are missing included", |row, _| (row.frames_before + row.seen.face.frame).into()),
    one("time_s", Double, "Position in the file, in seconds; 0 in a photo", |row, _| seconds(row.seen.face.time_ns).into()),
    one("time_ns", Int, "Position in the file, in nanoseconds; 0 in a photo", |row, _| row.seen.face.time_ns.into()),
    one("id", Int, "Track within the file; a number that means nothing outside of it", |row, _| face_id(row.slice, row.seen.face).into()),
    each(Sides, "{}", Float, "Box: left, top, width or height, in 0..1 of the upright frame", |row, side| row.seen.face.rect[side].into()),
    one("confidence", Float, "The detector's confidence that this is a face, 0..1", |row, _| row.seen.face.confidence.into()),
    one("detector", Category, "Name of the detector's model", |row, _| row.seen.face.detector.as_deref().into()),
    each(Landmarks, "{}", Float, "{}, in 0..1 of the frame; right and left are the person's own", |row, n| row.seen.face.landmarks.map(|at| at[n]).into()),
    one("label", Category, "Apparent expression, or unknown", |row, _| row.seen.face.label.as_deref().into()),
    one("reason", Category, "Why the label is unknown: uncertain, small, or turned, which needs --geometry", |row, _| row.seen.face.reason.as_deref().into()),
    one("score", Float, "Score of the label, 0..1; of unknown, the highest score", |row, _| row.seen.face.score.into()),
    one("second_label", Category, "The most probable apparent expression after the label", |row, _| row.seen.face.second.as_deref().into()),
    each(Classes, "score_{}", Float, "Score of {}, 0..1; the scores of all classes sum to 1", |row, class| row.seen.face.scores.get(class).copied().into()),
    one("classifier", Category, "The expression model, by the name or path in the options", |row, _| row.is_scored().then_some(row.classifier).into()),
    one("detector_sha256", Category, "SHA-256 of the detector's file; that of its refiner follows after a space", |row, _| row.is_detected().then_some(&*row.models.detector).into()),
    one("classifier_sha256", Category, "SHA-256 of the expression model's file", |row, _| row.is_scored().then_some(&*row.models.classifier).into()),
    one("baseline", Float, "Seconds of the track that the scores are relative to; missing if they are relative to all people", |row, _| row.seen.face.baseline.into()),
];

#[rustfmt::skip] // A column is a line.
pub(super) const GEOMETRY: &[Columns<Of>] = &[
    one("yaw", Float, "Degrees by which the head is turned; 0 faces the camera, above 0 is to the person's own left", |row, _| row.geometry().map(|found| found.pose[0]).into()),
    one("pitch", Float, "Degrees by which the head is raised; 0 faces the camera, below 0 is lowered", |row, _| row.geometry().map(|found| found.pose[1]).into()),
    one("roll", Float, "Degrees by which the head is tilted, clockwise in the picture", |row, _| row.geometry().map(|found| found.pose[2]).into()),
    one("trust", Float, "How far to rely on pose and blendshapes, 0..1: the pose from 0.1 on, blendshapes from 0.5 on", |row, _| row.geometry().map(|found| found.trust).into()),
    each(Facing, "facing", Bool, "True if the face faces the camera: false from a yaw beyond {}", |row, _| row.seen.activity.observation.is_facing.into()),
    one("blink", Bool, "True on the frame on which the eyes close for a blink; missing where examined frames are too far apart to see one", |row, _| row.seen.activity.is_blink.into()),
    each(Blendshapes, "blendshape_{}", Float, "Blendshape {} by its name in ARKit, 0..1", |row, shape| row.geometry().and_then(|found| found.blendshapes.get(shape).copied()).into()),
    one("landmarks", Floats, "x and y of iBUG's 68 points and of the right and the left iris, in 0..1 of the frame: 140 numbers, in CSV as JSON", |row, _| row.geometry().map(|found| &*found.landmarks).into()),
    one("geometry_sha256", Category, "SHA-256 of the geometry model's file", |row, _| row.geometry().map(|_| &*row.models.geometry).into()),
];

pub(super) fn columns(layout: &Layout) -> Vec<Column> {
    let mut columns = Vec::new();
    [FACES, layout.of_geometry(GEOMETRY)].iter().for_each(|list| describe(list, layout, &mut columns));
    columns
}

impl FaceRow<'_> {
    /// The values below the columns.
    pub fn values(&self, layout: &Layout) -> Vec<Value<'_>> {
        let mut values = Vec::new();
        [FACES, layout.of_geometry(GEOMETRY)].iter().for_each(|list| fill(list, layout, &mut values, |of, member| of(self, member)));
        values
    }

    fn is_detected(&self) -> bool {
        self.seen.face.detector.is_some()
    }

    fn is_scored(&self) -> bool {
        self.seen.face.label.is_some()
    }

    fn geometry(&self) -> Option<&Geometry> {
        self.seen.face.geometry.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Face;
    use crate::findings::tests::posed;
    use crate::table::{Format, activities};

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
            baseline: Some(2.5),
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
        let mut writer = format.writer(&columns(&layout), &mut out).unwrap();
        let seen = Seen { face, activity: activities(std::slice::from_ref(face))[0] };
        let row = FaceRow { file: "=a.mp4", slice: 1, frames_before: 1800, seen, classifier: "expression", models: &models };
        writer.write(&row.values(&layout)).unwrap();
        writer.finish("{}").unwrap();
        out
    }

    #[test]
    fn csv_has_empty_cells_for_missing_values_and_no_formulas() {
        let text = String::from_utf8(written(Format::Csv)).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("file,frame,time_s,time_ns,id,x,y,w,h,confidence,detector,right_eye_x,right_eye_y,"), "{}", lines[0]);
        assert!(
            lines[0].ends_with(
                ",label,reason,score,second_label,score_neutral,score_happiness,classifier,detector_sha256,classifier_sha256,baseline"
            ),
            "{}",
            lines[0]
        );
        assert_eq!(
            lines[1],
            "'=a.mp4,1802,61.5,61500000000,1000003,0.1,0.2,0.3,0.4,0.9,face,,,,,,,,,,,happiness,,0.75,neutral,0.25,0.75,expression,a1 b2,c3,2.5"
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
        assert!(small.ends_with(&format!(",c3,2.5{}\r\n", ",".repeat(60))), "{small}");
    }
}
