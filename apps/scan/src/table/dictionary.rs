// SPDX-License-Identifier: MIT OR Apache-2.0
//! The data dictionary: what each column of each table means, as a descriptor of a Frictionless data package (version 1 of the
//! specification), which R, Python and OpenRefine read.

use std::path::Path;

use gstemotion::behaviour::face_states::{AWAY_PITCH, AWAY_YAW, BACK_PITCH, BACK_YAW};
use gstemotion::face_geometry::BLENDSHAPES;
use serde_json::{Value, json};

use super::bins::bin_columns;
use super::columns::{Layout, face_columns, file_columns};
use super::tracks::track_columns;
use super::{Column, Format, Table, Type};
use crate::options::Options;

/// Describes the tables of `options`, in so many parts each.
pub fn package(options: &Options, layout: &Layout, parts: usize) -> String {
    let stem = options.output.file_stem().unwrap_or_default().to_string_lossy();
    let resources: Vec<Value> = options.tables().into_iter().map(|table| resource(options, table, layout, parts)).collect();
    let package = json!({
        "profile": "tabular-data-package",
        "name": identifier(&stem),
        "title": "Faces and their apparent expressions",
        "description": "Written by emotion-scan. A label says what an expression looks like to people who labelled pictures, not what \
                        the person feels. results.json beside this file says what made the tables.",
        "resources": resources,
    });
    serde_json::to_string_pretty(&package).expect("texts become JSON") + "\n"
}

/// A name of lower-case letters, digits and hyphens.
fn identifier(text: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).collect();
    if name.is_empty() { "results".into() } else { name }
}

fn resource(options: &Options, table: Table, layout: &Layout, parts: usize) -> Value {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = name(&options.path_of(table));
    let paths: Vec<String> = (0..parts).map(|part| format!("{file}/{}", options.part_name(part))).collect();
    let (path, suffix) =
        (if options.partition.is_some() { json!(paths) } else { json!(file) }, options.output.extension().unwrap_or_default());
    let (title, key) = about(table);
    let mut resource = json!({
        "profile": "tabular-data-resource",
        "name": table.name(),
        "title": title,
        "path": path,
        "format": suffix.to_string_lossy().to_lowercase(),
        "encoding": "utf-8",
        "schema": {
            "fields": columns(table, layout).iter().map(|column| field(column, table)).collect::<Vec<_>>(),
            "missingValues": [""],
        },
    });
    if let Some(media_type) = media_type(options) {
        resource["mediatype"] = media_type.into();
    }
    if !key.is_empty() {
        resource["schema"]["primaryKey"] = json!(key);
    }
    resource
}

fn media_type(options: &Options) -> Option<&'static str> {
    Some(match options.format().ok()? {
        Format::Parquet => "application/vnd.apache.parquet",
        Format::Csv => "text/csv",
        Format::Ndjson => "application/x-ndjson",
    })
}

