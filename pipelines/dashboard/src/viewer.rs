// SPDX-License-Identifier: MIT OR Apache-2.0
//! What viewers get over their WebSockets.
//!
//! A picture is sent only to a viewer who has said `next` for one before, but for the first few: whoever is slow skips
//! pictures and never sees an old one, and nothing piles up in between.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::listing;
use crate::registry::Registry;

/// Pictures on their way to one viewer at a time.
const IN_FLIGHT: u32 = 2;
/// A viewer who does not take a message for that long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a viewer is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A viewer who says nothing for that long, not even that it is there, is gone.
const SILENCE: Duration = Duration::from_secs(70);
/// Least time from one list to the next.
const LIST_INTERVAL: Duration = Duration::from_millis(100);

/// Sends pictures (binary) and readings (text) until the viewer or the source is gone.
pub async fn watch(mut socket: WebSocket, mut pictures: watch::Receiver<Option<Bytes>>, mut readings: watch::Receiver<Option<Utf8Bytes>>) {
    // Whoever comes sees at once what there is.
    pictures.mark_changed();
    readings.mark_changed();
    let mut credit = IN_FLIGHT;
    let mut presence = Presence::new();
    loop {
        let message = tokio::select! {
            received = socket.recv() => match presence.note(received) {
                Heard::Next => { credit = (credit + 1).min(IN_FLIGHT); continue }
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
pub async fn follow_list(mut socket: WebSocket, registry: Arc<Registry>) {
    let mut changes = registry.changes.subscribe();
    changes.mark_changed();
    let mut presence = Presence::new();
    loop {
        let message = tokio::select! {
            received = socket.recv() => match presence.note(received) {
                Heard::End => return,
                Heard::Next | Heard::Something => continue,
            },
            changed = changes.changed() => {
                if changed.is_err() { return }
                sleep(LIST_INTERVAL).await;
                changes.mark_unchanged();
                Message::Text(listing::of(&registry).to_string().into())
            }
            ping = presence.ping() => match ping { Some(ping) => ping, None => return },
        };
        if !send(&mut socket, message).await {
            return;
        }
    }
}

/// False if the other side is gone.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(())))
}

/// Whether the other side is still there.
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
        let mut pings = interval(PING_INTERVAL);
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

    /// Waits until it is time to ask; none if nobody has been there for long.
    async fn ping(&mut self) -> Option<Message> {
        self.pings.tick().await;
        (self.heard.elapsed() < SILENCE).then(|| Message::Ping(Bytes::new()))
    }
}
