// SPDX-License-Identifier: MIT OR Apache-2.0
//! NATS JetStream. A stream that takes the subjects has to exist at the server.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error as _;
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{Context, PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerError};
use rustls::ClientConfig;
use tokio::sync::mpsc;

use super::session::{Broker, Link, Outcome};
use super::tls::Login;
use crate::failure::{Failure, Rejection};
use crate::location::{Location, OFFLINE, ONLINE, STATUS};
use crate::message::Message;

/// Maximum time to connect; a little less than for a session, so that the reason is known.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Pause after which a ping is sent.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// A NATS server.
#[derive(Clone)]
pub struct Nats {
    /// Where to publish.
    pub location: Location,
    /// How to log in. Without a user, the password is the token.
    pub login: Login,
}

impl Broker for Nats {
    type Link = NatsLink;

    async fn connect(&mut self) -> Result<NatsLink, Failure> {
        let (signals, events) = mpsc::unbounded_channel();
        let options = self.options().event_callback(move |event| {
            let signal = match event {
                Event::Disconnected | Event::Closed | Event::LameDuckMode => Some(Signal::Lost),
                Event::ServerError(ServerError::Other(text)) => forbidden_subject(&text).map(Signal::Forbidden),
                _ => None,
            };
            // Fails if the session has dropped the link.
            let _ = signal.map(|signal| signals.send(signal));
            async {}
        });
        let scheme = if self.login.tls.is_some() { "tls" } else { "nats" };
        let address = format!("{scheme}://{}:{}", self.location.host, self.location.port);
        let client = options.connect(address).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        let status = self.location.topic(STATUS);
        client.publish(status, ONLINE.into()).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        let ((requests, received), (answer, answers)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        // Ends when the link is dropped.
        tokio::spawn(publish(async_nats::jetstream::new(client.clone()), received, answer));
        let (in_flight, outcomes) = (BTreeMap::new(), VecDeque::new());
        Ok(NatsLink { client, location: self.location.clone(), signals: events, requests, answers, in_flight, outcomes })
    }
}

impl Nats {
    fn options(&self) -> ConnectOptions {
        // The session connects again itself, so that nothing is kept twice.
        let mut options = ConnectOptions::new()
            .name(&self.login.client_id)
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .max_reconnects(1)
            .ignore_discovered_servers();
        if let Some(tls) = &self.login.tls {
            options = options.require_tls(true).tls_client_config(ClientConfig::clone(tls));
        }
        match (&self.location.user, &self.login.password) {
            (Some(user), password) => options.user_and_password(user.clone(), password.clone().unwrap_or_default()),
            (None, Some(token)) => options.token(token.clone()),
            (None, None) => options,
        }
    }
}

/// A message for the task that publishes.
struct Request {
    sequence: u64,
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
}

/// The sequence number of a message, and what the server said.
type Answer = (u64, Result<(), PublishError>);

/// Publishes in order, and passes each answer on when it comes.
async fn publish(context: Context, mut requests: mpsc::UnboundedReceiver<Request>, answers: mpsc::UnboundedSender<Answer>) {
    while let Some(Request { sequence, subject, headers, payload }) = requests.recv().await {
        let answers = answers.clone();
        // Sending fails if the session has dropped the link.
        match context.publish_with_headers(subject, headers, payload.into()).await {
            Ok(answer) => drop(tokio::spawn(async move { drop(answers.send((sequence, answer.await.map(drop)))) })),
            Err(error) => drop(answers.send((sequence, Err(error)))),
        }
    }
}

/// What the client tells about the connection.
enum Signal {
    /// It is lost.
    Lost,
    /// This publisher is not allowed to publish to a subject.
    Forbidden(String),
}

/// The subject that the server names in quotes when it does not allow to publish to it.
fn forbidden_subject(text: &str) -> Option<String> {
    let is_about_publishing = text.to_lowercase().starts_with("permissions violation for publish to");
    text.split('"').nth(1).filter(|_| is_about_publishing).map(str::to_owned)
}

/// Why the message can never be sent, or else why it cannot be sent on this connection.
fn refusal(error: &PublishError, location: &Location) -> Result<Rejection, Failure> {
    let code = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>()).map(jetstream::Error::error_code);
    match (error.kind(), code) {
        (PublishErrorKind::MaxPayloadExceeded, _) => Ok(Rejection::Refused(error.to_string())),
        (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)) => {
            Ok(Rejection::Refused("a message is larger than the maximum of the stream (max_msg_size)".into()))
        }
        (_, Some(ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM)) => Ok(Rejection::Refused("the header of a message is too large".into())),
        (PublishErrorKind::StreamNotFound, _) => {
            Err(Failure::Unwilling(format!("no JetStream stream takes the subject {}", location.topic("*"))))
        }
        _ => Err(Failure::Unwilling(error.to_string())),
    }
}

