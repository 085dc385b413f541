// SPDX-License-Identifier: MIT OR Apache-2.0
//! A connection that is logged in: packets in both directions, and pings.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, sleep_until};

use super::packet::{self, Hello, Incoming, Limits, MAX_INCOMING, Publish};
use super::{Mqtt, Version};
use crate::failure::{Failure, Rejection};
use crate::stream::{Duplex, connect};

/// Pause after which a ping is sent. A broker sends the last will after one and a half of it.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// A broker of which nothing arrives for this long is given up. It answers each ping.
const MAX_SILENCE: Duration = Duration::from_secs(20);

/// A connection to a broker.
pub struct Connection {
    version: Version,
    stream: Box<dyn Duplex>,
    input: BytesMut,
    output: BytesMut,
    /// False if something was written that may not have left.
    is_flushed: bool,
    /// What is left of a packet that is too large to be read.
    skipped: usize,
    keep_alive: Duration,
    next_ping: Instant,
    /// When the broker's last bytes arrived.
    heard: Instant,
}

impl Connection {
    /// Connects and logs in. If the connection breaks, the broker publishes `offline` to `will`.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn open(mqtt: &Mqtt, version: Version, will: Option<String>) -> Result<(Self, Limits), Failure> {
        let stream = connect(&mqtt.location, &mqtt.login).await?;
        let mut connection = Self {
            version,
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            is_flushed: false,
            skipped: 0,
            keep_alive: KEEP_ALIVE,
            next_ping: Instant::now() + KEEP_ALIVE,
            heard: Instant::now(),
        };
        let hello =
            Hello { client_id: &mqtt.login.client_id, keep_alive_s: KEEP_ALIVE.as_secs() as u16, credentials: mqtt.credentials(), will };
        version.write_hello(hello, &mut connection.output)?;
        let Incoming::Connected(limits) = connection.receive().await? else {
            return Err(Failure::Protocol("a packet before the log in".into()));
        };
        let shortest = limits.keep_alive_s.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()));
        connection.keep_alive = shortest.map_or(KEEP_ALIVE, |theirs| theirs.min(KEEP_ALIVE));
        connection.next_ping = Instant::now() + connection.keep_alive;
        Ok((connection, limits))
    }

    /// Queues a message. It leaves during [`Self::receive`] or [`Self::close`].
    ///
    /// # Errors
    /// If it is larger than `maximum`.
    pub fn publish(&mut self, id: u16, publish: Publish, maximum: usize) -> Result<(), Rejection> {
        self.is_flushed = false;
        self.version.write_publish(id, publish, maximum, &mut self.output)
    }

    /// Queues a subscription, for a connection by MQTT 3.1.1.
    ///
    /// # Errors
    /// If the topics are too long.
    pub fn subscribe_v311(&mut self, topics: &[String]) -> Result<(), Failure> {
        self.is_flushed = false;
        packet::write_subscription_v311(topics, &mut self.output)
    }

    /// Sends what is queued and the pings, and waits for the next packet. May be dropped and called again.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn receive(&mut self) -> Result<Incoming, Failure> {
        loop {
            while let Some(frame) = self.next_frame()? {
                match self.version.read(frame)? {
                    Incoming::Pong => {}
                    packet => return Ok(packet),
                }
            }
            let (mut reader, mut writer) = split(&mut self.stream);
            tokio::select! {
                // Reading first, since the broker's last words say why it ends the connection.
                biased;
                count = reader.read_buf(&mut self.input) => {
                    ended_if_none(count)?;
                    self.heard = Instant::now();
                }
                sent = send(&mut writer, &mut self.output), if !self.is_flushed => {
                    self.is_flushed = true;
                    if let Err(error) = sent {
                        return Err(last_words(&mut reader, &mut self.input, self.version).await.unwrap_or_else(|| lost(&error)));
                    }
                }
                () = sleep_until(self.heard + MAX_SILENCE) => return Err(Failure::Silent { seconds: MAX_SILENCE.as_secs() }),
                () = sleep_until(self.next_ping) => self.ping(),
            }
        }
    }

    /// Says goodbye, and waits until the broker has ended the connection.
    pub async fn close(mut self) {
        self.version.write_goodbye(&mut self.output);
        let (mut reader, mut writer) = split(&mut self.stream);
        // If the broker does not listen any more, it publishes the last will.
        let is_sent = send(&mut writer, &mut self.output).await.is_ok() && writer.shutdown().await.is_ok();
        // What the broker still sends has to be read: otherwise the system resets the connection, and what is under way is lost.
        while is_sent && reader.read_buf(&mut self.input).await.is_ok_and(|count| count > 0) {
            self.input.clear();
        }
    }

    fn ping(&mut self) {
        self.version.write_ping(&mut self.output);
        self.is_flushed = false;
        self.next_ping = Instant::now() + self.keep_alive;
    }

    /// The next whole packet of the input. Those that are too large are skipped.
    fn next_frame(&mut self) -> Result<Option<BytesMut>, Failure> {
        loop {
            let skipped = self.skipped.min(self.input.len());
            drop(self.input.split_to(skipped));
            self.skipped -= skipped;
            match packet::frame_length(&self.input)? {
                Some(length) if length > MAX_INCOMING => self.skipped = length,
                Some(length) if length <= self.input.len() => return Ok(Some(self.input.split_to(length))),
                _ => return Ok(None),
            }
            if self.skipped > self.input.len() {
                self.skipped -= self.input.len();
                self.input.clear();
                return Ok(None);
            }
        }
    }
}

