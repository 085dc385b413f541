// SPDX-License-Identifier: MIT OR Apache-2.0
//! This project's refiner (trained by `models/training/face`): it corrects each detection from the frame's own pixels. A
//! detector that searches a reduced frame does not see the roll of small heads well, and mistakes some objects for faces.
//!
//! Input `[N, 3, S, S]`: RGB of a square around each box, with 1.6 times the box's longer side. Outputs, in this order:
//!
//! | name | shape | meaning |
//! |---|---|---|
//! | `score` | `[N, 1]` | added to the logit of the detector's confidence |
//! | `box` | `[N, 4]` | centre relative to the square's centre, width and height; unit: the square's side |
//! | `landmarks` | `[N, 10]` | x, y of the five landmarks, in the same unit and from the same origin |

use super::Detection;
use crate::error::{Error, Result};
use crate::geometry::{Crop, Landmarks5, Point, Rect, Size};
use crate::image::FrameView;
use crate::image::tensor::{InputFormat, Preprocessor};
use crate::model::preset::{fits, picture_shape};
use crate::model::runtime::{Execution, Network, Outputs};
use crate::model::search_path::SearchPath;
use crate::model::{ModelFile, Task};
use crate::statistics::StepTimes;

/// Side of the square divided by the longer side of the box.
const REACH: f32 = 1.6;
/// Number of values of each output for one box.
const VALUES: [usize; 3] = [1, 4, 10];
/// Size of a face in the detector's input, in pixels, at which detector and refiner see the same detail and their boxes get
/// equal weight. The detector sees larger faces in more detail.
const EQUAL_DETAIL_PX: f32 = 20.0;
/// A box below the threshold is refined if adding this to its logit would lift it above.
const MAX_LOGIT_GAIN: f32 = 0.6;

/// Maximum number of boxes that are refined on a frame; the others remain unchanged.
pub const MAX_BOXES: usize = 256;

/// The refiner network, ready to run.
pub struct Refiner {
    network: Network,
    format: InputFormat,
    size: Size,
    preprocessor: Preprocessor,
    crops: Vec<Crop>,
}

impl Refiner {
    /// Loads the model `name`; see [`ModelFile::named`].
    ///
    /// # Errors
    /// Those of [`ModelFile::named`] and [`Network::load`]; [`Error::Model`] if the model is not a refiner.
    pub fn load(name: &str, search: &SearchPath, execution: &Execution) -> Result<Self> {
        let model = ModelFile::named(name, search)?;
        let network = Network::load(&model, search, execution.clone())?;
        let error = |expected: &str| Error::Model { path: model.path.clone(), expected: expected.into(), found: network.signature() };
        let Some(description) = model.description.as_ref().filter(|description| description.task == Task::Refine) else {
            return Err(error("a description, as model.toml beside it, of the task refine"));
        };
        let Some((size, picture)) = description.input.size().zip(picture_shape(description)) else {
            return Err(error("width and height in [input] of its description"));
        };
        let [input] = network.inputs() else { return Err(error("one input")) };
        let outputs = network.outputs();
        let shaped = outputs.len() == VALUES.len() && outputs.iter().zip(VALUES).all(|(output, values)| fits(output, &[values]));
        if !fits(input, &picture) || !shaped {
            return Err(error("an input as described and outputs [N, 1], [N, 4], [N, 10]"));
        }
        let format = description.input.format();
        network
            .probe(&model.path, format.shape(1, size), "outputs [N, 1], [N, 4], [N, 10]", |outputs| values_of(outputs, 1).map(|_| ()))?;
        Ok(Self { network, format, size, preprocessor: Preprocessor::default(), crops: Vec::new() })
    }

    /// The SHA-256 of the model's file, in hex.
    pub fn sha256(&self) -> &str {
        self.network.sha256()
    }

    /// The SHA-256 of the model's description, in hex.
    pub fn description_sha256(&self) -> &str {
        self.network.description_sha256()
    }

    /// The minimum confidence, 0..1, of a box that refining may raise to `threshold`.
    pub fn candidate_threshold(threshold: f32) -> f32 {
        add_to_logit(threshold, -MAX_LOGIT_GAIN)
    }

    /// Replaces confidence, box and landmarks of the first [`MAX_BOXES`] of `detections`, which were found on `view` scaled
    /// by `scale`. The order is kept, so confidences may no longer be sorted; and two boxes may move onto one face, so
    /// duplicates have to be suppressed again.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message.
    pub fn refine(&mut self, view: &FrameView, scale: f32, detections: &mut [Detection]) -> Result<StepTimes> {
        let count = detections.len().min(MAX_BOXES);
        let detections = &mut detections[..count];
        if count == 0 {
            return Ok(StepTimes::default());
        }
        self.crops.clear();
        self.crops.extend(detections.iter().map(|found| Crop {
            center: found.rect.center(),
            side: REACH * found.rect.w.max(found.rect.h),
            roll: 0.0,
        }));
        let shape = self.format.shape(count, self.size);
        let write = |input: &mut [f32]| {
            for (picture, &crop) in input.chunks_exact_mut(shape[1..].iter().product()).zip(&self.crops) {
                self.preprocessor.write_crop(view, crop, &self.format, self.size, picture);
            }
        };
        self.network.run(shape, write, |outputs| {
            let [added, boxes, landmarks] = values_of(outputs, count)?;
            let values = added.iter().zip(boxes.chunks_exact(VALUES[1])).zip(landmarks.chunks_exact(VALUES[2]));
            for ((found, crop), ((&added, rect), landmarks)) in detections.iter_mut().zip(&self.crops).zip(values) {
                let point = |x: f32, y: f32| Point::new(crop.center.x + crop.side * x, crop.center.y + crop.side * y);
                let share = EQUAL_DETAIL_PX / (EQUAL_DETAIL_PX + scale * found.rect.w.max(found.rect.h));
                let refined = Rect::around(point(rect[0], rect[1]), crop.side * rect[2], crop.side * rect[3]);
                found.rect = found.rect.toward(refined, share);
                found.landmarks = Some(Landmarks5(std::array::from_fn(|index| point(landmarks[2 * index], landmarks[2 * index + 1]))));
                found.confidence = add_to_logit(found.confidence, added);
            }
            Ok(())
        })
    }
}

/// The values of the three outputs for `count` boxes.
fn values_of<'a>(outputs: &'a Outputs<'_>, count: usize) -> Result<[&'a [f32]; 3]> {
    let values = |index: usize| outputs.get_exactly(index, count * VALUES[index]);
    Ok([values(0)?, values(1)?, values(2)?])
}

/// Adds `added` to the logit of `probability`.
fn add_to_logit(probability: f32, added: f32) -> f32 {
    1.0 / (1.0 + (1.0 / probability - 1.0) * (-added).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_added_to_probabilities() {
        let logit = |probability: f32| (probability / (1.0 - probability)).ln();
        for (probability, added) in [(0.5, 0.0), (0.2, 1.3), (0.9, -4.0)] {
            assert!((logit(add_to_logit(probability, added)) - logit(probability) - added).abs() < 1e-4);
        }
        assert_eq!([add_to_logit(0.0, 9.0), add_to_logit(1.0, -9.0)], [0.0, 1.0]);
        assert!((add_to_logit(Refiner::candidate_threshold(0.5), MAX_LOGIT_GAIN) - 0.5).abs() < 1e-6);
    }
}
