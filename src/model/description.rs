// SPDX-License-Identifier: MIT OR Apache-2.0
//! Model files and their descriptions (`model.toml`).
//!
//! A description tells what an ONNX file cannot: how pictures become its input and what its outputs mean. It stands
//! beside the file, as `X.toml` for `X.onnx` or as `model.toml`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::geometry::{Crop, Landmarks5, Point, Rect, Size};
use crate::image::tensor::{Colour, InputFormat, Layout, Normalization};

/// Largest width and height of a network's input that a description or a file may ask for, in pixels: a picture in
/// `f32` then takes 50 MB at most. No known classifier of faces takes more than 300.
pub const MAX_SIDE: u32 = 2048;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Finds faces.
    Face,
    /// Scores the expression of a cropped face.
    Expression,
    /// Looks a second time at what may be a face.
    Refine,
}

/// The contents of a `model.toml`; keys that are not listed here are ignored. Sizes, factors and names that no model can
/// have are refused when it is read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ModelDescription {
    /// Short name, as it appears in metadata.
    pub name: String,
    /// Version of the weights.
    #[serde(default)]
    pub version: String,
    /// What the model is for.
    pub task: Task,
    /// SHA-256 of the ONNX file in hexadecimal; checked when the file is loaded, unless it is empty.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The input.
    pub input: InputDescription,
    /// The outputs that are used, most important first.
    #[serde(default, rename = "output")]
    pub outputs: Vec<OutputDescription>,
    /// How a face is cropped for an expression model.
    #[serde(default)]
    pub framing: Framing,
    /// The model that has a second look at what a face model finds: the name of its folder among the models, no path.
    #[serde(default)]
    pub refiner: Option<String>,
    /// Name of the ONNX file, no path. For people and scripts: which file is loaded does not depend on it.
    #[serde(default)]
    pub file: Option<String>,
}

/// `[input]` of a description.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct InputDescription {
    /// Name of the graph's input.
    pub name: String,
    /// Columns, 1 to [`MAX_SIDE`]; absent if any will do.
    #[serde(default)]
    pub width: Option<u32>,
    /// Rows, 1 to [`MAX_SIDE`]; absent if any will do.
    #[serde(default)]
    pub height: Option<u32>,
    /// Order of the axes.
    #[serde(default)]
    pub layout: Layout,
    /// Channels and their order.
    #[serde(default)]
    pub colour: Colour,
    /// Subtracted from each channel's pixel 0..255; finite; one value serves all channels. Default 0.
    #[serde(default)]
    pub mean: Vec<f32>,
    /// Multiplied after; finite; one value serves all channels. Default 1.
    #[serde(default)]
    pub scale: Vec<f32>,
}

/// `[[output]]` of a description.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct OutputDescription {
    /// Name of the graph's output.
    pub name: String,
    /// Class names in order, for an expression model.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What is still to be applied to the values.
    #[serde(default)]
    pub activation: Activation,
    /// Logits are divided by it before the softmax; above 0.
    #[serde(default = "one")]
    pub temperature: f32,
}

/// What turns a model's values into probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// They are logits.
    Softmax,
    /// They are probabilities already.
    #[default]
    None,
}

/// `[framing]`: from a detector's box to the square that is cropped.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Framing {
    /// Place and size where a face has both box and landmarks.
    #[serde(default)]
    pub prefer: Prefer,
    /// True if a face whose landmarks are known is to be turned upright.
    #[serde(default)]
    pub rotate: bool,
    /// The crop square by landmarks.
    #[serde(default)]
    pub landmarks: Option<LandmarkFraming>,
    /// `[framing.box.NAME]` for boxes of detector NAME; `other` for everyone else's.
    #[serde(default, rename = "box")]
    pub boxes: BTreeMap<String, BoxFraming>,
}

/// What a crop follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The box.
    #[default]
    Box,
    /// The landmarks, where they are known and `[framing.landmarks]` says how.
    Landmarks,
}

/// The crop square of a face's landmarks, in fractions of their size: the root of the sum of squares of the distance
/// from eyes to mouth and of that between the eyes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct LandmarkFraming {
    /// Side of the square, above 0 and at most 64.
    pub side_of_size: f32,
    /// Distance of the square's centre from the middle between eyes and mouth, towards the chin; -64 to 64.
    #[serde(default)]
    pub offset_y_of_size: f32,
}

