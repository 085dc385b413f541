// SPDX-License-Identifier: MIT OR Apache-2.0
//! The refiner of this project (`models/training/face/refiner.py`): a second look at each box, in the frame's own pixels. A
//! detector that searches a reduced frame hardly tells how a head is tilted, and takes some things for faces.
//!
//! Input `[N, 3, S, S]`, RGB of squares 1.6 times as long as the longer side of a box. Outputs, in this order: `score`
//! `[N, 1]`, what is to be added to the logit of the detector's confidence; `box` `[N, 4]`, centre from the middle of the
//! square, width and height, in its sides; `landmarks` `[N, 10]`, x, y of the five landmarks as the centre.

use super::Detection;
use crate::error::{Error, Result};
use crate::geometry::{Crop, Landmarks5, Point, Rect, Size};
use crate::image::FrameView;
use crate::image::tensor::{InputFormat, Preprocessor};
use crate::model::preset::{fits, picture_shape};
use crate::model::runtime::{Network, Outputs, RunOptions};
use crate::model::search_path::SearchPath;
use crate::model::{ModelFile, Task};
use crate::statistics::{StepTimes, Stopwatch};

const EMBEDDED_NAME: &str = "face-refiner";
const EMBEDDED: &[u8] = include_bytes!("../../models/face-refiner/model.onnx");
const EMBEDDED_DESCRIPTION: &str = include_str!("../../models/face-refiner/model.toml");

/// How much longer the square is than the longer side of the box.
const REACH: f32 = 1.6;
/// Values of the three outputs for each box.
const VALUES: [usize; 3] = [1, 4, 10];
/// Size of a face in the detector's input, in pixels, at which detector and refiner see as much detail, so that their boxes
/// count equally. Of larger faces the detector sees more.
const EQUAL_DETAIL_PX: f32 = 20.0;
/// A box is refined if less than this, added to its logit, makes it a face.
const MAX_LOGIT_GAIN: f32 = 0.6;

/// Maximum number of boxes that are refined on a frame; the others stay as they are.
pub const MAX_BOXES: usize = 256;

/// Looks at boxes again.
pub struct Refiner {
    network: Network,
    format: InputFormat,
    size: Size,
    preprocessor: Preprocessor,
    crops: Vec<Crop>,
}

impl Refiner {
    /// The model that lies in the folder `name` of the search path, or is compiled in.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that neither has; those of [`ModelFile::open`] and [`Network::load`]; [`Error::Model`]
    /// if it is no refiner.
    pub fn load(name: &str, search: &SearchPath, run: RunOptions) -> Result<Self> {
        let model = match search.model(name, "model.onnx") {
            Ok(path) => ModelFile::open(&path)?,
            Err(_) if name == EMBEDDED_NAME => ModelFile::embedded(&format!("{name}/model.onnx"), EMBEDDED, EMBEDDED_DESCRIPTION)?,
            Err(error) => return Err(error),
        };
        let mut network = Network::load(&model, search, run)?;
        let wrong = |expected: &str| Error::Model { path: model.path.clone(), expected: expected.into(), found: network.signature() };
        let Some(description) = model.description.as_ref().filter(|description| description.task == Task::Refine) else {
            return Err(wrong("a description, as model.toml beside it, of the task refine"));
        };
        let Some((size, picture)) = description.input.size().zip(picture_shape(description)) else {
            return Err(wrong("width and height in [input] of its description"));
        };
        let [input] = network.inputs() else { return Err(wrong("one input")) };
        let outputs = network.outputs();
        let shaped = outputs.len() == VALUES.len() && outputs.iter().zip(VALUES).all(|(output, values)| fits(output, &[values]));
        if !fits(input, &picture) || !shaped {
            return Err(wrong("an input as described and outputs [N, 1], [N, 4], [N, 10]"));
        }
        let format = description.input.format();
        network
            .probe(&model.path, format.shape(1, size), "outputs [N, 1], [N, 4], [N, 10]", |outputs| values_of(outputs, 1).map(|_| ()))?;
        Ok(Self { network, format, size, preprocessor: Preprocessor::default(), crops: Vec::new() })
    }

    /// The confidence, 0..1, from which on a box is refined, since refining may raise it to `threshold`.
    pub fn candidate_threshold(threshold: f32) -> f32 {
        add_to_logit(threshold, -MAX_LOGIT_GAIN)
    }

    /// Gives `detections`, found on `view` reduced by `scale`, their confidence, box and landmarks anew. The most confident
    /// ones come first: of more than [`MAX_BOXES`] the others stay as they are. Their order stays, though it may no longer be
    /// that of their confidence, and two boxes may come to lie on one face.
    ///
    /// # Errors
    /// [`Error::Inference`] with the runtime's words.
    pub fn refine(&mut self, view: &FrameView, scale: f32, detections: &mut [Detection]) -> Result<StepTimes> {
        let mut clock = Stopwatch::start();
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
        let pictures = self.network.input(shape)?.chunks_exact_mut(shape[1..].iter().product());
        for (picture, &crop) in pictures.zip(&self.crops) {
            self.preprocessor.write_crop(view, crop, &self.format, self.size, picture);
        }
        let preprocess = clock.lap();
        let outputs = self.network.run()?;
        let inference = clock.lap();
        let [added, boxes, landmarks] = values_of(&outputs, count)?;
        let values = added.iter().zip(boxes.chunks_exact(VALUES[1])).zip(landmarks.chunks_exact(VALUES[2]));
        for ((found, crop), ((&added, rect), landmarks)) in detections.iter_mut().zip(&self.crops).zip(values) {
            let point = |x: f32, y: f32| Point::new(crop.center.x + crop.side * x, crop.center.y + crop.side * y);
            let share = EQUAL_DETAIL_PX / (EQUAL_DETAIL_PX + scale * found.rect.w.max(found.rect.h));
            let refined = Rect::around(point(rect[0], rect[1]), crop.side * rect[2], crop.side * rect[3]);
            found.rect = found.rect.toward(refined, share);
            found.landmarks = Some(Landmarks5(std::array::from_fn(|index| point(landmarks[2 * index], landmarks[2 * index + 1]))));
            found.confidence = add_to_logit(found.confidence, added);
        }
        Ok(StepTimes { preprocess, inference, postprocess: clock.lap() })
    }
}

/// The outputs, of as many values as `count` boxes have.
fn values_of<'a>(outputs: &'a Outputs<'_>, count: usize) -> Result<[&'a [f32]; 3]> {
    let values = |index: usize| outputs.get_exactly(index, count * VALUES[index]);
    Ok([values(0)?, values(1)?, values(2)?])
}

/// The probability whose logit is that of `probability` and `added`.
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
