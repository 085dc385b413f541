// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--where-faces` examines the spans in which somebody is there.

use serde_json::Value;

use crate::support::Folder;

const RATE: usize = 5;

/// The frames with a face.
fn frames(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["frame"].as_u64().unwrap()).collect()
}

#[test]
fn no_face_of_more_than_two_seconds_is_missed_in_ten_recordings() {
    let Some(folder) = Folder::new("visits") else { return };
    let mut visits = Vec::new();
    for recording in 0..10_usize {
        let from = 3.0 + 2.3 * recording as f32;
        let until = from + 2.2 + 0.3 * (recording % 4) as f32;
        folder.room_video(&format!("in/{recording}.mp4"), (30, RATE, [3, 5, 10, 25, 150][recording % 5]), &[(from, until)]);
        visits.push((from, until));
    }
    folder.run("in --output out.ndjson --where-faces --quiet", 0);
    let (faces, files) = (folder.rows("out.ndjson"), folder.rows("out.files.ndjson"));
    for (recording, (from, until)) in visits.into_iter().enumerate() {
        let name = format!("in/{recording}.mp4");
        let row = files.iter().find(|row| row["file"] == name).unwrap();
        let rows: Vec<Value> = faces.iter().filter(|face| face["file"] == name).cloned().collect();
        // Whatever a frame shows half-way through the visit is in the table, each frame once.
        let (first, last) = ((from * RATE as f32).ceil() as u64, (until * RATE as f32).floor() as u64);
        let found = frames(&rows);
        assert!((first + 1..last).all(|frame| found.iter().filter(|other| **other == frame).count() == 1), "{name}: {found:?} {row}");
        assert!(rows.iter().all(|row| row["frame"].as_f64().unwrap() / RATE as f64 == row["time_s"].as_f64().unwrap()), "{name}");
        assert!(row["frames"] == 30 * RATE && row["spans"].as_str().unwrap().contains('-'), "{row}");
    }
}

#[test]
fn an_empty_recording_is_only_looked_at() {
    let Some(folder) = Folder::new("empty-room") else { return };
    folder.room_video("empty.mp4", (100, RATE, 5), &[]);
    folder.photo("photo.jpg");
    folder.run("empty.mp4 photo.jpg --output out.ndjson --where-faces=2 --quiet", 0);
    let files = folder.rows("out.files.ndjson");
    let (empty, photo) = (&files[0], &files[1]);
    // A keyframe each four seconds, and the last one of each slice.
    assert!(
        (25..=28).contains(&empty["examined"].as_u64().unwrap())
            && empty["faces"] == 0
            && empty["spans"] == ""
            && empty["frames"] == 100 * RATE,
        "{empty}"
    );
    assert!(photo["faces"] == 2 && photo["spans"].is_null(), "{photo}");
}

#[test]
fn the_rows_of_a_span_are_those_of_a_whole_scan_and_slices_do_not_cut_it() {
    let Some(folder) = Folder::new("span") else { return };
    // The visit goes on where one slice ends and the next begins.
    folder.room_video("in.mp4", (100, RATE, 10), &[(55.0, 64.0)]);
    folder.run("in.mp4 --output whole.ndjson --quiet", 0);
    folder.run("in.mp4 --output spans.ndjson --where-faces --quiet", 0);
    let (whole, spans) = (folder.rows("whole.ndjson"), folder.rows("spans.ndjson"));
    assert_eq!(frames(&spans), frames(&whole));
    assert!(spans.iter().zip(&whole).all(|(span, whole)| (span["x"].as_f64().unwrap() - whole["x"].as_f64().unwrap()).abs() < 0.02));
    let row = &folder.rows("spans.files.ndjson")[0];
    let (from, until) = row["spans"].as_str().unwrap().split_once('-').unwrap();
    let (from, until): (f64, f64) = (from.parse().unwrap(), until.parse().unwrap());
    assert!((52.0..=55.0).contains(&from) && (64.0..=68.0).contains(&until), "{row}");
    let examined = row["examined"].as_u64().unwrap();
    assert!((90..150).contains(&examined), "50 looks and the frames of the span: {row}");
    // With --every, the span is sampled too.
    folder.run("in.mp4 --output rare.ndjson --where-faces --every 2 --quiet", 0);
    let rare = frames(&folder.rows("rare.ndjson"));
    assert!((4..=6).contains(&rare.len()), "{rare:?}");
}

#[test]
fn keyframes_two_seconds_apart_are_close_enough_for_a_look() {
    let Some(folder) = Folder::new("distant-look") else { return };
    folder.room_video("empty.mp4", (60, RATE, 2 * RATE), &[]);
    folder.run("empty.mp4 --output out.ndjson --where-faces --quiet", 0);
    let row = &folder.rows("out.files.ndjson")[0];
    assert!(row["examined"] == 30 && row["decoded"] == 30 && row["frames"] == 60 * RATE && row["spans"] == "", "{row}");
}
