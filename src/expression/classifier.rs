// SPDX-License-Identifier: MIT OR Apache-2.0
//! From boxed faces to scores: crop, one batch through the network, softmax.

use crate::error::{Error, Result};
use crate::geometry::{Crop, Landmarks5, Rect, Size};
use crate::image::FrameView;
use crate::image::tensor::{InputFormat, Preprocessor};
use crate::model::preset::{self, fits, picture_shape};
use crate::model::runtime::{Network, RunOptions};
use crate::model::search_path::SearchPath;
use crate::model::{Activation, ModelDescription, ModelFile, OutputDescription, Task};
use crate::scores::{LabelSet, Scores};
use crate::statistics::{StepTimes, Stopwatch};

macro_rules! compiled_in {
    ($($name:literal),+) => {
        [$(($name, include_bytes!(concat!("../../models/", $name, "/model.onnx")), include_str!(concat!("../../models/", $name, "/model.toml")))),+]
    };
}

/// The expression models that are compiled in: name, file and description. The first is the default.
const EMBEDDED: [(&str, &[u8], &str); 3] = compiled_in!("expression", "expression-int8", "expression-tiny");

/// A face to be classified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face<'a> {
    /// The box in pixels of the frame.
    pub rect: Rect,
    /// Who boxed it, since every detector frames a face in its own way.
    pub detector: Option<&'a str>,
    /// Its landmarks in pixels of the frame, if they are known.
    pub landmarks: Option<Landmarks5>,
}

/// An expression model, ready to score faces.
pub struct Classifier {
    network: Network,
    description: ModelDescription,
    labels: LabelSet,
    output: usize,
    format: InputFormat,
    size: Size,
    batch_size: usize,
    /// The graph takes no more than one picture.
    one_by_one: bool,
    preprocessor: Preprocessor,
    /// Of the present frame.
    crops: Vec<Crop>,
    scores: Vec<Scores>,
    step_times: StepTimes,
}

impl Classifier {
    /// The default model: as [`load_named`](Self::load_named).
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_default(search: &SearchPath, run: RunOptions) -> Result<Self> {
        Self::load_named(EMBEDDED[0].0, search, run)
    }

    /// The model that lies in a folder of this name on the search path, or is compiled in: `expression`,
    /// `expression-int8`, `expression-tiny`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another name that no folder has; those of [`load`](Self::load).
    pub fn load_named(name: &str, search: &SearchPath, run: RunOptions) -> Result<Self> {
        let embedded = EMBEDDED.iter().find(|(embedded, ..)| *embedded == name);
        let model = match (search.model(name, "model.onnx"), embedded) {
            (Ok(path), _) => ModelFile::open(&path)?,
            (Err(_), Some((_, bytes, description))) => ModelFile::embedded(&format!("{name}/model.onnx"), bytes, description)?,
            (Err(Error::NotFound { what, looked, .. }), None) => {
                let names: Vec<_> = EMBEDDED.iter().map(|(name, ..)| *name).collect();
                let remedy = format!("give the path of an ONNX file, or the name of a model that is compiled in: {}", names.join(", "));
                return Err(Error::NotFound { what, looked, remedy });
            }
            (Err(error), None) => return Err(error),
        };
        Self::load(model, search, run)
    }

