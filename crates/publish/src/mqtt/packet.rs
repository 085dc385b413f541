// SPDX-License-Identifier: MIT OR Apache-2.0
//! The packets of both versions of MQTT, as far as a publisher and a subscriber need them.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{QoS, v4};
use rumqttc::v5::mqttbytes::{QoS as QoS5, v5};

use super::Version;
use crate::failure::{Failure, Rejection};
use crate::location::OFFLINE;

/// The largest packet of MQTT (MQTT 5.0, section 2.1.4).
pub const MAX_PACKET: usize = 268_435_455;
/// The largest packet that is read: an acknowledgement, or a record.
pub const MAX_INCOMING: usize = 64 << 10;
/// Maximum number of bytes before the content of a packet: its type and its length.
const MAX_HEADER: usize = 5;
const PUBACK: u8 = 4;
const DISCONNECT: u8 = 14;

/// How a client introduces itself.
pub struct Hello<'a> {
    /// Name of the connection.
    pub client_id: &'a str,
    /// Maximum pause between two packets, in seconds.
    pub keep_alive_s: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// Where the broker publishes `offline` if the connection breaks.
    pub will: Option<String>,
}

/// A message to publish with QoS 1.
pub struct Publish {
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub payload: Bytes,
    /// True if the broker keeps it for later subscribers.
    pub is_retained: bool,
}

/// What the broker allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of messages in flight.
    pub in_flight: usize,
    /// The largest packet in bytes.
    pub packet: usize,
    /// Maximum pause between two packets, in seconds, if it is not the client's own.
    pub keep_alive_s: Option<u16>,
}

/// What a broker sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The client is logged in.
    Connected(Limits),
    /// The answer to the published message with this packet id. `None` means that the broker has the message.
    Answered(u16, Option<Answer>),
    /// A published message.
    Message {
        /// Its topic.
        topic: String,
        /// Its content.
        payload: Bytes,
        /// True if the broker kept it.
        is_retained: bool,
    },
    /// The answer to a subscription.
    Subscribed {
        /// True if the broker refuses it.
        is_refused: bool,
    },
    /// The answer to a ping.
    Pong,
    /// What does not concern this client.
    Other,
}

/// Why a broker does not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It never will.
    Never(Rejection),
    /// It may on another connection.
    NotNow(Failure),
}

impl Version {
    /// Appends the first packet.
    ///
    /// # Errors
    /// If a text is too long for a packet.
    pub fn write_hello(self, hello: Hello<'_>, output: &mut BytesMut) -> Result<(), Failure> {
        let Hello { client_id, keep_alive_s: keep_alive, credentials, will } = hello;
        let client_id = client_id.to_owned();
        let written = match self {
            Self::V5 => {
                let login = credentials.map(|(user, password)| v5::Login::new(user, password));
                let will = will.map(|topic| v5::LastWill::new(topic, OFFLINE, QoS5::AtLeastOnce, true, None));
                let properties = v5::ConnectProperties { max_packet_size: Some(MAX_INCOMING as u32), ..v5::ConnectProperties::new() };
                let connect = v5::Connect { keep_alive, client_id, clean_start: true, properties: Some(properties) };
                v5::Packet::Connect(connect, will, login).write(output, None).map_err(|error| format!("{error:?}"))
            }
            Self::V311 => {
                let login = credentials.map(|(user, password)| v4::Login::new(user, password));
                let last_will = will.map(|topic| v4::LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true));
                let connect = v4::Connect { keep_alive, last_will, login, ..v4::Connect::new(client_id) };
                v4::Packet::Connect(connect).write(output, MAX_PACKET).map_err(|error| format!("{error:?}"))
            }
        };
        written.map(drop).map_err(Failure::Protocol)
    }

    /// Appends a message with a packet id, unless it is larger than `maximum`.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`].
    pub fn write_publish(self, id: u16, publish: Publish, maximum: usize, output: &mut BytesMut) -> Result<(), Rejection> {
        let Publish { topic, payload, is_retained } = publish;
        let (size, written) = match self {
            Self::V5 => {
                let mut publish = v5::Publish::new(topic, QoS5::AtLeastOnce, payload, None);
                (publish.pkid, publish.retain) = (id, is_retained);
                let size = publish.size();
                (size, size <= maximum && v5::Packet::Publish(publish).write(output, None).is_ok())
            }
            Self::V311 => {
                let mut publish = v4::Publish::from_bytes(topic, QoS::AtLeastOnce, payload);
                (publish.pkid, publish.retain) = (id, is_retained);
                let size = publish.size();
                (size, size <= maximum && v4::Packet::Publish(publish).write(output, MAX_PACKET).is_ok())
            }
        };
        if written { Ok(()) } else { Err(Rejection::TooLarge { bytes: size, maximum: maximum.min(MAX_PACKET) }) }
    }

    /// Appends a ping.
    pub fn write_ping(self, output: &mut BytesMut) {
        output.extend_from_slice(&[0xC0, 0]);
    }

    /// Appends a goodbye, after which the broker does not publish the last will.
    pub fn write_goodbye(self, output: &mut BytesMut) {
        output.extend_from_slice(&[DISCONNECT << 4, 0]);
    }

    /// Reads the packet that is all of `frame`.
    ///
    /// # Errors
    /// If the broker refuses the connection, ends it, or does not keep to the protocol.
    pub fn read(self, frame: BytesMut) -> Result<Incoming, Failure> {
        match (frame[0] >> 4, self) {
            (PUBACK, _) => self.read_answer(&frame[header_length(&frame)..]),
            (DISCONNECT, _) => {
                let reason = frame.get(header_length(&frame)).copied().unwrap_or_default();
                Err(Failure::Lost(format!("the broker ends it: {}", reason_name(reason))))
            }
            (_, Self::V5) => read_v5(frame),
            (_, Self::V311) => read_v311(frame),
        }
    }

    /// The content of a PUBACK. Brokers also use reasons that the standard does not allow there, such as `PacketTooLarge`.
    fn read_answer(self, content: &[u8]) -> Result<Incoming, Failure> {
        let Some((id, rest)) = content.split_first_chunk::<2>() else {
            return Err(Failure::Protocol("an acknowledgement of no message".into()));
        };
        let code = rest.first().copied().filter(|_| self == Self::V5).unwrap_or_default();
        Ok(Incoming::Answered(u16::from_be_bytes(*id), answer(code)))
    }
}

