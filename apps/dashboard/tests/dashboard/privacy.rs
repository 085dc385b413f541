// SPDX-License-Identifier: MIT OR Apache-2.0
//! What viewers can still get after a switch that hides faces.

use serde_json::{Value, json};
use test_support::fetched;

use crate::support::{Dashboard, Shown, labels, next, reading, until};

/// A box around each face of a reading: left, top, width and height in 0..1 of the picture.
fn boxes(reading: &Value) -> Vec<[f64; 4]> {
    let faces = reading["faces"].as_array().into_iter().flatten();
    faces.map(|face| std::array::from_fn(|side| face["box"][side].as_f64().unwrap())).collect()
}

/// The highest contrast in the middle of a face: the standard deviation in grey levels of its inner half, where no box or label
/// is drawn. Blurring leaves less than half of it.
fn contrast(jpeg: &[u8], boxes: &[[f64; 4]]) -> f64 {
    let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).expect("a JPEG picture").into_luma8();
    let contrasts = boxes.iter().map(|&[x, y, w, h]| {
        let pixels = |start: f64, length: f64, size: u32| {
            ((start + length / 4.0) * f64::from(size)) as u32..((start + length * 0.75) * f64::from(size)) as u32
        };
        let (columns, rows) = (pixels(x, w, picture.width()), pixels(y, h, picture.height()));
        let values: Vec<f64> =
            rows.flat_map(|y| columns.clone().map(move |x| (x, y))).map(|(x, y)| f64::from(picture.get_pixel(x, y).0[0])).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    });
    contrasts.fold(0.0, f64::max)
}

/// A dashboard whose clip has been shown and is stopped, and where the faces were.
fn stopped(test: &str) -> Option<(Dashboard, Vec<[f64; 4]>)> {
    if !fetched("centerface") {
        return None;
    }
    let dashboard = Dashboard::start(test, &["media/clip.avi"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    let faces = boxes(&reading(&mut viewer, "two faces", |reading| labels(reading).len() == 2));
    until("a picture", || (dashboard.get("/api/sources/1/snapshot.jpg").status == 200).then_some(()));
    until("a record", || (!dashboard.get("/api/sources/1/records/faces.csv").body.is_empty()).then_some(()));
    dashboard.post("/api/sources/1/stop", &Value::Null);
    dashboard.wait_for(1, "a stop", |source| source["state"] == "stopped");
    assert_eq!(dashboard.get("/api/sources/1/snapshot.jpg").status, 200, "the newest picture of a stopped source");
    Some((dashboard, faces))
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
    let Some((dashboard, _)) = stopped("hidden-totals") else { return };
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"aggregate_only": true})).status, 204);
    assert_eq!(dashboard.get("/api/sources/1/snapshot.jpg").status, 404);
    assert_eq!(dashboard.get("/api/sources/1/records/faces.ndjson").status, 403);
    assert_eq!(first_reading(&dashboard)["faces"], Value::Null);
}

#[test]
fn blur_leaves_no_clear_picture() {
    let Some((dashboard, faces)) = stopped("hidden-blur") else { return };
    let clear = contrast(&dashboard.get("/api/sources/1/snapshot.jpg").body, &faces);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": true})).status, 204);
    assert_eq!(dashboard.get("/api/sources/1/snapshot.jpg").status, 404);
    dashboard.post("/api/sources/1/start", &Value::Null);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    reading(&mut viewer, "two faces", |reading| labels(reading).len() == 2);
    let snapshot = || {
        let answer = dashboard.get("/api/sources/1/snapshot.jpg");
        (answer.status == 200).then(|| contrast(&answer.body, &faces))
    };
    let is_clear = |contrast: f64| contrast > clear / 2.0;
    for _ in 0..20 {
        assert!(!snapshot().is_some_and(is_clear), "{:?} of {clear}", snapshot());
        next(&mut viewer);
    }

    // A source that plays has no clear picture from the moment at which the switch is answered.
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": false})).status, 204);
    until("a clear picture", || {
        next(&mut viewer);
        snapshot().filter(|contrast| is_clear(*contrast))
    });
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": true})).status, 204);
    for _ in 0..50 {
        assert!(!snapshot().is_some_and(is_clear), "{:?} of {clear}", snapshot());
    }
}

#[test]
fn pictures_that_are_held_back_are_hidden() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("hidden-delay", &["media/clip.avi", "--blur", "--blur-delay", "300", "--recall", "high"]);
    let mut viewer = dashboard.socket("api/sources/1/watch");
    let faces = boxes(&reading(&mut viewer, "two faces", |reading| labels(reading).len() == 2));
    let picture = until("a picture", || Some(dashboard.get("/api/sources/1/snapshot.jpg")).filter(|answer| answer.status == 200)).body;
    assert!(contrast(&picture, &faces) < 5.0, "{}", contrast(&picture, &faces));
}

#[test]
fn faces_that_were_hidden_stay_hidden_after_a_restart() {
    let hides = |dashboard: &Dashboard, id: u64| {
        let switches = &dashboard.source(id)["switches"];
        ["aggregate_only", "blur"].map(|name| switches[name].as_bool().unwrap())
    };
    let dashboard = Dashboard::start("hidden-restart", &["media/clip.avi"]);
    assert_eq!(hides(&dashboard, 1), [false, false]);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"aggregate_only": true})).status, 204);
    let dashboard = dashboard.restart(&["media/clip.avi"]);
    assert_eq!(hides(&dashboard, 1), [true, false], "what a viewer switched");
    // The same camera once more.
    assert_eq!(dashboard.post("/api/sources", &json!({"kind": "file", "address": "clip.avi"})).status, 201);
    assert_eq!(hides(&dashboard, 2), [true, false]);
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"aggregate_only": false})).status, 204);
    std::fs::write(dashboard.folder.0.join("wall.toml"), "blur = true\n").unwrap();
    let dashboard = dashboard.restart(&["media/clip.avi", "--config", "wall.toml"]);
    assert_eq!(hides(&dashboard, 1), [false, true], "what the configuration says");
    assert_eq!(dashboard.post("/api/sources", &json!({"kind": "browser"})).status, 201);
    assert_eq!(hides(&dashboard, 2), [false, true]);
}
