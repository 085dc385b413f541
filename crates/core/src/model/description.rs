// SPDX-License-Identifier: MIT OR Apache-2.0
//! The schema of `model.toml`.
//!
//! A description holds what an ONNX file does not: how a picture is converted to the network's input, and what its outputs
//! mean. It lies beside the file, as `X.toml` for `X.onnx` or as `model.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::choices::Prior;
use crate::error::{Error, Result};
use crate::geometry::Size;
use crate::image::tensor::{Colour, InputFormat, Layout, Normalization};

/// Maximum width and height of a network's input, in pixels. A picture of this size takes 50 MB in `f32`; no known face
/// classifier takes more than 300 pixels.
pub const MAX_SIDE: u32 = 2048;

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Detects faces.
    Face,
    /// Scores the expression of a cropped face.
    Expression,
    /// Corrects box, landmarks and confidence of a detected face.
    Refine,
    /// Estimates landmarks, pose and blendshapes of a cropped face.
    Geometry,
}

/// The contents of a `model.toml`. Unknown keys are ignored; values that no model can have are refused on reading.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ModelDescription {
    /// Short name, as written into metadata.
    pub name: String,
    /// Version of the weights.
    #[serde(default)]
    pub version: String,
    /// What the model does.
    pub task: Task,
    /// SHA-256 of the ONNX file in hexadecimal, checked when the file is loaded. Not checked if absent or empty.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The input.
    pub input: InputDescription,
    /// The outputs that are used, the most important first.
    #[serde(default, rename = "output")]
    pub outputs: Vec<OutputDescription>,
    /// How an expression model's input is cropped from the frame.
    #[serde(default)]
    pub framing: Framing,
    /// The model that refines the detections of a face model: the name of its folder in the models' folders, not a path.
    #[serde(default)]
    pub refiner: Option<String>,
    /// Minimum confidence, 0..1, of a face that a face model reports, unless another one is set; 0.5 if absent.
    #[serde(default)]
    pub score_threshold: Option<f32>,
    /// Maximum yaw to either side, in degrees, at which an expression model is used. A face that is turned farther has the label
    /// `unknown`; absent for no limit.
    #[serde(default)]
    pub max_yaw: Option<f32>,
    /// The same for the pitch up or down.
    #[serde(default)]
    pub max_pitch: Option<f32>,
    /// Name of the ONNX file, not a path. It informs people and scripts; it does not decide which file is loaded.
    #[serde(default)]
    pub file: Option<String>,
    /// Licence of the weights.
    #[serde(default)]
    pub licence: Option<String>,
    /// Where the weights come from.
    #[serde(default)]
    pub source: Option<String>,
    /// `[measured]`: figures by their names, as in the model's card. Values that are no numbers are left out.
    #[serde(default, deserialize_with = "numbers")]
    pub measured: BTreeMap<String, f64>,
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BTreeMap<String, f64>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let number = |value: &toml::Value| value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
    Ok(value.as_table().into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect())
}

/// `[input]` of a description.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct InputDescription {
    /// Name of the graph's input.
    pub name: String,
    /// Width in pixels, 1 to [`MAX_SIDE`]; absent if the network accepts any.
    #[serde(default)]
    pub width: Option<u32>,
    /// Height in pixels, 1 to [`MAX_SIDE`]; absent if the network accepts any.
    #[serde(default)]
    pub height: Option<u32>,
    /// Order of the axes.
    #[serde(default)]
    pub layout: Layout,
    /// Channels and their order.
    #[serde(default)]
    pub colour: Colour,
    /// Subtracted from each channel's pixel value of 0..255. One finite value for all channels, or one for each; default 0.
    #[serde(default)]
    pub mean: Vec<f32>,
    /// Factor applied after the mean. One finite value for all channels, or one for each; default 1.
    #[serde(default)]
    pub scale: Vec<f32>,
}

/// `[[output]]` of a description.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct OutputDescription {
    /// Name of the graph's output.
    pub name: String,
    /// Class names of an expression model, in the output's order.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The activation that remains to be applied.
    #[serde(default)]
    pub activation: Activation,
    /// Divisor of the logits before the softmax; above 0.
    #[serde(default = "one")]
    pub temperature: f32,
    /// Minimum score, 0..1, of an expression model's top class, unless another one is set. Below it the label is `unknown`.
    #[serde(default)]
    pub min_confidence: f32,
    /// The prior that an expression model's output is for. The first output is used for all priors that no output has.
    #[serde(default)]
    pub prior: Option<Prior>,
    /// `[output.mean_log_scores]`: for a class, the mean of ln(score + 0.001) of each class over faces that show it. Baselines of
    /// faces need them; classes may be missing.
    #[serde(default)]
    pub mean_log_scores: BTreeMap<String, Vec<f32>>,
}