impl LandmarkFraming {
    /// The square turned by `roll`; none for landmarks that all lie in one point.
    fn crop(&self, landmarks: &Landmarks5, roll: f32) -> Option<Crop> {
        let (eyes, mouth, [right, left, ..]) = (landmarks.eyes(), landmarks.mouth(), landmarks.0);
        let size = (mouth.x - eyes.x).hypot(mouth.y - eyes.y).hypot((left.x - right.x).hypot(left.y - right.y));
        let (middle, offset, (sin, cos)) = (eyes.midpoint(mouth), self.offset_y_of_size * size, landmarks.roll().sin_cos());
        let center = Point::new(middle.x - sin * offset, middle.y + cos * offset);
        (size > 0.0).then_some(Crop { center, side: self.side_of_size * size, roll })
    }
}

/// The crop square of one detector's boxes, in fractions of the box's height.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct BoxFraming {
    /// Side of the square, above 0 and at most 64.
    pub side_of_height: f32,
    /// Distance of the square's centre below the box's centre; -64 to 64.
    #[serde(default)]
    pub offset_y_of_height: f32,
}

impl Framing {
    /// The square to crop for a face that `detector` boxed as `face`; the box's own height, centred, if nothing is
    /// known. `landmarks` tell how the face is turned.
    pub fn crop(&self, face: Rect, detector: Option<&str>, landmarks: Option<&Landmarks5>) -> Crop {
        let roll = landmarks.filter(|_| self.rotate).map_or(0.0, Landmarks5::roll);
        let by_landmarks = self.landmarks.filter(|_| self.prefer == Prefer::Landmarks);
        if let Some(crop) = by_landmarks.zip(landmarks).and_then(|(framing, landmarks)| framing.crop(landmarks, roll)) {
            return crop;
        }
        let known = detector.and_then(|name| self.boxes.get(name)).or_else(|| self.boxes.get("other"));
        let framing = known.copied().unwrap_or(BoxFraming { side_of_height: 1.0, offset_y_of_height: 0.0 });
        let center = face.center();
        Crop { center: Point::new(center.x, center.y + framing.offset_y_of_height * face.h), side: framing.side_of_height * face.h, roll }
    }
}

impl InputDescription {
    /// How pictures are written into the input tensor.
    pub fn format(&self) -> InputFormat {
        let channel = |values: &[f32], index: usize, missing: f32| values.get(index).or(values.first()).copied().unwrap_or(missing);
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

fn one() -> f32 {
    1.0
}

/// An ONNX file in memory, with its description if there is one.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Where it came from, for messages.
    pub path: PathBuf,
    /// The ONNX graph.
    pub bytes: Cow<'static, [u8]>,
    /// Its description.
    pub description: Option<ModelDescription>,
}

impl ModelFile {
    /// Reads `path` and the description beside it: `X.toml` for `X.onnx`, else `model.toml` in the same folder. Weights that
    /// the file keeps in others ("external data") are read from beside it, whatever the working directory is; the checksum
    /// is of the file alone.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Model`] if the description is wrong or names another checksum, or
    /// if other files are missing, too short or not in the file's own folder.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        let beside = [path.with_extension("toml"), path.with_file_name("model.toml")];
        let description = beside.iter().find(|file| file.is_file()).map(|file| read_description(file)).transpose()?;
        let model = Self { path: path.into(), bytes: bytes.into(), description }.verified()?;
        match super::external::inline(path, &model.bytes)? {
            Some(whole) => Ok(Self { bytes: whole.into(), ..model }),
            None => Ok(model),
        }
    }

    /// A model that is compiled in; `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn embedded(name: &str, bytes: &'static [u8], description: &str) -> Result<Self> {
        let path = PathBuf::from(format!("(compiled in) {name}"));
        let description = parse_description(&path, description)?;
        Self { path, bytes: bytes.into(), description: Some(description) }.verified()
    }

    fn verified(self) -> Result<Self> {
        let expected = self.description.as_ref().and_then(|description| description.sha256.clone()).filter(|sum| !sum.is_empty());
        if let Some(expected) = expected {
            let found: String = Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            if !found.eq_ignore_ascii_case(&expected) {
                return Err(Error::Model {
                    path: self.path,
                    expected: format!("sha256 {}", expected.escape_debug()),
                    found: format!("sha256 {found}"),
                });
            }
        }
        Ok(self)
    }
}

fn read_description(path: &Path) -> Result<ModelDescription> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })?;
    parse_description(path, &text)
}

