// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of tracks and of bins have the sums of the table of faces, which DuckDB computes.

use std::path::Path;

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

/// Facing and blinks of tracks, computed from the table of faces: a face is watched between two frames that are close to each other.
const GEOMETRY_OF_TRACKS: &str = "
WITH steps AS (SELECT *, time_ns - lag(time_ns) OVER track AS step, trust >= 0.5 AND lag(trust) OVER track >= 0.5 AS reliable
    FROM 'acting.parquet' WINDOW track AS (PARTITION BY file, id ORDER BY frame))
SELECT file, KEY, count(facing), avg(facing::int), coalesce(sum(step) FILTER (reliable AND step <= 70000000), 0) / 1e9,
    count(*) FILTER (blink), count(*) FILTER (blink) * 60e9 / sum(step) FILTER (reliable AND step <= 70000000)
FROM steps GROUP BY file, KEY ORDER BY file, KEY";
/// The same rows of the table of tracks or bins.
const OUR_GEOMETRY: &str =
    "SELECT file, KEY, posed, share_facing, eyes_s, coalesce(blinks, 0), blinks_per_minute FROM 'acting.TABLE.parquet' ORDER BY file, KEY";
/// Whether a face faces the camera by the definition, from its yaw and pitch, where no frame is between both thresholds.
const FACING: &str = "
SELECT count(*), count(*) FILTER (facing = (abs(yaw) <= 30 AND abs(pitch) <= 25)), count(*) FILTER (abs(yaw) BETWEEN 24 AND 30)
FROM 'acting.parquet' WHERE trust >= 0.1";

