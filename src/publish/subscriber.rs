// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receives the messages of an MQTT broker, and connects again when the connection is lost.

use std::time::Duration;

use rumqttc::{Event, Incoming, QoS, SubscribeReasonCode};
use tokio::time::{Instant, sleep, timeout};

use super::mqtt::{CLIENT_TIMEOUT_S, Mqtt, REQUESTS, described};
use super::session::Failure;
use super::{Backoff, random};

/// Maximum time to connect, including encryption and log in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a subscription reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report<'a> {
    /// The broker is connected.
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

impl Mqtt {
    /// Subscribes to `topics`, in which `+` stands for one part, and calls `observe` for each report. Does not return. Speaks
    /// MQTT 3.1.1, which all brokers understand. Messages are requested with QoS 0: those that the broker receives while there
    /// is no connection are missed.
    pub async fn subscribe(&self, topics: &[String], mut observe: impl FnMut(Report<'_>)) {
        let mut backoff = Backoff::default();
        let mut last_failure: Option<Failure> = None;
        loop {
            let start = Instant::now();
            let mut is_connected = false;
            let note = |report: Report<'_>| {
                is_connected |= report == Report::Connected;
                observe(report);
            };
            let failure = self.listen(topics, note).await;
            if is_connected {
                backoff.connection_ended(start.elapsed());
                last_failure = None;
            }
            if last_failure.as_ref() != Some(&failure) {
                observe(Report::Disconnected(&failure));
                last_failure = Some(failure);
            }
            sleep(backoff.wait(random())).await;
        }
    }

    /// Listens until the connection is lost, and returns the reason.
    async fn listen(&self, topics: &[String], mut observe: impl FnMut(Report<'_>)) -> Failure {
        let (client, mut events) = rumqttc::AsyncClient::new(self.options_v311(), REQUESTS);
        events.network_options.set_connection_timeout(CLIENT_TIMEOUT_S);
        let mut limit = CONNECT_TIMEOUT;
        loop {
            let Ok(event) = timeout(limit, events.poll()).await else { return no_answer(limit) };
            let event = match event {
                Ok(Event::Incoming(event)) => event,
                Ok(Event::Outgoing(_)) => continue,
                Err(error) => return described(&error),
            };
            match event {
                Incoming::ConnAck(_) => {
                    limit = Duration::from_secs(CLIENT_TIMEOUT_S);
                    for topic in topics {
                        if let Err(error) = client.try_subscribe(topic, QoS::AtMostOnce) {
                            return described(&error);
                        }
                    }
                    observe(Report::Connected);
                }
                Incoming::SubAck(answer) if answer.return_codes.contains(&SubscribeReasonCode::Failure) => {
                    return "the broker refuses the subscription".into();
                }
                Incoming::Publish(message) => {
                    observe(Report::Message { topic: &message.topic, payload: &message.payload, is_retained: message.retain });
                }
                _ => {}
            }
        }
    }
}

fn no_answer(limit: Duration) -> Failure {
    format!("no answer within {} s", limit.as_secs())
}
