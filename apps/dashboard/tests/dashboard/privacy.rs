// SPDX-License-Identifier: MIT OR Apache-2.0
//! What viewers can still get after a switch that hides faces.

use serde_json::{Value, json};
use test_support::fetched;

use crate::support::{Dashboard, Shown, labels, next, reading, until};

/// A dashboard whose clip has been shown and is stopped.
fn stopped(test: &str) -> Option<Dashboard> {
    if !fetched("centerface") {
        return None;
    }
    let dashboard = Dashboard::start(test, &["media/clip.avi"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    reading(&mut viewer, "two faces", |reading| labels(reading).len() == 2);
    until("a picture", || (dashboard.get("/api/sources/1/snapshot.jpg").status == 200).then_some(()));
    until("a record", || (!dashboard.get("/api/sources/1/records/faces.csv").body.is_empty()).then_some(()));
    dashboard.post("/api/sources/1/stop", &Value::Null);
    dashboard.wait_for(1, "a stop", |source| source["state"] == "stopped");
    assert_eq!(dashboard.get("/api/sources/1/snapshot.jpg").status, 200, "the newest picture of a stopped source");
    Some(dashboard)
}

/// The first reading that a new viewer receives, from the moment at which the source plays again.
fn first_reading(dashboard: &Dashboard) -> Value {
    let mut viewer = dashboard.socket("api/sources/1/watch");
    dashboard.post("/api/sources/1/start", &Value::Null);
    loop {
        if let Shown::Reading(reading) = next(&mut viewer) {
            return reading;
        }
    }
}

#[test]
fn totals_only_hides_the_last_faces_of_a_stopped_source() {
    let Some(dashboard) = stopped("hidden-totals") else { return };
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"aggregate_only": true})).status, 204);
    assert_eq!(dashboard.get("/api/sources/1/snapshot.jpg").status, 404);
    assert_eq!(dashboard.get("/api/sources/1/records/faces.ndjson").status, 403);
    assert_eq!(first_reading(&dashboard)["faces"], Value::Null);
}

#[test]
fn blur_leaves_no_clear_picture() {
    let Some(dashboard) = stopped("hidden-blur") else { return };
    let clear = dashboard.get("/api/sources/1/snapshot.jpg").body.len();
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": true})).status, 204);
    assert_eq!(dashboard.get("/api/sources/1/snapshot.jpg").status, 404);
    dashboard.post("/api/sources/1/start", &Value::Null);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    reading(&mut viewer, "two faces", |reading| labels(reading).len() == 2);
    // Blurred faces take fewer bytes, and so does a picture that is blurred as a whole before its faces are known.
    let snapshot =
        || Some(dashboard.get("/api/sources/1/snapshot.jpg")).filter(|answer| answer.status == 200).map(|answer| answer.body.len());
    let is_clear = |bytes: usize| bytes * 100 > clear * 90;
    for _ in 0..20 {
        assert!(!snapshot().is_some_and(is_clear), "{:?} of {clear} bytes", snapshot());
        next(&mut viewer);
    }

    // A source that plays has no clear picture from the moment at which the switch is answered.
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({})).status, 204);
    until("a clear picture", || {
        next(&mut viewer);
        snapshot().filter(|bytes| is_clear(*bytes))
    });
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": true})).status, 204);
    for _ in 0..50 {
        assert!(!snapshot().is_some_and(is_clear), "{:?} of {clear} bytes", snapshot());
    }
}