/// What the reason code of a PUBACK means (MQTT 5.0, section 3.4.2.1).
fn answer(code: u8) -> Option<Answer> {
    let name = reason_name(code);
    match code {
        0..0x80 => None,
        0x87 | 0x90 | 0x95 | 0x99 => Some(Answer::Never(Rejection::Refused(name))),
        0x97 => Some(Answer::NotNow(Failure::Unwilling(name))),
        _ => Some(Answer::NotNow(Failure::Protocol(name))),
    }
}

fn reason_name(code: u8) -> String {
    let name = match code {
        0x80 => "UnspecifiedError",
        0x81 => "MalformedPacket",
        0x82 => "ProtocolError",
        0x83 => "ImplementationSpecificError",
        0x87 => "NotAuthorized",
        0x89 => "ServerBusy",
        0x8B => "ServerShuttingDown",
        0x8D => "KeepAliveTimeout",
        0x8E => "SessionTakenOver",
        0x90 => "TopicNameInvalid",
        0x93 => "ReceiveMaximumExceeded",
        0x95 => "PacketTooLarge",
        0x96 => "MessageRateTooHigh",
        0x97 => "QuotaExceeded",
        0x98 => "AdministrativeAction",
        0x99 => "PayloadFormatInvalid",
        code => return format!("reason {code}"),
    };
    name.into()
}

fn read_v5(mut frame: BytesMut) -> Result<Incoming, Failure> {
    let packet = v5::Packet::read(&mut frame, None).map_err(|error| Failure::Protocol(format!("{error:?}")))?;
    Ok(match packet {
        v5::Packet::ConnAck(answer) if answer.code == v5::ConnectReturnCode::Success => {
            let properties = answer.properties;
            let of = |number: fn(&v5::ConnAckProperties) -> Option<usize>| properties.as_ref().and_then(number);
            Incoming::Connected(Limits {
                in_flight: of(|known| known.receive_max.map(usize::from)).unwrap_or(usize::MAX),
                packet: of(|known| known.max_packet_size.map(|bytes| bytes as usize)).unwrap_or(MAX_PACKET),
                keep_alive_s: properties.as_ref().and_then(|known| known.server_keep_alive),
            })
        }
        v5::Packet::ConnAck(answer) => return Err(Failure::Login(format!("{:?}", answer.code))),
        v5::Packet::PingResp(_) => Incoming::Pong,
        _ => Incoming::Other,
    })
}

fn read_v311(mut frame: BytesMut) -> Result<Incoming, Failure> {
    let packet = v4::Packet::read(&mut frame, MAX_INCOMING).map_err(|error| Failure::Protocol(format!("{error:?}")))?;
    Ok(match packet {
        v4::Packet::ConnAck(answer) if answer.code == v4::ConnectReturnCode::Success => {
            Incoming::Connected(Limits { in_flight: usize::MAX, packet: MAX_PACKET, keep_alive_s: None })
        }
        v4::Packet::ConnAck(answer) => return Err(Failure::Login(format!("{:?}", answer.code))),
        v4::Packet::Publish(message) => Incoming::Message { topic: message.topic, payload: message.payload, is_retained: message.retain },
        v4::Packet::SubAck(answer) => Incoming::Subscribed { is_refused: answer.return_codes.contains(&v4::SubscribeReasonCode::Failure) },
        v4::Packet::PingResp => Incoming::Pong,
        _ => Incoming::Other,
    })
}

/// Appends a subscription to `topics` with QoS 0, by MQTT 3.1.1.
///
/// # Errors
/// If it is too large for a packet.
pub fn write_subscription_v311(topics: &[String], output: &mut BytesMut) -> Result<(), Failure> {
    let filters = topics.iter().map(|topic| v4::SubscribeFilter::new(topic.clone(), QoS::AtMostOnce));
    let subscription = v4::Subscribe { pkid: 1, ..v4::Subscribe::new_many(filters) };
    let written = v4::Packet::Subscribe(subscription).write(output, MAX_PACKET);
    written.map(drop).map_err(|error| Failure::Protocol(format!("{error:?}")))
}

