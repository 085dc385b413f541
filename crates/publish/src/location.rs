// SPDX-License-Identifier: MIT OR Apache-2.0
//! The address of a broker and a topic, and the rules for topics.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::percent_decode_str;

use super::error::{Error, LocationFault, Result};

/// The part of a topic for the state of a publisher.
pub const STATUS: &str = "status";
/// The status of a publisher that is connected.
pub(crate) const ONLINE: &str = "online";
/// The status of a publisher that is not connected.
pub(crate) const OFFLINE: &str = "offline";
/// Maximum length of a topic in bytes (MQTT 5.0, section 1.5.4), less room for the last part.
const MAX_TOPIC: usize = 65_535 - 256;

/// The protocol of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT.
    Mqtt,
    /// NATS JetStream.
    Nats,
    /// HTTP, to a web server rather than to a broker.
    Webhook,
    /// OSC, to a receiver rather than to a broker.
    Osc,
}

/// Where to publish, such as `mqtts://user@broker:8883/emotion/door`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The protocol.
    pub protocol: Protocol,
    /// True if the connection is encrypted.
    pub tls: bool,
    /// The user, if there is one.
    pub user: Option<String>,
    /// Name or address of the broker; an IPv6 address is in brackets.
    pub host: String,
    /// TCP port; UDP port of OSC.
    pub port: u16,
    /// The topic, to which the last part is added; empty for OSC; the path and the query of a webhook.
    pub topic: String,
}

/// The schemes.
const SCHEMES: [&str; 7] = ["mqtt", "mqtts", "nats", "nats+tls", "http", "https", "osc"];

/// The protocol of a scheme, whether it is encrypted, and the usual port.
fn protocol(scheme: &str) -> Option<(Protocol, bool, u16)> {
    match scheme {
        "mqtt" => Some((Protocol::Mqtt, false, 1883)),
        "mqtts" => Some((Protocol::Mqtt, true, 8883)),
        "nats" => Some((Protocol::Nats, false, 4222)),
        "nats+tls" => Some((Protocol::Nats, true, 4222)),
        "http" => Some((Protocol::Webhook, false, 80)),
        "https" => Some((Protocol::Webhook, true, 443)),
        // The port of the VMC protocol.
        "osc" => Some((Protocol::Osc, false, 39_539)),
        _ => None,
    }
}

impl Location {
    /// Reads `scheme://user@host:port/topic`. User and port may be left out.
    ///
    /// # Errors
    /// [`Error::Location`] with the fault. A password is one, because others can read the address; the error does not
    /// contain it.
    ///
    /// ```
    /// use emotion_publish::Location;
    /// let location = Location::parse("mqtts://camera@broker.example/emotion/door").unwrap();
    /// assert_eq!((location.host.as_str(), location.port), ("broker.example", 8883));
    /// assert_eq!(location.topic("events"), "emotion/door/events");
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text, false)
    }

    /// Reads the address of what several publishers send: `+` stands for any one part of the topic. Only MQTT has this.
    ///
    /// # Errors
    /// As [`Self::parse`]. The first part of the topic must not be `+`.
    ///
    /// ```
    /// use emotion_publish::Location;
    /// let location = Location::parse_filter("mqtt://broker.example/emotion/+").unwrap();
    /// assert_eq!((location.topic("events"), location.fixed_topic()), ("emotion/+/events".into(), "emotion"));
    /// ```
    pub fn parse_filter(text: &str) -> Result<Self> {
        Self::read(text, true)
    }

    fn read(text: &str, is_filter: bool) -> Result<Self> {
        parse(text, is_filter).map_err(|fault| Error::Location { location: without_password(text), fault })
    }

    /// The topic, or with NATS the subject, that ends with `last`. A webhook has one path for all.
    pub fn topic(&self, last: &str) -> String {
        match self.protocol {
            Protocol::Mqtt | Protocol::Osc => format!("{}/{last}", self.topic),
            Protocol::Nats => format!("{}.{last}", self.topic),
            Protocol::Webhook => self.topic.clone(),
        }
    }

    /// The host as programs look it up: an IPv6 address has no brackets.
    pub fn host_without_brackets(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// The topic up to the first part that is `+`, or the whole topic if it has no such part.
    pub fn fixed_topic(&self) -> &str {
        self.topic.find("/+").map_or(&self.topic, |end| &self.topic[..end])
    }
}

