// SPDX-License-Identifier: MIT OR Apache-2.0
//! Face detectors behind the trait [`FaceDetector`].

pub mod centerface;
pub mod emotionface;
pub mod haar;
pub mod network;
pub mod suppression;
pub mod refiner;
pub mod tiles;
pub mod ultraface;
pub mod yunet;

use crate::error::Result;
use crate::geometry::{Landmarks5, Rect, Size};
use crate::image::FrameView;
use crate::statistics::StepTimes;

/// A detected face, in pixels of the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The box of the face; it may extend slightly beyond the frame.
    pub rect: Rect,
    /// Confidence, 0..1.
    pub confidence: f32,
    /// The five landmarks, if the detector predicts them.
    pub landmarks: Option<Landmarks5>,
}

/// Which candidates are reported as faces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectOptions {
    /// Minimum confidence, 0..1.
    pub score_threshold: f32,
    /// Boxes with a higher intersection over union are one face.
    pub iou_threshold: f32,
    /// Maximum number of faces, the most confident ones. 0 stands for the upper limit, [`suppression::MAX_FACES`].
    pub max_faces: usize,
    /// Minimum width and height, in pixels of the frame.
    pub min_face_size: f32,
    /// Parameters of cascades; networks ignore them.
    pub cascade: CascadeOptions,
}

/// The default cascade, as installed by Debian's package `opencv-data`.
pub const DEFAULT_CASCADE: &str = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml";

/// The parameters of OpenCV's `CascadeClassifier::detectMultiScale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CascadeOptions {
    /// Ratio between successive sizes that are searched, above 1.
    pub scale_factor: f64,
    /// Minimum number of overlapping hits besides the first one.
    pub min_neighbors: i32,
    /// Minimum size of a face, in pixels of the frame.
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

/// How often a detector finds a face. Large faces are found by each search. Small ones are found only when the tile that
/// contains them is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TileSchedule {
    /// Number of searches in a round, after which all tiles have been searched; at least 1.
    pub searches: u32,
    /// A face is small if its longer side is below this, in pixels of the frame.
    pub small_face_px: f32,
}

impl Default for TileSchedule {
    /// Each search finds faces of all sizes.
    fn default() -> Self {
        Self { searches: 1, small_face_px: 0.0 }
    }
}

/// Finds faces in frames.
pub trait FaceDetector: Send {
    /// Name of the model, as written into metadata.
    fn name(&self) -> &str;

    /// The SHA-256 of the model's file, in hex, followed by those of the files that belong to it, with spaces between; empty if
    /// the detector has no file.
    fn sha256(&self) -> String {
        String::new()
    }

    /// The SHA-256 of the model's description, in hex, followed by those of the models that belong to it, with spaces between;
    /// empty without a description.
    fn description_sha256(&self) -> String {
        String::new()
    }

    /// Replaces `detections` with the faces in `view`, the most confident first.
    ///
    /// # Errors
    /// [`Error::Inference`](crate::error::Error::Inference) if the network or cascade fails on this frame.
    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()>;

    /// Replaces `detections` with the faces in `region` of `view`, the most confident first, in pixels of the frame.
    ///
    /// The region is searched at the frame's own resolution. It is enlarged if it is smaller than the input that `detect` uses
    /// for a whole frame, and it is fitted to [`input_size`](Self::input_size) if there is one. `region` has integral
    /// coordinates and lies inside the frame.
    ///
    /// # Errors
    /// Those of [`detect`](Self::detect).
    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()>;

    /// Replaces `detections` with the faces in `part` of `view`, and possibly others, in pixels of the frame. The part is scaled as
    /// `detect` scales the whole frame. A detector that cannot search parts searches the frame.
    ///
    /// # Errors
    /// Those of [`detect`](Self::detect).
    fn detect_part(&mut self, view: &FrameView, _part: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.detect(view, options, detections)
    }

    /// The minimum confidence of a reported face that suits this detector.
    fn score_threshold(&self) -> f32 {
        DetectOptions::default().score_threshold
    }

    /// The factor by which [`detect`](Self::detect) scales a whole frame of this size; below 1 if it reduces the frame.
    fn scale(&self, _frame: Size) -> f32 {
        1.0
    }

    /// The size of the network's input if it is fixed; `None` if the detector accepts any size.
    fn input_size(&self) -> Option<Size> {
        None
    }

    /// How often [`detect`](Self::detect) finds a face, for frames of the size of the last one.
    fn tile_schedule(&self) -> TileSchedule {
        TileSchedule::default()
    }

    /// Duration of each step of the last detection, if the detector measures them.
    fn step_times(&self) -> Option<StepTimes> {
        None
    }
}

/// The final steps of each detector: removes invalid candidates, faces that are too small or outside the frame, and
/// duplicates; then applies the maximum number of faces.
pub fn select(detections: &mut Vec<Detection>, options: &DetectOptions, frame: Size) {
    detections.retain_mut(|found| is_candidate(found, options, frame));
    suppression::suppress(detections, options.iou_threshold);
    limit(detections, options);
}

/// True if `found` is finite, large enough, and at least partly inside the frame. Also limits the confidence to 1, which the
/// output of a network without a sigmoid may exceed, and removes landmarks that are not finite.
fn is_candidate(found: &mut Detection, options: &DetectOptions, frame: Size) -> bool {
    if found.confidence.is_finite() {
        found.confidence = found.confidence.min(1.0);
    }
    found.landmarks = found.landmarks.filter(|landmarks| landmarks.0.iter().all(|point| point.x.is_finite() && point.y.is_finite()));
    let inside = found.rect.clamp_to(frame).area();
    found.rect.is_valid() && found.confidence.is_finite() && found.rect.w.min(found.rect.h) >= options.min_face_size && inside > 0.0
}

/// Truncates `detections`, which are sorted by falling confidence, to the maximum number of faces.
fn limit(detections: &mut Vec<Detection>, options: &DetectOptions) {
    let max_faces = if options.max_faces > 0 { options.max_faces } else { suppression::MAX_FACES };
    detections.truncate(max_faces.min(suppression::MAX_FACES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_small_outside_and_excess_faces_are_dropped() {
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
