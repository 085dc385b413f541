// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cameras that publish to a broker: on the server, and on the page in headless Chromium.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use emotion_publish::mqtt::{Mqtt, Version};
use emotion_publish::secrets::Secrets;
use emotion_publish::session::Publisher;
use emotion_publish::{Limits, Location, Outbox};
use serde_json::{Value, json};
use test_support::broker::{Mosquitto, Subscriber, installed};
use test_support::browser::{Browser, chromium};
use tungstenite::{Message, WebSocket};

use crate::support::{Dashboard, Folder, PATIENCE, receive, take, until};

const LABELS: [&str; 4] = ["neutral", "happiness", "sadness", "anger"];
/// Number of times that each of 40 cameras publishes.
const ROUNDS: u64 = 20;
/// Maximum memory of the page with 40 cameras, in MB.
const MAX_PAGE_MB: u64 = 200;

/// A simulated camera, which publishes with the plugin's own publisher.
struct Camera(Publisher);

impl Camera {
    fn start(port: u16, name: &str) -> Self {
        let location = Location::parse(&format!("mqtt://127.0.0.1:{port}/emotion/{name}")).unwrap();
        let login = Secrets::default().login(&location, name.bytes().map(u64::from).fold(7, |a, b| a * 31 + b)).unwrap();
        let outbox = Outbox::open(&Limits { max_bytes: 1 << 20, spool: None }).unwrap();
        let mqtt = Mqtt { location, version: Version::V5, login, retained: Vec::new(), has_status: true };
        Self(Publisher::start(outbox, mqtt, |_| {}).unwrap())
    }

    fn publish(&self, schema: &str, record: &Value) {
        self.0.push(&schema.into(), record.to_string().as_bytes());
    }

    /// Publishes the summary of a second with `faces`, all of which look like `label`.
    fn summarise(&self, faces: u64, label: &str) {
        let of = |own: Value, other: Value| -> Value {
            LABELS.iter().map(|known| ((*known).to_owned(), if *known == label { own.clone() } else { other.clone() })).collect()
        };
        let record = json!({
            "type": "summary", "version": 1, "stream": "test", "utc": null, "duration": 1_000_000_000_u64, "frames": 10,
            "faces_mean": faces, "faces_max": faces, "faces_scored": faces * 10,
            "counts": of(json!(faces * 10), json!(0)), "scores": of(json!(0.7), json!(0.1)),
        });
        self.publish("summary", &record);
    }
}

/// What the server has said about the fleet and the alerts.
struct Overview {
    socket: WebSocket<TcpStream>,
    fleet: Value,
    cameras: BTreeMap<u64, Value>,
    alerts: Vec<Value>,
}

impl Overview {
    fn open(dashboard: &Dashboard) -> Self {
        Self { socket: dashboard.socket("api/overview"), fleet: Value::Null, cameras: BTreeMap::new(), alerts: Vec::new() }
    }

