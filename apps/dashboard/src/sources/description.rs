// SPDX-License-Identifier: MIT OR Apache-2.0
//! A source as the list shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::input::Kind;
use super::switches::Switches;

/// The state of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// No frame has arrived yet.
    Connecting,
    /// The browser sends no pictures.
    Waiting,
    /// Frames arrive.
    Playing,
    /// The pipeline failed and will be restarted.
    Failed {
        /// A message for the user.
        reason: String,
        /// Time of the next attempt, in milliseconds since 1970.
        retry_at: u64,
        /// Number of failures in a row.
        attempts: u32,
    },
    /// A viewer stopped it.
    Stopped,
}

/// A source as the list shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub struct Description {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Where its video comes from.
    pub kind: Kind,
    /// What it does.
    #[serde(flatten)]
    #[schemars(with = "StateFields")]
    pub state: State,
    /// Its switches.
    pub switches: Switches,
    /// Why its records are not written; null if they are.
    pub recording_error: Option<String>,
}

/// The keys of a [`State`], which generators of clients know better than its alternatives.
#[derive(Serialize, JsonSchema)]
struct StateFields {
    /// `connecting`: no frame has arrived yet; `waiting`: the browser sends no pictures; `playing`; `failed`: it will be restarted;
    /// `stopped`: by a viewer.
    #[schemars(extend("enum" = ["connecting", "waiting", "playing", "failed", "stopped"]))]
    state: String,
    /// Why it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it is restarted, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<u64>,
    /// Number of failures in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
}
