// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages, and the id by which a receiver recognises a repeated message.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The key of the id, at the start of each object.
const KEY: &str = "{\"message_id\":\"";
/// Estimated memory of a message besides its text.
const OVERHEAD: usize = 128;

/// A JSON object on its way to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Position in the stream of messages, which decides their order.
    pub sequence: u64,
    /// What the object describes, such as `faces` or `events`: the last part of the topic.
    pub schema: Arc<str>,
    /// The object, with the key `message_id`.
    pub payload: Arc<[u8]>,
}

impl Message {
    /// The value of `message_id`.
    pub fn id(&self) -> &str {
        let rest = self.payload.get(KEY.len()..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'"').unwrap_or_default();
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }

    /// Bytes of memory that the message takes.
    pub fn size(&self) -> usize {
        self.payload.len() + OVERHEAD
    }

    /// A record of a spool: a line with the CRC-32 of the rest, the sequence number, the schema and the object.
    pub fn to_record(&self) -> Vec<u8> {
        let head = format!("{} {} ", self.sequence, self.schema);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(head.as_bytes());
        checksum.update(&self.payload);
        let mut record = format!("{:08x} {head}", checksum.finalize()).into_bytes();
        record.extend_from_slice(&self.payload);
        record.push(b'\n');
        record
    }

    /// Reads a record of a spool, without the end of the line. Returns `None` if it is damaged.
    pub fn from_record(line: &[u8]) -> Option<Self> {
        let (checksum, rest) = split_at_space(line)?;
        if checksum != format!("{:08x}", crc32fast::hash(rest)) {
            return None;
        }
        let (sequence, rest) = split_at_space(rest)?;
        let (schema, payload) = split_at_space(rest)?;
        Some(Self { sequence: sequence.parse().ok()?, schema: schema.into(), payload: payload.into() })
    }
}

fn split_at_space(line: &[u8]) -> Option<(&str, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    Some((std::str::from_utf8(&line[..space]).ok()?, &line[space + 1..]))
}

/// Gives each message an id that no other message of this or another publisher has: a random number for each start of a
/// publisher, and a count.
#[derive(Clone, Debug)]
pub struct MessageIds {
    start: u64,
    count: u64,
}

impl MessageIds {
    /// Ids of a new start.
    pub fn new() -> Self {
        // The standard library's hasher has random keys.
        Self { start: RandomState::new().hash_one(std::process::id()), count: 0 }
    }

    /// The random number of this start.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The object on `line` with the key `message_id` added, or `None` if `line` is not a JSON object.
    pub fn stamp(&mut self, line: &[u8]) -> Option<Arc<[u8]>> {
        let fields = line.trim_ascii().strip_prefix(b"{").filter(|fields| fields.ends_with(b"}") && !fields.contains(&b'\n'))?;
        let id = format!("{KEY}{:016x}-{}\"", self.start, self.count);
        self.count += 1;
        let separator: &[u8] = if fields.trim_ascii() == b"}" { b"" } else { b"," };
        Some([id.as_bytes(), separator, fields].concat().into())
    }
}

impl Default for MessageIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(line: &[u8]) -> Message {
        Message { sequence: 7, schema: "faces".into(), payload: MessageIds { start: 255, count: 3 }.stamp(line).unwrap() }
    }

    #[test]
    fn an_object_is_stamped_and_stays_an_object() {
        let stamped = message(b"{\"a\":1}\n");
        assert_eq!(&*stamped.payload, br#"{"message_id":"00000000000000ff-3","a":1}"#);
        assert_eq!(stamped.id(), "00000000000000ff-3");
        assert_eq!(&*message(b"{ }").payload, br#"{"message_id":"00000000000000ff-3" }"#);
    }

    #[test]
    fn text_that_is_no_object_is_refused() {
        let lines: [&[u8]; 5] = [b"", b"[1]", b"{\"a\":1", b"\"}\"", b"{\"a\":\n1}"];
        lines.iter().for_each(|line| assert_eq!(MessageIds::new().stamp(line), None, "{}", String::from_utf8_lossy(line)));
    }

    #[test]
    fn ids_count_up_and_differ_between_starts() {
        let (mut one, mut other) = (MessageIds::new(), MessageIds::new());
        let ids: Vec<_> = [&mut one, &mut other].into_iter().flat_map(|ids| [ids.stamp(b"{}"), ids.stamp(b"{}")]).collect();
        assert!((1..ids.len()).all(|index| !ids[..index].contains(&ids[index])), "{ids:?}");
    }

    #[test]
    fn a_record_is_read_back_and_no_flipped_bit_passes() {
        let stamped = message(b"{\"a\":1}");
        let record = stamped.to_record();
        let record = record.strip_suffix(b"\n").unwrap();
        assert_eq!(Message::from_record(record), Some(stamped));
        for end in 0..record.len() {
            assert_eq!(Message::from_record(&record[..end]), None, "cut at {end}");
        }
        for bit in 0..8 * record.len() {
            let mut damaged = record.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Message::from_record(&damaged), None, "bit {bit}");
        }
        assert_eq!(Message::from_record(&[&record[..40], record].concat()), None, "a torn record joined with the next");
    }
}
