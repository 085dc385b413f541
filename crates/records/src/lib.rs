// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records that `emotionexport` writes as NDJSON, one object a line: what writes them and what reads them shares these types.
//!
//! | `type` | record | describes |
//! |---|---|---|
//! | `face` | [`FaceLine`] | a face on an exported frame |
//! | `frame` | [`FrameLine`] | a frame without faces |
//! | `summary` | [`SummaryLine`] | an interval, without boxes and ids |
//! | a name of [`EventKind`] | [`EventLine`] | an event of a face |
//!
//! The documentation of a field is that of the record. A field of a record is defined here and nowhere else. A written record has
//! every key, null where a value is unknown, except where a field says otherwise. A reader ignores fields that it does not know, and
//! an event of a later version is [`EventKind::Other`].

#[cfg(feature = "schema")]
mod schema;
mod text;
mod utc;
mod times;
mod reason;
pub mod rounding;
mod face;
mod summary;
mod event;

pub use event::{Direction, EventHead, EventKind, EventLine};
pub use face::{FaceBox, FaceLine, FrameLine, Geometry, Landmarks, Point, Pose};
pub use reason::UnknownReason;
#[cfg(feature = "schema")]
pub use schema::Tag;
pub use summary::SummaryLine;
pub use text::{ByLabel, Text};
pub use times::Times;
pub use utc::Utc;

/// Version of the fields of a record.
pub const VERSION: u32 = 1;
/// The `type` of a [`FaceLine`].
pub const FACE: &str = "face";
/// The `type` of a [`FrameLine`].
pub const FRAME: &str = "frame";
/// The `type` of a [`SummaryLine`].
pub const SUMMARY: &str = "summary";

#[cfg(test)]
mod tests;
