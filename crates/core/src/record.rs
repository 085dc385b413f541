// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of a face on a frame, which metadata, overlay and export share.

use std::sync::Arc;
use std::time::Duration;

pub use emotion_records::UnknownReason;

use crate::face_geometry::FaceGeometry;
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
    /// The apparent expression; none if no element has scored the face, nor means to.
    pub emotion: Option<EmotionResult>,
    /// Landmarks, pose and blendshapes; none if no element has estimated them. Shared, since it is large.
    pub geometry: Option<Arc<FaceGeometry>>,
    /// False for a face of a live stream that was found only once so far. It may be no face, so it is neither drawn nor
    /// exported, but it is blurred.
    pub confirmed: bool,
}

impl FaceRecord {
    /// The apparent expression, or `unknown`; none while the face waits for its first classification.
    pub fn expression(&self) -> Option<&EmotionResult> {
        self.emotion.as_ref().filter(|emotion| emotion.reason != Some(UnknownReason::Pending))
    }
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
    /// Names of elements upstream that may have changed the picture in an unknown way, so that faces may be missing or have wrong
    /// positions; `?` if faces are missing or metadata was dropped.
    pub misplaced: Vec<String>,
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
    /// Why the label is `unknown`; none if there is a label, or if the metadata has no reason.
    pub reason: Option<UnknownReason>,
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

    /// Name of the most probable class apart from the reported one; for `unknown`, of the second most probable class. None if
    /// the model has a single class, or if the face was not scored.
    pub fn second(&self) -> Option<&str> {
        if !self.is_scored() {
            return None;
        }
        let first = self.label_id.unwrap_or_else(|| self.scores.top().0);
        let others = self.scores.as_slice().iter().enumerate().filter(|(id, _)| *id != first);
        let second = others.fold(None, |best, (id, &score)| match best {
            Some((_, highest)) if score <= highest => best,
            _ => Some((id, score)),
        });
        self.labels.as_slice().get(second?.0).map(String::as_str)
    }

    /// The other class that people should be told of beside the label, as in "surprise or fear": the second one if the label
    /// has a score below [`CERTAIN`]. None for `unknown`.
    pub fn alternative(&self) -> Option<&str> {
        self.label_id.filter(|_| self.confidence() < CERTAIN).and_then(|_| self.second())
    }

    /// True if the scores are those of a network for this face.
    pub fn is_scored(&self) -> bool {
        !matches!(self.reason, Some(UnknownReason::Small | UnknownReason::Pending))
    }
}

/// Score from which a label is shown alone. A label with less is shown with the second class, in a quieter tone: less than
/// half of the probability is on it.
pub const CERTAIN: f32 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn result(scores: [f32; 3], label_id: Option<usize>) -> EmotionResult {
        let (labels, scores) = (LabelSet::new(["a", "b", "c"]), Scores::from_probabilities(scores));
        EmotionResult { labels, scores, label_id, reason: None, smoothed: false, age: Duration::ZERO }
    }

    #[test]
    fn the_second_class_is_the_best_of_those_that_are_not_reported() {
        assert_eq!(result([0.6, 0.1, 0.3], Some(0)).second(), Some("c"));
        assert_eq!(result([0.36, 0.24, 0.4], Some(0)).second(), Some("c"), "the shown label need not be the top class");
        assert_eq!(result([0.3, 0.3, 0.4], None).second(), Some("a"));
        let one = EmotionResult { labels: LabelSet::new(["a"]), scores: Scores::from_probabilities([1.0]), ..result([1.0; 3], Some(0)) };
        assert_eq!(one.second(), None);
    }

    #[test]
    fn only_a_label_below_half_has_an_alternative() {
        assert_eq!(result([0.48, 0.1, 0.42], Some(0)).alternative(), Some("c"));
        assert_eq!(result([0.5, 0.1, 0.4], Some(0)).alternative(), None);
        assert_eq!(result([0.4, 0.25, 0.35], None).alternative(), None);
    }

    #[test]
    fn a_face_that_no_network_saw_has_no_second_class() {
        let reasons = UnknownReason::ALL.map(|reason| EmotionResult { reason: Some(reason), ..result([0.4, 0.3, 0.3], None) });
        assert_eq!(reasons.each_ref().map(EmotionResult::second), [Some("b"), None, Some("b"), None]);
    }
}
