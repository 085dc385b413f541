// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionpublish` and their values.

use std::sync::LazyLock;
use std::time::Duration;

use emotion_publish::secrets::Secrets;
use emotion_publish::tls::Login;
use emotion_publish::{Limits, Location, Protocol, SpoolLimits, without_password};
use gst::prelude::*;

use super::{Leaky, MqttVersion};
use crate::elements::properties::When::{Playing, Ready};
use crate::elements::properties::{Properties, Property, choice, extract, field, string, uint, uint64};
use crate::error::{Error, Result};

/// Maximum number of retained messages. The client's queue also has room for the records in flight.
const MAX_RETAINED: usize = 32;

/// An error of the publisher as one of the plugin, for the bus.
pub(super) fn error_of(error: emotion_publish::Error) -> Error {
    match error {
        emotion_publish::Error::Io { path, source } => Error::Io { path, source },
        error => Error::Config(error.to_string()),
    }
}

/// The values of the properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// As set; a password in it is refused at the start and never read back.
    pub(super) location: Option<String>,
    pub(super) mqtt_version: MqttVersion,
    pub(super) secrets: Secrets,
    pub(super) retained_messages: Option<String>,
    pub(super) leaky: Leaky,
    pub(super) max_size_bytes: u32,
    pub(super) spool_location: Option<String>,
    pub(super) max_spool_bytes: u64,
    pub(super) drain_timeout: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            mqtt_version: MqttVersion::default(),
            secrets: Secrets::default(),
            retained_messages: None,
            leaky: Leaky::default(),
            max_size_bytes: 10 << 20,
            spool_location: None,
            max_spool_bytes: 1 << 30,
            drain_timeout: gst::ClockTime::from_seconds(5).nseconds(),
        }
    }
}

impl Settings {
    /// The address.
    ///
    /// # Errors
    /// The errors of [`Location::parse`], or if it is not set.
    pub(super) fn location(&self) -> Result<Location> {
        let location = self
            .location
            .as_deref()
            .ok_or_else(|| Error::Config("location is not set: expected an address such as mqtt://broker/emotion/door".into()))?;
        Location::parse(location).map_err(error_of)
    }

    /// The bounds of the queue.
    ///
    /// # Errors
    /// If the messages shall be kept, but there is no folder for them.
    pub(super) fn limits(&self) -> Result<Limits> {
        let max_bytes = self.max_size_bytes as usize;
        let spool = match (self.leaky, &self.spool_location) {
            (Leaky::Downstream, _) => None,
            (Leaky::No, Some(folder)) => Some(SpoolLimits { folder: folder.into(), max_bytes: self.max_spool_bytes }),
            (Leaky::No, None) => return Err(Error::Config("leaky=no requires spool-location, a folder for what waits".into())),
        };
        Ok(Limits { max_bytes, spool })
    }

    /// How to log in at `location`. `start` is a random number of this start.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub(super) fn login(&self, location: &Location, start: u64) -> Result<Login> {
        self.secrets.login(location, start).map_err(error_of)
    }

    /// Topics and payloads of the retained messages.
    ///
    /// # Errors
    /// If a line has no payload, or its topic a wildcard, or the protocol has no retained messages.
    pub(super) fn retained(&self, protocol: Protocol) -> Result<Vec<(String, String)>> {
        let wrong = |line: &str| {
            Error::Config(format!("retained-messages: expected a topic without + and #, a space and a payload, found {line:?}"))
        };
        let lines = self.retained_messages.as_deref().unwrap_or_default().lines();
        let read = |line: &str| {
            let (topic, payload) = line.split_once(' ').ok_or_else(|| wrong(line))?;
            let is_topic = !topic.is_empty() && !topic.contains(['+', '#']);
            if is_topic { Ok((topic.to_owned(), payload.to_owned())) } else { Err(wrong(line)) }
        };
        let retained: Vec<_> = lines.map(read).collect::<Result<_>>()?;
        if protocol != Protocol::Mqtt && !retained.is_empty() {
            return Err(Error::Config("retained-messages requires MQTT: expected mqtt:// or mqtts:// in location".into()));
        }
        if retained.len() > MAX_RETAINED {
            return Err(Error::Config(format!("retained-messages: expected at most {MAX_RETAINED} lines, found {}", retained.len())));
        }
        Ok(retained)
    }

    pub(super) fn drain_timeout(&self) -> Duration {
        Duration::from_nanos(self.drain_timeout)
    }
}

