// SPDX-License-Identifier: MIT OR Apache-2.0
//! One face at one time: the value that metadata, overlay and export all carry.

use std::sync::Arc;
use std::time::Duration;

use crate::geometry::{Landmarks5, Rect};
use crate::scores::{LabelSet, Scores, UNKNOWN};

/// What is known of one face on one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceRecord {
    /// Track id, 1..=[`MAX_ID`](crate::ids::MAX_ID), unique in a stream; 0 if nobody gave one yet.
    pub id: u32,
    /// The face's box in 0..1 of the frame.
    pub rect_norm: Rect,
    /// Who found it, how certainly and with which landmarks; none for a box that came without.
    pub detection: Option<DetectionInfo>,
    /// The apparent expression; none before the first classification.
    pub emotion: Option<EmotionResult>,
}

/// What the detector said beside the box.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionInfo {
    /// 0..1; of a box that the tracker predicted, the confidence of its last detection.
    pub confidence: f32,
    /// The five landmarks in 0..1 of the frame, where the detector gives them.
    pub landmarks_norm: Option<Landmarks5>,
    /// Name of the model that found the face, such as `centerface` or `haar`; the faces of a frame share it.
    pub model_name: Arc<str>,
    /// Time since the frame on which it was found; from there on the box is a prediction.
    pub age: Duration,
}

/// When a frame was last searched for faces, as far as its metadata tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchAge {
    /// The metadata does not say: the detector is another project's, or an element dropped the metadata.
    #[default]
    Unknown,
    /// No search of this scene has ended yet, or the frame could not be read.
    Never,
    /// Time since the frame that was last searched; zero if that is this frame.
    Ago(Duration),
}

/// All that a frame's metadata says of the faces on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameRecord {
    /// The faces, each with its place in this frame.
    pub faces: Vec<FaceRecord>,
    /// When the frame was last searched for them.
    pub searched: SearchAge,
    /// True if faces may be missing from `faces` or have wrong positions, since an element upstream has changed the picture
    /// in a way that cannot be determined.
    pub misplaced: bool,
}

/// Scores of one face's apparent expression.
#[derive(Clone, Debug, PartialEq)]
pub struct EmotionResult {
    /// Class names, in the order of `scores`.
    pub labels: LabelSet,
    /// One probability for each class.
    pub scores: Scores,
    /// The class that is shown; none means `unknown`.
    pub label_id: Option<usize>,
    /// True if `scores` are a mean over time.
    pub smoothed: bool,
    /// Time since the frame that was classified.
    pub age: Duration,
}

impl EmotionResult {
    /// The shown class's name, or `unknown`.
    pub fn label(&self) -> &str {
        self.label_id.and_then(|id| self.labels.as_slice().get(id)).map_or(UNKNOWN, String::as_str)
    }

    /// The shown class's score; for `unknown` the highest score.
    pub fn confidence(&self) -> f32 {
        self.label_id.and_then(|id| self.scores.as_slice().get(id).copied()).unwrap_or_else(|| self.scores.top().1)
    }
}
