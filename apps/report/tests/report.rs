// SPDX-License-Identifier: MIT OR Apache-2.0
//! `pipelines/report.sh`: the page of a file of records, and the errors for files without records.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::Digest;
use test_support::repository;

const FRAME_NS: u64 = 40_000_000;

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target can be written");
    folder
}

fn face(frame: u64, id: u64, label: Option<&str>) -> Value {
    let scores =
        label.map(|label| json!({"neutral": if label == "neutral" { 0.9 } else { 0.1 }, "joy": if label == "joy" { 0.9 } else { 0.1 }}));
    json!({
        "type": "face", "version": 1, "stream": "s", "frame": frame, "pts": frame * FRAME_NS, "duration": FRAME_NS,
        "stream_time": frame * FRAME_NS, "running_time": frame * FRAME_NS, "utc": null, "id": id,
        "box": {"x": 0.1, "y": 0.1, "w": 0.2, "h": 0.3}, "confidence": 0.9, "detector": "test", "landmarks": null,
        "label": label, "label_id": null, "score": label.map(|_| 0.9), "scores": scores, "smoothed": false, "age": 0,
    })
}

/// Four seconds: two with face 1, one without faces, one with both.
fn clip() -> Vec<Value> {
    let alone = (0..50).map(|frame| face(frame, 1, Some(if frame < 25 { "neutral" } else { "joy" })));
    let both = (75..100).flat_map(|frame| [face(frame, 1, Some("joy")), face(frame, 2, Some("unknown"))]);
    alone.chain(both).collect()
}

fn text(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Runs the script on a file with that text and returns the page or the error message.
fn report(test: &str, text: &str) -> Result<String, String> {
    let folder = folder(test);
    std::fs::write(folder.join("faces.ndjson"), text).expect("target can be written");
    run(&[folder.join("faces.ndjson")]).map(|()| std::fs::read_to_string(folder.join("faces.html")).expect("the page was written"))
}

fn run(arguments: &[PathBuf]) -> Result<(), String> {
    let script = repository().join("pipelines/report.sh");
    let output = Command::new(script).args(arguments).output().expect("bash and Python");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("Traceback"), "{said}");
    if output.status.success() { Ok(()) } else { Err(said) }
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
    let page = report("changes", &text(&[&changes[..], &both[..]].concat())).expect("a page");
    let every_frame = report("changes-all", &text(&clip())).expect("a page");
    let shares = |page: &str| page.split("<h2").find(|part| part.contains("Share of time")).expect("shares").to_owned();
    assert_eq!(shares(&page), shares(&every_frame));
    assert!(page.contains("Only changes were exported"), "{page}");
}

#[test]
fn shares_gaps_and_unknown_faces_are_shown() {
    let page = report("shares", &text(&clip())).expect("a page");
    // Faces are visible for four seconds in total: one neutral, two joy, one unknown.
    for row in ["neutral</th>", "joy</th>", "unknown</th>"] {
        assert!(page.contains(row), "{row}");
    }
    let share = |label: &str| {
        let row = &page[page.find(&format!("{label}</th>")).expect("a row")..];
        row.split("<td>").nth(1).and_then(|cell| cell.split('<').next()).map(str::to_owned)
    };
    assert_eq!(["neutral", "joy", "unknown"].map(share), ["25 %", "50 %", "25 %"].map(|share| Some(share.to_owned())));
    // The label has 0.9 and the other class 0.1, for neutral in one second and joy in two; in the fourth, `unknown`, both have 0.1.
    let mean = |label: &str| {
        let row = &page[page.find(&format!("{label}</th>")).expect("a row")..];
        row.split("<td>").nth(3).and_then(|cell| cell.split('<').next()).map(str::to_owned)
    };
    assert_eq!(["neutral", "joy", "unknown"].map(mean), ["30 %", "50 %", "–"].map(|share| Some(share.to_owned())));
    assert!(page.contains("3.0 s\u{a0}· 75\u{a0}%"), "one of four seconds has no face");
    assert!(page.contains("Visible for 3.0 s between 0:00.0 and 0:04.0."));
    assert!(page.contains("<td>0:01.0</td><td>0:02.0</td><td>joy</td>") && page.contains("<td>0:03.0</td><td>0:04.0</td><td>joy</td>"));
}

#[test]
fn a_face_that_waits_for_its_first_classification_is_not_scored() {
    let waiting = (0..25).map(|frame| {
        let mut record = face(frame, 1, Some("unknown"));
        (record["reason"], record["score"], record["scores"]) = ("pending".into(), Value::Null, Value::Null);
        record
    });
    let scored = (25..50).map(|frame| face(frame, 1, Some("joy")));
    let page = report("pending", &text(&waiting.chain(scored).collect::<Vec<_>>())).expect("a page");
    assert!(page.contains("<td>0:00.0</td><td>0:01.0</td><td>not scored</td>") && page.contains("<td>joy</td>"));
    assert!(!page.contains("<td>unknown</td>"));
}

#[test]
fn the_page_loads_no_resources_and_runs_no_scripts() {
    let mut records = clip();
    records.push(face(100, 3, Some("<script>alert(1)</script>")));
    let page = report("alone", &text(&records)).expect("a page");
    for foreign in ["<script", "<link", "http:", "https:", "@import", "src=\"/", "onload"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("&lt;script&gt;"), "labels are text");
}

