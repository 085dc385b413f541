// SPDX-License-Identifier: MIT OR Apache-2.0
//! The landmark network of this project (`models/training/face/marknet.py`): a look at each face that was found, in the
//! frame's own pixels. A detector that searches a reduced frame hardly tells how a head is tilted.
//!
//! Input `[N, 1, S, S]`, luma of squares that are 1.5 times as long as the longer side of a face's box. Output
//! `[N, 10]`: x, y of the five landmarks from the middle of the square, in its sides.

use super::Detection;
use crate::error::{Error, Result};
use crate::geometry::{Crop, Landmarks5, Point, Size};
use crate::image::FrameView;
use crate::inference::{Network, RunOptions};
use crate::locate::SearchPath;
use crate::model::{ModelFile, Task};
use crate::preset::{fits, picture_shape};
use crate::statistics::{StepTimes, Stopwatch};
use crate::tensor::{InputFormat, Preprocessor};

const EMBEDDED_NAME: &str = "face-landmarks";
const EMBEDDED: &[u8] = include_bytes!("../../models/face-landmarks/model.onnx");
const EMBEDDED_DESCRIPTION: &str = include_str!("../../models/face-landmarks/model.toml");

/// How much longer the square is than the longer side of the box.
const REACH: f32 = 1.5;
/// Values for each face.
const VALUES: usize = 10;

/// Looks for the landmarks of faces.
pub struct LandmarkNetwork {
    network: Network,
    name: String,
    format: InputFormat,
    size: Size,
    preprocessor: Preprocessor,
    crops: Vec<Crop>,
}

impl LandmarkNetwork {
    /// The model that lies in the folder `name` of the search path, or is compiled in.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that neither has; those of [`ModelFile::open`] and [`Network::load`]; [`Error::Model`]
    /// if it is no landmark model.
    pub fn load(name: &str, search: &SearchPath, run: RunOptions) -> Result<Self> {
        let model = match search.model(name, "model.onnx") {
            Ok(path) => ModelFile::open(&path)?,
            Err(_) if name == EMBEDDED_NAME => ModelFile::embedded(&format!("{name}/model.onnx"), EMBEDDED, EMBEDDED_DESCRIPTION)?,
            Err(error) => return Err(error),
        };
        let network = Network::load(&model, search, run)?;
        let wrong = |expected: &str| Error::Model { path: model.path.clone(), expected: expected.into(), found: network.signature() };
        let Some(description) = model.description.as_ref().filter(|description| description.task == Task::Landmarks) else {
            return Err(wrong("a description, as model.toml beside it, of the task landmarks"));
        };
        let Some((size, picture)) = description.input.size().zip(picture_shape(description)) else {
            return Err(wrong("width and height in [input] of its description"));
        };
        let [input] = network.inputs() else { return Err(wrong("one input")) };
        let [output] = network.outputs() else { return Err(wrong("one output")) };
        if !fits(input, &picture) || !fits(output, &[VALUES]) {
            return Err(wrong("an input as described and an output [N, 10]"));
        }
        let (name, format) = (description.name.clone(), description.input.format());
        Ok(Self { network, name, format, size, preprocessor: Preprocessor::default(), crops: Vec::new() })
    }

    /// Gives all of `faces`, found on `view`, their landmarks.
    ///
    /// # Errors
    /// [`Error::Inference`] with the runtime's words.
    pub fn locate(&mut self, view: &FrameView, faces: &mut [Detection]) -> Result<StepTimes> {
        let mut clock = Stopwatch::start();
        if faces.is_empty() {
            return Ok(StepTimes::default());
        }
        self.crops.clear();
        self.crops.extend(faces.iter().map(|face| Crop {
            center: face.rect.center(),
            side: REACH * face.rect.w.max(face.rect.h),
            roll: 0.0,
        }));
        let shape = self.format.shape(faces.len(), self.size);
        let pictures = self.network.input(shape)?.chunks_exact_mut(shape[1..].iter().product());
        for (picture, &crop) in pictures.zip(&self.crops) {
            self.preprocessor.write_crop(view, crop, &self.format, self.size, picture);
        }
        let preprocess = clock.lap();
        let outputs = self.network.run()?;
        let inference = clock.lap();
        let (_, values) = outputs.get(0)?;
        if values.len() != VALUES * faces.len() {
            let message = format!("{} values for {} faces", values.len(), faces.len());
            return Err(Error::Inference { model: self.name.clone(), message });
        }
        for ((face, crop), values) in faces.iter_mut().zip(&self.crops).zip(values.chunks_exact(VALUES)) {
            let point =
                |index: usize| Point::new(crop.center.x + crop.side * values[2 * index], crop.center.y + crop.side * values[2 * index + 1]);
            face.landmarks = Some(Landmarks5(std::array::from_fn(point)));
        }
        Ok(StepTimes { preprocess, inference, postprocess: clock.lap() })
    }
}