/// The query of a page that begins this way, of the tables `acting`.
fn documented(page: &str, begin: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let query = &text[text.find(begin).unwrap_or_else(|| panic!("{page} has no {begin}"))..];
    query.split("```").next().unwrap().replace("'results.", "'acting.")
}

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
fn the_photo_and_the_film_of_a_live_photo_are_a_pair() {
    let Some(folder) = Folder::new("pairs") else { return };
    folder.photo("in/IMG_1.JPG");
    folder.video("in/IMG_1.mp4", 30, 10);
    folder.video("in/IMG_2.mp4", 3, 10);
    folder.run("in --output out.ndjson", 0);
    let pairs: Vec<_> = folder.rows("out.files.ndjson").iter().map(|row| (row["file"].clone(), row["pair"].clone())).collect();
    let [photo, film] = ["in/IMG_1.JPG", "in/IMG_1.mp4"].map(Value::from);
    assert_eq!(pairs, [(photo.clone(), film.clone()), (film, photo), ("in/IMG_2.mp4".into(), Value::Null)]);
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
fn facing_and_blinks_are_sums_of_the_table_of_faces_too() {
    let (Some(folder), Some(python)) = (Folder::new("geometry-tables"), python()) else { return };
    folder.photo("photo.jpg");
    folder.acting_video("acting.mp4");
    let printed = folder.run("photo.jpg acting.mp4 --output acting.parquet --bins 1 --geometry", 0);
    let of = |query: &str, key: &str, table: &str| query.replace("KEY", key).replace("TABLE", table);
    let queries = [
        of(GEOMETRY_OF_TRACKS, "id", ""),
        of(OUR_GEOMETRY, "id", "tracks"),
        of(GEOMETRY_OF_TRACKS, "time_ns // 1000000000", "").replace("GROUP BY file, time_ns // 1000000000", "GROUP BY ALL"),
        of(OUR_GEOMETRY, "bin", "bins"),
        FACING.to_owned(),
        documented("scan.md", "SELECT file, avg(facing::int)"),
        documented("research.md", "SELECT file, sum(posed * share_facing)"),
    ];
    let answers = query(&python, &folder, &queries);
    for (what, expected, ours) in [("tracks", &answers[0], &answers[1]), ("bins", &answers[2], &answers[3])] {
        assert!(is_near(ours, expected), "{what}: {ours}, and of the faces {expected}");
    }
    let tracks = answers[1].as_array().unwrap();
    let acting: Vec<_> = tracks.iter().filter(|track| track[0] == "acting.mp4").collect();
    let blinks = |track: &&&Value| track[5].as_u64();
    let (actor, other) = (acting.iter().max_by_key(blinks).unwrap(), acting.iter().min_by_key(blinks).unwrap());
    let share = |track: &Value| track[3].as_f64().unwrap();
    assert!(actor[5] == 2 && (0.55..0.65).contains(&share(actor)), "two blinks, and 2.4 of 4 seconds: {tracks:?}");
    assert!(other[5] == 0 && share(other) == 1.0 && other[4].as_f64() > Some(3.9), "{tracks:?}");
    let photo: Vec<_> = tracks.iter().filter(|track| track[0] == "photo.jpg").collect();
    assert!(photo.len() == 2 && photo.iter().all(|track| track[2] == 1 && track[4] == 0.0 && track[6].is_null()), "{photo:?}");
    let [all, agree, between] = [0, 1, 2].map(|column| answers[4][0][column].as_u64().unwrap());
    assert!(all - agree <= between && all > 200, "{answers:?}");
    let of_acting = |answer: &Value| answer.as_array().unwrap().iter().find(|row| row[0] == "acting.mp4").unwrap().clone();
    let (of_faces, of_tracks) = (of_acting(&answers[5]), of_acting(&answers[6]));
    assert!(of_faces[2] == 2 && is_near(&of_faces[1], &of_tracks[1]) && of_tracks[2].as_f64() > Some(15.0), "{of_faces} {of_tracks}");
    assert!(printed.contains("facing the camera: 80 % of 202 faces with a known pose; blinks: "), "{printed}");
}

#[test]
fn the_geometry_changes_nothing_unless_it_is_asked_for_and_survives_workers_and_repetitions() {
    let Some(folder) = Folder::new("geometry") else { return };
    folder.acting_video("in/acting.mp4");
    folder.photo("in/photo.jpg");
    folder.run("in --output plain.ndjson --bins 1", 0);
    folder.run("in --output posed.ndjson --bins 1 --geometry --report page.html", 0);
    let (plain, posed) = (folder.rows("plain.ndjson"), folder.rows("posed.ndjson"));
    assert_eq!(plain.len(), posed.len());
    let more = |posed: &Value, plain: &Value| {
        let keys = posed.as_object().unwrap().keys();
        assert!(plain.as_object().unwrap().keys().all(|key| posed.get(key).is_some()), "all that was there before");
        keys.filter(|key| plain.get(key).is_none()).cloned().collect::<Vec<_>>()
    };
    let added = more(&posed[0], &plain[0]);
    assert!(added.len() == 60 && added[0] == "blendshape_browDownLeft" && added[51] == "blendshape_tongueOut", "{added:?}");
    assert_eq!(added[52..], ["blink", "facing", "geometry_sha256", "landmarks", "pitch", "roll", "trust", "yaw"]);
    assert!(plain.iter().zip(&posed).all(|(plain, posed)| plain["x"] == posed["x"] && plain["id"] == posed["id"]), "the same faces");
    assert!(posed.iter().any(|row| row["blink"] == true && row["blendshape_eyeBlinkLeft"].as_f64() > Some(0.5)));
    let nose = |row: &Value| row["landmarks"].as_array().filter(|all| all.len() == 140).and_then(|all| all[60].as_f64()).unwrap();
    assert!(posed.iter().all(|row| (nose(row) - row["nose_x"].as_f64().unwrap()).abs() < 0.05), "both are the tip of the nose");
    assert!(posed.iter().any(|row| row["facing"] == false && row["yaw"].as_f64() > Some(30.0)), "turned to the right of the picture");
    for table in ["tracks", "bins"] {
        let (plain, posed) = (folder.rows(&format!("plain.{table}.ndjson")), folder.rows(&format!("posed.{table}.ndjson")));
        let added = ["blinks", "blinks_per_minute", "eyes_s", "posed", "share_facing"];
        assert_eq!(more(&posed[0], &plain[0]), added, "{table}");
    }
    assert!(!folder.read("plain.json").contains("geometry") && !folder.read("plain.datapackage.json").contains("yaw"));
    assert!(
        folder.read("posed.datapackage.json").contains("blinks_per_minute") && folder.read("posed.json").contains("\"geometry\": true")
    );
    assert!(folder.read("page.html").contains("\"watched\":"), "the page has blinks");

    folder.run("in --output like.ndjson --like posed.json", 0);
    folder.run("in --output parts.ndjson --bins 1 --geometry --partition 1", 0);
    for table in ["", "tracks.", "bins."] {
        let whole = folder.read(&format!("posed.{table}ndjson"));
        assert_eq!(folder.read(&format!("like.{table}ndjson")), whole, "--like, {table}");
        let parts: String = (0..2).map(|part| folder.read(&format!("parts.{table}ndjson/part-0000{part}.ndjson"))).collect();
        assert_eq!(parts, whole, "--partition, {table}");
    }
    let printed = folder.run("in --output other.ndjson --set facelandmarks.smoothing=0", 2);
    assert!(printed.contains("--set facelandmarks.smoothing=0: facelandmarks needs --geometry"), "{printed}");
    folder.run("in --output raw.ndjson --geometry --set facelandmarks.smoothing=0", 0);
    assert_ne!(folder.read("raw.ndjson"), folder.read("posed.ndjson"));
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