#[test]
fn a_video_beside_the_records_is_played_by_the_pages_own_script() {
    let folder = folder("player");
    std::fs::write(folder.join("faces.ndjson"), text(&clip())).expect("target can be written");
    std::fs::write(folder.join("faces.mp4"), "").expect("target can be written");
    std::fs::create_dir(folder.join("pages")).expect("target can be written");
    run(&[folder.join("faces.ndjson"), folder.join("pages/page.html")]).expect("a page");
    let page = std::fs::read_to_string(folder.join("pages/page.html")).expect("the page was written");
    assert!(
        page.contains("src=\"../faces.mp4\"") && page.contains("href=\"../faces.mp4#t=1.000\" data-time=\"1.000\">0:01.0</a>"),
        "{page}"
    );
    assert!(page.contains("data-start=\"0.000000\" data-length=\"4.000000\""), "the charts have the times of the records");
    // The content policy allows this script and no other.
    let script = page.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next()).expect("a script");
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sha2::Sha256::digest(script));
    let policy =
        page.split("http-equiv=\"Content-Security-Policy\" content=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a policy");
    assert_eq!(
        policy,
        format!("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; media-src 'self' file:")
    );
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn the_times_of_a_loop_go_on_and_those_of_a_recording_are_its_own() {
    let looped: Vec<Value> = (0..3).flat_map(|_| (0..50).map(|frame| face(frame, 1, Some("joy")))).collect();
    let page = report("loop", &text(&looped)).expect("a page");
    assert!(page.contains("Visible for 6.0 s between 0:00.0 and 0:06.0."), "{page}");
    assert!(page.contains("The times of the records start over 2 times"), "{page}");
    let in_recording = |frame: u64| {
        let mut record = face(1000 + frame, 1, Some("joy"));
        record["recording_time"] = json!(frame * FRAME_NS);
        record
    };
    let page = report("recording", &text(&(25..50).map(in_recording).collect::<Vec<_>>())).expect("a page");
    assert!(page.contains("Visible for 1.0 s between 0:01.0 and 0:02.0."), "{page}");
}

#[test]
fn a_face_is_cut_out_with_a_margin_inside_of_the_frame() {
    let program = "import sys; from expression_report.key_frames import borders\n\
        for box in ((.25, .25, .5, .5), (0, 0, .1, .1), (.9, .9, .1, .1), (2, 2, 0, 0)):\n    \
        print(*borders(dict(zip('xywh', box)), (640, 480)).values())";
    let pipelines = repository().join("pipelines");
    let output = Command::new("python3").args(["-B", "-c", program]).env("PYTHONPATH", pipelines).output().expect("Python");
    // left, right, top, bottom: the side is 1.7 times that of the box
    let expected = "48 48 0 0\n0 552 0 400\n552 0 400 0\n610 2 450 2\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_sampled_frame_holds_until_the_next_one() {
    let records: Vec<Value> = (0..10).map(|second| face(second * 25, 1, Some("joy"))).collect();
    let page = report("sampled", &text(&records)).expect("a page");
    assert!(page.contains("One frame every 1 s was exported"));
    assert!(page.contains("Visible for 10.0 s between"));
}

#[test]
fn summaries_have_a_page_without_individual_faces() {
    let summary = |second: u64| {
        json!({
            "type": "summary", "version": 1, "stream": "s", "pts": second * 1_000_000_000, "duration": 1_000_000_000, "stream_time": null,
            "running_time": null, "utc": null, "frames": 25, "faces_mean": 2.0, "faces_max": 3, "faces_scored": 45,
            "counts": {"neutral": 30, "joy": 10, "unknown": 5}, "scores": null,
        })
    };
    let page = report("summaries", &text(&[summary(0), summary(1)])).expect("a page");
    assert!(page.contains("totals only") && page.contains("Share of faces"));
    // 50 faces in each: 30 neutral, 5 not scored.
    assert!(
        page.contains("<td>60 %</td><td>60</td>") && page.contains("not scored</th>") && page.contains("<td>10 %</td><td>10</td>"),
        "{page}"
    );
}

#[test]
fn a_truncated_or_empty_file_still_has_a_page() {
    let whole = text(&clip());
    let page = report("cut", &whole[..whole.len() - 20]).expect("a page");
    assert!(page.contains("The last line is incomplete"));
    assert!(report("empty", "").expect("a page").contains("no faces were found"));
}

#[test]
fn errors_name_the_file_and_line() {
    let mut newer = clip();
    newer[3]["version"] = json!(2);
    let mut odd = clip();
    odd[1].as_object_mut().expect("an object").remove("box");
    let csv = "stream,pts,duration\ns,0,40\n".to_owned();
    let mixed = text(&clip()) + "{\"type\":\"face\"}\n";
    for (name, text, expected) in [
        ("newer", text(&newer), ["line 4", "expected version 1, found 2"]),
        ("odd", text(&odd), ["line 2", "no field 'box'"]),
        ("csv", csv, ["line 1", "expected a record of emotionexport format=ndjson"]),
        ("mixed", mixed, ["line 101", "found None"]),
    ] {
        let error = report(name, &text).expect_err(name);
        assert!(error.contains("faces.ndjson") && expected.iter().all(|part| error.contains(part)), "{name}: {error}");
    }
    let error = run(&["nowhere.ndjson".into()]).expect_err("no file");
    assert!(error.contains("nowhere.ndjson: No such file"), "{error}");
    let records = folder("no-video").join("faces.ndjson");
    std::fs::write(&records, text(&clip())).expect("target can be written");
    let error = run(&[records.clone(), "nowhere.mp4".into()]).expect_err("no video");
    assert!(error.contains("nowhere.mp4: expected a video"), "{error}");
    let error = run(&[records.clone(), records]).expect_err("not a video");
    assert!(error.contains("faces.ndjson") || error.contains("bindings"), "{error}");
    assert!(run(&[]).expect_err("no argument").contains("usage: "));
}