/// The title of a table, and the columns that tell its rows apart.
fn about(table: Table) -> (&'static str, &'static [&'static str]) {
    match table {
        Table::Faces => ("A row for each face on each examined frame", &[]),
        Table::Files => ("A row for each file", &["file"]),
        Table::Tracks => ("A row for each track: a face that was followed from frame to frame", &["file", "id"]),
        Table::Bins => ("A row for each interval of each file", &["file", "bin"]),
    }
}

fn columns(table: Table, layout: &Layout) -> Vec<Column> {
    match table {
        Table::Faces => face_columns(layout),
        Table::Files => file_columns(),
        Table::Tracks => track_columns(layout),
        Table::Bins => bin_columns(layout),
    }
}

fn field(column: &Column, table: Table) -> Value {
    let kind = match column.kind {
        Type::Text | Type::Category => "string",
        Type::Int => "integer",
        Type::Float | Type::Double => "number",
        Type::Bool => "boolean",
        Type::Floats => "array",
    };
    json!({"name": column.name, "type": kind, "description": description(&column.name, table).unwrap_or_default()})
}

/// What a column means, with its unit.
fn description(column: &str, table: Table) -> Option<String> {
    let said = match (column, table) {
        ("file", _) => "Path as it was given or found in a folder, or URL",
        ("frame", _) => "Number of frames of the file before this one",
        ("time_s", _) => "Position in the file, in seconds; 0 in a photo",
        ("time_ns", _) => "Position in the file, in nanoseconds; 0 in a photo",
        ("id", _) => "Track within the file; a number that means nothing outside of it",
        ("x" | "y" | "w" | "h", Table::Tracks) => "Mean box: left, top, width or height, in 0..1 of the frame",
        ("x" | "y" | "w" | "h", _) => "Box: left, top, width or height, in 0..1 of the upright frame",
        ("confidence", _) => "The detector's confidence that this is a face, 0..1",
        ("detector", _) => "Name of the detector's model",
        ("label", Table::Tracks) => "Most frequent apparent expression, besides unknown",
        ("label", _) => "Apparent expression, or unknown",
        ("reason", _) => "Why the label is unknown: uncertain, small, or turned, which needs --geometry",
        ("score", _) => "Score of the label, 0..1; of unknown, the highest score",
        ("second_label", _) => "The most probable apparent expression after the label",
        ("classifier", _) => "The expression model, by the name or path in the options",
        ("detector_sha256", _) => "SHA-256 of the detector's file; that of its refiner follows after a space",
        ("classifier_sha256", _) => "SHA-256 of the expression model's file",
        ("kind", _) => "photo, video or other",
        ("length_s", _) => "Length of a video, in seconds",
        ("width" | "height", _) => "Size of the upright frames, in pixels",
        ("frames", Table::Tracks) => "Number of examined frames with this face",
        ("frames", _) => "Number of frames",
        ("examined", _) => "Number of examined frames",
        ("decoded", _) => "Number of decoded frames",
        ("video_tracks", _) => "Number of videos in the file, of which one is examined",
        ("turn", _) => "Degrees by which the frames were turned clockwise for the search; boxes are those before the turn",
        ("spans", _) => "Spans that were examined after a first look, in seconds",
        ("faces", Table::Files) => "Number of rows in the table of faces",
        ("faces", _) => "Number of rows of the table of faces in this interval",
        ("error", _) => "Why the file was not examined to its end",
        ("first_s" | "last_s", _) => "Position of the first or last examined frame with this face, in seconds",
        ("scored", _) => "Number of faces that were large enough to be scored",
        ("changes", _) => "Number of frames whose label differs from that of the face's frame before",
        ("answered", _) => "Share of the faces with a label other than unknown, 0..1",
        ("bin", _) => "Number of the interval, from 0",
        ("start_s", _) => "Begin of the interval, in seconds",
        ("tracks", _) => "Number of different ids in this interval",
        _ => return of_geometry(column).or_else(|| of_class(column, table)).or_else(|| of_landmark(column)),
    };
    Some(said.to_owned())
}

/// Columns of a scan with the geometry of faces.
fn of_geometry(column: &str) -> Option<String> {
    let said = match column {
        "yaw" => "Degrees by which the head is turned; 0 faces the camera, above 0 is to the person's own left",
        "pitch" => "Degrees by which the head is raised; 0 faces the camera, below 0 is lowered",
        "roll" => "Degrees by which the head is tilted, clockwise in the picture",
        "trust" => "How far to rely on pose and blendshapes, 0..1: the pose from 0.1 on, blendshapes from 0.5 on",
        "facing" => {
            return Some(format!(
                "True if the face faces the camera: false from a yaw beyond {AWAY_YAW} or a pitch beyond {AWAY_PITCH} degrees on, until \
                 they are within {BACK_YAW} and {BACK_PITCH}"
            ));
        }
        "blink" => "True on the frame on which the eyes close for a blink; missing where examined frames are too far apart to see one",
        "landmarks" => "x and y of iBUG's 68 points and of the right and the left iris, in 0..1 of the frame: 140 numbers, in CSV as JSON",
        "geometry_sha256" => "SHA-256 of the geometry model's file",
        "posed" => "Number of faces whose pose is known",
        "share_facing" => "Share of the faces with a known pose that face the camera, 0..1",
        "eyes_s" => "Time in which the eyes were watched closely enough to see blinks, in seconds, of all faces together",
        "blinks" => "Number of blinks in that time; missing if it is 0",
        "blinks_per_minute" => "Blinks in a minute of that time",
        _ => {
            let shape = column.strip_prefix("blendshape_").filter(|shape| BLENDSHAPES.contains(shape))?;
            return Some(format!("Blendshape {shape} by its name in ARKit, 0..1"));
        }
    };
    Some(said.to_owned())
}

/// Columns that have the name of a class in them.
fn of_class(column: &str, table: Table) -> Option<String> {
    if let Some(class) = column.strip_prefix("share_") {
        return Some(format!("Share of the faces with the label {class}, 0..1"));
    }
    let class = column.strip_prefix("score_")?;
    Some(match (class.strip_suffix("_se"), table) {
        (Some(class), _) => format!("Standard error of the mean score of {class} over tracks"),
        (None, Table::Faces) => format!("Score of {class}, 0..1; the scores of all classes sum to 1"),
        (None, _) => format!("Mean score of {class} over the scored faces, 0..1"),
    })
}

/// Coordinates of landmarks.
fn of_landmark(column: &str) -> Option<String> {
    let (landmark, axis) = column.rsplit_once('_').filter(|(landmark, _)| super::LANDMARKS.contains(landmark))?;
    Some(format!("{axis} of the {}, in 0..1 of the frame; right and left are the person's own", landmark.replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_every_table_is_described() {
        let layout = Layout { classes: ["neutral", "happiness"].map(String::from).into(), has_geometry: true };
        for table in [Table::Faces, Table::Files, Table::Tracks, Table::Bins] {
            for column in columns(table, &layout) {
                assert!(description(&column.name, table).is_some(), "{}: {}", table.name(), column.name);
            }
        }
    }

    #[test]
    fn the_promised_columns_are_kept() {
        let tables = [Table::Faces, Table::Files, Table::Tracks, Table::Bins];
        let layout = Layout { classes: gstemotion::scores::FERPLUS_LABELS.map(String::from).into(), has_geometry: true };
        let lines = tables.into_iter().flat_map(|table| {
            columns(table, &layout).into_iter().map(move |column| format!("{}.{}: {:?}", table.name(), column.name, column.kind))
        });
        test_support::promises::assert_kept("tables", lines);
    }

    #[test]
    fn names_are_those_that_the_specification_allows() {
        assert_eq!(identifier("My results.v2"), "my-results-v2");
        assert_eq!(identifier(""), "results");
    }
}
