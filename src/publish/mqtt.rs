// SPDX-License-Identifier: MIT OR Apache-2.0
//! MQTT 5 and 3.1.1.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rumqttc::{Outgoing, TlsConfiguration, Transport, v5};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::session::{Broker, Failure, Link, Outcome};
use super::tls::Login;
use super::{Location, Message, OFFLINE, ONLINE, STATUS};

/// Pause after which a ping is sent. A broker sends the last will after one and a half of it.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The client's own limit of the time to connect, which is longer than that of a session.
pub(super) const CLIENT_TIMEOUT_S: u64 = 30;
/// Requests that wait for the client's task: more than a session has in flight.
pub(super) const REQUESTS: usize = 128;
/// Limit of packet ids in use, since the client reserves memory for each.
const MAX_IN_FLIGHT: u16 = 100;
/// The largest packet of MQTT (MQTT 5.0, section 2.1.4).
const MAX_PACKET: usize = 268_435_455;
/// The largest packet that a broker may send: an acknowledgement, or a record.
const MAX_INCOMING: usize = 64 << 10;
/// Bytes of a PUBLISH packet besides topic and payload, rounded up.
const PUBLISH_OVERHEAD: usize = 64;

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

    async fn connect(&mut self) -> Result<MqttLink, Failure> {
        let (signals, received) = mpsc::unbounded_channel();
        let (client, task, max_packet) = match self.version {
            Version::V5 => self.connect_v5(signals).await?,
            Version::V311 => self.connect_v311(signals).await?,
        };
        let mut link = MqttLink {
            client,
            location: self.location.clone(),
            has_status: self.has_status,
            max_packet,
            signals: received,
            submitted: VecDeque::new(),
            unacknowledged: HashMap::new(),
            too_large: VecDeque::new(),
            task,
        };
        link.publish_status(ONLINE)?;
        for (topic, payload) in &self.retained {
            link.publish_retained(topic.clone(), payload)?;
        }
        Ok(link)
    }
}

type Signals = mpsc::UnboundedSender<Result<Signal, Failure>>;
type Connection = (Client, JoinHandle<()>, usize);

/// What the client tells about the messages.
enum Signal {
    /// The oldest submitted message was written, with a packet id.
    Submitted(u16),
    /// The broker has answered a message. None is success; otherwise it refuses it.
    Answered(u16, Option<String>),
    /// The connection was closed on request.
    Closed,
}

impl Mqtt {
    fn transport(&self) -> Transport {
        self.login.tls.as_ref().map_or(Transport::Tcp, |tls| Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())))
    }

    /// Options of a connection without a last will.
    fn options_v5(&self) -> v5::MqttOptions {
        let mut options = v5::MqttOptions::new(&self.login.client_id, &self.location.host, self.location.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_start(true).set_transport(self.transport());
        options.set_max_packet_size(Some(MAX_INCOMING as u32)).set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
        options.set_connection_timeout(CLIENT_TIMEOUT_S);
        if let Some((user, password)) = self.credentials() {
            options.set_credentials(user, password);
        }
        options
    }

    /// Options of a connection without a last will.
    pub(super) fn options_v311(&self) -> rumqttc::MqttOptions {
        let mut options = rumqttc::MqttOptions::new(&self.login.client_id, &self.location.host, self.location.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_transport(self.transport());
        options.set_max_packet_size(MAX_INCOMING, MAX_PACKET).set_inflight(MAX_IN_FLIGHT);
        if let Some((user, password)) = self.credentials() {
            options.set_credentials(user, password);
        }
        options
    }

    async fn connect_v5(&self, signals: Signals) -> Result<Connection, Failure> {
        let mut options = self.options_v5();
        let will = v5::mqttbytes::v5::LastWill::new(self.location.topic(STATUS), OFFLINE, v5::mqttbytes::QoS::AtLeastOnce, true, None);
        if self.has_status {
            options.set_last_will(will);
        }
        let (client, mut events) = v5::AsyncClient::new(options, REQUESTS);
        let acknowledged = loop {
            if let v5::Event::Incoming(v5::Incoming::ConnAck(acknowledged)) = events.poll().await.map_err(|error| described(&error))? {
                break acknowledged;
            }
        };
        let max_packet = acknowledged.properties.and_then(|properties| properties.max_packet_size);
        let task =
            tokio::spawn(async move { while tell(&signals, events.poll().await.map(signal_v5).map_err(|error| described(&error))) {} });
        Ok((Client::V5(client), task, max_packet.map_or(MAX_PACKET, |bytes| bytes as usize)))
    }

    async fn connect_v311(&self, signals: Signals) -> Result<Connection, Failure> {
        let mut options = self.options_v311();
        if self.has_status {
            options.set_last_will(rumqttc::LastWill::new(self.location.topic(STATUS), OFFLINE, rumqttc::QoS::AtLeastOnce, true));
        }
        let (client, mut events) = rumqttc::AsyncClient::new(options, REQUESTS);
        events.network_options.set_connection_timeout(CLIENT_TIMEOUT_S);
        while !matches!(events.poll().await.map_err(|error| described(&error))?, rumqttc::Event::Incoming(rumqttc::Incoming::ConnAck(_))) {}
        let task =
            tokio::spawn(async move { while tell(&signals, events.poll().await.map(signal_v311).map_err(|error| described(&error))) {} });
        Ok((Client::V311(client), task, MAX_PACKET))
    }

    /// MQTT 3.1.1 has no password without a user.
    fn credentials(&self) -> Option<(String, String)> {
        let password = self.login.password.clone().unwrap_or_default();
        let user = self.location.user.clone().or((!password.is_empty()).then(String::new));
        user.map(|user| (user, password))
    }
}

/// Tells the session what the client's `poll` has returned. False if that was the last. The client runs in a task of its own,
/// because its `poll` must not be dropped halfway.
fn tell(signals: &Signals, signal: Result<Option<Signal>, Failure>) -> bool {
    let is_last = matches!(signal, Err(_) | Ok(Some(Signal::Closed)));
    // Fails if the session has dropped the link.
    let is_heard = signal.transpose().is_none_or(|signal| signals.send(signal).is_ok());
    is_heard && !is_last
}

fn signal_v5(event: v5::Event) -> Option<Signal> {
    use v5::mqttbytes::v5::PubAckReason::{NoMatchingSubscribers, Success};
    match event {
        v5::Event::Incoming(v5::Incoming::PubAck(answer)) => {
            let is_success = matches!(answer.reason, Success | NoMatchingSubscribers);
            Some(Signal::Answered(answer.pkid, (!is_success).then(|| format!("{:?}", answer.reason))))
        }
        v5::Event::Outgoing(outgoing) => signal_of(&outgoing),
        v5::Event::Incoming(_) => None,
    }
}

fn signal_v311(event: rumqttc::Event) -> Option<Signal> {
    match event {
        rumqttc::Event::Incoming(rumqttc::Incoming::PubAck(answer)) => Some(Signal::Answered(answer.pkid, None)),
        rumqttc::Event::Outgoing(outgoing) => signal_of(&outgoing),
        rumqttc::Event::Incoming(_) => None,
    }
}

fn signal_of(outgoing: &Outgoing) -> Option<Signal> {
    match outgoing {
        Outgoing::Publish(packet) => Some(Signal::Submitted(*packet)),
        Outgoing::Disconnect => Some(Signal::Closed),
        _ => None,
    }
}

/// The error with its causes, without those that its own text already contains.
pub(super) fn described(error: &dyn std::error::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = error.source();
    }
    text
}

