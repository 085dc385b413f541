// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages that viewers receive over their WebSockets.
//!
//! After the first few, a picture is sent only when the viewer has acknowledged an earlier one with `next`. A slow viewer
//! skips pictures: it never sees an old one, and no queue grows.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout};

use super::listing;
use crate::dashboard::Dashboard;

/// Maximum number of pictures in flight to one viewer.
const MAX_IN_FLIGHT: u32 = 2;
/// The connection is closed if the viewer does not take a message for this long.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a viewer is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// The connection is closed if the viewer sends nothing for this long, not even a pong.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(70);
/// Minimum time between two messages about the fleet.
const OVERVIEW_INTERVAL: Duration = Duration::from_millis(1000);
/// Minimum time between two lists.
const LIST_INTERVAL: Duration = Duration::from_millis(100);

/// Sends pictures (binary) and readings (text) until the viewer or the source is gone.
pub async fn watch(mut socket: WebSocket, mut pictures: watch::Receiver<Option<Bytes>>, mut readings: watch::Receiver<Option<Utf8Bytes>>) {
    // A new viewer gets the current picture and reading at once.
    pictures.mark_changed();
    readings.mark_changed();
    let mut credit = MAX_IN_FLIGHT;
    let mut presence = Presence::new();
    loop {
        let message = tokio::select! {
            received = socket.recv() => match presence.note(received) {
                Heard::Next => { credit = (credit + 1).min(MAX_IN_FLIGHT); continue }
                Heard::Something => continue,
                Heard::End => return,
            },
            changed = pictures.changed(), if credit > 0 => {
                if changed.is_err() { return }
                let Some(picture) = pictures.borrow_and_update().clone() else { continue };
                credit -= 1;
                Message::Binary(picture)
            }
            changed = readings.changed() => {
                if changed.is_err() { return }
                let Some(reading) = readings.borrow_and_update().clone() else { continue };
                Message::Text(reading)
            }
            ping = presence.ping() => match ping { Some(ping) => ping, None => return },
        };
        if !send(&mut socket, message).await {
            return;
        }
    }
}

/// Sends the list of sources whenever it changes.
pub async fn follow_list(socket: WebSocket, dashboard: Arc<Dashboard>) {
    let mut changes = dashboard.sources.changes.subscribe();
    changes.mark_changed();
    relay(socket, async move || {
        changes.changed().await.ok()?;
        sleep(LIST_INTERVAL).await;
        changes.mark_unchanged();
        Some(listing::of(&dashboard).to_string())
    })
    .await;
}

/// Sends what changes in the fleet and in the alerts.
pub async fn follow_overview(socket: WebSocket, dashboard: Arc<Dashboard>) {
    let mut looks = interval(OVERVIEW_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut fleet_version, mut alerts_version) = (0, None);
    relay(socket, async move || {
        let (fleet, alerts) = loop {
            looks.tick().await;
            let fleet = dashboard.fleet.changes_since(fleet_version);
            let alerts = dashboard.alerts.unless_version(alerts_version);
            if fleet.is_some() || alerts.is_some() {
                break (fleet, alerts);
            }
        };
        fleet_version = fleet.as_ref().map_or(fleet_version, |(version, _)| *version);
        alerts_version = alerts.as_ref().map(|(version, _)| *version).or(alerts_version);
        let (fleet, alerts) = (fleet.map(|(_, fleet)| fleet), alerts.map(|(_, alerts)| alerts));
        Some(json!({ "now": dashboard.sources.now_ms(), "fleet": fleet, "alerts": alerts }).to_string())
    })
    .await;
}

/// Sends each text of `next` until that has no more or the viewer is gone.
async fn relay(mut socket: WebSocket, mut next: impl AsyncFnMut() -> Option<String>) {
    let mut presence = Presence::new();
    loop {
        // It goes on where it was when the viewer has said something.
        let mut text = pin!(next());
        let message = loop {
            tokio::select! {
                received = socket.recv() => if matches!(presence.note(received), Heard::End) { return },
                text = &mut text => break text.map(|text| Message::Text(text.into())),
                ping = presence.ping() => match ping {
                    Some(ping) => if !send(&mut socket, ping).await { return },
                    None => return,
                },
            }
        };
        let Some(message) = message else { return };
        if !send(&mut socket, message).await {
            return;
        }
    }
}

/// Returns false if the viewer is gone.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(())))
}

/// Tracks whether the viewer is still connected.
struct Presence {
    heard: Instant,
    pings: tokio::time::Interval,
}

enum Heard {
    Next,
    Something,
    End,
}

impl Presence {
    fn new() -> Self {
        // The first message is not a ping.
        let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { heard: Instant::now(), pings }
    }

    fn note(&mut self, received: Option<Result<Message, axum::Error>>) -> Heard {
        self.heard = Instant::now();
        match received {
            Some(Ok(Message::Text(text))) if text.as_str() == "next" => Heard::Next,
            None | Some(Err(_) | Ok(Message::Close(_))) => Heard::End,
            Some(Ok(_)) => Heard::Something,
        }
    }

    /// Waits until the next ping is due; `None` if the viewer has been silent for too long.
    async fn ping(&mut self) -> Option<Message> {
        self.pings.tick().await;
        (self.heard.elapsed() < RECEIVE_TIMEOUT).then(|| Message::Ping(Bytes::new()))
    }
}
