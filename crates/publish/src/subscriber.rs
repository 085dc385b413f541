// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receives the messages of an MQTT broker, and connects again when the connection is lost.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::mqtt::{Incoming, Mqtt, Publish};
use crate::backoff::Backoff;
use crate::failure::Failure;

/// Maximum time to connect, including encryption and log in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a subscription reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report<'a> {
    /// The broker is connected and accepts the subscription.
    Connected,
    /// There is no connection. Reported once for each reason until the next connection.
    Disconnected(&'a str),
    /// A message.
    Message {
        /// Its topic.
        topic: &'a str,
        /// Its content.
        payload: &'a [u8],
        /// True if it was published before this connection and kept by the broker.
        is_retained: bool,
    },
}

/// A retained message that a subscriber publishes: after each connect, and when it changes.
#[derive(Clone, Debug)]
pub struct State {
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub payload: watch::Receiver<String>,
}

impl Mqtt {
    /// Subscribes to `topics`, in which `+` stands for one part, and calls `observe` for each report. Does not return. Speaks
    /// MQTT 3.1.1, which all brokers understand. Messages have QoS 0, so those that are published while there is no connection
    /// are missed. Messages above 64 KiB are skipped. Publishes `state`, if there is one.
    pub async fn subscribe(&self, topics: &[String], mut state: Option<State>, mut observe: impl FnMut(Report<'_>)) {
        let mut backoff = Backoff::default();
        let mut last_failure: Option<Failure> = None;
        loop {
            let start = Instant::now();
            let mut is_connected = false;
            let note = |report: Report<'_>| {
                is_connected |= report == Report::Connected;
                observe(report);
            };
            let failure = self.listen(topics, state.as_mut(), note).await;
            if is_connected {
                backoff.connection_ended(start.elapsed(), false);
                last_failure = None;
            }
            if last_failure.as_ref() != Some(&failure) {
                observe(Report::Disconnected(&failure.to_string()));
                last_failure = Some(failure);
            }
            sleep(backoff.wait()).await;
        }
    }

    /// Listens until the connection is lost, and returns the reason.
    async fn listen(&self, topics: &[String], mut state: Option<&mut State>, mut observe: impl FnMut(Report<'_>)) -> Failure {
        let connecting = timeout(CONNECT_TIMEOUT, self.subscribed(topics)).await;
        let silent = Failure::Silent { seconds: CONNECT_TIMEOUT.as_secs() };
        let mut connection = match connecting.unwrap_or(Err(silent)) {
            Ok(connection) => connection,
            Err(failure) => return failure,
        };
        if let Some(state) = &mut state {
            state.payload.mark_changed();
        }
        let mut id = 0;
        loop {
            let received = tokio::select! {
                received = connection.receive() => received,
                publish = changed(state.as_deref_mut()) => {
                    id = id % u16::MAX + 1;
                    // A state that is too large for the broker is not published.
                    let _ = connection.publish(id, publish, usize::MAX);
                    continue;
                }
            };
            match received {
                Ok(Incoming::Subscribed { is_refused: true }) => return Failure::Login("not allowed to subscribe".into()),
                Ok(Incoming::Subscribed { is_refused: false }) => observe(Report::Connected),
                Ok(Incoming::Message { topic, payload, is_retained }) => {
                    observe(Report::Message { topic: &topic, payload: &payload, is_retained });
                }
                Ok(_) => {}
                Err(failure) => return failure,
            }
        }
    }
}

/// Waits until the state changes. Without one, or when it does not change any more, waits for ever.
async fn changed(state: Option<&mut State>) -> Publish {
    if let Some(state) = state
        && state.payload.changed().await.is_ok()
    {
        let payload = state.payload.borrow_and_update().clone().into();
        return Publish { topic: state.topic.clone(), payload, is_retained: true };
    }
    std::future::pending().await
}