/// A connection to a NATS server.
pub struct NatsLink {
    client: Client,
    location: Location,
    signals: mpsc::UnboundedReceiver<Signal>,
    requests: mpsc::UnboundedSender<Request>,
    answers: mpsc::UnboundedReceiver<Answer>,
    /// The subjects of the messages that the server has not answered.
    in_flight: BTreeMap<u64, String>,
    outcomes: VecDeque<Outcome>,
}

impl Link for NatsLink {
    fn send(&mut self, message: &Message) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        // The server drops a repeat with the same id.
        headers.insert(NATS_MESSAGE_ID, message.id());
        let subject = self.location.topic(&message.schema);
        self.in_flight.insert(message.sequence, subject.clone());
        let request = Request { sequence: message.sequence, subject, headers, payload: message.payload.to_vec() };
        self.requests.send(request).map_err(|_| Failure::Interrupted)
    }

    async fn outcome(&mut self) -> Result<Outcome, Failure> {
        loop {
            if let Some(outcome) = self.outcomes.pop_front() {
                return Ok(outcome);
            }
            tokio::select! {
                Some((sequence, answer)) = self.answers.recv() => self.answered(sequence, answer)?,
                signal = self.signals.recv() => match signal {
                    Some(Signal::Forbidden(subject)) => self.forbidden(&subject),
                    Some(Signal::Lost) | None => return Err(Failure::Interrupted),
                },
            }
        }
    }

    async fn close(self) {
        // If the server does not answer, there is nobody to tell.
        let _ = self.client.publish(self.location.topic(STATUS), OFFLINE.into()).await;
        let _ = self.client.flush().await;
    }
}

impl NatsLink {
    fn answered(&mut self, sequence: u64, answer: Result<(), PublishError>) -> Result<(), Failure> {
        // The client waits for an answer to a forbidden message, though the server has refused it.
        if self.in_flight.remove(&sequence).is_none() {
            return Ok(());
        }
        self.outcomes.push_back(match answer {
            Ok(()) => Outcome::Sent(sequence),
            Err(error) => Outcome::Rejected(sequence, refusal(&error, &self.location)?),
        });
        Ok(())
    }

    fn forbidden(&mut self, subject: &str) {
        let rejection = Rejection::Refused(format!("this user may not publish to the subject {subject}"));
        let forbidden = self.in_flight.extract_if(.., |_, known| known == subject);
        self.outcomes.extend(forbidden.map(|(sequence, _)| Outcome::Rejected(sequence, rejection.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_subject_is_read_from_the_words_of_the_server() {
        let read = |text| forbidden_subject(text);
        assert_eq!(read("Permissions Violation for Publish to \"emotion.Door.faces\""), Some("emotion.Door.faces".into()));
        assert_eq!(read("Permissions Violation for Subscription to \"emotion.door\""), None);
        assert_eq!(read("Permissions Violation for Publish to"), None);
    }
}
