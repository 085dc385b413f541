// SPDX-License-Identifier: MIT OR Apache-2.0
//! Choices that people have in the properties of elements, on the command lines of programs and in their configuration files, by the
//! same names everywhere.

use serde::{Deserialize, Serialize};

/// How frequent the expressions are assumed to be where the faces come from. A class that is frequent there is chosen more
/// often in cases of doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionPrior"))]
#[serde(rename_all = "lowercase")]
pub enum Prior {
    /// As in front of a camera
    #[default]
    #[cfg_attr(feature = "glib", enum_value(name = "As frequent as in front of a camera: mostly neutral and happy", nick = "natural"))]
    Natural,
    /// All alike, as in posed or selected pictures
    #[cfg_attr(feature = "glib", enum_value(name = "All alike, as in posed or selected pictures", nick = "balanced"))]
    Balanced,
}

/// What the scores of a face, and the blendshapes of mouth and brows, are relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionBaseline"))]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// All people
    #[default]
    #[cfg_attr(feature = "glib", enum_value(name = "Relative to the mean of all people", nick = "none"))]
    None,
    /// How the face looks at rest, learnt from its track and forgotten with it
    #[cfg_attr(feature = "glib", enum_value(name = "Relative to how the face of the track looks at rest", nick = "track"))]
    Track,
}

/// How many faces may be missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionFaceDetectRecall"))]
#[serde(rename_all = "kebab-case")]
pub enum Recall {
    /// Few, and few other things are taken for faces
    #[default]
    #[cfg_attr(feature = "glib", enum_value(name = "Balanced: few faces are missed and few other things found", nick = "balanced"))]
    Balanced,
    /// As few as possible, to hide faces
    #[cfg_attr(feature = "glib", enum_value(name = "High: a low threshold, another scale and tiles, to hide faces", nick = "high"))]
    High,
}

/// What a face is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Blur {
    /// A mosaic of a few blocks
    Pixelate,
    /// Smooth transitions between the colours of a few blocks
    #[serde(rename = "blur")]
    #[cfg_attr(feature = "clap", value(name = "blur"))]
    Smooth,
    /// A uniform grey
    #[default]
    Solid,
}

/// The same where faces may also be left unchanged: the values of the property `blur-faces`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = "GstEmotionOverlayBlurFaces"))]
#[serde(rename_all = "kebab-case")]
pub enum BlurFaces {
    /// Faces are left unchanged
    #[default]
    #[cfg_attr(feature = "glib", enum_value(name = "None: faces are left unchanged", nick = "none"))]
    None,
    /// A mosaic of a few blocks
    #[cfg_attr(feature = "glib", enum_value(name = "Pixelate: a mosaic of a few blocks", nick = "pixelate"))]
    Pixelate,
    /// Smooth transitions between the colours of a few blocks
    #[cfg_attr(feature = "glib", enum_value(name = "Blur: a smooth surface", nick = "blur"))]
    Blur,
    /// A uniform grey
    #[cfg_attr(feature = "glib", enum_value(name = "Solid: a uniform grey", nick = "solid"))]
    Solid,
}

impl From<BlurFaces> for Option<Blur> {
    fn from(faces: BlurFaces) -> Self {
        match faces {
            BlurFaces::None => None,
            BlurFaces::Pixelate => Some(Blur::Pixelate),
            BlurFaces::Blur => Some(Blur::Smooth),
            BlurFaces::Solid => Some(Blur::Solid),
        }
    }
}
