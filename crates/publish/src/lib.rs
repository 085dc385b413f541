// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records on their way to a message broker, and back from it.
//!
//! ```text
//! line → MessageIds → Outbox (memory, Spool) → session::Publisher → Broker: mqtt::Mqtt, nats::Nats, webhook::Webhook
//!                        ▲ sent, rejected, retry ┘
//! ```
//!
//! A line gets a `message_id`. The [`Outbox`] keeps it until the broker has acknowledged it, so each message is delivered at
//! least once, unless it is dropped and counted. [`subscriber`] receives messages instead. [`osc`] sends to an avatar program,
//! without a broker. Only the modules [`mqtt`], `nats`, [`webhook`], [`osc`] and [`subscriber`] use the network. The feature `nats` compiles
//! the module of that name and its client.

mod backoff;
mod caution;
mod counts;
mod error;
mod failure;
mod location;
mod message;
pub mod mqtt;
#[cfg(feature = "nats")]
pub mod nats;
pub mod osc;
mod outbox;
mod platform;
mod problems;
pub mod secrets;
pub mod session;
mod spool;
mod spool_files;
mod stream;
pub mod subscriber;
pub mod tls;
pub mod webhook;

pub use backoff::Backoff;
pub use counts::Counts;
pub use error::{Error, LocationFault, Result};
pub use failure::{Failure, Problem, Rejection};
pub use location::{Location, Protocol, STATUS, without_password};
pub use message::{Message, MessageIds};
pub use outbox::{Limits, Outbox, SpoolLimits};
pub use spool::{Read, Refusal, Spool};
