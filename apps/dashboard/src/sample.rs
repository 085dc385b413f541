// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals over a stretch of time: a second of a source, or what a camera of the fleet has summarised.

use emotion_core::export::Summary;

/// Totals over the faces of some frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When the stretch began, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it ended, likewise.
    pub until_ms: u64,
    /// Mean number of faces per frame.
    pub faces: f64,
    /// Labels and their mean scores, in the model's order; empty if no face was scored.
    pub scores: Vec<(String, f64)>,
}

impl Sample {
    /// The totals of `summary`.
    pub fn of(summary: &Summary, from_ms: u64, until_ms: u64) -> Self {
        let scores = summary.scores().into_iter().flatten().map(|(label, score)| (label.to_owned(), score)).collect();
        Self { from_ms, until_ms, faces: summary.faces_mean(), scores }
    }

    /// The mean score of a label; `None` if no face was scored or no model has it.
    pub fn score(&self, label: &str) -> Option<f64> {
        self.scores.iter().find(|(known, _)| known == label).map(|(_, score)| *score)
    }
}