fn parse(text: &str, is_filter: bool) -> std::result::Result<Location, LocationFault> {
    let (scheme, rest) = text.split_once("://").ok_or(LocationFault::NoAddress)?;
    let (protocol, tls, port) = protocol(scheme).ok_or(LocationFault::Scheme { known: &SCHEMES })?;
    if password(text).is_some() {
        return Err(LocationFault::Password);
    }
    let (authority, topic) = match rest.split_once('/') {
        Some((_, topic)) if protocol == Protocol::Osc && !topic.is_empty() => return Err(LocationFault::Topic),
        Some((authority, topic)) => (authority, topic),
        None if [Protocol::Osc, Protocol::Webhook].contains(&protocol) => (rest, ""),
        None => return Err(LocationFault::NoTopic),
    };
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(decoded(user).ok_or(LocationFault::User)?), address),
        None => (None, authority),
    };
    if protocol == Protocol::Webhook && user.is_some() {
        return Err(LocationFault::WebhookUser);
    }
    let (host, port) = split_port(address, port).ok_or(LocationFault::Port)?;
    if host.is_empty() {
        return Err(LocationFault::NoHost);
    }
    let topic = match protocol {
        Protocol::Webhook => checked_path(topic, is_filter)?,
        _ => checked_topic(&decoded(topic).ok_or(LocationFault::TopicText)?, protocol, is_filter)?,
    };
    Ok(Location { protocol, tls, user: user.filter(|user| !user.is_empty()), host: host.to_owned(), port, topic })
}

/// `text` with the password replaced by `***`, for people to read.
pub fn without_password(text: &str) -> String {
    password(text).map_or_else(|| text.to_owned(), |range| format!("{}***{}", &text[..range.start], &text[range.end..]))
}

/// Where a password may be: from the first colon behind the scheme to the last `@`. A password may contain `/`, so that the
/// host seems to end within it. A topic with `@` behind a port looks the same, and is refused for that reason.
fn password(text: &str) -> Option<Range<usize>> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text.rfind('@').filter(|end| *end >= start)?;
    let colon = start + text[start..end].find(':')?;
    Some(colon + 1..end)
}

fn split_port(address: &str, usual: u16) -> Option<(&str, u16)> {
    // The colons inside of the brackets of an IPv6 address are not followed by a port.
    match address.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, port)) => Some((host, port.parse().ok().filter(|port| *port > 0)?)),
        None => Some((address, usual)),
    }
}

/// The path and the query of a web address, as they are sent.
fn checked_path(path: &str, is_filter: bool) -> std::result::Result<String, LocationFault> {
    let wrong = path.chars().find(|letter| !letter.is_ascii_graphic() || *letter == '#');
    match wrong {
        _ if is_filter => Err(LocationFault::Subscription),
        _ if path.len() > MAX_TOPIC => Err(LocationFault::TopicLength { bytes: path.len(), maximum: MAX_TOPIC }),
        Some(letter) => Err(LocationFault::Character(letter)),
        None => Ok(format!("/{path}")),
    }
}

