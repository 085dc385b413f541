// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records, videos and pages.

use std::path::{Path, PathBuf};
use std::process::Command;

use gst::prelude::*;
use serde_json::{Value, json};

/// Duration of a frame.
pub const FRAME_NS: u64 = 40_000_000;

/// The path of the program.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_emotion-report"))
}

/// An empty folder for one test.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target can be written");
    folder
}

/// The record of a face: 0.9 is the score of its label, if that is a class, and 0.1 that of others.
pub fn face(frame: u64, id: u64, label: Option<&str>) -> Value {
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
pub fn clip() -> Vec<Value> {
    let alone = (0..50).map(|frame| face(frame, 1, Some(if frame < 25 { "neutral" } else { "joy" })));
    let both = (75..100).flat_map(|frame| [face(frame, 1, Some("joy")), face(frame, 2, Some("unknown"))]);
    alone.chain(both).collect()
}

/// The record with a geometry: a yaw, and both lids closed this far.
pub fn posed(mut record: Value, yaw: f64, lids: f64) -> Value {
    record["pose"] = json!({"yaw": yaw, "pitch": 2.5, "roll": 0});
    record["blendshapes"] = json!({"browDownLeft": 0, "eyeBlinkLeft": lids, "eyeBlinkRight": lids});
    record["trust"] = json!(0.9);
    record
}

/// The clip in which face 1 blinks once a second while it is there alone, and then turns away; face 2 has no geometry.
pub fn acting_clip() -> Vec<Value> {
    let geometry = |record: Value| match (record["frame"].as_u64(), record["id"].as_u64()) {
        (Some(frame), Some(1)) => posed(record, if frame < 50 { 4.0 } else { -45.0 }, if frame % 25 == 12 { 0.8 } else { 0.1 }),
        _ => record,
    };
    clip().into_iter().map(geometry).collect()
}

/// The totals of a second.
pub fn summary(second: u64) -> Value {
    json!({
        "type": "summary", "version": 1, "stream": "s", "pts": second * 1_000_000_000, "duration": 1_000_000_000, "stream_time": null,
        "running_time": null, "utc": null, "frames": 25, "faces_mean": 2.0, "faces_max": 3, "faces_scored": 45,
        "counts": {"neutral": 30, "joy": 10, "unknown": 5}, "scores": null,
    })
}

/// The lines of records.
pub fn text(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Runs the program on a file with that text and returns the page or the error message.
pub fn page_of(test: &str, text: &str) -> Result<String, String> {
    let folder = folder(test);
    std::fs::write(folder.join("faces.ndjson"), text).expect("target can be written");
    run(&[folder.join("faces.ndjson")]).map(|()| std::fs::read_to_string(folder.join("faces.html")).expect("the page was written"))
}

/// Runs the program and returns its error message if it fails.
pub fn run(arguments: &[PathBuf]) -> Result<(), String> {
    let output = Command::new(program()).args(arguments).output().expect("the program runs");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// What the page's script draws.
pub fn data(page: &str) -> Value {
    let text = page.split("id=\"records\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("records");
    serde_json::from_str(text).expect("records are JSON")
}

/// Writes a WebM video of parts with a pattern of `videotestsrc` and a number of frames, at 25 frames per second.
pub fn write_video(path: &Path, parts: &[(&str, u32)]) {
    let caps = "video/x-raw,width=320,height=240,framerate=25/1";
    let sources: String =
        parts.iter().map(|(pattern, frames)| format!(" videotestsrc pattern={pattern} num-buffers={frames} ! {caps} ! parts.")).collect();
    let line = format!("concat name=parts ! videoconvert ! vp8enc deadline=1 ! webmmux ! filesink name=out {sources}");
    gst::init().expect("GStreamer");
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.by_name("out").expect("a sink").set_property("location", path);
    pipeline.set_state(gst::State::Playing).expect("a pipeline that starts");
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    pipeline.set_state(gst::State::Null).expect("a pipeline that stops");
}
