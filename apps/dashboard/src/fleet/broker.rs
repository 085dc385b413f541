// SPDX-License-Identifier: MIT OR Apache-2.0
//! A broker: the subscription to what cameras publish, and the publisher of their alerts.

use emotion_publish::mqtt::Mqtt;
use emotion_publish::secrets::Secrets;
use emotion_publish::session::{Notice, Publisher};
use emotion_publish::subscriber::Report;
use emotion_publish::webhook::Webhook;
use emotion_publish::{Limits, Location, MessageIds, Outbox, Protocol};

/// The last parts of topics that cameras publish.
const SCHEMAS: [&str; 4] = ["status", "summary", "events", "faces"];
/// The last part of the topic of alerts.
const ALERTS: &str = "alerts";
/// Memory for alerts that wait for the broker. When it is full, the oldest are dropped.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// The reason for which no broker can be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("alerts-location: expected mqtt://, mqtts://, http:// or https://")]
    Protocol,
    /// A file with a secret is wrong, or no thread can be started.
    #[error("{0}")]
    Client(Box<dyn std::error::Error + Send + Sync>),
}

/// A broker and the topics of cameras.
pub struct Broker {
    /// Its address on the page, without a user.
    pub address: String,
    mqtt: Mqtt,
    alerts: Option<AlertPublisher>,
}

impl Broker {
    /// The broker at `location`, whose topic may have `+`. With `has_alerts`, it also gets the cameras' alerts.
    ///
    /// # Errors
    /// If a file of `secrets` is wrong, or no thread can be started.
    pub fn new(location: &Location, secrets: &Secrets, has_alerts: bool) -> Result<Self, BrokerError> {
        let scheme = if location.tls { "mqtts" } else { "mqtt" };
        let address = format!("{scheme}://{}:{}/{}", location.host, location.port, location.topic);
        let fixed = Location { topic: location.fixed_topic().to_owned(), ..location.clone() };
        let alerts = if has_alerts { Some(AlertPublisher::new(fixed, secrets)?) } else { None };
        let mqtt = Mqtt::without_status(location.clone(), secrets).map_err(|error| BrokerError::Client(error.into()))?;
        Ok(Self { address, mqtt, alerts })
    }

    /// Subscribes, and calls `observe` for each report. Does not return.
    pub async fn follow(&self, observe: impl FnMut(Report<'_>)) {
        let topics = SCHEMAS.map(|schema| self.mqtt.location.topic(schema));
        self.mqtt.subscribe(&topics, None, observe).await;
    }

    /// The name of the camera with this topic: the parts from the first `+` on, or else the last part.
    pub fn camera_name(&self, topic: &str) -> String {
        let own = topic.strip_prefix(self.mqtt.location.fixed_topic()).and_then(|rest| rest.strip_prefix('/'));
        own.or_else(|| topic.rsplit('/').next()).unwrap_or(topic).to_owned()
    }

    /// Publishes an alert of the camera with this topic.
    pub fn publish_alert(&self, topic: &str, record: &str) {
        if let Some(alerts) = &self.alerts {
            alerts.publish(topic.strip_prefix(self.mqtt.location.fixed_topic()).unwrap_or_default(), record);
        }
    }
}

/// Publishes alerts on a separate thread. It has no status, because that would look like a camera.
pub struct AlertPublisher(Publisher);

impl AlertPublisher {
    /// A publisher to the topics below the topic of `location`.
    ///
    /// # Errors
    /// If a file of `secrets` is wrong, or no thread can be started.
    pub fn new(location: Location, secrets: &Secrets) -> Result<Self, BrokerError> {
        let outbox =
            Outbox::open(&Limits { max_bytes: MAX_WAITING_BYTES, spool: None }).map_err(|error| BrokerError::Client(error.into()))?;
        let publisher = match location.protocol {
            Protocol::Mqtt => {
                let mqtt = Mqtt::without_status(location, secrets).map_err(|error| BrokerError::Client(error.into()))?;
                Publisher::start(outbox, mqtt, report)
            }
            Protocol::Webhook => {
                let login = secrets.login(&location, MessageIds::new().start());
                let webhook = login.and_then(|login| Webhook::new(location, login)).map_err(|error| BrokerError::Client(error.into()))?;
                Publisher::start(outbox, webhook, report)
            }
            _ => return Err(BrokerError::Protocol),
        };
        publisher.map(Self).map_err(|error| BrokerError::Client(error.into()))
    }

    /// Publishes an alert to the topic that `path`, empty or with a slash before each part, and `alerts` are added to.
    pub fn publish(&self, path: &str, record: &str) {
        let schema = format!("{path}/{ALERTS}");
        self.0.push(&schema.trim_start_matches('/').into(), record.as_bytes());
    }
}

/// Says why alerts are not published.
fn report(notice: Notice) {
    let reason = match notice {
        Notice::Connected => return,
        Notice::Disconnected(failure) => failure.to_string(),
        Notice::Problem(problem) => problem.to_string(),
    };
    eprintln!("emotion-dashboard: alerts are not published: {reason}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_named_by_what_the_plus_stands_for() {
        let broker = |address: &str| Broker::new(&Location::parse_filter(address).unwrap(), &Secrets::default(), false).unwrap();
        assert_eq!(broker("mqtt://user@host/emotion/+").camera_name("emotion/front door"), "front door");
        assert_eq!(broker("mqtt://user@host/emotion/+/+").camera_name("emotion/site/door"), "site/door");
        assert_eq!(broker("mqtt://user@host/emotion/door").camera_name("emotion/door"), "door");
        assert_eq!(broker("mqtt://user@host/emotion/+").address, "mqtt://host:1883/emotion/+");
    }
}
