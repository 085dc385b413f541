// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a scan found, in numbers.

use emotion_core::behaviour::ActivitySums;
use serde::{Deserialize, Serialize};

use crate::table::FileRow;

/// Errors that are kept in memory.
const KEPT_ERRORS: usize = 1_000;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of files.
    pub files: u64,
    /// Number of examined frames.
    pub frames: u64,
    /// Number of rows in the table of faces.
    pub faces: u64,
    /// Number of files that could not be examined to their end, or not be drawn.
    #[serde(default)]
    pub unreadable: u64,
    /// Name and error of the first of these files. The table of files has all of them.
    pub errors: Vec<(String, String)>,
    /// Classes of the expression model; empty if no face was scored.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Facing the camera and blinks, if the geometry of faces was asked for.
    #[serde(default)]
    pub activity: Option<ActivitySums>,
}

impl Summary {
    /// Adds a file.
    pub(crate) fn add(&mut self, row: FileRow) {
        self.files += 1;
        self.frames += row.examined;
        self.faces += row.faces;
        self.add_errors(row.error.map(|error| (row.file, error)));
    }

    pub(crate) fn add_errors(&mut self, errors: impl IntoIterator<Item = (String, String)>) {
        for error in errors {
            self.unreadable += 1;
            if self.errors.len() < KEPT_ERRORS {
                self.errors.push(error);
            }
        }
    }

    /// Adds what was found in other files.
    pub(crate) fn extend(&mut self, other: Self) {
        self.files += other.files;
        self.frames += other.frames;
        self.faces += other.faces;
        // Errors whose texts are not known.
        self.unreadable += other.unreadable.saturating_sub(other.errors.len() as u64);
        self.add_errors(other.errors);
        if self.classes.is_empty() {
            self.classes = other.classes;
        }
        if let Some(activity) = other.activity {
            self.activity.get_or_insert_default().extend(&activity);
        }
    }
}
