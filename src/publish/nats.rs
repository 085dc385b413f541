// SPDX-License-Identifier: MIT OR Apache-2.0
//! NATS JetStream. A stream that takes the subjects has to exist at the server.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{Context, PublishError, PublishErrorKind};
use async_nats::{Client, ConnectOptions, Event};
use rustls::ClientConfig;
use tokio::sync::mpsc;

use super::session::{Broker, Failure, Link, Outcome};
use super::tls::Login;
use super::{Location, Message, OFFLINE, ONLINE, STATUS};

/// Maximum time to connect; a little less than that of a session, so that the reason is known.
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
        let (lost, events) = mpsc::unbounded_channel();
        let options = self.options().event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed | Event::LameDuckMode) {
                // Fails if the session has dropped the link.
                let _ = lost.send(());
            }
            async {}
        });
        let scheme = if self.login.tls.is_some() { "tls" } else { "nats" };
        let address = format!("{scheme}://{}:{}", self.location.host, self.location.port);
        let client = options.connect(address).await.map_err(|error| error.to_string())?;
        let status = self.location.topic(STATUS);
        client.publish(status, ONLINE.into()).await.map_err(|error| error.to_string())?;
        let ((requests, received), (answer, answers)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        // Ends when the link is dropped.
        tokio::spawn(publish(async_nats::jetstream::new(client.clone()), received, answer));
        Ok(NatsLink { client, location: self.location.clone(), lost: events, requests, answers })
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

/// A connection to a NATS server.
pub struct NatsLink {
    client: Client,
    location: Location,
    /// Receives a value when the connection is lost.
    lost: mpsc::UnboundedReceiver<()>,
    requests: mpsc::UnboundedSender<Request>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

impl Link for NatsLink {
    fn send(&mut self, message: &Message) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        // The server drops a repeat with the same id.
        headers.insert(NATS_MESSAGE_ID, message.id());
        let subject = self.location.topic(&message.schema);
        let request = Request { sequence: message.sequence, subject, headers, payload: message.payload.to_vec() };
        self.requests.send(request).map_err(|_| "the client has ended".into())
    }

    async fn outcome(&mut self) -> Result<Outcome, Failure> {
        tokio::select! {
            Some((sequence, answer)) = self.answers.recv() => match answer {
                Ok(()) => Ok(Outcome::Sent(sequence)),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    Ok(Outcome::Rejected(sequence, error.to_string()))
                }
                Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                    Err(format!("no JetStream stream takes the subject {}", self.location.topic("*")))
                }
                Err(error) => Err(error.to_string()),
            },
            _ = self.lost.recv() => Err("the connection was lost".into()),
        }
    }

    async fn close(self) {
        // If the server does not answer, there is nobody to tell.
        let _ = self.client.publish(self.location.topic(STATUS), OFFLINE.into()).await;
        let _ = self.client.flush().await;
    }
}
