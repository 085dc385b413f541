// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the network detectors share: loading, letterboxing, running; only the decoding differs.

use super::refiner::Refiner;
use super::{DetectOptions, Detection, FaceDetector, centerface, emotionface, select, ultraface, yunet};
use crate::error::{Error, Result};
use crate::geometry::{Landmarks5, Point, Rect, Size};
use crate::image::FrameView;
use crate::image::tensor::{InputFormat, Layout, Preprocessor};
use crate::model::onnx::free_size;
use crate::model::runtime::{Network, Outputs, RunOptions, TensorSpec};
use crate::model::search_path::SearchPath;
use crate::model::{MAX_SIDE, ModelFile};
use crate::statistics::{StepTimes, Stopwatch};

/// Input sides are multiples of this, the coarsest stride of the known detectors.
const SIDE_MULTIPLE: u32 = 32;
/// What a network that takes any size is tried on when it is loaded: more than one cell of each stride.
const PROBE_SIZE: Size = Size::new(2 * SIDE_MULTIPLE, 2 * SIDE_MULTIPLE);

/// From a network's outputs to candidates with at least `score_threshold`, in pixels of the network's input.
type Decode = fn(&Outputs, Size, f32, &mut Vec<Detection>) -> Result<()>;

/// The network detectors that are recognised by their outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// This project's own: one output for each stride, see [`emotionface`].
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

    /// The name of models without a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmotionFace => "emotion-face",
            Self::CenterFace => "centerface",
            Self::UltraFace => "ultraface",
            Self::YuNet => "yunet",
        }
    }

    fn recognise(network: &Network) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.matches(network.outputs()))
    }

    fn matches(self, outputs: &[TensorSpec]) -> bool {
        match self {
            Self::EmotionFace => emotionface::matches(outputs),
            Self::CenterFace => centerface::matches(outputs),
            Self::UltraFace => ultraface::matches(outputs),
            Self::YuNet => yunet::matches(outputs),
        }
    }

    fn input_format(self) -> InputFormat {
        match self {
            Self::EmotionFace => emotionface::input_format(),
            Self::CenterFace => centerface::input_format(),
            Self::UltraFace => ultraface::input_format(),
            Self::YuNet => yunet::input_format(),
        }
    }

    fn decode(self) -> Decode {
        match self {
            Self::EmotionFace => emotionface::decode,
            Self::CenterFace => centerface::decode,
            Self::UltraFace => ultraface::decode,
            Self::YuNet => yunet::decode,
        }
    }

    /// False if the graph holds what belongs to one size of input, such as anchors.
    const fn any_size(self) -> bool {
        !matches!(self, Self::UltraFace)
    }
}

/// How a frame was laid into a network's input: reduced by one factor to `content` in the top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letterbox {
    /// The frame's size.
    pub source: Size,
    /// The part of the input that shows the frame.
    pub content: Size,
    /// The input's size.
    pub input: Size,
}

impl Letterbox {
    /// The longer side becomes `longer_side` pixels (0 keeps the frame's own), the input's sides are rounded up to
    /// multiples of `multiple`.
    pub fn new(source: Size, longer_side: u32, multiple: u32) -> Self {
        let own = source.width.max(source.height);
        let content = reduced(source, if longer_side == 0 { 1.0 } else { longer_side as f32 / own as f32 });
        let input = Size::new(content.width.next_multiple_of(multiple), content.height.next_multiple_of(multiple));
        Self { source, content, input }
    }

    /// As large as it fits into `input`.
    pub fn within(source: Size, input: Size) -> Self {
        let scale = (input.width as f32 / source.width as f32).min(input.height as f32 / source.height as f32);
        Self { source, content: reduced(source, scale), input }
    }

    /// Pixels of the input for each of the frame.
    pub fn scale(&self) -> f32 {
        let longer = |size: Size| size.width.max(size.height) as f32;
        longer(self.content) / longer(self.source)
    }

    fn factors(&self) -> (f32, f32) {
        (self.source.width as f32 / self.content.width as f32, self.source.height as f32 / self.content.height as f32)
    }