    /// Loads `model` as its description says.
    ///
    /// # Errors
    /// Those of [`Network::load`]; [`Error::Model`] if there is no description, it is not of an expression model, the
    /// file's inputs and outputs are not the described ones, or it cannot be run on a picture.
    pub fn load(model: ModelFile, search: &SearchPath, run: RunOptions) -> Result<Self> {
        let mut network = Network::load(&model, search, run)?;
        let wrong = |expected: String, found: String| Error::Model { path: model.path.clone(), expected, found };
        let recognised = || preset::recognise(network.inputs(), network.outputs());
        let Some(description) = model.description.clone().or_else(recognised) else {
            let expected = "a description, as model.toml beside it or the same name ending in .toml, or the signature of a known model";
            return Err(wrong(expected.into(), format!("none, for {}", network.signature())));
        };
        if description.task != Task::Expression {
            return Err(wrong("an expression model".into(), format!("{} for the task {:?}", description.name, description.task)));
        }
        let Some(size) = description.input.size() else {
            return Err(wrong("width and height in [input] of its description".into(), "none".into()));
        };
        let described = description.outputs.first().filter(|output| !output.labels.is_empty());
        let Some(described) = described else {
            return Err(wrong("an [[output]] with labels in its description".into(), "none".into()));
        };
        let output = check_signature(&network, &description, described).map_err(|expected| wrong(expected, network.signature()))?;
        // A graph for one picture takes the faces one by one.
        let [input] = network.inputs() else { return Err(wrong("one input".into(), network.signature())) };
        let fixed_batch = input.shape.first().copied().flatten();
        if fixed_batch.is_some_and(|pictures| pictures != 1) {
            return Err(wrong("an input for one picture or any number".into(), network.signature()));
        }
        let (labels, format) = (LabelSet::new(described.labels.iter().cloned()), description.input.format());
        let expected = format!("an output {} [N, {}]", described.name, labels.len());
        network.probe(&model.path, format.shape(1, size), &expected, |outputs| outputs.get_exactly(output, labels.len()).map(|_| ()))?;
        let (preprocessor, crops, scores, step_times) = Default::default();
        Ok(Self {
            network,
            labels,
            output,
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

    /// Most faces in one run of the network; 0 puts all of a frame into one.
    pub fn set_batch_size(&mut self, batch_size: usize) {
        self.batch_size = batch_size;
    }

    /// What the model is, as its description or the preset it was recognised by says.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// The names of the classes.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// How long the steps of the last [`classify`](Self::classify) took, all its batches together.
    pub fn step_times(&self) -> StepTimes {
        self.step_times
    }

    /// The scores of each face, in order; a face whose box is not valid gets the scores of what is at the frame's
    /// nearest edge.
    ///
    /// # Errors
    /// [`Error::Inference`] with the runtime's words.
    pub fn classify(&mut self, view: &FrameView, faces: &[Face]) -> Result<&[Scores]> {
        let framing = &self.description.framing;
        let mut crops = std::mem::take(&mut self.crops);
        crops.clear();
        crops.extend(faces.iter().map(|face| framing.crop(face.rect, face.detector, face.landmarks.as_ref())));
        let classified = self.classify_all(view, &crops);
        self.crops = crops;
        classified.map(|()| &self.scores[..])
    }

    /// The scores of each crop, in order, for faces that are framed already.
    ///
    /// # Errors
    /// [`Error::Inference`] with the runtime's words.
    pub fn classify_crops(&mut self, view: &FrameView, crops: &[Crop]) -> Result<&[Scores]> {
        self.classify_all(view, crops).map(|()| &self.scores[..])
    }

    /// Replaces `scores` by those of `crops`.
    fn classify_all(&mut self, view: &FrameView, crops: &[Crop]) -> Result<()> {
        let mut clock = Stopwatch::start();
        self.step_times = StepTimes::default();
        self.scores.clear();
        let batch = match self.batch_size {
            _ if self.one_by_one => 1,
            0 => crops.len().max(1),
            most => most,
        };
        for crops in crops.chunks(batch) {
            let shape = self.format.shape(crops.len(), self.size);
            let pictures = self.network.input(shape)?.chunks_exact_mut(shape[1..].iter().product());
            for (picture, &crop) in pictures.zip(crops) {
                self.preprocessor.write_crop(view, crop, &self.format, self.size, picture);
            }
            let preprocess = clock.lap();
            let outputs = self.network.run()?;
            let inference = clock.lap();
            let classes = self.labels.len();
            let values = outputs.get_exactly(self.output, classes * crops.len())?;
            let described = &self.description.outputs[0];
            self.scores.extend(values.chunks_exact(classes).map(|values| match described.activation {
                Activation::Softmax => Scores::from_logits(values, described.temperature),
                Activation::None => Scores::from_probabilities(values.iter().copied()),
            }));
            self.step_times += StepTimes { preprocess, inference, postprocess: clock.lap() };
        }
        Ok(())
    }
}

/// The index of the described output, or what the graph would have to have.
fn check_signature(network: &Network, description: &ModelDescription, described: &OutputDescription) -> std::result::Result<usize, String> {
    let (input, picture) = (&description.input.name, picture_shape(description).unwrap_or_default());
    if !network.inputs().iter().any(|spec| spec.name == *input && fits(spec, &picture)) {
        return Err(format!("an input {input} [N, {}, {}, {}]", picture[0], picture[1], picture[2]));
    }
    let (name, classes) = (&described.name, described.labels.len());
    let index = network.outputs().iter().position(|spec| spec.name == *name && fits(spec, &[classes]));
    index.ok_or_else(|| format!("an output {name} [N, {classes}]"))
}
