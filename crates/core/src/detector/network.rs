// SPDX-License-Identifier: MIT OR Apache-2.0
//! Detectors that are ONNX networks: loading, letterboxing and running them. Each family decodes its own outputs.

use super::refiner::Refiner;
use super::{DetectOptions, Detection, FaceDetector, centerface, emotionface, select, ultraface, yunet};
use crate::error::{Error, Result};
use crate::geometry::{Landmarks5, Point, Rect, Size};
use crate::image::FrameView;
use crate::image::letterbox::Letterbox;
use crate::image::tensor::{InputFormat, Layout, Preprocessor};
use crate::model::onnx::free_size;
use crate::model::runtime::{Execution, Network, Outputs, TensorSpec};
use crate::model::search_path::SearchPath;
use crate::model::{MAX_SIDE, ModelFile, embedded};
use crate::statistics::StepTimes;

/// Input sides are multiples of this, the coarsest stride of the known detectors.
const SIDE_MULTIPLE: u32 = 32;
/// Inputs that show a part of a frame have sides that are multiples of this, so that there are few different sizes.
/// ONNX Runtime plans the memory of each.
const PART_MULTIPLE: u32 = 2 * SIDE_MULTIPLE;
/// Size of the trial run of a network that accepts any size: more than one cell of each stride.
const PROBE_SIZE: Size = Size::new(2 * SIDE_MULTIPLE, 2 * SIDE_MULTIPLE);

/// Appends the candidates of at least the given confidence, in pixels of the network's input of the given size.
type Decode = fn(&Outputs, Size, f32, &mut Vec<Detection>) -> Result<()>;

/// The families of networks, recognised by their outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// This project's own: one output per stride, see [`emotionface`].
    EmotionFace,
    /// Heatmap at stride 4, see [`centerface`].
    CenterFace,
    /// Scores and boxes of fixed anchors, see [`ultraface`].
    UltraFace,
    /// Three strides of classes, boxes and landmarks, see [`yunet`].
    YuNet,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::EmotionFace, Self::CenterFace, Self::UltraFace, Self::YuNet];

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name of a model of this family that has no description.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The model of this family that is used unless a file is given: for `EmotionFace` the one compiled in or found instead,
    /// for the others `NAME/NAME.onnx` of the search path.
    ///
    /// # Errors
    /// Those of [`ModelFile::named`] and [`SearchPath::model`].
    pub fn default_model(self, search: &SearchPath) -> Result<ModelFile> {
        match self {
            Self::EmotionFace => ModelFile::named(embedded::FACE, search),
            _ => ModelFile::open(&search.model(self.name(), &format!("{}.onnx", self.name()))?),
        }
    }

    fn recognise(network: &Network) -> Option<Self> {
        Self::ALL.into_iter().find(|family| (family.row().matches)(network.outputs()))
    }
}

/// What is known of a family.
struct Row {
    /// The name of a model without a description.
    name: &'static str,
    /// True for the outputs of such a network.
    matches: fn(&[TensorSpec]) -> bool,
    /// The input, unless a description says otherwise.
    input_format: fn() -> InputFormat,
    decode: Decode,
    /// False if the graph is made for one size of input, as by its anchors.
    accepts_any_size: bool,
}

/// A row for each of [`Family::ALL`].
#[rustfmt::skip]
const ROWS: [Row; 4] = [
    Row { name: "emotion-face", matches: emotionface::matches, input_format: emotionface::input_format, decode: emotionface::decode, accepts_any_size: true },
    Row { name: "centerface", matches: centerface::matches, input_format: centerface::input_format, decode: centerface::decode, accepts_any_size: true },
    Row { name: "ultraface", matches: ultraface::matches, input_format: ultraface::input_format, decode: ultraface::decode, accepts_any_size: false },
    Row { name: "yunet", matches: yunet::matches, input_format: yunet::input_format, decode: yunet::decode, accepts_any_size: true },
];

/// A face detector that runs an ONNX network of a known [`Family`].
pub struct NetworkDetector {
    network: Network,
    /// Corrects what the network finds.
    refiner: Option<Refiner>,
    name: String,
    format: InputFormat,
    decode: Decode,
    detect_size: u32,
    /// Sizes at which whole frames are searched too, as shares of `detect_size`.
    further_scales: &'static [f32],
    /// The size of input that the graph is fixed to.
    fixed_size: Option<Size>,
    score_threshold: f32,
    preprocessor: Preprocessor,
    step_times: StepTimes,
}

