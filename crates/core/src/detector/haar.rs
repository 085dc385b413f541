// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenCV's cascade classifier (Viola and Jones, 2001). No other module uses `opencv`.
//!
//! A cascade searches luma at the frame's own resolution. It has no landmarks and no confidence; the confidence is derived
//! from the number of raw hits that OpenCV merged into a box.

use std::path::Path;

use opencv::core::{Mat, Rect as CvRect, Size as CvSize, Vector};
use opencv::objdetect::CascadeClassifier;
use opencv::prelude::*;

use super::{CascadeOptions, DetectOptions, Detection, FaceDetector, select};
use crate::error::{Error, Result};
use crate::geometry::{Rect, Size};
use crate::image::FrameView;
use crate::image::resample::{Resampler, Samples};
use crate::model::file::sha256;

/// A face detector that runs an OpenCV cascade.
pub struct HaarDetector {
    cascade: CascadeClassifier,
    sha256: String,
    resampler: Resampler,
    /// Luma of the searched region; kept to reuse the allocation.
    luma: Vec<u8>,
}

impl HaarDetector {
    /// Loads the cascade in the XML file `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such file, [`Error::Model`] if it is not a cascade.
    pub fn load(path: &Path) -> Result<Self> {
        if !path.is_file() {
            let remedy = "Install Debian's package opencv-data, or set `profile` to the path of another cascade".into();
            return Err(Error::NotFound { what: "the OpenCV cascade".into(), looked: vec![path.into()], remedy });
        }
        let not_a_cascade = |found: String| Error::Model { path: path.into(), expected: "an OpenCV cascade in XML".into(), found };
        let cascade = CascadeClassifier::new(path).map_err(|error| not_a_cascade(error.message))?;
        if cascade.empty().unwrap_or(true) {
            return Err(not_a_cascade("a file without stages".into()));
        }
        let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        Ok(Self { cascade, sha256: sha256(&bytes), resampler: Resampler::new(), luma: Vec::new() })
    }
}

impl FaceDetector for HaarDetector {
    fn name(&self) -> &str {
        "haar"
    }

    fn sha256(&self) -> String {
        self.sha256.clone()
    }

    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.detect_region(view, view.size().rect(), options, detections)
    }

    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        detections.clear();
        let size = Size::new(region.w as u32, region.h as u32);
        let width = size.width as usize;
        self.luma.resize(width * size.height as usize, 0);
        // The resampler gives floating-point luma; adding 0.5 rounds it.
        self.resampler.sample(view, region, size, Samples::Luma, |y, [row, ..]| {
            self.luma[y * width..][..width].iter_mut().zip(row).for_each(|(out, value)| *out = (value + 0.5) as u8);
        });
        let failed = |error: opencv::Error| Error::Inference { model: "haar".into(), message: error.message };
        let mut boxes = Vector::<CvRect>::new();
        let mut hits = Vector::<i32>::new();
        let picture = Mat::new_rows_cols_with_data(size.height as i32, size.width as i32, &self.luma).map_err(failed)?;
        let CascadeOptions { scale_factor, min_neighbors, min_size } = options.cascade;
        let min_size = CvSize::new(min_size.width as i32, min_size.height as i32);
        // A maximum size of 0 means that there is no maximum, and cascades in the current format ignore the flags.
        self.cascade
            .detect_multi_scale2(&picture, &mut boxes, &mut hits, scale_factor, min_neighbors, 0, min_size, CvSize::default())
            .map_err(failed)?;
        detections.extend(boxes.iter().zip(hits.iter()).map(|(found, hits)| Detection {
            rect: Rect::new(found.x as f32, found.y as f32, found.width as f32, found.height as f32).translated(region.x, region.y),
            confidence: confidence(hits),
            landmarks: None,
        }));
        detections.retain(|found| found.confidence >= options.score_threshold);
        select(detections, options, view.size());
        Ok(())
    }
}

/// A confidence 0..1 that rises with the number of hits. One hit gives 0.5, so the default threshold reports all faces that
/// pass `min_neighbors`.
fn confidence(hits: i32) -> f32 {
    let hits = hits.max(1) as f32;
    hits / (hits + 1.0)
}
