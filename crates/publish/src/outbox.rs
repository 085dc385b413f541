// SPDX-License-Identifier: MIT OR Apache-2.0
//! What waits for the broker: a bounded queue in memory, or a window of a spool on disk.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use super::message::MessageIds;
use super::problems::Problems;
use super::spool::{Refusal, Spool};
use crate::counts::Counts;
use crate::error::Result;
use crate::failure::{Problem, Rejection};
use crate::message::Message;

/// The bounds of an [`Outbox`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum memory of the messages, in bytes.
    pub max_bytes: usize,
    /// Where messages are kept that do not fit into memory, or that outlive the process. `None` drops the oldest instead.
    pub spool: Option<SpoolLimits>,
}

/// The bounds of the spool of an [`Outbox`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// The folder.
    pub folder: PathBuf,
    /// Maximum size on disk, in bytes.
    pub max_bytes: u64,
}

/// Messages from the stream to the broker, in order.
///
/// Without a spool, the oldest waiting message is dropped to make room. With a spool, each message is on disk until it is
/// acknowledged, and one that does not fit there is dropped. A message that is in flight is kept until its outcome is
/// known, and is sent again on the next connection.
#[derive(Debug)]
pub struct Outbox {
    ids: MessageIds,
    max_bytes: usize,
    /// Memory of `waiting` and `in_flight`.
    bytes: usize,
    waiting: VecDeque<Message>,
    in_flight: BTreeMap<u64, Message>,
    next_sequence: u64,
    spool: Option<Spool>,
    counts: Counts,
    problems: Problems,
}

impl Outbox {
    /// An outbox. With a spool, it contains what an earlier process left.
    ///
    /// # Errors
    /// The errors of [`Spool::open`].
    pub fn open(limits: &Limits) -> Result<Self> {
        let spool = limits.spool.as_ref().map(|spool| Spool::open(&spool.folder, spool.max_bytes)).transpose()?;
        let recovered = spool.as_ref().map_or(0, Spool::len);
        let mut problems = Problems::default();
        if let Some(bytes) = spool.as_ref().map(Spool::cut).filter(|bytes| *bytes > 0) {
            problems.note(Problem::SpoolCut { bytes });
        }
        Ok(Self {
            ids: MessageIds::new(),
            max_bytes: limits.max_bytes,
            bytes: 0,
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_sequence: spool.as_ref().map_or(0, Spool::end),
            spool,
            counts: Counts { recovered, ..Counts::default() },
            problems,
        })
    }

    /// A random number that identifies this start.
    pub fn start(&self) -> u64 {
        self.ids.start()
    }

    /// Adds a line that is a JSON object. Never waits for the broker; with a spool, it writes to disk.
    pub fn push(&mut self, schema: &Arc<str>, line: &[u8]) {
        self.counts.exported += 1;
        let Some(payload) = self.ids.stamp(line) else {
            self.counts.dropped += 1;
            self.problems.note(Problem::NotAnObject { schema: schema.to_string() });
            return;
        };
        let message = Message { sequence: self.next_sequence, schema: schema.clone(), payload };
        let is_kept = if self.spool.is_some() { self.push_to_spool(message) } else { self.push_to_memory(message) };
        if is_kept {
            self.next_sequence += 1;
        } else {
            self.counts.dropped += 1;
        }
    }

    fn push_to_memory(&mut self, message: Message) -> bool {
        while self.bytes + message.size() > self.max_bytes {
            let Some(oldest) = self.waiting.pop_front() else { return false };
            self.bytes -= oldest.size();
            self.counts.dropped += 1;
        }
        self.bytes += message.size();
        self.waiting.push_back(message);
        true
    }

