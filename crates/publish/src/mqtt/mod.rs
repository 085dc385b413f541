// SPDX-License-Identifier: MIT OR Apache-2.0
//! MQTT 5 and 3.1.1.
//!
//! ```text
//! Mqtt ─ connect ─▶ MqttLink   which message has which packet id, and how many are in flight
//!                     │ Connection   packets in both directions, pings
//!                     │   packet     bytes of a packet, of either version
//!                     ▼   stream     TCP, TLS
//! ```

mod connection;
mod packet;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::connection::Connection;
use self::packet::{Answer, Limits};
pub(super) use self::packet::{Incoming, Publish};
use super::session::{Broker, Link, Outcome};
use super::tls::Login;
use crate::failure::{Failure, Rejection};
use crate::location::{Location, OFFLINE, ONLINE, STATUS};
use crate::message::{Message, MessageIds};
use crate::secrets::Secrets;

/// Maximum number of messages in flight if the broker allows more.
const MAX_IN_FLIGHT: usize = 100;

/// Time between two times that a publisher says that it is online. A broker that was restarted keeps what an earlier run of it was told,
/// without the last will, so a status counts only while it is repeated.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(60);

/// The version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// MQTT 5.
    #[default]
    V5,
    /// MQTT 3.1.1.
    V311,
}

/// An MQTT broker.
#[derive(Clone)]
pub struct Mqtt {
    /// Where to publish.
    pub location: Location,
    /// The version of the protocol.
    pub version: Version,
    /// How to log in.
    pub login: Login,
    /// Topics and payloads that are published after each connect, retained.
    pub retained: Vec<(String, String)>,
    /// True if the topic's `status` tells whether this client is connected. Subscribers have no status.
    pub has_status: bool,
}

impl Broker for Mqtt {
    type Link = MqttLink;

    /// Connects, and publishes what is retained. The broker has acknowledged it at the end, so it is known to take messages.
    async fn connect(&mut self) -> Result<MqttLink, Failure> {
        let status = self.has_status.then(|| self.location.topic(STATUS));
        let (connection, limits) = Connection::open(self, self.version, status.clone()).await?;
        let mut link = MqttLink {
            connection,
            limits,
            location: self.location.clone(),
            status,
            waiting: VecDeque::new(),
            in_flight: HashMap::new(),
            last_id: 0,
            outcomes: VecDeque::new(),
            next_status: Instant::now(),
        };
        link.say_online();
        for (topic, payload) in self.retained.iter().cloned() {
            link.publish(None, Publish { topic, payload: payload.into(), is_retained: true });
        }
        while !link.is_idle() {
            link.receive().await?;
        }
        Ok(link)
    }
}

impl Mqtt {
    /// A client at `location` that is no camera: it has a name of its own, because two connections with one name would end each other,
    /// and no status.
    ///
    /// # Errors
    /// If a file of `secrets` cannot be read or is not what it should be.
    pub fn without_status(location: Location, secrets: &Secrets) -> crate::Result<Self> {
        let start = MessageIds::new().start();
        let client_id = secrets.client_id.as_ref().map(|name| format!("{name}-{start:016x}"));
        let login = Secrets { client_id, ..secrets.clone() }.login(&location, start)?;
        Ok(Self { location, version: Version::V311, login, retained: Vec::new(), has_status: false })
    }

    /// A connection by MQTT 3.1.1 that subscribes to `topics`.
    pub(super) async fn subscribed(&self, topics: &[String]) -> Result<Connection, Failure> {
        let (mut connection, _) = Connection::open(self, Version::V311, None).await?;
        connection.subscribe_v311(topics)?;
        Ok(connection)
    }

    /// MQTT 3.1.1 has no password without a user.
    fn credentials(&self) -> Option<(String, String)> {
        let password = self.login.password.clone().unwrap_or_default();
        let user = self.location.user.clone().or((!password.is_empty()).then(String::new));
        user.map(|user| (user, password))
    }
}

/// A connection to an MQTT broker. Messages are sent with QoS 1.
pub struct MqttLink {
    connection: Connection,
    limits: Limits,
    location: Location,
    status: Option<String>,
    /// Messages for which the broker has no room yet, with the sequence numbers of those that are records.
    waiting: VecDeque<(Option<u64>, Publish)>,
    /// The packet ids in use, with the sequence numbers of those messages that are records.
    in_flight: HashMap<u16, Option<u64>>,
    last_id: u16,
    outcomes: VecDeque<Outcome>,
    /// When the status is published again.
    next_status: Instant,
}

