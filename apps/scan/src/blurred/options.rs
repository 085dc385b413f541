// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options of copies with hidden faces.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use emotion_core::choices::Blur;
use serde::{Deserialize, Serialize};

/// The options of copies with hidden faces.
#[derive(Args, Clone, Debug, Default)]
pub struct Blurring {
    /// Folder for copies of the photos and videos in which every face is hidden, and for a page of what to look at. No table is
    /// written, and nothing but picture and sound is copied
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath,
        conflicts_with_all = ["Examination", "Outputs", "like", "dispatch", "worker"])]
    pub blurred: Option<PathBuf>,

    /// With --blurred: how faces are hidden. Behind a grey, nobody can be found by comparing pictures
    #[arg(long, value_name = "STYLE", value_enum, default_value = "solid", requires = "blurred")]
    pub style: Blur,

    /// With --blurred: whether the sound of videos is copied. People can be recognised by their voices
    #[arg(long, value_name = "SOUND", value_enum, default_value = "keep", requires = "blurred")]
    pub sound: Sound,
}

/// What becomes of the sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sound {
    /// It is copied
    #[default]
    Keep,
    /// It is left out
    Drop,
}