/// The topic as the protocol writes it: parts separated by `/`, with NATS by `.`. Parts of a filter may be `+`.
fn checked_topic(topic: &str, protocol: Protocol, is_filter: bool) -> std::result::Result<String, LocationFault> {
    let topic = topic.trim_end_matches('/');
    let (forbidden, separator): (&[char], _) = match protocol {
        Protocol::Nats | Protocol::Osc if is_filter => return Err(LocationFault::Subscription),
        Protocol::Osc | Protocol::Webhook => return Ok(String::new()),
        Protocol::Mqtt => (&['+', '#'], "/"),
        Protocol::Nats => (&['*', '>', '.', ' '], "."),
    };
    let mut fixed = topic.split('/').filter(|part| !(is_filter && *part == "+"));
    let wrong = fixed.find_map(|part| part.chars().find(|letter| forbidden.contains(letter) || letter.is_control()));
    match wrong {
        _ if is_filter && topic.starts_with('+') => Err(LocationFault::FirstPart),
        _ if topic.is_empty() => Err(LocationFault::NoTopic),
        _ if topic.len() > MAX_TOPIC => Err(LocationFault::TopicLength { bytes: topic.len(), maximum: MAX_TOPIC }),
        _ if topic.starts_with('$') => Err(LocationFault::ReservedTopic),
        _ if topic.split('/').any(str::is_empty) => Err(LocationFault::EmptyPart),
        Some(letter) => Err(LocationFault::Character(letter)),
        None => Ok(topic.replace('/', separator)),
    }
}

