// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why there is no connection, and why a message is lost.

use thiserror::Error;

/// Why there is no connection to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
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
    #[error("no answer within {seconds} s")]
    Silent { seconds: u64 },
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
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Rejection {
    #[error("a message of {bytes} bytes is larger than its maximum of {maximum}")]
    TooLarge { bytes: usize, maximum: usize },
    #[error("{0}")]
    Refused(String),
    #[error("it closed {connections} connections in a row when it received a message of {bytes} bytes")]
    Disconnects { connections: u32, bytes: usize },
}

/// A message is lost or will be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Problem {
    /// A line from the stream is not a JSON object.
    #[error("a line of {schema} is not a JSON object")]
    NotAnObject { schema: String },
    #[error("the broker refuses messages: {0}")]
    Rejected(Rejection),
    #[error("the spool is full; new messages are dropped")]
    SpoolFull,
    #[error("writing to the spool: {0}; new messages are dropped")]
    SpoolWrite(String),
    #[error("reading the spool: {0}")]
    SpoolRead(String),
    #[error("updating the spool: {0}; messages are sent again after a restart")]
    SpoolUpdate(String),
    #[error("syncing the spool: {0}; a power failure loses messages")]
    SpoolSync(String),
    #[error("damaged messages in the spool, before message {next}: {count}")]
    SpoolDamaged { count: u64, next: u64 },
    /// The spool did not end with a whole record, so that its end was removed.
    #[error("the spool ended with {bytes} damaged bytes, as after a power failure; they are removed")]
    SpoolCut { bytes: u64 },
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
