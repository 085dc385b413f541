// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kinds of values that settings have.

use std::fmt::Display;
use std::str::FromStr;

use clap::ValueEnum;
use serde::Deserialize;
use thiserror::Error;

/// Protocol to a network camera.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    Tcp,
    Udp,
}

/// Frames that are not decoded, as FFmpeg calls them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SkipFrame {
    /// None
    None,
    /// Those of H.264 and H.265 that no other frame needs
    Noref,
}

/// How a camera's picture is turned.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
pub enum Turn {
    /// A quarter turn, clockwise
    #[serde(rename = "90")]
    #[value(name = "90")]
    Quarter,
    /// A half turn
    #[serde(rename = "180")]
    #[value(name = "180")]
    Half,
    /// A quarter turn, counterclockwise
    #[serde(rename = "270")]
    #[value(name = "270")]
    ThreeQuarters,
    /// Left and right exchanged
    #[serde(rename = "mirror")]
    Mirror,
}

impl Turn {
    /// The value of the property `video-direction` of `videoflip`.
    pub fn direction(self) -> &'static str {
        match self {
            Self::Quarter => "90r",
            Self::Half => "180",
            Self::ThreeQuarters => "90l",
            Self::Mirror => "horiz",
        }
    }
}

/// Which picture is recorded, or sent to servers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FilesVideo {
    /// The camera's own, without encoding it again
    Camera,
    /// The served one, with faces drawn
    Drawn,
}

/// What is published.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Schema {
    /// A face appears, changes its expression or leaves
    Events,
    /// All faces of a frame
    Faces,
    /// Counts and means of an interval
    Summary,
    /// All faces of a frame, as DL Streamer writes them
    DlStreamer,
}

/// Width and height in pixels, even numbers from 16 to 8192.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// A text that is no size.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected WIDTHxHEIGHT with even numbers from 16 to 8192, found {0}")]
pub struct NoSize(String);

impl FromStr for Size {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        // Even numbers, because the encoder subsamples the colours.
        sides
            .filter(|&(width, height)| [width, height].iter().all(|side| (16..=8192).contains(side) && side % 2 == 0))
            .map(|(width, height)| Self { width, height })
            .ok_or_else(|| NoSize(text.to_owned()))
    }
}

impl TryFrom<String> for Size {
    type Error = NoSize;

    fn try_from(text: String) -> Result<Self, NoSize> {
        text.parse()
    }
}

/// A value that `off` switches off.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String", bound = "T: FromStr, T::Err: Display")]
pub enum Switch<T> {
    Off,
    On(T),
}

impl<T> Switch<T> {
    /// The value, unless it is off.
    pub fn on(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

/// A text that is neither `off` nor a value.
#[derive(Debug, Error)]
#[error("{error}; expected off or a value such as 127.0.0.1:8554, found {found}")]
pub struct NoSwitch<E: Display> {
    error: E,
    found: String,
}

impl<T: FromStr> FromStr for Switch<T>
where
    T::Err: Display,
{
    type Err = NoSwitch<T::Err>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::On).map_err(|error| NoSwitch { error, found: text.to_owned() })
    }
}

impl<T: FromStr> TryFrom<String> for Switch<T>
where
    T::Err: Display,
{
    type Error = NoSwitch<T::Err>;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A text; in a file also a whole number.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "TextOrNumber")]
pub struct Text(pub String);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a whole number")]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

impl From<TextOrNumber> for Text {
    fn from(value: TextOrNumber) -> Self {
        match value {
            TextOrNumber::Text(text) => Self(text),
            TextOrNumber::Number(number) => Self(number.to_string()),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}
