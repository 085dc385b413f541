// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings of a source: prior, threshold of faces and interval of searches.

use serde_json::{Value, json};
use test_support::fetched;

use crate::support::{Dashboard, labels, reading, until};

/// The labels of the clip, from left to right.
const EXPECTED_LABELS: [&str; 2] = ["happiness", "neutral"];

#[test]
fn settings_are_changed_while_playing() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("settings", &["media/clip.avi"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    reading(&mut viewer, "two faces", |reading| labels(reading) == EXPECTED_LABELS);
    let defaults = json!({"aggregate_only": false, "blur": false, "geometry": false, "prior": "natural", "baseline": "none",
        "threshold": null, "interval": 1});
    assert_eq!(dashboard.source(1)["switches"], defaults);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"threshold": 1.0, "interval": 2, "prior": "balanced"})).status, 204);
    reading(&mut viewer, "no face above the threshold", |reading| reading["room"]["faces"] == 0);
    assert_eq!(["interval", "prior"].map(|key| dashboard.source(1)["switches"][key].clone()), [json!(2), json!("balanced")]);
    // Another viewer changes one of them only.
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"threshold": null})).status, 204);
    assert_eq!(["interval", "prior"].map(|key| dashboard.source(1)["switches"][key].clone()), [json!(2), json!("balanced")]);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"prior": "natural"})).status, 204);
    reading(&mut viewer, "two faces again", |reading| labels(reading) == EXPECTED_LABELS);
    for wrong in [json!({"threshold": 1.5}), json!({"interval": 0}), json!({"interval": 1000})] {
        let answer = dashboard.post("/api/sources/1/switches", &wrong);
        assert!(answer.status == 400 && answer.text().contains("expected"), "{wrong}: {}", answer.text());
    }
}

#[test]
fn a_face_is_at_rest_when_somebody_says_so() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("rest", &["media/clip.avi"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    let first = reading(&mut viewer, "two faces", |reading| labels(reading) == EXPECTED_LABELS);
    assert!(first["faces"][0]["baseline"].is_null(), "scores are relative to all people");
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"baseline": "track"})).status, 204);
    let certainty = |reading: &Value| reading["faces"][1]["baseline"].as_f64();
    reading(&mut viewer, "a baseline", |reading| certainty(reading).is_some_and(|certainty| certainty < 0.5));
    // The clip starts again every 1.5 seconds, and its faces get new ids.
    let mut ask = |what: &str, is_done: &dyn Fn(f64) -> bool| {
        until(what, || {
            let seen = reading(&mut viewer, "a baseline", |reading| certainty(reading).is_some());
            let path = format!("/api/sources/1/faces/{}/{what}", seen["faces"][1]["id"]);
            assert_eq!(dashboard.post(&path, &Value::Null).status, 204);
            is_done(certainty(&reading(&mut viewer, "a baseline", |reading| certainty(reading).is_some()))?).then_some(())
        });
    };
    ask("calibrate", &|certainty| certainty >= 0.75);
    ask("reset-baseline", &|certainty| certainty < 0.5);
    assert_eq!(dashboard.post("/api/sources/9/faces/1/calibrate", &Value::Null).status, 404);
    assert_eq!(dashboard.post("/api/sources/1/faces/x/calibrate", &Value::Null).status, 400);
}

#[test]
fn heads_are_shown_with_the_switch_or_the_option() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("heads", &["media/clip.avi", "--geometry"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    let has_heads = |reading: &Value| {
        let faces = reading["faces"].as_array().map_or(&[][..], Vec::as_slice);
        faces.len() == 2 && faces.iter().all(|face| face["head"]["pose"].is_array())
    };
    let seen = reading(&mut viewer, "two heads", has_heads);
    assert_eq!(seen["room"]["facing"], json!([2, 2]));
    for face in seen["faces"].as_array().unwrap() {
        let head = &face["head"];
        assert!(head["facing"] == true && head["share"] == 1.0 && head["pose"][0].as_f64().unwrap().abs() < 15.0, "{head}");
        // The clip has ten frames a second.
        assert!(head["blinks"].is_null() && head["lids"].as_f64() < Some(0.5), "{head}");
    }
    let columns = |table: String| table.lines().next().unwrap_or_default().to_owned();
    until("a table with the pose", || {
        columns(dashboard.get("/api/sources/1/records/faces.csv").text()).contains(",yaw,pitch,roll,trust,").then_some(())
    });
    // The pipeline is built again without the element, and the table begins again.
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"geometry": false})).status, 204);
    reading(&mut viewer, "faces without heads", |reading| labels(reading) == EXPECTED_LABELS && reading["faces"][0]["head"].is_null());
    until("a table without the pose", || {
        let table = dashboard.get("/api/sources/1/records/faces.csv").text();
        (!table.is_empty() && !columns(table).contains("yaw")).then_some(())
    });
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"geometry": true, "aggregate_only": true})).status, 204);
    let totals = reading(&mut viewer, "totals with facing", |reading| reading["faces"].is_null() && reading["room"]["facing"].is_array());
    assert_eq!(totals["room"]["facing"], json!([2, 2]));
}