/// Sends all of `output`. May be dropped and called again.
async fn send(writer: &mut (impl AsyncWrite + Unpin), output: &mut BytesMut) -> std::io::Result<()> {
    writer.write_all_buf(output).await?;
    writer.flush().await
}

/// Why the broker has ended a connection that cannot be written any more, if it has said so.
async fn last_words(reader: &mut (impl AsyncRead + Unpin), input: &mut BytesMut, version: Version) -> Option<Failure> {
    if let Err(failure) = ended_if_none(reader.read_buf(input).await) {
        return Some(failure);
    }
    let length = packet::frame_length(input).ok().flatten().filter(|length| *length <= input.len())?;
    version.read(input.split_to(length)).err()
}

fn ended_if_none(count: std::io::Result<usize>) -> Result<(), Failure> {
    match count {
        Ok(0) => Err(Failure::Lost("the broker ends it".into())),
        Ok(_) => Ok(()),
        Err(error) => Err(lost(&error)),
    }
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::Lost(error.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn connection(stream: impl Duplex + 'static) -> Connection {
        Connection {
            version: Version::V311,
            stream: Box::new(stream),
            input: BytesMut::new(),
            output: BytesMut::new(),
            is_flushed: true,
            skipped: 0,
            keep_alive: KEEP_ALIVE,
            next_ping: Instant::now() + KEEP_ALIVE,
            heard: Instant::now(),
        }
    }

    /// A message of MQTT 3.1.1 to the topic `t`, with QoS 0.
    fn message(payload: &[u8]) -> Vec<u8> {
        let length = payload.len() + 3;
        let length = [length & 0x7F | 0x80, (length >> 7) & 0x7F | 0x80, length >> 14].map(|part| part as u8);
        [&[0x30][..], &length, &[0, 1, b't'], payload].concat()
    }

    /// What a connection receives that gets the bytes in pieces.
    fn received(bytes: &[u8], piece: usize) -> Vec<Result<Incoming, Failure>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (stream, mut broker) = tokio::io::duplex(piece);
            let mut connection = connection(stream);
            let write = async {
                broker.write_all(bytes).await.unwrap();
                drop(broker);
            };
            let read = async {
                let mut all = Vec::new();
                while !matches!(all.last(), Some(Err(_))) {
                    all.push(connection.receive().await);
                }
                all
            };
            tokio::join!(write, read).1
        })
    }

    #[test]
    fn a_packet_above_the_limit_is_skipped_and_the_next_ones_are_read() {
        let of = |payload: &[u8]| Ok(Incoming::Message { topic: "t".into(), payload: payload.to_vec().into(), is_retained: false });
        let bytes = [message(b"first"), message(&[b'x'; MAX_INCOMING]), message(&vec![b'y'; 3 * MAX_INCOMING]), message(b"last")].concat();
        let ended = Err(Failure::Lost("the broker ends it".into()));
        for piece in [997, 4_096, 1 << 20] {
            assert_eq!(received(&bytes, piece), [of(b"first"), of(b"last"), ended.clone()], "in pieces of {piece} bytes");
        }
    }

    /// What a connection receives after how long from a broker that sends `answers`, each this many seconds after the last, and then
    /// nothing.
    fn received_from_slow(answers: &[(u64, Vec<u8>)]) -> (Vec<Result<Incoming, Failure>>, Duration) {
        // The clock of the test goes to the next event at once.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let (stream, mut broker) = tokio::io::duplex(1 << 10);
            let mut connection = connection(stream);
            let answer = async {
                for (seconds, bytes) in answers {
                    tokio::time::sleep(Duration::from_secs(*seconds)).await;
                    broker.write_all(bytes).await.unwrap();
                }
            };
            let read = async {
                let mut all = Vec::new();
                while !matches!(all.last(), Some(Err(_))) {
                    all.push(connection.receive().await);
                }
                all
            };
            let received = tokio::join!(answer, read).1;
            (received, start.elapsed())
        })
    }

    #[test]
    fn a_broker_that_is_silent_for_20_seconds_is_given_up() {
        let silent = Err(Failure::Silent { seconds: 20 });
        assert_eq!(received_from_slow(&[]), (vec![silent.clone()], Duration::from_secs(20)));
        // Acknowledgements over a slow link, which delays the answers to pings.
        let acknowledged = |id: u8| (19, vec![0x40, 2, 0, id]);
        let answered = |id: u16| Ok(Incoming::Answered(id, None));
        let expected = vec![answered(1), answered(2), answered(3), silent];
        assert_eq!(received_from_slow(&[1, 2, 3].map(acknowledged)), (expected, Duration::from_secs(3 * 19 + 20)));
    }
}