fn parse_description(path: &Path, text: &str) -> Result<ModelDescription> {
    let wrong = |(expected, found)| Error::Model { path: path.into(), expected, found };
    // The message quotes the text.
    let one_line = |message: &str| message.trim_end().replace(char::is_control, " ");
    let description = toml::from_str(text).map_err(|error| wrong(("a model description".into(), one_line(&error.to_string()))))?;
    super::check::check(&description).map_err(wrong)?;
    Ok(description)
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
        let description = parse_description(Path::new("x"), TOML).unwrap();
        assert_eq!(description.input.size(), Some(Size::new(48, 48)));
        assert_eq!(description.input.format().normalization.mean, [127.5; 3], "one value serves all channels");
        assert_eq!(description.outputs[0].activation, Activation::Softmax);
        assert_eq!(description.outputs[0].temperature, 1.0);
    }

    #[test]
    fn the_crop_follows_the_detector_and_falls_back_to_other() {
        let framing = parse_description(Path::new("x"), TOML).unwrap().framing;
        let face = Rect::new(10.0, 20.0, 80.0, 100.0);
        let crop = |framing: &Framing, detector| framing.crop(face, detector, None).bounds();
        assert_eq!(crop(&framing, Some("haar")), Rect::new(0.0, 20.0, 100.0, 100.0));
        assert_eq!(crop(&framing, Some("unheard of")), Rect::new(-25.0, 5.0, 150.0, 150.0));
        assert_eq!(crop(&Framing::default(), None), Rect::new(0.0, 20.0, 100.0, 100.0));
    }

    #[test]
    fn aligned_landmarks_are_cropped_to_the_template_they_were_aligned_to() {
        // OpenCV Zoo's template at 112x112, drawn twice as large, turned and moved.
        let template = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)];
        let description = parse_description(Path::new("x"), include_str!("../../models/presets/mobilefacenet.toml")).unwrap();
        for angle in [0.0_f32, 0.4] {
            let (sin, cos) = angle.sin_cos();
            let place = |x: f32, y: f32| {
                let (x, y) = (2.0 * (x - 56.0), 2.0 * (y - 56.0));
                Point::new(300.0 + cos * x - sin * y, 200.0 + sin * x + cos * y)
            };
            let landmarks = Landmarks5(template.map(|(x, y)| place(x, y)));
            let crop = description.framing.crop(Rect::default(), None, Some(&landmarks));
            assert!((crop.side - 224.0).abs() < 0.5 && (crop.roll - angle).abs() < 0.01, "{crop:?}");
            assert!((crop.center.x - 300.0).abs() < 0.5 && (crop.center.y - 200.0).abs() < 0.5, "{crop:?}");
            let boxed = description.framing.crop(Rect::new(0.0, 0.0, 80.0, 100.0), Some("yunet"), None);
            assert!((boxed.side - 106.5).abs() < 1e-3, "without landmarks the box is all there is");
        }
    }

    #[test]
    fn values_that_no_model_has_are_refused_by_name() {
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
            ("name = \"tiny\"", "name = \"ti\\u0000ny\"", "without NUL"),
            ("labels = [\"a\", \"b\"]", "labels = [\"a\", \"\\u0000\"]", "without NUL"),
            ("unheard_of = 1", "refiner = \"../face\"", "refiner"),
            ("unheard_of = 1", "refiner = \"/models/face\"", "refiner"),
            ("unheard_of = 1", "refiner = \"..\"", "refiner"),
            ("unheard_of = 1", "refiner = \"\"", "refiner"),
            ("unheard_of = 1", "file = \"../model.onnx\"", "file"),
        ];
        for (right, wrong, expected) in wrong {
            assert!(TOML.contains(right));
            let result = parse_description(Path::new("x/model.toml"), &TOML.replacen(right, wrong, 1));
            let error = result.expect_err(wrong).to_string();
            assert!(error.starts_with("model x/model.toml: expected ") && error.contains(expected), "{wrong}: {error}");
        }
        let named = TOML.replacen("unheard_of = 1", "refiner = \"face-refiner\"\nfile = \"model.onnx\"", 1);
        assert_eq!(parse_description(Path::new("x"), &named).unwrap().refiner.as_deref(), Some("face-refiner"));
    }

    #[test]
    fn a_wrong_description_or_checksum_names_the_file() {
        let error = parse_description(Path::new("some/model.toml"), "name = 3").unwrap_err().to_string();
        assert!(error.starts_with("model some/model.toml: expected a model description, found"), "{error}");
        let wrong = format!("sha256 = \"00\"\n{TOML}");
        let error = ModelFile::embedded("tiny", b"abc", &wrong).unwrap_err().to_string();
        assert!(error.contains("expected sha256 00, found sha256 ba7816bf"), "{error}");
    }
}