fn one() -> f32 {
    1.0
}

/// The activation that turns an output's values into probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The values are logits.
    Softmax,
    /// The values are probabilities.
    #[default]
    None,
}

/// `[framing]`: how a detected face becomes the square that is cropped (see [`crate::crops::framing`]).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Framing {
    /// What determines the square of a face that has both box and landmarks.
    #[serde(default)]
    pub prefer: Prefer,
    /// True if the square is rotated so that the eyes are level. Needs landmarks.
    #[serde(default)]
    pub rotate: bool,
    /// The square computed from landmarks.
    #[serde(default)]
    pub landmarks: Option<LandmarkFraming>,
    /// `[framing.box.NAME]`: the square computed from the boxes of detector NAME; `other` applies to all other detectors.
    #[serde(default, rename = "box")]
    pub boxes: BTreeMap<String, BoxFraming>,
}

/// What determines a crop square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The box.
    #[default]
    Box,
    /// The landmarks, if the face has any and `[framing.landmarks]` exists.
    Landmarks,
}

/// `[framing.landmarks]`. The unit is the face's size: the root of the sum of squares of two distances, from the eyes to
/// the mouth and between the eyes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct LandmarkFraming {
    /// Side of the square, above 0 and at most 64.
    pub side_of_size: f32,
    /// Distance from the point halfway between eyes and mouth to the square's centre, towards the chin; -64 to 64.
    #[serde(default)]
    pub offset_y_of_size: f32,
}

/// `[framing.box.NAME]`. The unit is the box's height.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct BoxFraming {
    /// Side of the square, above 0 and at most 64.
    pub side_of_height: f32,
    /// Distance from the box's centre down to the square's centre; -64 to 64.
    #[serde(default)]
    pub offset_y_of_height: f32,
}

impl InputDescription {
    /// How a picture is written into the input tensor.
    pub fn format(&self) -> InputFormat {
        let channel = |values: &[f32], index: usize, default: f32| values.get(index).or(values.first()).copied().unwrap_or(default);
        let normalization = Normalization {
            mean: std::array::from_fn(|i| channel(&self.mean, i, 0.0)),
            scale: std::array::from_fn(|i| channel(&self.scale, i, 1.0)),
        };
        InputFormat { layout: self.layout, colour: self.colour, normalization }
    }

    /// Width and height, if the description fixes both.
    pub fn size(&self) -> Option<Size> {
        Some(Size::new(self.width?, self.height?))
    }
}

impl ModelDescription {
    /// Index of the output for `prior`: the one that has it, or the first.
    pub fn output_of(&self, prior: Prior) -> usize {
        self.outputs.iter().position(|output| output.prior == Some(prior)).unwrap_or(0)
    }