impl NetworkDetector {
    /// Loads `model` and recognises its family by its outputs. `detect_size` is the longer side of the network's input in
    /// pixels, 0 for the frame's own; a network with anchors (UltraFace) keeps the size that it declares.
    ///
    /// # Errors
    /// Those of [`Network::load`], and of [`Refiner::load`] if the description names one. [`Error::Model`] with the signature
    /// of the graph if its family is unknown or not the `expected` one, if a trial run fails, or if the lengths of its
    /// outputs are inconsistent.
    pub fn load(
        model: ModelFile,
        expected: Option<Family>,
        detect_size: u32,
        search: &SearchPath,
        run: impl Into<Execution>,
    ) -> Result<Self> {
        let execution = run.into();
        let mut network = Network::load(&model, search, execution.clone())?;
        let family = Family::recognise(&network);
        let described = match expected {
            Some(family) => format!("a face detector with the outputs of {}", family.name()),
            None => format!("a face detector with the outputs of {}", Family::ALL.map(Family::name).join(", ")),
        };
        let error = |expected, network: &Network| Error::Model { path: model.path.clone(), expected, found: network.signature() };
        let Some(family) = family.filter(|family| expected.is_none_or(|expected| expected == *family)) else {
            return Err(error(described, &network));
        };
        let description = model.description.as_ref();
        let format = description.map_or_else(|| (family.row().input_format)(), |description| description.input.format());
        let input = picture_input(&network, &format).map_err(|expected| error(expected, &network))?;
        let fixed_size = if family.row().accepts_any_size {
            if input.shape.iter().skip(2).any(Option::is_some)
                && let Some(freed) = free_size(&model.bytes, &input.name)
            {
                network = Network::load(&ModelFile { bytes: freed.into(), ..model.clone() }, search, execution.clone())?;
            }
            None
        } else {
            let expected = || format!("an input [1, 3, H, W] of a size that the file declares, with sides of at most {MAX_SIDE}");
            Some(picture_size(input).ok_or_else(|| error(expected(), &network))?)
        };
        let probed = fixed_size.unwrap_or(PROBE_SIZE);
        let expected = format!("outputs of {} for a picture of {}x{}", family.name(), probed.width, probed.height);
        network.probe(&model.path, format.shape(1, probed), &expected, |outputs| {
            (family.row().decode)(outputs, probed, 0.5, &mut Vec::new())
        })?;
        let described_threshold = description.and_then(|description| description.score_threshold);
        let refiner = description.and_then(|description| description.refiner.as_deref());
        let refiner = refiner.map(|name| Refiner::load(name, search, &execution)).transpose()?;
        Ok(Self {
            network,
            refiner,
            name: description.map_or_else(|| family.name().to_string(), |description| description.name.clone()),
            format,
            decode: family.row().decode,
            detect_size,
            further_scales: &[],
            fixed_size,
            score_threshold: described_threshold.unwrap_or(DetectOptions::default().score_threshold),
            preprocessor: Preprocessor::quick(),
            step_times: StepTimes::default(),
        })
    }

    /// Searches whole frames at further sizes, too: at these shares of `detect_size`. Large faces that are turned or cut off by the edge
    /// are found at a smaller size. A network that keeps its own size does not.
    #[must_use]
    pub fn with_scales(mut self, shares: &'static [f32]) -> Self {
        self.further_scales = if self.fixed_size.is_none() { shares } else { &[] };
        self
    }

    /// How a picture is scaled into the input; `longer_side` as for [`Letterbox::new`] if the network accepts any size.
    fn letterbox(&self, source: Size, longer_side: u32) -> Letterbox {
        self.fixed_size.map_or_else(|| Letterbox::new(source, longer_side, SIDE_MULTIPLE), |input| Letterbox::within(source, input))
    }

