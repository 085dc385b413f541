// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program `emotion-report`: the page of a file of records, and the errors for files without records.

#[path = "report/browser.rs"]
mod browser;
#[path = "report/support.rs"]
mod support;

use std::process::Command;

use serde_json::{Value, json};
use sha2::Digest;
use support::{FRAME_NS, acting_clip, clip, data, face, folder, page_of, run, summary, text};
use test_support::repository;

/// The sum of a column.
fn sum(columns: &Value, name: &str) -> u64 {
    columns[name].as_array().expect("a column").iter().map(|value| value.as_u64().expect("a number")).sum()
}

/// Start and end of each row, in frames.
fn periods(columns: &Value) -> Vec<(u64, u64)> {
    let numbers = |name: &str| columns[name].as_array().expect("a column").iter().map(|value| value.as_u64().expect("a number"));
    numbers("start").zip(numbers("hold")).map(|(start, hold)| (start / FRAME_NS, (start + hold) / FRAME_NS)).collect()
}

#[test]
fn changes_hold_until_the_next() {
    let nobody = json!({
        "type": "frame", "version": 1, "stream": "s", "frame": 50, "pts": 50 * FRAME_NS, "duration": FRAME_NS,
        "stream_time": 50 * FRAME_NS, "running_time": 50 * FRAME_NS, "utc": null, "faces": 0,
    });
    // The changes of the clip that the other tests use.
    let changes = [face(0, 1, Some("neutral")), face(25, 1, Some("joy")), nobody];
    let both = [face(75, 1, Some("joy")), face(75, 2, Some("unknown")), face(99, 1, Some("joy")), face(99, 2, Some("unknown"))];
    let page = page_of("changes", &text(&[&changes[..], &both[..]].concat())).expect("a page");
    let columns = &data(&page)["faces"];
    assert_eq!(periods(columns), [(0, 25), (25, 50), (75, 99), (99, 100), (75, 99), (99, 100)]);
    let every_frame = page_of("changes-all", &text(&clip())).expect("a page");
    assert_eq!(sum(columns, "hold"), sum(&data(&every_frame)["faces"], "hold"));
    assert!(page.contains("Only changes were exported"), "{page}");
}

