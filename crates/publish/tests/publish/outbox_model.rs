// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random steps on an [`Outbox`], each compared with a model that is a list: pushes, deliveries, lost connections, crashes of
//! the process, power failures and damaged files.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use emotion_publish::{Counts, Limits, Message, Outbox, Rejection, SpoolLimits};
use proptest::prelude::*;

/// Memory of an outbox: a few messages.
const MEMORY: usize = 1_200;
/// The largest record of a spool here.
const MAX_RECORD: u64 = 400;

#[derive(Clone, Debug)]
enum Step {
    /// Pushes a message with so many bytes of padding.
    Push(usize),
    Take,
    /// The broker acknowledges one of the messages in flight.
    Acknowledge(usize),
    Reject(usize),
    LoseConnection,
    Crash,
    /// Crashes, and so many bytes at the end of the last segment never reach the disk.
    PowerFailure(u64),
    /// Crashes, and a bit of a segment flips: which segment, which byte and which bit, each modulo how many there are.
    Damage(usize, usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..200).prop_map(Step::Push),
        8 => Just(Step::Take),
        6 => (0usize..4).prop_map(Step::Acknowledge),
        1 => (0usize..4).prop_map(Step::Reject),
        1 => Just(Step::LoseConnection),
        1 => Just(Step::Crash),
        1 => (0u64..600).prop_map(Step::PowerFailure),
        1 => (any::<usize>(), any::<usize>(), 0u8..8).prop_map(|(segment, byte, bit)| Step::Damage(segment, byte, bit)),
    ]
}

/// What the outbox should contain. Messages are named by the number in them.
#[derive(Debug, Default)]
struct Model {
    /// All messages that the spool has accepted, in order, and whether their outcome is known.
    accepted: Vec<(u32, bool)>,
    /// What is to be taken, in order.
    waiting: VecDeque<u32>,
    in_flight: BTreeMap<u64, u32>,
}

impl Model {
    fn finish(&mut self, sequence: u64) {
        let number = self.in_flight.remove(&sequence).unwrap();
        self.accepted.iter_mut().filter(|(known, _)| *known == number).for_each(|(_, is_done)| *is_done = true);
    }

    fn lose_connection(&mut self) {
        let again = std::mem::take(&mut self.in_flight);
        again.into_values().rev().for_each(|number| self.waiting.push_front(number));
    }

    /// A new process finds everything from the first message on whose outcome is not known, without the `damaged` ones.
    fn restart(&mut self, damaged: &[u32]) {
        self.in_flight.clear();
        let first = self.accepted.iter().position(|(_, is_done)| !is_done).unwrap_or(self.accepted.len());
        let found = self.accepted[first..].iter().map(|(number, _)| *number);
        self.waiting = found.filter(|number| !damaged.contains(number)).collect();
        self.accepted.drain(..first);
        self.accepted.retain(|(number, _)| !damaged.contains(number));
        // Later outcomes are forgotten, so that those messages are sent again.
        self.accepted.iter_mut().for_each(|(_, is_done)| *is_done = false);
    }
}

/// An outbox beside its model.
struct Pair {
    limits: Limits,
    outbox: Outbox,
    model: Model,
    next: u32,
}

impl Pair {
    fn new(limits: Limits) -> Self {
        Self { outbox: Outbox::open(&limits).unwrap(), limits, model: Model::default(), next: 0 }
    }