impl Link for MqttLink {
    fn send(&mut self, message: &Message) -> Result<(), Failure> {
        let topic = self.location.topic(&message.schema);
        self.publish(Some(message.sequence), Publish { topic, payload: message.payload.to_vec().into(), is_retained: false });
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Outcome, Failure> {
        loop {
            if let Some(outcome) = self.outcomes.pop_front() {
                return Ok(outcome);
            }
            let (has_status, next_status) = (self.status.is_some(), self.next_status);
            tokio::select! {
                received = self.receive() => received?,
                () = sleep_until(next_status), if has_status => self.say_online(),
            }
        }
    }

    async fn close(mut self) {
        if let Some(topic) = self.status.take() {
            let id = self.free_id();
            let publish = Publish { topic, payload: OFFLINE.into(), is_retained: true };
            // If it does not fit, the connection is of no use anyway.
            let _ = self.connection.publish(id, publish, self.limits.packet);
        }
        self.connection.close().await;
    }
}

impl MqttLink {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    fn publish(&mut self, sequence: Option<u64>, publish: Publish) {
        self.waiting.push_back((sequence, publish));
        self.fill();
    }

    /// Publishes that this client is connected.
    fn say_online(&mut self) {
        if let Some(topic) = self.status.clone() {
            self.publish(None, Publish { topic, payload: ONLINE.into(), is_retained: true });
        }
        self.next_status = Instant::now() + STATUS_INTERVAL;
    }

    /// Sends what the broker has room for.
    fn fill(&mut self) {
        while self.in_flight.len() < self.limits.in_flight.min(MAX_IN_FLIGHT) {
            let Some((sequence, publish)) = self.waiting.pop_front() else { return };
            let id = self.free_id();
            match self.connection.publish(id, publish, self.limits.packet) {
                Ok(()) => drop(self.in_flight.insert(id, sequence)),
                Err(rejection) => self.reject(sequence, rejection),
            }
        }
    }

    fn reject(&mut self, sequence: Option<u64>, rejection: Rejection) {
        self.outcomes.extend(sequence.map(|sequence| Outcome::Rejected(sequence, rejection)));
    }

    /// A packet id that is not in use. There are more of them than messages in flight.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        let Incoming::Answered(id, answer) = self.connection.receive().await? else { return Ok(()) };
        let Some(sequence) = self.in_flight.remove(&id) else { return Ok(()) };
        match answer {
            None => self.outcomes.extend(sequence.map(Outcome::Sent)),
            Some(Answer::Never(rejection)) => self.reject(sequence, rejection),
            // The broker may refuse messages that are not records: the status, and retained ones.
            Some(Answer::NotNow(failure)) if sequence.is_some() => return Err(failure),
            Some(Answer::NotNow(_)) => {}
        }
        self.fill();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_publisher_repeats_that_it_is_online() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let received = runtime.block_on(async {
            let (stream, mut broker) = tokio::io::duplex(1 << 10);
            let mut link = MqttLink {
                connection: connection::tests::connection(stream),
                limits: Limits { in_flight: 10, packet: 1 << 10, keep_alive_s: None },
                location: Location::parse("mqtt://broker/emotion/door").unwrap(),
                status: Some("emotion/door/status".into()),
                waiting: VecDeque::new(),
                in_flight: HashMap::new(),
                last_id: 0,
                outcomes: VecDeque::new(),
                next_status: Instant::now() + STATUS_INTERVAL,
            };
            let mut received = Vec::new();
            let answer = async {
                while broker.read_buf(&mut received).await.unwrap() > 0 {
                    broker.write_all(&[0xD0, 0]).await.unwrap();
                }
            };
            let end = STATUS_INTERVAL * 3 + STATUS_INTERVAL / 2;
            assert!(timeout(end, async { tokio::join!(answer, link.outcome()) }).await.is_err(), "it goes on");
            received
        });
        let status = b"emotion/door/status\0";
        assert_eq!(received.windows(status.len()).filter(|bytes| bytes == status).count(), 3);
    }
}
