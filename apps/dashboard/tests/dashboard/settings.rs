// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings of a source: prior, threshold of faces and interval of searches.

use serde_json::json;
use test_support::fetched;

use crate::support::{Dashboard, labels, reading};

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
    let defaults = json!({"aggregate_only": false, "blur": false, "prior": "natural", "threshold": null, "interval": 1});
    assert_eq!(dashboard.source(1)["switches"], defaults);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"threshold": 1.0, "interval": 2, "prior": "balanced"})).status, 204);
    reading(&mut viewer, "no face above the threshold", |reading| reading["room"]["faces"] == 0);
    assert_eq!(["interval", "prior"].map(|key| dashboard.source(1)["switches"][key].clone()), [json!(2), json!("balanced")]);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({})).status, 204);
    reading(&mut viewer, "two faces again", |reading| labels(reading) == EXPECTED_LABELS);
    for wrong in [json!({"threshold": 1.5}), json!({"interval": 0}), json!({"interval": 1000})] {
        let answer = dashboard.post("/api/sources/1/switches", &wrong);
        assert!(answer.status == 400 && answer.text().contains("expected"), "{wrong}: {}", answer.text());
    }
}
