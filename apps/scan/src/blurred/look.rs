// SPDX-License-Identifier: MIT OR Apache-2.0
//! The faces of one frame, with as few missed as possible: those of at least a threshold.

use emotion_core::detector::network::{Family, NetworkDetector};
use emotion_core::detector::tiles::spans;
use emotion_core::detector::{DetectOptions, Detection, FaceDetector};
use emotion_core::error::{Error, Result};
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::FrameView;
use emotion_core::image::turned::{Turn, TurnedCopy};
use emotion_core::model::runtime::RunOptions;
use emotion_core::model::search_path::SearchPath;

/// Longer side of the network's input for a whole frame.
const SIZE: u32 = 320;
/// The second size, as a share of the first: it finds faces of more than half of the frame.
const SCALES: &[f32] = &[0.6];
/// A quarter of the network's own threshold. In a clip of a singer with an audience, a face in profile that moves fast is found in every
/// frame at it.
pub(super) const THRESHOLD: f32 = 0.1;
/// What is found on a turned frame is a face from this confidence on.
pub(super) const TURNED: f32 = 0.25;
/// How a frame is turned before CenterFace searches it, and the minimum confidence of a face in it.
pub(super) const CENTERFACE_TURNS: [Turn; 2] = [turn(0, false, 960), turn(0, true, 960)];
pub(super) const CENTERFACE_CONFIDENCE: f32 = 0.3;
/// Largest side of a part that is searched at full resolution, and how much two parts overlap.
const PART: u32 = 1280;
const OVERLAP: u32 = 160;

/// A turn by degrees.
pub(super) const fn turn(degrees: i32, mirrored: bool, longer_side: u32) -> Turn {
    Turn { roll: degrees as f32 * std::f32::consts::PI / 180.0, mirrored, longer_side, border: 0.0 }
}

/// A face, and how sure it is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Find {
    /// Box in 0..1 of the frame.
    pub rect: Rect,
    /// Confidence, 0..1.
    pub confidence: f32,
}

/// The networks that look at a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// This project's own network.
    EmotionFace,
    /// CenterFace, where it is installed. It was trained on other pictures, and often finds what the first network misses.
    CenterFace,
}

/// The detectors with what they need to turn frames.
pub(super) struct Eye {
    /// In the order of [`By`].
    detectors: Vec<NetworkDetector>,
    found: Vec<Detection>,
    copy: TurnedCopy,
}

impl Eye {
    pub(super) fn load() -> Result<Self> {
        let search = SearchPath::from_env(None);
        // Decoder and encoder have threads of their own.
        let run = RunOptions { threads: 1, ..RunOptions::default() };
        let own = NetworkDetector::load(Family::EmotionFace.default_model(&search)?, None, SIZE, &search, run)?.with_scales(SCALES);
        let other = match Family::CenterFace.default_model(&search) {
            Ok(model) => Some(NetworkDetector::load(model, Some(Family::CenterFace), SIZE, &search, run)?),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { detectors: [own].into_iter().chain(other).collect(), found: Vec::new(), copy: TurnedCopy::default() })
    }

    /// The names of the loaded networks.
    pub(super) fn networks(&self) -> Vec<String> {
        self.detectors.iter().map(|detector| detector.name().to_owned()).collect()
    }

    /// Adds the faces of the whole frame, at both sizes.
    pub(super) fn look(&mut self, view: &FrameView, threshold: f32, finds: &mut Vec<Find>) -> Result<()> {
        self.detectors[0].detect(view, &options(threshold), &mut self.found)?;
        self.take(view.size(), finds);
        Ok(())
    }

    /// Adds the faces at full resolution, small ones among them.
    pub(super) fn look_closely(&mut self, view: &FrameView, threshold: f32, finds: &mut Vec<Find>) -> Result<()> {
        let size = view.size();
        for (y, h) in spans(size.height, PART, OVERLAP) {
            for (x, w) in spans(size.width, PART, OVERLAP) {
                let part = Rect::new(x as f32, y as f32, w as f32, h as f32);
                self.detectors[0].detect_region(view, part, &options(threshold), &mut self.found)?;
                self.take(size, finds);
            }
        }
        Ok(())
    }

    /// Adds the faces that a network finds on the turned frame, if that network is installed.
    pub(super) fn look_turned(&mut self, by: By, view: &FrameView, turn: Turn, threshold: f32, finds: &mut Vec<Find>) -> Result<()> {
        let Some(detector) = self.detectors.get_mut(by as usize) else { return Ok(()) };
        let size = view.size();
        let longer_side = turn.longer_side.min(size.width.max(size.height)).max(SIZE);
        self.copy.take(view, Turn { longer_side, ..turn });
        let copy = self.copy.view()?;
        detector.detect_region(&copy, copy.size().rect(), &options(threshold), &mut self.found)?;
        let to_frame = |rect| self.copy.to_frame(rect);
        finds.extend(self.found.drain(..).map(|found| Find { rect: to_frame(found.rect).to_norm(size), confidence: found.confidence }));
        Ok(())
    }

    fn take(&mut self, size: Size, finds: &mut Vec<Find>) {
        finds.extend(self.found.drain(..).map(|found| Find { rect: found.rect.to_norm(size), confidence: found.confidence }));
    }
}

fn options(threshold: f32) -> DetectOptions {
    DetectOptions { score_threshold: threshold, ..DetectOptions::default() }
}

#[cfg(test)]
mod tests {
    use emotion_core::geometry::Point;
    use emotion_core::image::{Colorimetry, PixelFormat, Plane};
    use test_support::{fetched, three_faces};

    use super::*;

    #[test]
    fn both_networks_find_the_faces_of_a_frame_however_it_is_turned() {
        if !fetched("centerface") {
            return;
        }
        let (size, data) = (Size::new(640, 480), three_faces().render(0.0));
        let view = FrameView::new(PixelFormat::Rgb, size, &[Plane { data: &data, stride: 3 * 640 }], Colorimetry::default()).unwrap();
        let mut eye = Eye::load().unwrap();
        for (by, turn) in
            [(By::EmotionFace, turn(0, true, 640)), (By::CenterFace, CENTERFACE_TURNS[0]), (By::CenterFace, CENTERFACE_TURNS[1])]
        {
            let mut finds = Vec::new();
            eye.look_turned(by, &view, turn, CENTERFACE_CONFIDENCE, &mut finds).unwrap();
            for x in [110.0, 320.0, 530.0] {
                let face = Point::new(x / 640.0, 220.0 / 480.0);
                assert!(finds.iter().any(|find| find.rect.center().distance(face) < 0.06), "{by:?} {turn:?}: {finds:?}");
            }
        }
    }
}