#[test]
fn records_of_1_0_make_pages() {
    let page = |name: &str| {
        let text = std::fs::read_to_string(test_support::data(&format!("1.0/{name}"))).expect("records");
        data(&page_of(&format!("1.0-{name}"), &text).expect("a page"))
    };
    let sorted = |names: &Value| {
        let mut names: Vec<_> = names.as_array().expect("names").iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        names.sort();
        names
    };
    let faces = page("faces.ndjson");
    let classes = ["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];
    assert_eq!(sorted(&faces["faces"]["classes"]), classes);
    assert_eq!(faces["faces"]["label"].as_array().map(Vec::len), Some(18));
    assert_eq!(page("geometry.ndjson")["faces"]["label"].as_array().map(Vec::len), Some(4));
    assert_eq!(page("summary.ndjson")["summaries"]["frames"].as_array().map(Vec::len), Some(6));
}

#[test]
fn the_page_holds_the_records_as_columns() {
    let page = page_of("columns", &text(&clip())).expect("a page");
    let columns = &data(&page)["faces"];
    assert_eq!(columns["faces"], json!([{"stream": 0, "id": 1, "rows": 75}, {"stream": 0, "id": 2, "rows": 25}]));
    assert_eq!((&columns["labels"], &columns["classes"]), (&json!(["joy", "neutral", "unknown"]), &json!(["joy", "neutral"])));
    assert_eq!(
        columns["label"].as_array().map(|rows| (rows[0].clone(), rows[40].clone(), rows[80].clone())),
        Some((1.into(), 0.into(), 2.into()))
    );
    assert_eq!((&columns["scores"][0][0], &columns["scores"][1][0]), (&json!(1000), &json!(9000)));
    assert_eq!(columns["axis"], json!({"start": 0, "end": 100 * FRAME_NS}));
    assert_eq!((&columns["with_faces"], &columns["at_once"]), (&json!(75 * FRAME_NS), &json!(2)));
}

#[test]
fn the_page_holds_facing_and_blinks_if_faces_have_a_geometry() {
    let page = page_of("geometry", &text(&acting_clip())).expect("a page");
    let columns = &data(&page)["faces"];
    let facing: Vec<u64> = columns["facing"].as_array().expect("a column").iter().filter_map(Value::as_u64).collect();
    assert_eq!((facing.len(), [facing[0], facing[49], facing[50], facing[75]]), (100, [1, 1, 2, 0]));
    let faces = &columns["faces"];
    // Face 1 is there for two seconds, then for one, after a gap.
    assert_eq!((&faces[0]["blinks"], &faces[0]["watched"]), (&json!(3), &json!(73 * FRAME_NS)));
    assert_eq!((&faces[1]["blinks"], &faces[1]["watched"]), (&json!(0), &json!(0)));
    for part in ["more than 30 degrees to a side, or 25 up or down", "not attention", "a blink is not tiredness"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let without = page_of("no-geometry", &text(&clip())).expect("a page");
    assert!(data(&without)["faces"]["facing"] == json!([]) && !without.contains("not attention"), "{without}");
}

#[test]
fn a_face_that_waits_for_its_first_classification_is_not_scored() {
    let mut waiting = face(0, 1, Some("unknown"));
    (waiting["reason"], waiting["score"], waiting["scores"]) = ("pending".into(), Value::Null, Value::Null);
    let page = page_of("pending", &text(&[waiting, face(1, 1, Some("joy"))])).expect("a page");
    let columns = &data(&page)["faces"];
    assert_eq!((&columns["labels"], &columns["label"]), (&json!(["joy", "neutral", "not scored"]), &json!([2, 0])));
    assert_eq!(columns["scores"], json!([[-1, 9000], [-1, 1000]]), "a row without scores");
}

#[test]
fn the_page_loads_no_resources_and_runs_only_its_own_script() {
    let mut records = clip();
    records.push(face(100, 3, Some("</script><script>alert(1)</script>")));
    let page = page_of("alone", &text(&records)).expect("a page");
    for foreign in ["<link", "http:", "https:", "@import", "src=", "onload=", "import "] {
        // The name of SVG is an address, which nothing loads.
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(foreign), "{foreign}");
    }
    assert_eq!(page.matches("<script").count(), 2, "the records and the script");
    assert!(page.contains("\\u003c/script>\\u003cscript>alert(1)"), "labels are text");
    // The content policy allows this script and no other.
    let script = page.split("<script type=\"module\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("a script");
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sha2::Sha256::digest(script));
    let policy = format!("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{hash}'\"");
    assert!(page.contains(&format!("http-equiv=\"Content-Security-Policy\" content=\"{policy}")), "{page}");
}

#[test]
fn a_video_beside_the_records_is_played() {
    let folder = folder("player");
    std::fs::write(folder.join("faces.ndjson"), text(&clip())).expect("target can be written");
    std::fs::write(folder.join("faces.mp4"), "").expect("target can be written");
    std::fs::create_dir(folder.join("pages")).expect("target can be written");
    run(&[folder.join("faces.ndjson"), folder.join("pages/page.html")]).expect("a page");
    let page = std::fs::read_to_string(folder.join("pages/page.html")).expect("the page was written");
    assert_eq!(data(&page)["player"], "../faces.mp4");
    assert!(page.contains("; media-src 'self' file:\""), "{page}");
    // A page in the current folder.
    let output = Command::new(support::program()).current_dir(&folder).arg("faces.ndjson").output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(data(&std::fs::read_to_string(folder.join("faces.html")).expect("a page"))["player"], "faces.mp4");
}

#[test]
fn the_times_of_a_loop_go_on_and_those_of_a_recording_are_its_own() {
    let looped: Vec<Value> = (0..3).flat_map(|_| (0..50).map(|frame| face(frame, 1, Some("joy")))).collect();
    let page = page_of("loop", &text(&looped)).expect("a page");
    assert_eq!(
        periods(&data(&page)["faces"]).into_iter().collect::<Vec<_>>(),
        (0..150).map(|frame| (frame, frame + 1)).collect::<Vec<_>>()
    );
    assert!(page.contains("The times of the records start over 2 times"), "{page}");
    let in_recording = |frame: u64| {
        let mut record = face(1000 + frame, 1, Some("joy"));
        record["recording_time"] = json!(frame * FRAME_NS);
        record
    };
    let page = page_of("recording", &text(&(25..50).map(in_recording).collect::<Vec<_>>())).expect("a page");
    assert_eq!(periods(&data(&page)["faces"]).first(), Some(&(25, 26)));
}

#[test]
fn a_sampled_frame_holds_until_the_next_one() {
    let records: Vec<Value> = (0..10).map(|second| face(second * 25, 1, Some("joy"))).collect();
    let page = page_of("sampled", &text(&records)).expect("a page");
    assert!(page.contains("One frame every 1 s was exported"));
    assert_eq!(sum(&data(&page)["faces"], "hold"), 250 * FRAME_NS);
}

#[test]
fn summaries_are_columns_without_faces() {
    let page = page_of("summaries", &text(&[summary(0), summary(1)])).expect("a page");
    let data = data(&page);
    assert!(data["faces"].is_null());
    let columns = &data["summaries"];
    assert_eq!(columns["labels"], json!(["joy", "neutral", "unknown", "not scored"]));
    assert_eq!(columns["counts"], json!([[10, 10], [30, 30], [5, 5], [5, 5]]), "50 faces in each, of which 45 were scored");
}

#[test]
fn a_truncated_or_empty_file_still_has_a_page() {
    let whole = text(&clip());
    let page = page_of("cut", &whole[..whole.len() - 20]).expect("a page");
    assert!(page.contains("The last line is incomplete") && page.contains("Made from 99 records."));
    assert!(page_of("empty", "").expect("a page").contains("no faces were found"));
}

#[test]
fn errors_name_the_file_and_line() {
    let mut newer = clip();
    newer[3]["version"] = json!(2);
    let without = |field: &str| {
        let mut records = clip();
        records[1].as_object_mut().expect("an object").remove(field);
        text(&records)
    };
    let mut wrong = clip();
    wrong[2]["pts"] = json!(-1);
    let csv = "stream,pts,duration\ns,0,40\n".to_owned();
    let mixed = text(&clip()) + "{\"type\":\"face\"}\n";
    let event = json!({"type": "appeared", "version": 1}).to_string() + "\n";
    let both = text(&clip()) + &text(&[summary(0)]);
    for (name, text, expected) in [
        ("newer", text(&newer), ["line 4", "expected version 1, found 2"]),
        ("odd", without("box"), ["line 2", "missing field `box`"]),
        ("no-stream", without("stream"), ["line 2", "missing field `stream`"]),
        ("no-pts", without("pts"), ["line 2", "missing field `pts`"]),
        ("no-duration", without("duration"), ["line 2", "missing field `duration`"]),
        ("wrong", text(&wrong), ["line 3", "invalid value: integer `-1`"]),
        ("csv", csv, ["line 1", "expected a record of emotionexport format=ndjson"]),
        ("mixed", mixed, ["line 101", "expected version 1, found none"]),
        ("event", event, ["line 1", "expected the type face, frame or summary, found \"appeared\""]),
        ("both", both, ["expected records of one kind", "found faces and summaries"]),
    ] {
        let error = page_of(name, &text).expect_err(name);
        assert!(error.contains("faces.ndjson") && expected.iter().all(|part| error.contains(part)), "{name}: {error}");
    }
    let error = run(&["nowhere.ndjson".into()]).expect_err("no file");
    assert!(error.contains("nowhere.ndjson: No such file"), "{error}");
    let records = folder("no-video").join("faces.ndjson");
    std::fs::write(&records, text(&clip())).expect("target can be written");
    let error = run(&[records.clone(), "nowhere.mp4".into()]).expect_err("no video");
    assert!(error.contains("nowhere.mp4: expected a video, found no such file"), "{error}");
    let error = run(&[records.clone(), records]).expect_err("not a video");
    assert!(error.contains("faces.ndjson: expected a video, but it cannot be read"), "{error}");
    assert!(run(&[]).expect_err("no argument").contains("Usage: "));
}

#[test]
fn a_video_that_ends_before_the_records_is_another_one() {
    let folder = folder("short");
    std::fs::write(folder.join("faces.ndjson"), text(&clip())).expect("target can be written");
    support::write_video(&folder.join("short.webm"), &[("red", 25)]);
    let error = run(&[folder.join("faces.ndjson"), folder.join("short.webm")]).expect_err("another video");
    assert!(error.contains("short.webm: expected the video of these records, which end at 4.0 s; the video ends at 1.0 s"), "{error}");
}

#[test]
fn the_script_runs_the_program() {
    let folder = folder("script");
    std::fs::write(folder.join("faces.ndjson"), text(&clip())).expect("target can be written");
    let script = |arguments: &[&str]| {
        let mut script = Command::new(repository().join("pipelines/report.sh"));
        let programs = support::program().parent().expect("a folder");
        script.env("PROGRAMS", programs).current_dir(&folder).args(arguments).output().expect("bash runs")
    };
    assert!(script(&["faces.ndjson"]).status.success());
    assert!(folder.join("faces.html").is_file());
    let output = script(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: emotion-report "), "{output:?}");
}

#[test]
fn a_summary_has_the_numbers_and_the_frame_that_is_not_dark() {
    let folder = folder("summary");
    let score = |frame: u64| [0.99, 0.9, 0.95][frame as usize / 5];
    let scored = |frame: u64| {
        let mut record = face(frame, 1 + frame / 10, Some("joy"));
        record["score"] = json!(score(frame));
        record
    };
    std::fs::write(folder.join("faces.ndjson"), text(&(0..15).map(scored).collect::<Vec<_>>())).expect("target can be written");
    // Black, a medium gray, white; the last frames have no faces.
    let gray = "solid-color foreground-color=0xff6e6e6e";
    support::write_video(&folder.join("clip.webm"), &[("black", 5), (gray, 5), ("white", 7)]);
    let arguments = ["--summary", "best.png", "faces.ndjson", "clip.webm"];
    let output = Command::new(support::program()).current_dir(&folder).args(arguments).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    for line in
        ["frames        17", "0.88 per frame, 2 tracks", "    2 frames with 0", "   15 frames with 1", "expressions   joy 15", "frame 5 "]
    {
        assert!(said.contains(line), "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    let file = std::io::BufReader::new(std::fs::File::open(folder.join("best.png")).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("PNG");
    let mut pixels = vec![0; 320 * 240 * 3];
    reader.next_frame(&mut pixels).expect("a picture of 320x240 pixels");
    assert!(pixels.iter().all(|value| (100..120).contains(value)), "{:?}", &pixels[..3]);
    assert!(!folder.join("faces.html").exists(), "no page");
}
