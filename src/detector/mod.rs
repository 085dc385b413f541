// SPDX-License-Identifier: MIT OR Apache-2.0
//! Face detectors behind one trait.

#[cfg(feature = "onnx")]
pub mod centerface;
#[cfg(feature = "onnx")]
pub mod emotionface;
#[cfg(feature = "haar")]
pub mod haar;
#[cfg(feature = "onnx")]
pub mod network;
pub mod suppression;
#[cfg(feature = "onnx")]
pub mod refiner;
pub mod tiles;
#[cfg(feature = "onnx")]
pub mod ultraface;
#[cfg(feature = "onnx")]
pub mod yunet;

use crate::error::Result;
use crate::geometry::{Landmarks5, Rect, Size};
use crate::image::FrameView;
use crate::statistics::StepTimes;

/// A face as a detector found it, in pixels of the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The face's box; it may reach a little outside the frame.
    pub rect: Rect,
    /// 0..1.
    pub confidence: f32,
    /// The five landmarks, where the detector gives them.
    pub landmarks: Option<Landmarks5>,
}

/// Which of the candidates are faces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectOptions {
    /// Smallest confidence, 0..1.
    pub score_threshold: f32,
    /// Two boxes that overlap more, as intersection over union, are one face.
    pub iou_threshold: f32,
    /// Most faces to give, the most confident ones; 0 gives all. There are never more than [`suppression::MAX_FACES`].
    pub max_faces: usize,
    /// Smallest height and width in pixels of the frame.
    pub min_face_size: f32,
    /// What only cascades heed.
    pub cascade: CascadeOptions,
}

/// The cascade that is used unless another is named, where Debian's `opencv-data` puts it.
pub const DEFAULT_CASCADE: &str = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml";

/// The parameters of OpenCV's `CascadeClassifier::detectMultiScale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CascadeOptions {
    /// Factor between the sizes that are tried, over 1.
    pub scale_factor: f64,
    /// Hits, minus one, that make a face.
    pub min_neighbors: i32,
    /// Smallest face in pixels of the frame.
    pub min_size: Size,
}

impl Default for CascadeOptions {
    /// The defaults of GStreamer's OpenCV plugin.
    fn default() -> Self {
        Self { scale_factor: 1.25, min_neighbors: 3, min_size: Size::new(30, 30) }
    }
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self { score_threshold: 0.5, iou_threshold: 0.3, max_faces: 0, min_face_size: 0.0, cascade: CascadeOptions::default() }
    }
}

/// How often a place of the frame is searched: for large faces with each search, for small ones in turn with other places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TileSchedule {
    /// Searches until every place had its turn, at least 1.
    pub searches: u32,
    /// A face whose longer side is below this, in pixels of the frame, is found in its place's turn only.
    pub small_face_px: f32,
}

impl Default for TileSchedule {
    /// All of the frame with each search.
    fn default() -> Self {
        Self { searches: 1, small_face_px: 0.0 }
    }
}

/// Finds faces in frames.
pub trait FaceDetector: Send {
    /// The model's name as it appears in metadata.
    fn name(&self) -> &str;

    /// Replaces `detections` by the faces of `view`, most confident first.
    ///
    /// # Errors
    /// [`Error::Inference`](crate::error::Error::Inference) if the network or cascade fails on this frame.
    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()>;

    /// Replaces `detections` by the faces of the part `region` of `view`, most confident first, in pixels of the frame. It
    /// is searched at the frame's own resolution, or enlarged to the size of a whole frame that is reduced, or to the size
    /// that the detector [is made for](Self::input_size). `region` has whole numbers and lies inside the frame.
    ///
    /// # Errors
    /// Those of [`detect`](Self::detect).
    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()>;

    /// The factor by which [`detect`](Self::detect) scales frames of a size before it searches them.
    fn scale(&self, _frame: Size) -> f32 {
        1.0
    }

    /// The one size of picture that the detector is made for; none if it takes any.
    fn input_size(&self) -> Option<Size> {
        None
    }

    /// How often [`detect`](Self::detect) searches for a face, in frames of the size that came last.
    fn tile_schedule(&self) -> TileSchedule {
        TileSchedule::default()
    }

    /// How long the steps of the last detection took, where it has steps.
    fn step_times(&self) -> Option<StepTimes> {
        None
    }
}

/// The last steps of every detector: overlaps, sizes, numbers, the frame's edge and how many are wanted.
#[cfg(any(feature = "onnx", feature = "haar", test))]
pub(crate) fn select(detections: &mut Vec<Detection>, options: &DetectOptions, frame: Size) {
    detections.retain_mut(|found| may_be(found, options, frame));
    suppression::suppress(detections, options.iou_threshold);
    limit(detections, options);
}

/// True for what has numbers, the size of a face, and a part inside the frame. What a network without a sigmoid takes for
/// a confidence is limited to 1, and landmarks that are not finite are left out.
#[cfg(any(feature = "onnx", feature = "haar", test))]
fn may_be(found: &mut Detection, options: &DetectOptions, frame: Size) -> bool {
    if found.confidence.is_finite() {
        found.confidence = found.confidence.min(1.0);
    }
    found.landmarks = found.landmarks.filter(|landmarks| landmarks.0.iter().all(|point| point.x.is_finite() && point.y.is_finite()));
    let inside = found.rect.clamp_to(frame).area();
    found.rect.is_valid() && found.confidence.is_finite() && found.rect.w.min(found.rect.h) >= options.min_face_size && inside > 0.0
}

/// Keeps as many faces as are wanted; `detections` has the most confident first.
fn limit(detections: &mut Vec<Detection>, options: &DetectOptions) {
    let wanted = if options.max_faces > 0 { options.max_faces } else { suppression::MAX_FACES };
    detections.truncate(wanted.min(suppression::MAX_FACES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_outside_and_excess_faces_are_dropped() {
        let detection = |x: f32, side: f32, confidence| Detection { rect: Rect::new(x, 0.0, side, side), confidence, landmarks: None };
        let mut found = vec![
            detection(0.0, 10.0, 0.6),
            detection(20.0, 4.0, 0.9),
            detection(200.0, 10.0, 0.9),
            detection(40.0, 10.0, 0.7),
            detection(60.0, 10.0, f32::NAN),
            detection(80.0, 10.0, 0.8),
        ];
        let options = DetectOptions { max_faces: 2, min_face_size: 5.0, ..Default::default() };
        select(&mut found, &options, Size::new(100, 100));
        assert_eq!(found.iter().map(|found| found.confidence).collect::<Vec<_>>(), [0.8, 0.7]);
    }
}
