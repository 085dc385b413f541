// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of tracks and of bins have the sums of the table of faces, which DuckDB computes.

use serde_json::Value;

use crate::readers::{python, query};
use crate::support::Folder;

/// Rows of the table of tracks, computed from that of faces.
const TRACKS: &str = "
WITH changes AS (SELECT *, coalesce(label IS DISTINCT FROM lag(label) OVER track, false) AND row_number() OVER track > 1 AS changed
    FROM 'results.parquet' WINDOW track AS (PARTITION BY file, id ORDER BY frame))
SELECT file, id, min(time_s), max(time_s), count(*), count(score_neutral), count(*) FILTER (changed), avg(x), avg(w),
    mode(label) FILTER (label <> 'unknown'), avg((label <> 'unknown')::int), avg((label = 'happiness')::int),
    avg((label = 'unknown')::int), avg(score_happiness), avg(score_contempt)
FROM changes GROUP BY file, id ORDER BY file, id";
/// The same rows of the table of tracks.
const OUR_TRACKS: &str = "
SELECT file, id, first_s, last_s, frames, scored, changes, x, w, label, answered, share_happiness, share_unknown, score_happiness,
    score_contempt FROM 'results.tracks.parquet' ORDER BY file, id";

/// Rows of the table of bins, computed from that of faces.
const BINS: &str = "
WITH faces AS (SELECT *, time_ns // 1500000000 AS bin FROM 'results.parquet'),
means AS (SELECT file, bin, count(*) AS faces, count(score_neutral) AS scored, avg(score_happiness) AS mean,
    avg((label = 'happiness')::int) AS share FROM faces GROUP BY file, bin),
tracks AS (SELECT file, bin, id, count(score_neutral) AS weight, sum(score_happiness) AS total FROM faces GROUP BY file, bin, id),
errors AS (SELECT file, bin, count(*) AS tracks, sqrt(count(*) / (count(*) - 1) * sum((total - weight * mean) ** 2)) / any_value(scored) AS error
    FROM tracks JOIN means USING (file, bin) GROUP BY file, bin)
SELECT file, bin, bin * 1.5::DOUBLE, faces, tracks, scored, share, mean, error FROM means JOIN errors USING (file, bin) ORDER BY file, bin";
/// The same rows of the table of bins.
const OUR_BINS: &str = "
SELECT file, bin, start_s, faces, tracks, scored, share_happiness, score_happiness, score_happiness_se
FROM 'results.bins.parquet' WHERE faces > 0 ORDER BY file, bin";

/// True if both are equal, numbers nearly so.
fn is_near(ours: &Value, expected: &Value) -> bool {
    match (ours.as_array(), expected.as_array()) {
        (Some(ours), Some(expected)) => ours.len() == expected.len() && ours.iter().zip(expected).all(|(a, b)| is_near(a, b)),
        _ => match (ours.as_f64(), expected.as_f64()) {
            (Some(ours), Some(expected)) => (ours - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            _ => ours == expected,
        },
    }
}

#[test]
fn tracks_and_bins_are_sums_of_the_table_of_faces() {
    let (Some(folder), Some(python)) = (Folder::new("tables"), python()) else { return };
    folder.photo("photo.jpg");
    folder.moving_video("moving.mp4", 60, 10);
    folder.video("long.mp4", 100, 1);
    folder.run("photo.jpg moving.mp4 long.mp4 --output results.parquet --bins 1.5", 0);
    let queries = [TRACKS, OUR_TRACKS, BINS, OUR_BINS].map(String::from);
    let answers = query(&python, &folder, &queries);
    for (what, expected, ours) in [("tracks", &answers[0], &answers[1]), ("bins", &answers[2], &answers[3])] {
        let (expected, ours) = (expected.as_array().unwrap(), ours.as_array().unwrap());
        assert_eq!(ours.len(), expected.len(), "{what}");
        for (ours, expected) in ours.iter().zip(expected) {
            assert!(is_near(ours, expected), "{what}: {ours}, and of the faces {expected}");
        }
    }
    let tracks = answers[1].as_array().unwrap();
    assert!(tracks.iter().any(|track| track[6].as_u64() > Some(0)), "a label changes: {tracks:?}");
    assert_eq!(tracks.iter().filter(|track| track[0] == "long.mp4").count(), 4, "two faces in two slices");
    assert!(answers[3].as_array().unwrap().iter().all(|bin| bin[4] == 2 && bin[8].is_number()), "two faces everywhere: {}", answers[3]);
}

#[test]
fn bins_cover_a_video_without_faces_and_all_formats_have_the_tables() {
    let Some(folder) = Folder::new("bins") else { return };
    folder.empty_video("nobody.mp4", 25, 10);
    folder.photo("photo.jpg");
    folder.run("nobody.mp4 photo.jpg --output out.ndjson --bins 1", 0);
    let bins = folder.rows("out.bins.ndjson");
    let of_video: Vec<_> = bins.iter().filter(|bin| bin["file"] == "nobody.mp4").collect();
    assert!(of_video.len() == 3 && of_video.iter().all(|bin| bin["faces"] == 0 && bin["score_happiness"].is_null()), "{bins:?}");
    assert_eq!(bins.len(), 4);
    assert_eq!(folder.rows("out.tracks.ndjson").len(), 2, "the faces of the photo");
    folder.run("nobody.mp4 photo.jpg --output out.csv", 0);
    assert!(
        folder.read("out.tracks.csv").starts_with("file,id,first_s,last_s,frames,scored,changes,x,y,w,h,label,answered,share_neutral,")
    );
    assert!(!folder.path("out.bins.csv").exists(), "without --bins");
}

#[test]
fn parts_have_tracks_and_bins_and_other_bins_are_written_again() {
    let Some(folder) = Folder::new("parts-of-tables") else { return };
    folder.photo("in/a.jpg");
    folder.video("in/b.mp4", 20, 10);
    folder.run("in --output whole.ndjson --bins 1", 0);
    folder.run("in --output parts.ndjson --bins 1 --partition 1", 0);
    for table in ["tracks", "bins"] {
        let parts: String = (0..2).map(|part| folder.read(&format!("parts.{table}.ndjson/part-0000{part}.ndjson"))).collect();
        assert_eq!(parts, folder.read(&format!("whole.{table}.ndjson")), "{table}");
    }
}
