// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of a face on a frame, which metadata, overlay and export share.

use std::sync::Arc;
use std::time::Duration;

use crate::geometry::{Landmarks5, Rect};
use crate::scores::{LabelSet, Scores, UNKNOWN};

/// A face on a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceRecord {
    /// Track id, 1..=[`MAX_ID`](crate::ids::MAX_ID), unique in a stream; 0 if none is assigned yet.
    pub id: u32,
    /// Box of the face in 0..1 of the frame.
    pub rect_norm: Rect,
    /// Details of the detection; none for a box whose metadata has none.
    pub detection: Option<DetectionInfo>,
    /// The apparent expression; none before the first classification.
    pub emotion: Option<EmotionResult>,
    /// False for a face of a live stream that was found only once so far. It may be no face, so it is neither drawn nor
    /// exported, but it is blurred.
    pub confirmed: bool,
}

/// Details of a detection, apart from the box.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionInfo {
    /// Confidence in 0..1. For a box predicted by the tracker, that of the last detection.
    pub confidence: f32,
    /// The five landmarks in 0..1 of the frame, if the detector outputs them.
    pub landmarks_norm: Option<Landmarks5>,
    /// Name of the model that found the face, such as `centerface` or `haar`; the faces of a frame share it.
    pub model_name: Arc<str>,
    /// Time since the frame on which the face was detected. Above zero, the box is a prediction.
    pub age: Duration,
}

/// When a frame was last searched for faces, according to its metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchAge {
    /// The metadata does not contain it: the detector belongs to another project, or an element dropped the metadata.
    #[default]
    Unknown,
    /// No search of this scene has finished yet, or the frame could not be read.
    Never,
    /// Time since the last searched frame; zero if it is this frame.
    Ago(Duration),
}

/// The faces of a frame, as read from its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameRecord {
    /// The faces, with boxes in the coordinates of this frame.
    pub faces: Vec<FaceRecord>,
    /// When the frame was last searched for faces.
    pub searched: SearchAge,
    /// True if faces may be missing from `faces` or have wrong positions, since an element upstream has changed the picture
    /// in a way that cannot be determined.
    pub misplaced: bool,
}

/// The apparent expression of a face.
#[derive(Clone, Debug, PartialEq)]
pub struct EmotionResult {
    /// Class names, in the order of `scores`.
    pub labels: LabelSet,
    /// One probability for each class.
    pub scores: Scores,
    /// Index of the reported class; none means `unknown`.
    pub label_id: Option<usize>,
    /// True if `scores` are averaged over time.
    pub smoothed: bool,
    /// Time since the classified frame.
    pub age: Duration,
}

impl EmotionResult {
    /// Name of the reported class, or `unknown`.
    pub fn label(&self) -> &str {
        self.label_id.and_then(|id| self.labels.as_slice().get(id)).map_or(UNKNOWN, String::as_str)
    }

    /// Score of the reported class; for `unknown` the highest score.
    pub fn confidence(&self) -> f32 {
        self.label_id.and_then(|id| self.scores.as_slice().get(id).copied()).unwrap_or_else(|| self.scores.top().1)
    }
}
