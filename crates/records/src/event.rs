// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of an event.

use serde::{Deserialize, Serialize, Serializer};

use crate::{ByLabel, Text, Times};

/// An event of a face. It is written once what happened has lasted for the hysteresis.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct EventLine<'a> {
    /// The fields that all events have.
    #[serde(flatten)]
    pub head: EventHead<'a>,
    /// What happened: `type`, and the fields that depend on it.
    #[serde(flatten, deserialize_with = "Tagged::deserialize")]
    pub kind: EventKind,
}

/// The fields of an event of any type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct EventHead<'a> {
    /// Version of the fields.
    #[serde(default)]
    pub version: u32,
    /// Name of the video: the property `source`, or its stream id.
    #[serde(default)]
    pub stream: Text<'a>,
    /// When it happened, which is before it is written.
    #[serde(flatten)]
    pub times: Times,
    /// Track id of the face.
    pub id: u64,
}

impl Serialize for EventLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// In the order in which it is written.
        #[derive(Serialize)]
        struct Line<'a> {
            r#type: &'static str,
            #[serde(flatten)]
            head: &'a EventHead<'a>,
            #[serde(flatten)]
            kind: &'a EventKind,
        }
        Line { r#type: self.kind.name(), head: &self.head, kind: &self.kind }.serialize(serializer)
    }
}

/// Defines the events: the name, which is the record's `type`, and the fields of each.
macro_rules! events {
    ($($(#[$about:meta])* $text:literal $name:ident { $($(#[$meaning:meta])* $field:ident: $type:ty,)* })*) => {
        /// What happened to a face.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum EventKind {
            $($(#[$about])* $name { $($(#[$meaning])* $field: $type,)* },)*
            /// An event of a later version. It is never written.
            Other,
        }

        #[derive(Deserialize)]
        #[serde(tag = "type", remote = "EventKind")]
        enum Tagged {
            $(#[serde(rename = $text)] $name { $($field: $type,)* },)*
            #[serde(other)]
            Other,
        }

        impl EventKind {
            /// The names of all events.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The `type` of the record.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $text,)*
                    Self::Other => "other",
                }
            }
        }
    };
}

events! {
    /// The face came into view.
    "appeared" Appeared {}
    /// Its expression changed.
    "expression" Expression {
        /// The previous label; null for the first expression of a face.
        from: Option<String>,
        /// The new label.
        to: String,
    }
    /// It turned away from the camera, or no longer is.
    "turned" Turned {
        /// True if it begins, false if it ends.
        active: bool,
        /// Where it looks.
        direction: Direction,
    }
    /// Both eyes closed, or opened.
    "eyes_closed" EyesClosed {
        /// True if it begins, false if it ends.
        active: bool,
    }
    /// Both eyes were closed for less than half a second.
    "blink" Blink {}
    /// The mouth began to move to and fro, or stopped.
    "speaking" Speaking {
        /// True if it begins, false if it ends.
        active: bool,
    }
    /// The face went out of view.
    "left" Left {
        /// The share of each label in the time with an expression, largest first; null if no expression lasted.
        shares: Option<ByLabel<String, f64>>,
    }
}

/// Where a turned face looks, for the person; up and down are those of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the person's own left, the right of the picture.
    Left,
    /// To the person's own right, the left of the picture.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}
