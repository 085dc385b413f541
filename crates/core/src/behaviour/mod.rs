// SPDX-License-Identifier: MIT OR Apache-2.0
//! What faces do over time: where they face, when they blink, speak, appear and change their expression, and totals of intervals.
//!
//! ```text
//! FrameReport → EventTracker → Event        a face appears, changes, turns, closes its eyes, blinks, speaks, leaves
//!             → Aggregator → Summary        totals of an interval
//! FaceSigns   → FaceActivity → ActivitySums shares of the time facing the camera, blinks a minute
//! ```
//!
//! [`face_states`] has the definitions that all of them share.

mod input;
pub mod face_states;
pub mod activity;
mod actions;
pub mod events;
pub mod totals;

pub use activity::{ActivitySums, FaceActivity, Observation};
pub use emotion_records::{EventKind, Utc};
pub use events::{Event, EventTracker};
pub use face_states::{Direction, FaceSigns};
pub use input::{FrameReport, FrameTime, Span};
pub use totals::{Aggregator, ClassSummary, Summary};