/// Length of the packet at the start of `bytes`, or `None` if its header is incomplete.
///
/// # Errors
/// If the header is invalid.
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    let mut content = 0;
    for (index, byte) in bytes.iter().take(MAX_HEADER).enumerate().skip(1) {
        content |= usize::from(byte & 0x7F) << (7 * (index - 1));
        if byte & 0x80 == 0 {
            return Ok(Some(index + 1 + content));
        }
    }
    if bytes.len() < MAX_HEADER { Ok(None) } else { Err(Failure::Protocol("the length of a packet".into())) }
}

/// Bytes of type and length of a whole packet.
fn header_length(frame: &[u8]) -> usize {
    frame.iter().skip(1).position(|byte| byte & 0x80 == 0).map_or(frame.len(), |index| index + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Version, bytes: &[u8]) -> Result<Incoming, Failure> {
        assert_eq!(frame_length(bytes).unwrap(), Some(bytes.len()));
        version.read(BytesMut::from(bytes))
    }

    #[test]
    fn an_acknowledgement_of_mqtt_5_tells_what_can_never_be_sent() {
        let answer = |code| match read(Version::V5, &[0x40, 3, 1, 2, code]) {
            Ok(Incoming::Answered(0x0102, answer)) => answer,
            other => panic!("{other:?}"),
        };
        assert_eq!((answer(0), answer(0x10)), (None, None), "no subscriber is no failure");
        assert_eq!(read(Version::V5, &[0x40, 2, 1, 2]), Ok(Incoming::Answered(0x0102, None)));
        for (code, name) in [(0x87, "NotAuthorized"), (0x90, "TopicNameInvalid"), (0x95, "PacketTooLarge"), (0x99, "PayloadFormatInvalid")]
        {
            assert_eq!(answer(code), Some(Answer::Never(Rejection::Refused(name.into()))));
        }
        assert_eq!(answer(0x97), Some(Answer::NotNow(Failure::Unwilling("QuotaExceeded".into()))));
        assert_eq!(answer(0xFF), Some(Answer::NotNow(Failure::Protocol("reason 255".into()))));
        assert!(matches!(read(Version::V5, &[0x40, 1, 1]), Err(Failure::Protocol(_))));
    }

    #[test]
    fn a_refused_login_and_a_goodbye_have_a_reason() {
        assert_eq!(read(Version::V311, &[0x20, 2, 0, 5]), Err(Failure::Login("NotAuthorized".into())));
        assert_eq!(read(Version::V5, &[0x20, 3, 0, 0x87, 0]), Err(Failure::Login("NotAuthorized".into())));
        assert_eq!(read(Version::V5, &[0xE0, 2, 0x95, 0]), Err(Failure::Lost("the broker ends it: PacketTooLarge".into())));
    }

    #[test]
    fn limits_are_those_of_the_broker() {
        let limits = Limits { in_flight: 20, packet: 2_000, keep_alive_s: Some(3) };
        let bytes = [0x20, 14, 0, 0, 11, 0x21, 0, 20, 0x27, 0, 0, 0x07, 0xD0, 0x13, 0, 3];
        assert_eq!(read(Version::V5, &bytes), Ok(Incoming::Connected(limits)));
        assert!(matches!(read(Version::V311, &[0x20, 2, 0, 0]), Ok(Incoming::Connected(Limits { packet: MAX_PACKET, .. }))));
    }

    #[test]
    fn a_message_that_is_too_large_is_not_written() {
        for version in [Version::V5, Version::V311] {
            let write = |maximum| {
                let mut output = BytesMut::new();
                let publish = Publish { topic: "a/b".into(), payload: vec![b'x'; 200].into(), is_retained: true };
                version.write_publish(7, publish, maximum, &mut output).map(|()| output.len())
            };
            let size = write(MAX_PACKET).unwrap();
            assert_eq!(write(size), Ok(size));
            assert_eq!(write(size - 1), Err(Rejection::TooLarge { bytes: size, maximum: size - 1 }));
        }
    }

    #[test]
    fn the_length_of_a_packet_has_one_to_four_bytes() {
        assert_eq!(frame_length(&[0x30]), Ok(None));
        assert_eq!(frame_length(&[0x30, 0x80]), Ok(None));
        assert_eq!(frame_length(&[0xD0, 0]), Ok(Some(2)));
        assert_eq!(frame_length(&[0x30, 0x80, 0x01]), Ok(Some(131)));
        assert_eq!(frame_length(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]), Ok(Some(MAX_PACKET + MAX_HEADER)));
        assert!(frame_length(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_packet_of_a_broker_panics(first: u8, content in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
            let frame = [&[first, content.len() as u8][..], &content].concat();
            for version in [Version::V5, Version::V311] {
                // It may return a packet or an error, but must not panic.
                let _ = version.read(BytesMut::from(&frame[..]));
            }
        }
    }
}
