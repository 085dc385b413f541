// SPDX-License-Identifier: MIT OR Apache-2.0
//! A web server that receives each message as an HTTP POST, signed as [Standard Webhooks](https://www.standardwebhooks.com) says.
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the `message_id`, the same when a message is repeated |
//! | `webhook-timestamp` | the time of this attempt in seconds since 1970; a receiver refuses what is too old |
//! | `webhook-signature` | `v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64 |
//! | `emotion-schema` | what the message is: `events`, `faces`, `summary`, `alerts` |

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use ring::hmac;
use tokio::sync::mpsc;

use super::session::{Broker, Link, Outcome};
use super::tls::Login;
use crate::error::{Error, Result};
use crate::failure::{Failure, Rejection};
use crate::location::Location;
use crate::message::Message;
use crate::stream::connect;

/// What a secret begins with whose rest is base64.
const ENCODED: &str = "whsec_";
/// Maximum size of a response, of which only the status counts.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Statuses of a message that the server never takes. Others may be due to the server or to the settings.
const REJECTIONS: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_ACCEPTABLE,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

type Client = SendRequest<Full<Bytes>>;

/// A web server that receives messages.
#[derive(Clone)]
pub struct Webhook {
    location: Location,
    login: Login,
    key: hmac::Key,
}

impl Webhook {
    /// The receiver at `location`, whose messages are signed with the password of `login`.
    ///
    /// # Errors
    /// If there is no secret, or its text is not what it begins like.
    pub fn new(location: Location, login: Login) -> Result<Self> {
        let secret = login.password.as_deref().filter(|secret| !secret.is_empty()).ok_or(Error::NoWebhookSecret)?;
        let decoded = secret.strip_prefix(ENCODED).map(|text| STANDARD.decode(text));
        let bytes = decoded.unwrap_or_else(|| Ok(secret.into())).map_err(|_| Error::WebhookSecret)?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), location, login })
    }

    /// The request with a message.
    fn request(&self, message: &Message, seconds: u64) -> std::result::Result<Request<Full<Bytes>>, Failure> {
        let Location { host, port, .. } = &self.location;
        let request = Request::post(self.location.topic(&message.schema))
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("emotion/", env!("CARGO_PKG_VERSION")))
            .header("emotion-schema", &*message.schema)
            .header("webhook-id", message.id())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", self.signature(message, seconds));
        request.body(Full::new(Bytes::copy_from_slice(&message.payload))).map_err(|error| Failure::Protocol(error.to_string()))
    }

    fn signature(&self, message: &Message, seconds: u64) -> String {
        let signed = [format!("{}.{seconds}.", message.id()).as_bytes(), &message.payload].concat();
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.key, &signed)))
    }

    async fn client(&self) -> std::result::Result<Client, Failure> {
        let stream = TokioIo::new(connect(&self.location, &self.login).await?);
        let (client, connection) = handshake(stream).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        // Ends when the client is dropped or the server closes.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Sends a message. A server may have closed a connection that was idle, so that another one is tried.
    async fn post(&self, client: &mut Client, message: &Message) -> std::result::Result<Outcome, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let is_open = client.ready().await.is_ok();
        if !is_open {
            *client = self.client().await?;
        }
        let mut answered = client.send_request(self.request(message, now)?).await;
        if is_open && answered.is_err() {
            *client = self.client().await?;
            answered = client.send_request(self.request(message, now)?).await;
        }
        let answer = answered.map_err(|_| Failure::Interrupted)?;
        let status = answer.status();
        // The connection is used again once all has been read.
        let _ = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        outcome(message.sequence, status)
    }
}

/// What a status says about a message.
fn outcome(sequence: u64, status: StatusCode) -> std::result::Result<Outcome, Failure> {
    if status.is_success() {
        Ok(Outcome::Sent(sequence))
    } else if REJECTIONS.contains(&status) {
        Ok(Outcome::Rejected(sequence, Rejection::Refused(format!("the web server answers {status}"))))
    } else {
        Err(Failure::Unwilling(format!("the web server answers {status}")))
    }
}

impl Broker for Webhook {
    type Link = WebhookLink;

    async fn connect(&mut self) -> std::result::Result<WebhookLink, Failure> {
        let (messages, received) = mpsc::unbounded_channel();
        let (outcomes, answers) = mpsc::unbounded_channel();
        // Ends when the link is dropped.
        tokio::spawn(post_all(self.clone(), self.client().await?, received, outcomes));
        Ok(WebhookLink { messages, answers })
    }
}

type Answer = std::result::Result<Outcome, Failure>;

/// Sends messages one after another, until one has to be repeated.
async fn post_all(
    webhook: Webhook,
    mut client: Client,
    mut messages: mpsc::UnboundedReceiver<Message>,
    outcomes: mpsc::UnboundedSender<Answer>,
) {
    while let Some(message) = messages.recv().await {
        let answer = webhook.post(&mut client, &message).await;
        let is_over = answer.is_err();
        // Fails if the session has dropped the link.
        if outcomes.send(answer).is_err() || is_over {
            return;
        }
    }
}

/// Messages on their way to a web server.
pub struct WebhookLink {
    messages: mpsc::UnboundedSender<Message>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

impl Link for WebhookLink {
    fn send(&mut self, message: &Message) -> std::result::Result<(), Failure> {
        // If the task has ended, the outcome says why.
        let _ = self.messages.send(message.clone());
        Ok(())
    }

    async fn outcome(&mut self) -> std::result::Result<Outcome, Failure> {
        self.answers.recv().await.unwrap_or(Err(Failure::Interrupted))
    }

    async fn close(self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(secret: Option<&str>) -> Result<Webhook> {
        let location = Location::parse("https://hooks.example/in?a=1").unwrap();
        Webhook::new(location, Login { client_id: "a".into(), password: secret.map(str::to_owned), tls: None })
    }

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let payload: &[u8] = br#"{"message_id":"00000000000000ff-3","a":1}"#;
        let message = Message { sequence: 1, schema: "alerts".into(), payload: payload.into() };
        let webhook = webhook(Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let request = webhook.request(&message, 1_614_265_330).unwrap();
        assert_eq!(request.uri(), "/in?a=1");
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(["host", "webhook-id", "emotion-schema"].map(header), ["hooks.example:443", "00000000000000ff-3", "alerts"]);
        // By `standardwebhooks` of PyPI.
        assert_eq!(header("webhook-signature"), "v1,aiANjtIeY5ITDE9at3Vq4HIOt4Eu2oh1Y7nrlFz/Efg=");
    }

    #[test]
    fn a_webhook_needs_a_secret() {
        assert!(matches!(webhook(None), Err(Error::NoWebhookSecret)));
        assert!(matches!(webhook(Some("")), Err(Error::NoWebhookSecret)));
        assert!(matches!(webhook(Some("whsec_?")), Err(Error::WebhookSecret)));
        assert!(webhook(Some("any text")).is_ok());
    }

    #[test]
    fn only_what_is_wrong_with_a_message_makes_it_lost() {
        assert_eq!(outcome(7, StatusCode::NO_CONTENT), Ok(Outcome::Sent(7)));
        assert!(matches!(outcome(7, StatusCode::PAYLOAD_TOO_LARGE), Ok(Outcome::Rejected(7, _))));
        for status in
            [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS, StatusCode::FOUND, StatusCode::BAD_GATEWAY]
        {
            assert!(matches!(outcome(7, status), Err(Failure::Unwilling(_))), "{status}");
        }
    }
}
