// SPDX-License-Identifier: MIT OR Apache-2.0
//! The networks of `gst-plugin-emotion` as bytes, with their descriptions.
//!
//! Each folder beside this crate's source is a model: the ONNX file, its description, and a card with its data and accuracy.

/// A network that is compiled in.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Name of its folder.
    pub name: &'static str,
    /// The ONNX file.
    pub onnx: &'static [u8],
    /// The `model.toml` that describes its input and outputs.
    pub description: &'static str,
}

macro_rules! models {
    ($($name:literal),+) => {
        [$(Model {
            name: $name,
            onnx: include_bytes!(concat!("../", $name, "/model.onnx")),
            description: include_str!(concat!("../", $name, "/model.toml")),
        }),+]
    };
}

/// All networks.
pub static MODELS: [Model; 6] = models!("expression", "expression-int8", "face", "face-refiner", "face-geometry", "face-geometry-int8");

/// Descriptions of well-known expression models of others.
pub const PRESETS: [&str; 4] = [
    include_str!("../presets/emotion-ferplus-8.toml"),
    include_str!("../presets/hsemotion-b0-8.toml"),
    include_str!("../presets/mobilefacenet.toml"),
    include_str!("../presets/mini-xception.toml"),
];

/// The description of `face` for GStreamer's `onnxinference`.
pub const FACE_MODELINFO: &str = include_str!("../face/model.onnx.modelinfo");
/// The description of `expression` for GStreamer's `onnxinference`.
pub const EXPRESSION_MODELINFO: &str = include_str!("../expression/model.onnx.modelinfo");