/// `text` with `%20` and the like decoded, or `None` if two hexadecimal digits are missing after a `%`, or the result is not
/// UTF-8.
fn decoded(text: &str) -> Option<String> {
    let has_digits = |part: &str| part.len() >= 2 && part.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    let is_valid = text.split('%').skip(1).all(has_digits);
    is_valid.then(|| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Location {
        Location::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        Location::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn schemes_have_their_protocol_and_port() {
        let of = |scheme: &str| {
            let location = location(&format!("{scheme}://h/t"));
            (location.protocol, location.tls, location.port)
        };
        assert_eq!(of("mqtt"), (Protocol::Mqtt, false, 1883));
        assert_eq!(of("mqtts"), (Protocol::Mqtt, true, 8883));
        assert_eq!(of("nats"), (Protocol::Nats, false, 4222));
        assert_eq!(of("nats+tls"), (Protocol::Nats, true, 4222));
        let osc = [location("osc://h"), location("osc://h/")].map(|osc| (osc.protocol, osc.tls, osc.port, osc.topic));
        assert!(osc.into_iter().all(|osc| osc == (Protocol::Osc, false, 39_539, String::new())));
        assert_eq!(location("osc://127.0.0.1:9000").port, 9000);
        assert_eq!((of("http"), of("https")), ((Protocol::Webhook, false, 80), (Protocol::Webhook, true, 443)));
        assert!(error("ftp://h/t").contains("mqtt, mqtts, nats, nats+tls, http, https, osc"));
    }

    #[test]
    fn user_host_port_and_topic_are_read() {
        let full = location("mqtts://door%40home@broker.example:9000/emotion/front%20door/");
        assert_eq!(full.user.as_deref(), Some("door@home"));
        assert_eq!((full.host.as_str(), full.port), ("broker.example", 9000));
        assert_eq!((full.topic("faces"), full.topic(STATUS)), ("emotion/front door/faces".into(), "emotion/front door/status".into()));
        let ipv6 = location("mqtt://[::1]/t");
        assert_eq!((ipv6.host.as_str(), ipv6.port), ("[::1]", 1883));
        assert_eq!((ipv6.host_without_brackets(), full.host_without_brackets()), ("::1", "broker.example"));
        assert_eq!(location("mqtt://[::1]:7/t").port, 7);
        assert_eq!(location("nats://h/emotion/door").topic("events"), "emotion.door.events");
        assert_eq!(location("https://h/in%20?a=/").topic("events"), "/in%20?a=/");
        assert_eq!(["http://h", "http://h/"].map(|text| location(text).topic("events")), ["/", "/"]);
    }

    #[test]
    fn a_password_is_refused_and_never_repeated() {
        for password in
            ["s3cret", "s3:cr@et", "s3/cret", "7/s3cret", "1883/s3cret", "/s3cret", "s3cret/", "s3?cr#et", "s3%2Fcret", "s3 cr\\et"]
        {
            for text in [format!("mqtt://user:{password}@h/t"), format!("mqtt://:{password}@h:1/t"), format!("nats://a/b:{password}@h/t")] {
                let error = error(&text);
                assert!(error.contains("password-file") && !error.contains("s3") && !error.contains("et@"), "{error}");
                assert!(!without_password(&text).contains("s3"), "{}", without_password(&text));
            }
        }
        assert_eq!(location("mqtt://h:1883/t%40b").topic("faces"), "t@b/faces");
        assert_eq!(location("mqtt://h/t@b").topic("faces"), "t@b/faces");
        assert_eq!(without_password("mqtt://user:s3cret@h:1/t:a"), "mqtt://user:***@h:1/t:a");
        assert_eq!(without_password("user:s3cret@h"), "user:***@h");
        assert_eq!(without_password("mqtt://user@h:1/t"), "mqtt://user@h:1/t");
    }

    #[test]
    fn wrong_addresses_name_the_wrong_part() {
        let fault = |text: &str| match Location::parse(text) {
            Err(Error::Location { location, fault }) if location == text => fault,
            other => panic!("{text}: {other:?}"),
        };
        for (text, expected) in [
            ("broker/t", LocationFault::NoAddress),
            ("ftp://h/t", LocationFault::Scheme { known: &SCHEMES }),
            ("https://user@h/t", LocationFault::WebhookUser),
            ("https://h/t#a", LocationFault::Character('#')),
            ("https://h/a b", LocationFault::Character(' ')),
            ("mqtt://%ff@h/t", LocationFault::User),
            ("mqtt://h", LocationFault::NoTopic),
            ("mqtt://h/", LocationFault::NoTopic),
            ("mqtt:///t", LocationFault::NoHost),
            ("mqtt://h:0/t", LocationFault::Port),
            ("mqtt://h:port/t", LocationFault::Port),
            ("mqtt://h/a+b", LocationFault::Character('+')),
            ("mqtt://h/a%23", LocationFault::Character('#')),
            ("mqtt://h/a%00", LocationFault::Character('\0')),
            ("mqtt://h/a//b", LocationFault::EmptyPart),
            ("mqtt://h/$SYS/a", LocationFault::ReservedTopic),
            ("mqtt://h/%ff", LocationFault::TopicText),
            ("mqtt://h/%e", LocationFault::TopicText),
            ("nats://h/a.b", LocationFault::Character('.')),
            ("nats://h/a>", LocationFault::Character('>')),
            ("osc://h:1/avatar", LocationFault::Topic),
            ("osc://:1", LocationFault::NoHost),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
        let long = fault(&format!("mqtt://h/{}", "a".repeat(65_536)));
        assert_eq!(long, LocationFault::TopicLength { bytes: 65_536, maximum: MAX_TOPIC });
        assert_eq!(error("mqtt://h:0/t"), "location \"mqtt://h:0/t\": expected a port of 1 to 65535 after the colon");
    }

    #[test]
    fn a_filter_has_a_plus_for_whole_parts() {
        let filter = |text: &str| Location::parse_filter(text);
        assert_eq!(filter("mqtts://h/site/+/cameras/+").unwrap().topic(STATUS), "site/+/cameras/+/status");
        assert_eq!(filter("mqtts://h/site/+/cameras/+").unwrap().fixed_topic(), "site");
        assert_eq!(filter("mqtt://h/emotion/door").unwrap().fixed_topic(), "emotion/door");
        for (text, expected) in [
            ("mqtt://h/+", LocationFault::FirstPart),
            ("mqtt://h/emotion/a+", LocationFault::Character('+')),
            ("mqtt://h/emotion/#", LocationFault::Character('#')),
            ("nats://h/emotion/+", LocationFault::Subscription),
            ("osc://h", LocationFault::Subscription),
            ("https://h", LocationFault::Subscription),
        ] {
            assert!(matches!(filter(text), Err(Error::Location { fault, .. }) if fault == expected), "{text}: {:?}", filter(text));
        }
    }
}