    /// From pixels of the input to pixels of the frame.
    pub fn to_source(&self, rect: Rect) -> Rect {
        let (sx, sy) = self.factors();
        rect.scaled(sx, sy)
    }

    /// From pixels of the input to pixels of the frame.
    pub fn landmarks_to_source(&self, landmarks: Landmarks5) -> Landmarks5 {
        let (sx, sy) = self.factors();
        landmarks.map(|point| Point::new(point.x * sx, point.y * sy))
    }
}

fn reduced(source: Size, scale: f32) -> Size {
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    Size::new(side(source.width), side(source.height))
}

/// A face detector that is an ONNX network of a known [`Family`].
pub struct NetworkDetector {
    network: Network,
    /// What has a second look at what the network finds.
    refiner: Option<Refiner>,
    name: String,
    format: InputFormat,
    decode: Decode,
    detect_size: u32,
    /// The size of input that the file insists on.
    fixed: Option<Size>,
    preprocessor: Preprocessor,
    step_times: StepTimes,
}

impl NetworkDetector {
    /// Loads `model` and recognises what it is by its outputs. `detect_size` is the longer side of the network's
    /// input in pixels, 0 for the frame's own; a network with anchors (UltraFace) keeps the size that it declares.
    ///
    /// # Errors
    /// Those of [`Network::load`], and of [`Refiner::load`] if its description names one; [`Error::Model`] with the
    /// outputs that were found if the family is not known, or is not the one `wanted`, or if the network cannot be run on a
    /// picture or gives outputs whose lengths disagree.
    pub fn load(model: ModelFile, wanted: Option<Family>, detect_size: u32, search: &SearchPath, run: RunOptions) -> Result<Self> {
        let mut network = Network::load(&model, search, run)?;
        let family = Family::recognise(&network);
        let expected = match wanted {
            Some(family) => format!("a face detector with the outputs of {}", family.name()),
            None => format!("a face detector with the outputs of {}", Family::ALL.map(Family::name).join(", ")),
        };
        let wrong = |expected, network: &Network| Error::Model { path: model.path.clone(), expected, found: network.signature() };
        let Some(family) = family.filter(|family| wanted.is_none_or(|wanted| wanted == *family)) else {
            return Err(wrong(expected, &network));
        };
        let description = model.description.as_ref();
        let format = description.map_or_else(|| family.input_format(), |description| description.input.format());
        let input = picture_input(&network, &format).map_err(|expected| wrong(expected, &network))?;
        let fixed = if family.any_size() {
            if input.shape.iter().skip(2).any(Option::is_some)
                && let Some(freed) = free_size(&model.bytes, &input.name)
            {
                network = Network::load(&ModelFile { bytes: freed.into(), ..model.clone() }, search, run)?;
            }
            None
        } else {
            let expected = || format!("an input [1, 3, H, W] of a size that the file declares, with sides of at most {MAX_SIDE}");
            Some(picture_size(input).ok_or_else(|| wrong(expected(), &network))?)
        };
        let probed = fixed.unwrap_or(PROBE_SIZE);
        let expected = format!("outputs of {} for a picture of {}x{}", family.name(), probed.width, probed.height);
        network.probe(&model.path, format.shape(1, probed), &expected, |outputs| family.decode()(outputs, probed, 0.5, &mut Vec::new()))?;
        let refiner = description.and_then(|description| description.refiner.as_deref());
        let refiner = refiner.map(|name| Refiner::load(name, search, run)).transpose()?;
        Ok(Self {
            network,
            refiner,
            name: description.map_or_else(|| family.name().to_string(), |description| description.name.clone()),
            format,
            decode: family.decode(),
            detect_size,
            fixed,
            preprocessor: Preprocessor::quick(),
            step_times: StepTimes::default(),
        })
    }

    /// How a picture is laid into the input, with a longer side as for [`Letterbox::new`] if the network takes any.
    fn letterbox(&self, source: Size, longer_side: u32) -> Letterbox {
        self.fixed.map_or_else(|| Letterbox::new(source, longer_side, SIDE_MULTIPLE), |input| Letterbox::within(source, input))
    }

