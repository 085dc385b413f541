// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why there is no connection, and why a message is lost.

use thiserror::Error;

/// Why there is no connection to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The broker cannot be reached, or one side does not trust the other.
    #[error("{0}")]
    Unreachable(String),
    /// The broker refuses the login, with the name of its reason.
    #[error("the broker refuses the connection: {0}")]
    Login(String),
    /// The broker or the network has ended the connection. A message may be the reason.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The connection is lost, and a broker of this protocol would have refused a message.
    #[error("the connection was lost")]
    Interrupted,
    /// The broker does not keep to the protocol, or its answer is unknown.
    #[error("the broker's answer is not understood: {0}")]
    Protocol(String),
    /// The broker does not answer.
    #[error("no answer within {seconds} s")]
    Silent {
        /// How long it had time to.
        seconds: u64,
    },
    /// The broker takes no messages now, but may later.
    #[error("the broker takes no messages: {0}")]
    Unwilling(String),
}

impl Failure {
    /// True if a message may be the cause: MQTT brokers may close the connection instead of refusing a message.
    pub fn may_be_due_to_a_message(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Protocol(_))
    }
}

/// Why a broker never takes a message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It is larger than the broker allows.
    #[error("a message of {bytes} bytes is larger than its maximum of {maximum}")]
    TooLarge {
        /// Size of the message.
        bytes: usize,
        /// What the broker allows.
        maximum: usize,
    },
    /// The broker says so.
    #[error("{0}")]
    Refused(String),
    /// The broker ends the connection each time it receives the message.
    #[error("it closed {connections} connections in a row when it received a message of {bytes} bytes")]
    Disconnects {
        /// Number of these connections.
        connections: u32,
        /// Size of the message.
        bytes: usize,
    },
}

/// A message is lost or will be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// A line from the stream is not a JSON object.
    #[error("a line of {schema} is not a JSON object")]
    NotAnObject {
        /// The schema of the line.
        schema: String,
    },
    /// The broker does not take a message.
    #[error("the broker refuses messages: {0}")]
    Rejected(Rejection),
    /// The spool has reached its maximum size.
    #[error("the spool is full; new messages are dropped")]
    SpoolFull,
    /// The spool cannot be written, as on a full disk.
    #[error("writing to the spool: {0}; new messages are dropped")]
    SpoolWrite(String),
    /// The spool cannot be read.
    #[error("reading the spool: {0}")]
    SpoolRead(String),
    /// The position of the last acknowledged message cannot be written.
    #[error("updating the spool: {0}; messages are sent again after a restart")]
    SpoolUpdate(String),
    /// The system cannot write the spool to the disk.
    #[error("syncing the spool: {0}; a power failure loses messages")]
    SpoolSync(String),
    /// Messages of the spool cannot be read.
    #[error("damaged messages in the spool, before message {next}: {count}")]
    SpoolDamaged {
        /// Number of these messages.
        count: u64,
        /// Sequence number of the next message.
        next: u64,
    },
    /// The spool did not end with a whole record, so that its end was removed.
    #[error("the spool ended with {bytes} damaged bytes, as after a power failure; they are removed")]
    SpoolCut {
        /// Number of these bytes.
        bytes: u64,
    },
}

impl Problem {
    /// True if both have the same cause, whatever their numbers.
    pub fn has_cause_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rejected(one), Self::Rejected(two)) => match (one, two) {
                (Rejection::Refused(one), Rejection::Refused(two)) => one == two,
                _ => std::mem::discriminant(one) == std::mem::discriminant(two),
            },
            (Self::SpoolDamaged { .. }, Self::SpoolDamaged { .. }) => true,
            _ => self == other,
        }
    }

    /// True if it is over once the spool is empty.
    pub fn ends_with_an_empty_spool(&self) -> bool {
        matches!(
            self,
            Self::SpoolFull
                | Self::SpoolWrite(_)
                | Self::SpoolRead(_)
                | Self::SpoolUpdate(_)
                | Self::SpoolSync(_)
                | Self::SpoolDamaged { .. }
        )
    }
}
