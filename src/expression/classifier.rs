// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to scores: crop, run the network on a batch, apply the softmax.

use crate::error::{Error, Result};
use crate::geometry::{Crop, Landmarks5, Rect, Size};
use crate::image::FrameView;
use crate::image::tensor::{InputFormat, Preprocessor};
use crate::model::preset::{self, fits, picture_shape};
use crate::model::runtime::{Network, RunOptions};
use crate::model::search_path::SearchPath;
use crate::model::{Activation, ModelDescription, ModelFile, OutputDescription, Prior, Task};
use crate::scores::{LabelSet, Scores};
use crate::statistics::StepTimes;

/// Maximum number of faces in one run of the network, unless another number is set. It bounds the memory for a large crowd.
pub const MAX_BATCH: usize = 64;

/// A face to classify.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face<'a> {
    /// Its box in pixels of the frame.
    pub rect: Rect,
    /// Name of the detector that drew the box; each frames faces differently.
    pub detector: Option<&'a str>,
    /// Its landmarks in pixels of the frame, if known.
    pub landmarks: Option<Landmarks5>,
}

/// An expression model that is ready to run.
pub struct Classifier {
    network: Network,
    description: ModelDescription,
    labels: LabelSet,
    prior: Prior,
    /// For each described output, its index in the graph; none for one that does not serve a prior.
    outputs: Vec<Option<usize>>,
    format: InputFormat,
    size: Size,
    batch_size: usize,
    /// Set if the graph accepts a single picture only.
    one_by_one: bool,
    preprocessor: Preprocessor,
    /// Crops of the current frame; kept to reuse the allocation.
    crops: Vec<Crop>,
    scores: Vec<Scores>,
    step_times: StepTimes,
}

impl Classifier {
    /// Loads `model` according to its description, or to the preset that has its signature.
    ///
    /// # Errors
    /// Those of [`Network::load`]; [`Error::Model`] if there is no description, if it describes another kind of model, if the
    /// graph's inputs and outputs differ from the description, if the outputs of the priors have different labels, or if a trial
    /// run fails.
    pub fn load(model: ModelFile, search: &SearchPath, run: RunOptions) -> Result<Self> {
        let network = Network::load(&model, search, run)?;
        let error = |expected: String, found: String| Error::Model { path: model.path.clone(), expected, found };
        let recognised = || preset::recognise(network.inputs(), network.outputs());
        let Some(description) = model.description.clone().or_else(recognised) else {
            let expected = "a description, as model.toml beside it or the same name ending in .toml, or the signature of a known model";
            return Err(error(expected.into(), format!("none, for {}", network.signature())));
        };
        if description.task != Task::Expression {
            return Err(error("an expression model".into(), format!("{} for the task {:?}", description.name, description.task)));
        }
        let Some(size) = description.input.size() else {
            return Err(error("width and height in [input] of its description".into(), "none".into()));
        };
        let described = description.outputs.first().filter(|output| !output.labels.is_empty());
        let Some(described) = described else {
            return Err(error("an [[output]] with labels in its description".into(), "none".into()));
        };
        let outputs = prior_outputs(&network, &description).map_err(|expected| error(expected, network.signature()))?;
        let [input] = network.inputs() else { return Err(error("one input".into(), network.signature())) };
        let fixed_batch = input.shape.first().copied().flatten();
        if fixed_batch.is_some_and(|pictures| pictures != 1) {
            return Err(error("an input for one picture or any number".into(), network.signature()));
        }
        let (labels, format) = (LabelSet::new(described.labels.iter().cloned()), description.input.format());
        let expected = format!("an output {} [N, {}]", described.name, labels.len());
        network.probe(&model.path, format.shape(1, size), &expected, |found| {
            outputs.iter().flatten().try_for_each(|&output| found.get_exactly(output, labels.len()).map(|_| ()))
        })?;
        let (preprocessor, crops, scores, step_times) = Default::default();
        Ok(Self {
            network,
            labels,
            prior: Prior::default(),
            outputs,
            format,
            size,
            batch_size: 0,
            one_by_one: fixed_batch.is_some(),
            preprocessor,
            crops,
            scores,
            step_times,
            description,
        })
    }

