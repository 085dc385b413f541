// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a face has no label.

use std::str::FromStr;

use serde::Serialize;

/// Why a face has the label `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UnknownReason {
    /// No class reaches the minimum confidence.
    Uncertain,
    /// The face is below the minimum size, so it is not classified.
    Small,
    /// The head is turned farther than the model can tell expressions apart.
    Turned,
    /// The face was not classified yet.
    Pending,
}

impl UnknownReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Uncertain, Self::Small, Self::Turned, Self::Pending];

    /// The reason as it is written to metadata and records.
    ///
    /// ```
    /// use emotion_records::UnknownReason;
    /// assert_eq!("small".parse(), Ok(UnknownReason::Small));
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncertain => "uncertain",
            Self::Small => "small",
            Self::Turned => "turned",
            Self::Pending => "pending",
        }
    }
}

impl FromStr for UnknownReason {
    type Err = ();

    /// The reason that is written as `text`; an error for other texts, such as those of later versions.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(())
    }
}