/// The properties.
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default();
    Properties::new(vec![
        Property::new(
            string("location", "Location",
                "Broker and topic: mqtt://user@host:port/topic, mqtts://, nats:// or nats+tls://; or a web server: https://host/path; or an avatar program: osc://host:port",
                Ready),
            |settings| settings.location.as_deref().map(without_password).to_value(),
            |settings, value| settings.location = extract(value),
        ),
        field!(Settings: string("client-id", "Client id", "Name of the connection, unique at the broker (unset = a random one)", Ready),
            secrets.client_id),
        field!(Settings: choice("mqtt-version", "MQTT version", "Version of MQTT", default.mqtt_version, Ready), mqtt_version),
        field!(Settings: string("password-file", "Password file",
            "File with the password (unset = GST_EMOTION_PUBLISH_PASSWORD in the environment)", Ready), secrets.password_file),
        field!(Settings: string("ca-file", "CA file",
            "Certificates of the authorities to trust, in PEM format (unset = those of the system)", Ready), secrets.ca_file),
        field!(Settings: string("certificate-file", "Certificate file", "Certificate of this client, in PEM format", Ready),
            secrets.certificate_file),
        field!(Settings: string("key-file", "Key file", "Private key of certificate-file, in PEM format", Ready), secrets.key_file),
        field!(Settings: string("retained-messages", "Retained messages",
            "With MQTT: messages to publish after each connect, retained; a line each: topic, space, payload", Ready), retained_messages),
        field!(Settings: choice("leaky", "Leaky", "What happens to messages that do not fit into memory", default.leaky, Ready), leaky),
        field!(Settings: uint("max-size-bytes", "Maximum size", "Maximum memory of the messages that wait, in bytes",
            0..=u32::MAX, default.max_size_bytes, Ready), max_size_bytes),
        field!(Settings: string("spool-location", "Spool location",
            "With leaky=no: folder for the messages that wait, for one element alone", Ready), spool_location),
        field!(Settings: uint64("max-spool-bytes", "Maximum spool size",
            "Maximum size of the files in spool-location, in bytes; after that, new messages are dropped",
            default.max_spool_bytes, Ready), max_spool_bytes),
        field!(Settings: uint64("drain-timeout", "Drain timeout",
            "Maximum time at the end of the stream to send what waits, in nanoseconds", default.drain_timeout, Playing), drain_timeout),
    ])
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retained_messages_are_lines_of_topic_and_payload() {
        let settings = |text: &str| Settings { retained_messages: Some(text.into()), ..Settings::default() };
        let retained = |text: &str| settings(text).retained(Protocol::Mqtt);
        assert_eq!(Settings::default().retained(Protocol::Nats).unwrap(), []);
        assert!(settings("a b").retained(Protocol::Nats).unwrap_err().to_string().contains("requires MQTT"));
        let pairs = [("a/b", "{\"c\": 1}"), ("d", "")].map(|(topic, payload)| (topic.to_owned(), payload.to_owned()));
        assert_eq!(retained("a/b {\"c\": 1}\nd \n").unwrap(), pairs);
        for wrong in ["a/b", " payload", "a/# x", "a/+/b x"] {
            assert!(retained(wrong).unwrap_err().to_string().contains("a topic without + and #"), "{wrong}");
        }
        assert!(retained(&"a b\n".repeat(33)).unwrap_err().to_string().contains("at most 32 lines, found 33"));
    }
}