    /// Parses the text of a description; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`] with the key, what is accepted and what was found.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let error = |(expected, found)| Error::Model { path: path.into(), expected, found };
        // The parser's message quotes the text, which may hold control characters.
        let one_line = |message: &str| message.trim_end().replace(char::is_control, " ");
        let description = toml::from_str(text).map_err(|parse| error(("a model description".into(), one_line(&parse.to_string()))))?;
        super::check::check(&description).map_err(error)?;
        Ok(description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        name = "tiny"
        task = "expression"
        unheard_of = 1
        [input]
        name = "input"
        width = 48
        height = 48
        colour = "gray"
        mean = [127.5]
        scale = [0.0078125]
        [framing.box.other]
        side_of_height = 1.5
        offset_y_of_height = 0.1
        [framing.box.haar]
        side_of_height = 1.0
        [[output]]
        name = "logits"
        labels = ["a", "b"]
        activation = "softmax"
    "#;

    #[test]
    fn a_description_is_read_and_unknown_keys_are_ignored() {
        let description = ModelDescription::parse(Path::new("x"), TOML).unwrap();
        assert_eq!(description.input.size(), Some(Size::new(48, 48)));
        assert_eq!(description.input.format().normalization.mean, [127.5; 3], "one value serves all channels");
        assert_eq!(description.outputs[0].activation, Activation::Softmax);
        assert_eq!(description.outputs[0].temperature, 1.0);
    }

    #[test]
    fn a_prior_without_an_output_of_its_own_uses_the_first() {
        let more = "\n[[output]]\nname = \"balanced\"\nprior = \"balanced\"\nlabels = [\"a\", \"b\"]";
        let outputs = [String::new(), more.to_owned()].map(|more| {
            let description = ModelDescription::parse(Path::new("x"), &(TOML.to_owned() + &more)).unwrap();
            [Prior::Natural, Prior::Balanced].map(|prior| description.output_of(prior))
        });
        assert_eq!(outputs, [[0, 0], [0, 1]]);
    }

    #[test]
    fn values_that_no_model_has_are_errors_that_name_the_key() {
        let wrong = [
            ("width = 48", "width = 0", "[input] width of 1 to 2048, found 0"),
            ("height = 48", "height = 2049", "[input] height of 1 to 2048, found 2049"),
            ("mean = [127.5]", "mean = [nan]", "[input] mean"),
            ("scale = [0.0078125]", "scale = [inf]", "[input] scale"),
            ("side_of_height = 1.5", "side_of_height = 1e30", "[framing.box.other] side_of_height"),
            ("side_of_height = 1.0", "side_of_height = 0.0", "[framing.box.haar] side_of_height"),
            ("offset_y_of_height = 0.1", "offset_y_of_height = -1e30", "[framing.box.other] offset_y_of_height"),
            ("[framing.box.other]", "[framing.landmarks]\nside_of_size = nan\n[framing.box.other]", "[framing.landmarks] side_of_size"),
            ("activation = \"softmax\"", "temperature = 0.0", "[[output]] temperature"),
            ("activation = \"softmax\"", "min_confidence = 1.1", "[[output]] min_confidence of 0 to 1, found 1.1"),
            ("activation = \"softmax\"", "min_confidence = nan", "[[output]] min_confidence of 0 to 1"),
            ("activation = \"softmax\"", "mean_log_scores = {c = [0.0, 0.0]}", "[output.mean_log_scores] c as one of the labels, with 2"),
            ("activation = \"softmax\"", "mean_log_scores = {a = [0.0]}", "[output.mean_log_scores] a as one of the labels, with 2"),
            ("activation = \"softmax\"", "mean_log_scores = {a = [0.0, nan]}", "finite numbers, found [0.0, NaN]"),
            ("name = \"tiny\"", "name = \"ti\\u0000ny\"", "without NUL"),
            ("labels = [\"a\", \"b\"]", "labels = [\"a\", \"\\u0000\"]", "without NUL"),
            ("unheard_of = 1", "refiner = \"../face\"", "refiner"),
            ("unheard_of = 1", "refiner = \"/models/face\"", "refiner"),
            ("unheard_of = 1", "refiner = \"..\"", "refiner"),
            ("unheard_of = 1", "refiner = \"\"", "refiner"),
            ("unheard_of = 1", "file = \"../model.onnx\"", "file"),
            ("unheard_of = 1", "max_yaw = 0.0", "max_yaw above 0, at most 180, found 0"),
            ("unheard_of = 1", "max_pitch = nan", "max_pitch above 0, at most 180"),
            ("unheard_of = 1", "score_threshold = -0.1", "score_threshold of 0 to 1, found -0.1"),
            ("unheard_of = 1", "score_threshold = nan", "score_threshold of 0 to 1"),
        ];
        for (right, wrong, expected) in wrong {
            assert!(TOML.contains(right));
            let result = ModelDescription::parse(Path::new("x/model.toml"), &TOML.replacen(right, wrong, 1));
            let error = result.expect_err(wrong).to_string();
            assert!(error.starts_with("model x/model.toml: expected ") && error.contains(expected), "{wrong}: {error}");
        }
        let named = TOML.replacen("unheard_of = 1", "refiner = \"face-refiner\"\nfile = \"model.onnx\"", 1);
        assert_eq!(ModelDescription::parse(Path::new("x"), &named).unwrap().refiner.as_deref(), Some("face-refiner"));

        let error = ModelDescription::parse(Path::new("some/model.toml"), "name = 3").unwrap_err().to_string();
        assert!(error.starts_with("model some/model.toml: expected a model description, found"), "{error}");
    }
}