    /// Replaces `detections` by the faces of the part `region` of `view`, which `letterbox` lays into the input.
    fn search(
        &mut self,
        view: &FrameView,
        region: Rect,
        letterbox: Letterbox,
        options: &DetectOptions,
        detections: &mut Vec<Detection>,
    ) -> Result<()> {
        let mut clock = Stopwatch::start();
        detections.clear();
        let input = self.network.input(self.format.shape(1, letterbox.input))?;
        self.preprocessor.write(view, region, letterbox.content, &self.format, letterbox.input, input);
        let preprocess = clock.lap();
        let outputs = self.network.run()?;
        let inference = clock.lap();
        let wanted = options.score_threshold;
        let least = if self.refiner.is_some() { Refiner::candidate_threshold(wanted) } else { wanted };
        (self.decode)(&outputs, letterbox.input, least, detections)?;
        for found in detections.iter_mut() {
            found.rect = letterbox.to_source(found.rect).translated(region.x, region.y);
            let to_frame = |landmarks: Landmarks5| {
                letterbox.landmarks_to_source(landmarks).map(|point| Point::new(point.x + region.x, point.y + region.y))
            };
            found.landmarks = found.landmarks.map(to_frame);
        }
        // Which are the best ones is known after the second look.
        let max_faces = if self.refiner.is_some() { 0 } else { options.max_faces };
        select(detections, &DetectOptions { max_faces, ..*options }, view.size());
        self.step_times = StepTimes { preprocess, inference, postprocess: clock.lap() };
        if let Some(refiner) = &mut self.refiner {
            self.step_times += refiner.refine(view, letterbox.scale(), detections)?;
            detections.retain(|found| found.confidence >= options.score_threshold);
            // Two boxes may have been moved onto one face.
            select(detections, options, view.size());
        }
        Ok(())
    }
}

/// The network's one input, which has to take pictures with the channels of `format`; else what it should be.
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

/// Width and height of an input `[N, C, H, W]` that declares both, if they are no larger than those of any known network.
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

    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.search(view, view.size().rect(), self.letterbox(view.size(), self.detect_size), options, detections)
    }

    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        let size = Size::new(region.w as u32, region.h as u32);
        let longer_side = self.detect_size.max(size.width.max(size.height));
        self.search(view, region, self.letterbox(size, longer_side), options, detections)
    }

    fn scale(&self, frame: Size) -> f32 {
        self.letterbox(frame, self.detect_size).scale()
    }

    fn input_size(&self) -> Option<Size> {
        self.fixed
    }

    fn step_times(&self) -> Option<StepTimes> {
        Some(self.step_times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letterbox_of_common_sizes() {
        let vga = Letterbox::new(Size::new(640, 480), 320, 32);
        assert_eq!((vga.content, vga.input), (Size::new(320, 240), Size::new(320, 256)));
        let portrait = Letterbox::new(Size::new(1080, 1920), 320, 32);
        assert_eq!((portrait.content, portrait.input), (Size::new(180, 320), Size::new(192, 320)));
        let own = Letterbox::new(Size::new(641, 479), 0, 32);
        assert_eq!((own.content, own.input), (Size::new(641, 479), Size::new(672, 480)));
        let line = Letterbox::new(Size::new(4000, 1), 320, 32);
        assert_eq!((line.content, line.input), (Size::new(320, 1), Size::new(320, 32)));
    }

    #[test]
    fn a_letterbox_of_a_fixed_size_shows_the_whole_frame() {
        let input = Size::new(320, 240);
        for (source, content) in [((640, 480), (320, 240)), ((1920, 1080), (320, 180)), ((1080, 1920), (135, 240)), ((10, 10), (240, 240))]
        {
            let letterbox = Letterbox::within(Size::new(source.0, source.1), input);
            assert_eq!((letterbox.content, letterbox.input), (Size::new(content.0, content.1), input));
        }
    }

    #[test]
    fn the_contents_corner_is_the_frames_corner() {
        for source in [Size::new(641, 479), Size::new(1, 1), Size::new(17, 33)] {
            let letterbox = Letterbox::new(source, 320, 32);
            let back = letterbox.to_source(letterbox.content.rect());
            assert!((back.right() - source.width as f32).abs() < 1e-3 && (back.bottom() - source.height as f32).abs() < 1e-3);
        }
    }
}
