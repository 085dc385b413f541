// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network whose input is the crop of a face: crops are sampled from the frame and run in batches.

use std::path::Path;

use crate::crops::framing::CropFace;
use crate::error::{Error, Result};
use crate::geometry::{Crop, Size};
use crate::image::FrameView;
use crate::image::tensor::{InputFormat, Preprocessor};
use crate::model::ModelDescription;
use crate::model::preset::{fits, picture_shape};
use crate::model::runtime::{Network, Outputs};
use crate::statistics::StepTimes;

/// Maximum number of faces in one run of the network, unless another number is set. It bounds the memory for a large crowd.
pub const MAX_BATCH: usize = 64;

/// A network with its description, ready to run on crops of faces.
pub struct CropNetwork {
    network: Network,
    description: ModelDescription,
    format: InputFormat,
    size: Size,
    batch_size: usize,
    /// Set if the graph accepts a single picture only.
    one_by_one: bool,
    preprocessor: Preprocessor,
    step_times: StepTimes,
}

impl CropNetwork {
    /// Prepares `network`, which was loaded from `path`, according to `description`.
    ///
    /// # Errors
    /// [`Error::Model`] if the description has no size of the input, or if the graph does not have the one input that it describes.
    pub fn new(network: Network, path: &Path, description: ModelDescription) -> Result<Self> {
        let error = |expected: String, found: String| Error::Model { path: path.into(), expected, found };
        let (Some(size), Some(picture)) = (description.input.size(), picture_shape(&description)) else {
            return Err(error("width and height in [input] of its description".into(), "none".into()));
        };
        let name = &description.input.name;
        if !network.inputs().iter().any(|spec| spec.name == *name && fits(spec, &picture)) {
            let [channels, rows, columns] = picture;
            return Err(error(format!("an input {name} [N, {channels}, {rows}, {columns}]"), network.signature()));
        }
        let [input] = network.inputs() else { return Err(error("one input".into(), network.signature())) };
        let fixed_batch = input.shape.first().copied().flatten();
        if fixed_batch.is_some_and(|pictures| pictures != 1) {
            return Err(error("an input for one picture or any number".into(), network.signature()));
        }
        let format = description.input.format();
        let (preprocessor, step_times) = Default::default();
        Ok(Self { network, description, format, size, batch_size: 0, one_by_one: fixed_batch.is_some(), preprocessor, step_times })
    }

    /// Index of the output `name`, which has `values` numbers for each face.
    ///
    /// # Errors
    /// A text that says what the graph lacks.
    pub fn output(&self, name: &str, values: usize) -> std::result::Result<usize, String> {
        let index = self.network.outputs().iter().position(|spec| spec.name == name && fits(spec, &[values]));
        index.ok_or_else(|| format!("an output {name} [N, {values}]"))
    }

    /// Runs the network on an empty picture, and `check` on its outputs; see [`Network::probe`].
    ///
    /// # Errors
    /// [`Error::Model`] with `path` and `expected` if the run or `check` fails.
    pub fn probe(&self, path: &Path, expected: &str, check: impl FnOnce(&Outputs) -> Result<()>) -> Result<()> {
        self.network.probe(path, self.format.shape(1, self.size), expected, check)
    }

    /// Sets the maximum number of faces in one run; 0 is [`MAX_BATCH`].
    pub fn set_batch_size(&mut self, batch_size: usize) {
        self.batch_size = batch_size;
    }

    /// The description.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The network, for its names and checksums.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Duration of each step of the last [`run`](Self::run), summed over its batches.
    pub fn step_times(&self) -> StepTimes {
        self.step_times
    }

    /// Replaces `crops` with the squares to crop for `faces`.
    pub fn frame(&self, faces: &[CropFace], crops: &mut Vec<Crop>) {
        let framing = &self.description.framing;
        crops.clear();
        crops.extend(faces.iter().map(|face| framing.crop(face.rect, face.detector, face.landmarks.as_ref())));
    }

    /// Runs the network on `crops` of `view`. `read` gets the outputs of each batch and its crops, in order. A crop whose box was
    /// invalid shows the pixels at the nearest edge of the frame.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message, and those of `read`.
    pub fn run(&mut self, view: &FrameView, crops: &[Crop], mut read: impl FnMut(&Outputs, &[Crop]) -> Result<()>) -> Result<()> {
        self.step_times = StepTimes::default();
        let batch = match self.batch_size {
            _ if self.one_by_one => 1,
            0 => crops.len().clamp(1, MAX_BATCH),
            limit => limit,
        };
        for crops in crops.chunks(batch) {
            let shape = self.format.shape(crops.len(), self.size);
            let write = |input: &mut [f32]| {
                for (picture, &crop) in input.chunks_exact_mut(shape[1..].iter().product()).zip(crops) {
                    self.preprocessor.write_crop(view, crop, &self.format, self.size, picture);
                }
            };
            self.step_times += self.network.run(shape, write, |outputs| read(outputs, crops))?;
        }
        Ok(())
    }
}