    fn folder(&self) -> Option<&PathBuf> {
        self.limits.spool.as_ref().map(|spool| &spool.folder)
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Push(padding) => self.push(padding),
            Step::Take => self.take(),
            Step::Acknowledge(index) => {
                let Some(sequence) = self.model.in_flight.keys().nth(index).copied() else { return };
                self.model.finish(sequence);
                self.outbox.sent(sequence);
            }
            Step::Reject(index) => {
                let Some(sequence) = self.model.in_flight.keys().nth(index).copied() else { return };
                self.model.finish(sequence);
                self.outbox.rejected(sequence, Rejection::Refused("test".into()));
            }
            Step::LoseConnection => {
                self.outbox.retry();
                self.model.lose_connection();
            }
            Step::Crash => self.restart(&[]),
            Step::PowerFailure(bytes) => {
                let damaged = self.segments().last().map(|path| cut(path, bytes)).unwrap_or_default();
                self.restart(&damaged);
            }
            Step::Damage(segment, byte, bit) => {
                let segments = self.segments();
                let damaged = segments.get(segment % segments.len().max(1)).map(|path| flip(path, byte, bit)).unwrap_or_default();
                self.restart(&damaged);
            }
        }
        self.check();
    }

    fn push(&mut self, padding: usize) {
        let (before, on_disk) = (self.outbox.counts().dropped, self.bytes_on_disk());
        let line = format!("{{\"n\":{},\"padding\":\"{}\"}}", self.next, "x".repeat(padding));
        self.outbox.push(&Arc::from("faces"), line.as_bytes());
        let dropped = self.outbox.counts().dropped - before;
        match &self.limits.spool {
            Some(spool) if dropped > 0 => assert!(on_disk + MAX_RECORD > spool.max_bytes, "dropped though there is room"),
            Some(_) => {
                self.model.waiting.push_back(self.next);
                self.model.accepted.push((self.next, false));
            }
            None => {
                self.model.waiting.push_back(self.next);
                // The oldest are dropped; the new one itself if those in flight take the memory.
                self.model.waiting.drain(..dropped as usize);
            }
        }
        self.next += 1;
    }

    fn take(&mut self) {
        match self.outbox.take() {
            Some(message) => {
                assert_eq!(Some(number(&message)), self.model.waiting.pop_front());
                self.model.in_flight.insert(message.sequence, number(&message));
            }
            // Those in flight may take the memory.
            None => assert!(self.model.waiting.is_empty() || !self.model.in_flight.is_empty(), "{:?}", self.model),
        }
    }

    fn restart(&mut self, damaged: &[u32]) {
        // The lock of the old one has to go first.
        self.outbox = Outbox::open(&Limits { max_bytes: 0, spool: None }).unwrap();
        self.outbox = Outbox::open(&self.limits).unwrap();
        self.model.restart(damaged);
    }

    fn check(&self) {
        let Counts { exported, recovered, sent, queued, dropped, rejected, queued_bytes, .. } = self.outbox.counts();
        assert_eq!(exported + recovered, sent + queued + dropped, "{:?}", self.outbox.counts());
        assert!(rejected <= dropped && queued_bytes as usize <= MEMORY);
        assert!(queued as usize >= self.model.waiting.len() + self.model.in_flight.len(), "damaged ones are counted until they are read");
        assert_eq!(self.outbox.in_flight(), self.model.in_flight.len());
        if let Some(spool) = &self.limits.spool {
            assert!(self.bytes_on_disk() <= spool.max_bytes);
        }
    }

    /// Delivers everything.
    fn finish(&mut self) {
        self.run(&Step::LoseConnection);
        while self.outbox.queued() > 0 {
            self.take();
            self.run(&Step::Acknowledge(0));
        }
        assert!(self.model.waiting.is_empty(), "never delivered: {:?}", self.model.waiting);
    }

    fn segments(&self) -> Vec<PathBuf> {
        let Some(folder) = self.folder() else { return Vec::new() };
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some());
        files.sort();
        files
    }

    fn bytes_on_disk(&self) -> u64 {
        self.segments().iter().map(|path| fs::metadata(path).unwrap().len()).sum()
    }
}

fn number(message: &Message) -> u32 {
    let object: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
    object["n"].as_u64().unwrap() as u32
}

/// The number of an intact record; none of one that was damaged before.
fn number_in(line: &[u8]) -> Option<u32> {
    Message::from_record(line.strip_suffix(b"\n")?).as_ref().map(number)
}

/// Where the lines of a file are, each with its end.
fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
    let mut begin = 0;
    ends.map(|end| std::mem::replace(&mut begin, end)..end).collect()
}

/// Cuts bytes off the end of a file, and returns the numbers of the messages that are not whole any more.
fn cut(path: &PathBuf, count: u64) -> Vec<u32> {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len().saturating_sub(count as usize);
    let damaged = lines(&bytes).into_iter().filter(|line| line.end > length).filter_map(|line| number_in(&bytes[line])).collect();
    bytes.truncate(length);
    fs::write(path, bytes).unwrap();
    damaged
}

/// Flips a bit, and returns the numbers of the messages that it belongs to: the end of a line belongs to two. A damaged record
/// stays as it is, since the same bit could mend it.
fn flip(path: &PathBuf, byte: usize, bit: u8) -> Vec<u32> {
    let mut bytes = fs::read(path).unwrap();
    if bytes.is_empty() {
        return Vec::new();
    }
    let byte = byte % bytes.len();
    let is_hit = |line: &Range<usize>| line.contains(&byte) || (bytes[byte] == b'\n' && line.start == byte + 1);
    let damaged: Vec<u32> = lines(&bytes).into_iter().filter(is_hit).filter_map(|line| number_in(&bytes[line])).collect();
    if !damaged.is_empty() {
        bytes[byte] ^= 1 << bit;
        fs::write(path, bytes).unwrap();
    }
    damaged
}

fn run(limits: Limits, steps: &[Step]) {
    let mut pair = Pair::new(limits);
    steps.iter().for_each(|step| pair.run(step));
    pair.finish();
}

proptest! {
    // Under Wine, each file takes much longer.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(windows) { 16 } else { 256 }))]

    #[test]
    fn a_spool_delivers_what_it_has_accepted_in_order_whatever_happens(
        steps in prop::collection::vec(step(), 1..120),
        max_bytes in prop_oneof![Just(4_000u64), Just(1 << 20)],
        case: u64,
    ) {
        let folder = std::env::temp_dir().join(format!("gst-emotion-outbox-model-{}-{case}", std::process::id()));
        // A failing case is run again with fewer steps.
        let _ = fs::remove_dir_all(&folder);
        run(Limits { max_bytes: MEMORY, spool: Some(SpoolLimits { folder: folder.clone(), max_bytes }) }, &steps);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn memory_delivers_what_was_not_dropped_in_order_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        run(Limits { max_bytes: MEMORY, spool: None }, &steps);
    }
}
