// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to scores: crop, run the network on a batch, apply the softmax.

use crate::choices::Prior;
use crate::crops::framing::CropFace;
use crate::crops::network::CropNetwork;
use crate::crops::results::Batch;
use crate::error::{Error, Result};
use crate::expression::baseline::ClassMeans;
use crate::face_geometry::PoseLimits;
use crate::geometry::Crop;
use crate::image::FrameView;
use crate::model::runtime::{Execution, Network};
use crate::model::search_path::SearchPath;
use crate::model::{Activation, ModelDescription, ModelFile, OutputDescription, Task, preset};
use crate::scores::{LabelSet, Scores};
use crate::statistics::StepTimes;

/// An expression model that is ready to run.
pub struct Classifier {
    network: CropNetwork,
    labels: LabelSet,
    prior: Prior,
    /// For each described output, its index in the graph; none for one that does not serve a prior.
    outputs: Vec<Option<usize>>,
    /// Crops of the current frame; kept to reuse the allocation.
    crops: Vec<Crop>,
    scores: Vec<Scores>,
}

impl Classifier {
    /// Loads `model` according to its description, or to the preset that has its signature.
    ///
    /// # Errors
    /// Those of [`Network::load`]; [`Error::Model`] if there is no description, if it describes another kind of model, if the
    /// graph's inputs and outputs differ from the description, if the outputs of the priors have different labels, or if a trial
    /// run fails.
    pub fn load(model: ModelFile, search: &SearchPath, run: impl Into<Execution>) -> Result<Self> {
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
        let Some(described) = description.outputs.first().filter(|output| !output.labels.is_empty()) else {
            return Err(error("an [[output]] with labels in its description".into(), "none".into()));
        };
        let labels = LabelSet::new(described.labels.iter().cloned());
        let expected = format!("an output {} [N, {}]", described.name, labels.len());
        let network = CropNetwork::new(network, &model.path, description)?;
        let outputs = prior_outputs(&network).map_err(|expected| error(expected, network.network().signature()))?;
        network.probe(&model.path, &expected, |found| {
            outputs.iter().flatten().try_for_each(|&output| found.get_exactly(output, labels.len()).map(|_| ()))
        })?;
        let (prior, crops, scores) = Default::default();
        Ok(Self { network, labels, prior, outputs, crops, scores })
    }

    /// Sets the maximum number of faces in one run of the network; 0 is [`MAX_BATCH`](crate::crops::network::MAX_BATCH).
    pub fn set_batch_size(&mut self, batch_size: usize) {
        self.network.set_batch_size(batch_size);
    }

    /// Sets the assumed frequency of the classes. Until it is called, it is [`Prior::Natural`].
    pub fn set_prior(&mut self, prior: Prior) {
        self.prior = prior;
    }

    /// The description of the model, from its `model.toml` or from a preset.
    pub fn description(&self) -> &ModelDescription {
        self.network.description()
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.description().name
    }

    /// The SHA-256 of the model's file, in hex.
    pub fn sha256(&self) -> &str {
        self.network.network().sha256()
    }

    /// The SHA-256 of the model's description, in hex.
    pub fn description_sha256(&self) -> &str {
        self.network.network().description_sha256()
    }

    /// Minimum score of the top class, 0..1, below which the label is `unknown` unless another minimum is set.
    pub fn min_confidence(&self, prior: Prior) -> f32 {
        self.description().outputs[self.description().output_of(prior)].min_confidence
    }

    /// What baselines of faces are measured against; none if the model's description does not have it.
    pub fn class_means(&self, prior: Prior) -> Option<ClassMeans> {
        ClassMeans::of(&self.description().outputs[self.description().output_of(prior)])
    }

    /// How far a face may turn before its label is `unknown`.
    pub fn pose_limits(&self) -> PoseLimits {
        let ModelDescription { max_yaw, max_pitch, .. } = *self.description();
        PoseLimits { yaw: max_yaw, pitch: max_pitch }
    }

    /// The names of the classes.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// Duration of each step of the last [`classify`](Self::classify), summed over its batches.
    pub fn step_times(&self) -> StepTimes {
        self.network.step_times()
    }

    /// The scores of each face, in order. A face whose box is invalid gets the scores of the pixels at the nearest edge of the
    /// frame.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message.
    pub fn classify(&mut self, view: &FrameView, faces: &[CropFace]) -> Result<&[Scores]> {
        let mut crops = std::mem::take(&mut self.crops);
        self.network.frame(faces, &mut crops);
        let classified = self.classify_all(view, &crops);
        self.crops = crops;
        classified.map(|()| &self.scores[..])
    }

    /// The scores of each face of `batch`; `view` is its frame.
    ///
    /// # Errors
    /// Those of [`classify`](Self::classify).
    pub fn classify_batch(&mut self, view: &FrameView, batch: &Batch) -> Result<Vec<Scores>> {
        let faces: Vec<CropFace> = batch.faces.iter().map(|face| CropFace::with_geometry(face, view.size())).collect();
        Ok(self.classify(view, &faces)?.to_vec())
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
        self.scores.clear();
        let described = self.description().output_of(self.prior);
        let output = self.outputs[described].expect("the outputs of all priors were looked up");
        let OutputDescription { activation, temperature, .. } = self.description().outputs[described];
        let (classes, scores) = (self.labels.len(), &mut self.scores);
        self.network.run(view, crops, |outputs, crops| {
            let values = outputs.get_exactly(output, classes * crops.len())?;
            scores.extend(values.chunks_exact(classes).map(|values| match activation {
                Activation::Softmax => Scores::from_logits(values, temperature),
                Activation::None => Scores::from_probabilities(values.iter().copied()),
            }));
            Ok(())
        })
    }
}

/// For each described output that serves a prior, its index in the graph; or a text that says what the graph lacks.
fn prior_outputs(network: &CropNetwork) -> std::result::Result<Vec<Option<usize>>, String> {
    let description = network.description();
    let mut found = vec![None; description.outputs.len()];
    for prior in [Prior::Natural, Prior::Balanced] {
        let index = description.output_of(prior);
        let (described, first) = (&description.outputs[index], &description.outputs[0]);
        if described.labels != first.labels {
            return Err(format!("outputs {} and {} with the same labels in its description", first.name, described.name));
        }
        found[index] = Some(network.output(&described.name, described.labels.len())?);
    }
    Ok(found)
}