    fn push_to_spool(&mut self, message: Message) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        let is_read = spool.unread() == 0 && self.bytes + message.size() <= self.max_bytes;
        match spool.append(&message) {
            Ok(()) => {
                if is_read {
                    spool.skip();
                    self.bytes += message.size();
                    self.waiting.push_back(message);
                }
                true
            }
            Err(Refusal::Full) => {
                self.problems.note(Problem::SpoolFull);
                false
            }
            Err(Refusal::Failed(error)) => {
                self.problems.note(Problem::SpoolWrite(error.to_string()));
                false
            }
        }
    }

    /// Takes the next message to send. It is in flight until [`Self::sent`], [`Self::rejected`] or [`Self::retry`].
    pub fn take(&mut self) -> Option<Message> {
        if self.waiting.is_empty() && self.read_spool() {
            self.release();
        }
        let message = self.waiting.pop_front()?;
        self.in_flight.insert(message.sequence, message.clone());
        Some(message)
    }

    /// Fills half of the memory from the spool, so that each call reads many messages. If messages in flight take the memory,
    /// the others stay on disk. True if some were damaged.
    fn read_spool(&mut self) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        let dropped = self.counts.dropped;
        while self.bytes == 0 || self.bytes < self.max_bytes / 2 {
            let read = match spool.read() {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(error) => {
                    self.problems.note(Problem::SpoolRead(error.to_string()));
                    break;
                }
            };
            if read.lost > 0 {
                self.counts.dropped += read.lost;
                let next = read.message.as_ref().map_or(spool.end(), |message| message.sequence);
                self.problems.note(Problem::SpoolDamaged { count: read.lost, next });
            }
            if let Some(message) = read.message {
                self.bytes += message.size();
                self.waiting.push_back(message);
            }
        }
        self.counts.dropped > dropped
    }

    /// The broker has acknowledged a message.
    pub fn sent(&mut self, sequence: u64) {
        if self.remove(sequence) {
            self.counts.sent += 1;
        }
    }

    /// The broker refuses a message, so it is not sent again.
    pub fn rejected(&mut self, sequence: u64, reason: Rejection) {
        if self.remove(sequence) {
            self.counts.dropped += 1;
            self.counts.rejected += 1;
            self.problems.note(Problem::Rejected(reason));
        }
    }

    fn remove(&mut self, sequence: u64) -> bool {
        let Some(message) = self.in_flight.remove(&sequence) else { return false };
        self.bytes -= message.size();
        self.release();
        true
    }

    /// Releases the messages of the spool up to the first whose outcome is open.
    fn release(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        let oldest = self.in_flight.keys().next().or(self.waiting.front().map(|message| &message.sequence));
        let position = oldest.copied().unwrap_or(spool.end() - spool.unread());
        if let Err(error) = spool.acknowledge(position) {
            self.problems.note(Problem::SpoolUpdate(error.to_string()));
        } else if spool.is_empty() {
            self.problems.spool_is_empty();
        }
    }

    /// The connection was lost: what is in flight is sent again, in order.
    pub fn retry(&mut self) {
        while let Some((_, message)) = self.in_flight.pop_last() {
            self.waiting.push_front(message);
        }
    }

    /// Notes another connection after the first.
    pub fn reconnected(&mut self) {
        self.counts.reconnects += 1;
    }

    /// Number of messages in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Number of messages that wait or are in flight.
    pub fn queued(&self) -> u64 {
        (self.waiting.len() + self.in_flight.len()) as u64 + self.spool.as_ref().map_or(0, Spool::unread)
    }

    /// The counts so far. `exported` and `recovered` together are `sent`, `queued` and `dropped` together.
    pub fn counts(&self) -> Counts {
        Counts { queued: self.queued(), queued_bytes: self.bytes as u64, ..self.counts }
    }

    /// The sequence numbers of the first and the last message in flight.
    pub fn in_flight_range(&self) -> Option<RangeInclusive<u64>> {
        Some(*self.in_flight.first_key_value()?.0..=*self.in_flight.last_key_value()?.0)
    }

    /// Size of the object of a message in flight, in bytes.
    pub fn size_in_flight(&self, sequence: u64) -> Option<usize> {
        self.in_flight.get(&sequence).map(|message| message.payload.len())
    }

    /// True if there is a spool.
    pub fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// Files of the spool that have to be synced for the messages so far to survive a power failure.
    pub fn unsynced(&mut self) -> Vec<File> {
        let Some(spool) = &mut self.spool else { return Vec::new() };
        spool.unsynced().unwrap_or_else(|error| {
            self.problems.note(Problem::SpoolSync(error.to_string()));
            Vec::new()
        })
    }

    /// Notes a problem.
    pub fn note(&mut self, problem: Problem) {
        self.problems.note(problem);
    }

    /// The next problem that was not reported. One with the same cause is reported once; a problem of the spool again after
    /// the spool was empty.
    pub fn take_problem(&mut self) -> Option<Problem> {
        self.problems.take()
    }
}