    /// Takes messages until `is_met`.
    fn wait(&mut self, what: &str, is_met: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_met(self) {
            assert!(Instant::now() < end, "timed out waiting for {what}: {:?} {:?}", self.cameras, self.alerts);
            let Message::Text(text) = receive(&mut self.socket).unwrap() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if let Some(alerts) = message["alerts"].as_array() {
                self.alerts.clone_from(alerts);
            }
            if message["fleet"].is_object() {
                self.fleet = message["fleet"].clone();
                let ids: Vec<_> = self.fleet["ids"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
                for camera in self.fleet["cameras"].as_array().unwrap() {
                    self.cameras.insert(camera["id"].as_u64().unwrap(), camera.clone());
                }
                self.cameras.retain(|id, _| ids.contains(id));
            }
        }
    }

    fn camera(&self, name: &str) -> &Value {
        self.cameras.values().find(|camera| camera["name"] == name).unwrap_or(&Value::Null)
    }
}

fn start(test: &str, broker: &Mosquitto, configuration: &str) -> Dashboard {
    let path = broker.folder.write("dashboard.toml", configuration);
    let address = format!("mqtt://127.0.0.1:{}/emotion/+", broker.port);
    Dashboard::start(test, &["--config", path.to_str().unwrap(), &address])
}

#[test]
fn cameras_of_a_broker_have_status_counts_events_and_a_timeline() {
    if !installed(&["mosquitto"]) {
        return;
    }
    let mut broker = Mosquitto::open("dashboard-fleet");
    let (door, gate) = (Camera::start(broker.port, "door"), Camera::start(broker.port, "gate"));
    let dashboard = start("fleet", &broker, "");
    let mut overview = Overview::open(&dashboard);
    overview.wait("two cameras", |all| all.camera("door")["status"] == "online" && all.camera("gate")["status"] == "online");
    assert_eq!(overview.camera("door")["is_older"], true, "it was online before the dashboard");

    door.summarise(3, "happiness");
    door.publish("events", &json!({"type": "expression", "version": 1, "utc": null, "id": 4, "from": null, "to": "happiness"}));
    overview.wait("counts", |all| all.camera("door")["totals"]["faces_mean"] == 3.0 && all.camera("door")["events"][0]["id"] == 4);
    let totals = &overview.camera("door")["totals"];
    assert_eq!((&totals["faces_max"], &totals["labels"][0]), (&json!(3), &json!("anger")), "the order of the record");
    let id = overview.camera("door")["id"].clone();
    let timeline = dashboard.get(&format!("/api/cameras/{id}/timeline")).json();
    assert_eq!((&timeline["step"], &timeline["points"][0][1]), (&json!(10), &json!(3.0)), "{timeline}");
    assert_eq!(dashboard.get("/api/cameras/999/timeline").status, 404);

    drop(gate);
    overview.wait("a camera that is offline", |all| all.camera("gate")["status"] == "offline");
    assert_eq!(overview.camera("gate")["is_older"], false, "the time at which it went offline is known");

    broker.stop();
    overview.wait("the reason for which there is no broker", |all| all.fleet["brokers"][0]["failure"].is_string());
    broker.start();
    overview.wait("the broker again", |all| all.fleet["brokers"][0]["failure"].is_null() && all.camera("door")["status"] == "online");
    door.summarise(1, "anger");
    overview.wait("new counts", |all| all.camera("door")["totals"]["faces_mean"] == 1.0);
}

#[test]
fn a_message_that_is_too_large_does_not_end_the_subscription() {
    if !installed(&["mosquitto"]) {
        return;
    }
    let broker = Mosquitto::open("dashboard-large");
    let (door, gate) = (Camera::start(broker.port, "door"), Camera::start(broker.port, "gate"));
    let dashboard = start("large", &broker, "");
    let mut overview = Overview::open(&dashboard);
    overview.wait("two cameras", |all| all.camera("door")["status"] == "online" && all.camera("gate")["status"] == "online");
    gate.publish("summary", &json!({"type": "summary", "text": "x".repeat(300_000)}));
    gate.publish("events", &json!({"type": "appeared", "version": 1, "utc": null, "id": 7}));
    door.summarise(3, "happiness");
    // In the order of the camera: the event comes after the large message, over the same subscription.
    overview.wait("what comes after it", |all| all.camera("gate")["events"][0]["id"] == 7 && all.camera("door")["totals"].is_object());
    assert_eq!(overview.fleet["brokers"][0]["failure"], Value::Null);
}

#[test]
fn alerts_are_raised_without_a_viewer_and_published() {
    if !installed(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let broker = Mosquitto::open("dashboard-alerts");
    let subscriber = Subscriber::new(broker.port, &[]);
    let dashboard = start(
        "alerts",
        &broker,
        "[[alerts]]\nname = \"crowd\"\nwhen = \"faces > 3\"\n[[alerts]]\nname = \"sad faces\"\nwhen = \"sadness > 0.5\"\nfor = 2\n\
         [[alerts]]\nwhen = \"offline\"\nsources = [\"gate\"]\n",
    );
    let (door, gate) = (Camera::start(broker.port, "door"), Camera::start(broker.port, "gate"));
    let alerts_of = |camera: &str| subscriber.received.objects(&format!("emotion/{camera}/alerts"));
    let is_received = |camera: &str, name: &str, state: &str| {
        let is_it = |alert: &Value| alert["alert"] == name && alert["state"] == state && alert["message_id"].is_string();
        alerts_of(camera).iter().any(is_it)
    };
    // The time in which the condition has to hold is made of three summaries.
    until("alerts of the door", || {
        door.summarise(5, "sadness");
        (is_received("door", "crowd", "began") && is_received("door", "sad faces", "began")).then_some(())
    });
    let crowd = alerts_of("door").into_iter().find(|alert| alert["alert"] == "crowd").unwrap();
    assert_eq!((&crowd["stream"], &crowd["value"], &crowd["ended"]), (&json!("door"), &json!(5.0), &Value::Null));
    drop(door);
    drop(gate);
    until("the others", || (is_received("gate", "offline", "began") && is_received("door", "crowd", "ended")).then_some(()));
    assert!(!is_received("door", "offline", "began"), "only for the gate");

    // A viewer who comes later sees them.
    let mut overview = Overview::open(&dashboard);
    overview.wait("all alerts", |all| all.alerts.len() == 3);
    let ended: Vec<_> = overview.alerts.iter().map(|alert| (alert["rule"].as_str().unwrap(), alert["ended"].is_u64())).collect();
    assert!(ended.contains(&("offline", false)) && ended.contains(&("crowd", true)), "{ended:?}");

    // The gate is taken out of service.
    let (port, message) = (broker.port.to_string(), ["-r", "-n", "-t", "emotion/gate/status"]);
    assert!(Command::new("mosquitto_pub").args(["-p", &port]).args(message).status().unwrap().success());
    until("the end of its alert", || is_received("gate", "offline", "ended").then_some(()));
}

#[test]
fn forty_cameras_in_chromium() {
    let Some(program) = chromium().filter(|_| installed(&["mosquitto"])) else { return };
    let broker = Mosquitto::open("dashboard-forty");
    let mut cameras: Vec<_> = (1..=40).map(|number| Camera::start(broker.port, &format!("camera {number}"))).collect();
    let dashboard = start("forty", &broker, "[[alerts]]\nname = \"crowd\"\nwhen = \"faces > 3\"\n");
    let profile = Folder::new("forty-profile");
    let mut page = Browser::start(&program, &profile.0, &["--enable-precise-memory-info"], "fleet");
    page.resize(1400, 1000, 1.0);
    page.command("Page.navigate", json!({"url": format!("http://{}/", dashboard.address)}));
    let publish = |cameras: &[Camera], round: u64| {
        for (index, camera) in cameras.iter().enumerate() {
            let index = index as u64;
            camera.summarise((index + round) % 5, LABELS[(index + round / 3) as usize % LABELS.len()]);
            camera.publish("events", &json!({"type": "appeared", "version": 1, "utc": null, "id": round}));
        }
    };
    page.wait("all cameras", "document.querySelectorAll('.camera[data-state=playing]').length === 40");
    for round in 0..ROUNDS {
        publish(&cameras, round);
        let event = format!("tile.querySelector('.events li span')?.textContent === 'face {round} appeared'");
        page.wait("the newest event of all", &format!("[...document.querySelectorAll('.camera')].every((tile) => {event})"));
    }
    let newest = "[...document.querySelectorAll('.camera')].every((tile) => tile.querySelectorAll('.events li').length === 6)";
    page.wait("events of all", newest);
    page.wait("an alert on a tile", "document.querySelector('.camera .alert:not([hidden]) span')?.textContent === 'crowd'");
    page.wait(
        "the timeline of a tile in view",
        "document.querySelector('.camera .timeline').getAttribute('aria-label').includes('mostly')",
    );

    // A camera that is gone says since when.
    drop(cameras.remove(2));
    let state = "document.querySelector('.camera[data-name=\"camera 3\"] .word').textContent";
    page.wait("a camera that is offline", &format!("/^offline since \\d\\d:\\d\\d$/.test({state})"));
    page.wait("the number of cameras", "document.querySelector('#fleet-counts').textContent === '39 online, 1 offline'");

    // One camera fills the window, and Escape restores the others.
    page.run("document.querySelector('.camera .maximise').click()");
    page.wait("one tile", "document.querySelectorAll('.tile:not([hidden])').length === 1");
    page.take("maximised");
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))");
    page.wait("all tiles", "document.querySelectorAll('.tile:not([hidden])').length === 40");