    /// Sets the maximum number of faces in one run of the network; 0 is [`MAX_BATCH`].
    pub fn set_batch_size(&mut self, batch_size: usize) {
        self.batch_size = batch_size;
    }

    /// Sets the assumed frequency of the classes. Until it is called, it is [`Prior::Natural`].
    pub fn set_prior(&mut self, prior: Prior) {
        self.prior = prior;
    }

    /// The description of the model, from its `model.toml` or from a preset.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// The SHA-256 of the model's file, in hex.
    pub fn sha256(&self) -> &str {
        self.network.sha256()
    }

    /// The SHA-256 of the model's description, in hex.
    pub fn description_sha256(&self) -> &str {
        self.network.description_sha256()
    }

    /// Minimum score of the top class, 0..1, below which the label is `unknown` unless another minimum is set.
    pub fn min_confidence(&self, prior: Prior) -> f32 {
        self.description.outputs[self.description.output_of(prior)].min_confidence
    }

    /// The names of the classes.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// Duration of each step of the last [`classify`](Self::classify), summed over its batches.
    pub fn step_times(&self) -> StepTimes {
        self.step_times
    }

    /// The scores of each face, in order. A face whose box is invalid gets the scores of the pixels at the nearest edge of the
    /// frame.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message.
    pub fn classify(&mut self, view: &FrameView, faces: &[Face]) -> Result<&[Scores]> {
        let framing = &self.description.framing;
        let mut crops = std::mem::take(&mut self.crops);
        crops.clear();
        crops.extend(faces.iter().map(|face| framing.crop(face.rect, face.detector, face.landmarks.as_ref())));
        let classified = self.classify_all(view, &crops);
        self.crops = crops;
        classified.map(|()| &self.scores[..])
    }

    /// The scores of each crop, in order, for callers that frame faces themselves.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message.
    pub fn classify_crops(&mut self, view: &FrameView, crops: &[Crop]) -> Result<&[Scores]> {
        self.classify_all(view, crops).map(|()| &self.scores[..])
    }

    /// Replaces `self.scores` with the scores of `crops`.
    fn classify_all(&mut self, view: &FrameView, crops: &[Crop]) -> Result<()> {
        self.step_times = StepTimes::default();
        self.scores.clear();
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
            self.step_times += self.network.run(shape, write, |outputs| {
                let classes = self.labels.len();
                let described = self.description.output_of(self.prior);
                let output = self.outputs[described].expect("the outputs of all priors were looked up");
                let values = outputs.get_exactly(output, classes * crops.len())?;
                let described = &self.description.outputs[described];
                self.scores.extend(values.chunks_exact(classes).map(|values| match described.activation {
                    Activation::Softmax => Scores::from_logits(values, described.temperature),
                    Activation::None => Scores::from_probabilities(values.iter().copied()),
                }));
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// For each described output that serves a prior, its index in the graph; or a text that says what the graph lacks.
fn prior_outputs(network: &Network, description: &ModelDescription) -> std::result::Result<Vec<Option<usize>>, String> {
    let mut found = vec![None; description.outputs.len()];
    for prior in [Prior::Natural, Prior::Balanced] {
        let index = description.output_of(prior);
        let (described, first) = (&description.outputs[index], &description.outputs[0]);
        if described.labels != first.labels {
            return Err(format!("outputs {} and {} with the same labels in its description", first.name, described.name));
        }
        found[index] = Some(check_signature(network, description, described)?);
    }
    Ok(found)
}

/// The index of the described output, or a text that says what the graph lacks.
fn check_signature(network: &Network, description: &ModelDescription, described: &OutputDescription) -> std::result::Result<usize, String> {
    let (input, picture) = (&description.input.name, picture_shape(description).unwrap_or_default());
    if !network.inputs().iter().any(|spec| spec.name == *input && fits(spec, &picture)) {
        return Err(format!("an input {input} [N, {}, {}, {}]", picture[0], picture[1], picture[2]));
    }
    let (name, classes) = (&described.name, described.labels.len());
    let index = network.outputs().iter().position(|spec| spec.name == *name && fits(spec, &[classes]));
    index.ok_or_else(|| format!("an output {name} [N, {classes}]"))
}
