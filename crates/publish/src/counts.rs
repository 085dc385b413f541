// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many messages were sent, wait or were lost.

/// What happened to the messages of an [`Outbox`](crate::Outbox). `exported + recovered` is `sent + queued + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages from the stream.
    pub exported: u64,
    /// Messages that an earlier process left in the spool.
    pub recovered: u64,
    /// Messages that the broker has acknowledged.
    pub sent: u64,
    /// Messages that wait or are in flight.
    pub queued: u64,
    /// Messages that were lost, since there was no room or the broker refused them.
    pub dropped: u64,
    /// Those dropped messages that the broker refused.
    pub rejected: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Memory of the messages that wait or are in flight, in bytes.
    pub queued_bytes: u64,
}