    // A choice of cameras is kept after a reload.
    page.run("document.querySelector('#choice summary').click()");
    page.wait("the list of cameras", "document.querySelectorAll('#choice li').length === 40");
    page.run("{ const search = document.querySelector('#choice [type=search]'); search.value = 'camera 1'; search.oninput() }");
    page.run("document.querySelector('#choice .none').click()");
    page.wait("fewer tiles", "document.querySelectorAll('.tile:not([hidden])').length === 29");
    page.take("choice");
    assert_eq!(page.unnamed_controls(), Vec::<String>::new(), "every control has an accessible name");
    page.command("Page.reload", json!({}));
    page.wait("as many tiles", "document.querySelectorAll('.tile:not([hidden])').length === 29");
    page.run("document.querySelector('#choice summary').click()");
    page.run("document.querySelector('#choice .all').click()");
    page.run("document.querySelector('#choice summary').click()");
    page.wait("all tiles again", "document.querySelectorAll('.tile:not([hidden])').length === 40");

    // A camera that has just started has no faces, and shows no empty boxes once it is gone.
    let new = "document.querySelector('.camera[data-name=\"camera 0\"]')";
    let started = Camera::start(broker.port, "camera 0");
    page.wait("its count", &format!("{new}?.querySelector('.count').textContent === '0 faces'"));
    drop(started);
    page.wait("a tile without boxes", &format!("[...{new}.querySelectorAll('section')].every((section) => !section.checkVisibility())"));
    let gone = "document.querySelector('.camera[data-name=\"camera 3\"]')";
    page.run(&format!("{gone}.scrollIntoView()"));
    let boxes = format!("[...{gone}.querySelectorAll('section')].map((section) => section.checkVisibility()).join()");
    page.wait("earlier counts and events", &format!("{boxes} === 'false,true,true'"));
    page.run("scrollTo(0, 0)");

    for (screen, width, height, scale) in [("wide", 1400, 1000, 1.0), ("phone", 390, 844, 2.0)] {
        page.resize(width, height, scale);
        for scheme in ["light", "dark"] {
            take(&mut page, &format!("forty-{screen}-{scheme}"), width, scheme);
        }
        assert_eq!(page.run("document.documentElement.scrollWidth <= innerWidth"), true, "too wide on a {screen}");
    }
    let memory = page.memory_mb();
    println!("the page takes {memory} MB");
    assert!(memory < MAX_PAGE_MB, "{memory} MB");
    assert_eq!(page.complaints, Vec::<String>::new());
}