    /// Replaces `detections` with the faces in `region` of `view`, which `letterbox` scales into the input.
    fn search(
        &mut self,
        view: &FrameView,
        region: Rect,
        letterbox: Letterbox,
        options: &DetectOptions,
        detections: &mut Vec<Detection>,
    ) -> Result<()> {
        detections.clear();
        let (network_input, threshold) = (letterbox.input, options.score_threshold);
        let candidate_threshold = if self.refiner.is_some() { Refiner::candidate_threshold(threshold) } else { threshold };
        // The refiner changes confidences, so the best faces are known only after it.
        let max_faces = if self.refiner.is_some() { 0 } else { options.max_faces };
        let (format, preprocessor, decode) = (&self.format, &mut self.preprocessor, self.decode);
        let write = |input: &mut [f32]| {
            preprocessor.write(view, region, letterbox.content, format, network_input, input);
        };
        self.step_times = self.network.run(format.shape(1, network_input), write, |outputs| {
            decode(outputs, network_input, candidate_threshold, detections)?;
            for found in detections.iter_mut() {
                found.rect = letterbox.to_source(found.rect).translated(region.x, region.y);
                let to_frame = |landmarks: Landmarks5| {
                    letterbox.landmarks_to_source(landmarks).map(|point| Point::new(point.x + region.x, point.y + region.y))
                };
                found.landmarks = found.landmarks.map(to_frame);
            }
            select(detections, &DetectOptions { max_faces, ..*options }, view.size());
            Ok(())
        })?;
        if let Some(refiner) = &mut self.refiner {
            self.step_times += refiner.refine(view, letterbox.scale(), detections)?;
            detections.retain(|found| found.confidence >= options.score_threshold);
            // The refiner may have moved two boxes onto one face.
            select(detections, options, view.size());
        }
        Ok(())
    }
}

/// The network's only input, if it takes pictures with the channels of `format`; else a text that says what is expected.
fn picture_input<'a>(network: &'a Network, format: &InputFormat) -> std::result::Result<&'a TensorSpec, String> {
    let channels = format.colour.channels();
    let (axis, shape) = match format.layout {
        Layout::Nchw => (1, format!("[1, {channels}, H, W]")),
        Layout::Nhwc => (3, format!("[1, H, W, {channels}]")),
    };
    match network.inputs() {
        [input] if input.shape.len() == 4 && input.shape[axis].is_none_or(|length| length == channels) => Ok(input),
        _ => Err(format!("one input {shape}")),
    }
}

/// Width and height of an input `[N, C, H, W]`, if it declares both and neither exceeds [`MAX_SIDE`].
fn picture_size(input: &TensorSpec) -> Option<Size> {
    let side = |length: usize| u32::try_from(length).ok().filter(|side| (1..=MAX_SIDE).contains(side));
    match input.shape[..] {
        [_, _, Some(height), Some(width)] => Some(Size::new(side(width)?, side(height)?)),
        _ => None,
    }
}

impl FaceDetector for NetworkDetector {
    fn name(&self) -> &str {
        &self.name
    }

    fn sha256(&self) -> String {
        let refiner = self.refiner.as_ref().map(Refiner::sha256);
        [self.network.sha256()].into_iter().chain(refiner).collect::<Vec<_>>().join(" ")
    }

    fn description_sha256(&self) -> String {
        let refiner = self.refiner.as_ref().map(Refiner::description_sha256);
        [self.network.description_sha256()].into_iter().chain(refiner).collect::<Vec<_>>().join(" ")
    }

    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        let (frame, whole) = (view.size(), view.size().rect());
        self.search(view, whole, self.letterbox(frame, self.detect_size), options, detections)?;
        let own_size = if self.detect_size == 0 { frame.width.max(frame.height) } else { self.detect_size };
        let (mut times, mut further) = (self.step_times, Vec::new());
        for share in self.further_scales {
            self.search(view, whole, self.letterbox(frame, (own_size as f32 * share) as u32), options, &mut further)?;
            detections.append(&mut further);
            times += self.step_times;
        }
        if !self.further_scales.is_empty() {
            self.step_times = times;
            select(detections, options, frame);
        }
        Ok(())
    }

    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        let size = Size::new(region.w as u32, region.h as u32);
        let longer_side = self.detect_size.max(size.width.max(size.height));
        self.search(view, region, self.letterbox(size, longer_side), options, detections)
    }

    fn detect_part(&mut self, view: &FrameView, part: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        // An accelerator searches the frame as fast as a part of it, and compiles the graph for each size.
        if self.fixed_size.is_some() || !self.further_scales.is_empty() || !self.network.is_on_cpu() {
            return self.detect(view, options, detections);
        }
        let (region, letterbox) = self.letterbox(view.size(), self.detect_size).of_part(part, PART_MULTIPLE);
        self.search(view, region, letterbox, options, detections)
    }

    fn score_threshold(&self) -> f32 {
        self.score_threshold
    }

    fn scale(&self, frame: Size) -> f32 {
        self.letterbox(frame, self.detect_size).scale()
    }

    fn input_size(&self) -> Option<Size> {
        self.fixed_size
    }

    fn step_times(&self) -> Option<StepTimes> {
        Some(self.step_times)
    }
}