enum Client {
    V5(v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// A connection to an MQTT broker. Messages are sent with QoS 1.
pub struct MqttLink {
    client: Client,
    location: Location,
    has_status: bool,
    max_packet: usize,
    signals: mpsc::UnboundedReceiver<Result<Signal, Failure>>,
    /// The sequence numbers that have no packet id yet, in order; none for what is no record.
    submitted: VecDeque<Option<u64>>,
    /// The sequence number of each packet id in use; none for what is no record.
    unacknowledged: HashMap<u16, Option<u64>>,
    /// Messages that the broker has announced not to take.
    too_large: VecDeque<(u64, usize)>,
    task: JoinHandle<()>,
}

impl Link for MqttLink {
    fn send(&mut self, message: &Message) -> Result<(), Failure> {
        let topic = self.location.topic(&message.schema);
        let bytes = message.payload.len() + topic.len() + PUBLISH_OVERHEAD;
        if bytes > self.max_packet {
            self.too_large.push_back((message.sequence, bytes));
            return Ok(());
        }
        self.publish(topic, false, message.payload.to_vec())?;
        self.submitted.push_back(Some(message.sequence));
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Outcome, Failure> {
        if let Some((sequence, bytes)) = self.too_large.pop_front() {
            let reason = format!("a message of {bytes} bytes is larger than its maximum of {}", self.max_packet);
            return Ok(Outcome::Rejected(sequence, reason));
        }
        loop {
            match self.signals.recv().await.unwrap_or(Ok(Signal::Closed))? {
                Signal::Submitted(packet) => {
                    self.unacknowledged.insert(packet, self.submitted.pop_front().flatten());
                }
                Signal::Answered(packet, refusal) => {
                    // None is no record.
                    if let Some(sequence) = self.unacknowledged.remove(&packet).flatten() {
                        return Ok(refusal.map_or(Outcome::Sent(sequence), |reason| Outcome::Rejected(sequence, reason)));
                    }
                }
                Signal::Closed => return Err("the connection was closed".into()),
            }
        }
    }

    async fn close(mut self) {
        let is_told = self.publish_status(OFFLINE).is_ok();
        let is_asked = match &self.client {
            Client::V5(client) => client.try_disconnect().is_ok(),
            Client::V311(client) => client.try_disconnect().is_ok(),
        };
        if is_told && is_asked {
            // The task ends when both are written. A panic of it has already been printed.
            let _ = (&mut self.task).await;
        }
    }
}

impl MqttLink {
    fn publish_status(&mut self, status: &str) -> Result<(), Failure> {
        if !self.has_status {
            return Ok(());
        }
        self.publish_retained(self.location.topic(STATUS), status)
    }

    /// Publishes a message that is no record, so that its outcome is not reported.
    fn publish_retained(&mut self, topic: String, payload: &str) -> Result<(), Failure> {
        self.publish(topic, true, payload.into())?;
        self.submitted.push_back(None);
        Ok(())
    }

    fn publish(&self, topic: String, retain: bool, payload: Vec<u8>) -> Result<(), Failure> {
        match &self.client {
            Client::V5(client) => {
                client.try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, payload).map_err(|error| described(&error))
            }
            Client::V311(client) => {
                client.try_publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload).map_err(|error| described(&error))
            }
        }
    }
}

impl Drop for MqttLink {
    fn drop(&mut self) {
        // Ends the connection without a goodbye, so that the broker sends the last will.
        self.task.abort();
    }
}
