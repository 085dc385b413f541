// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: `name=value`, each with a default.

use std::time::Duration;

use emotion_core::geometry::Size;

const CHAIN: &str = "emotionfacedetect name=detect ! emotionclassify name=classify ! emotionoverlay";

/// The options of a run.
#[derive(Debug)]
pub struct Options {
    /// `minutes`: length of the run.
    pub length: Duration,
    /// `streams`: number of pipelines that run at the same time.
    pub streams: usize,
    /// `size`: width and height of the frames.
    pub size: Size,
    /// `faces`: number of average faces in each frame.
    pub faces: usize,
    /// `face-size`: their height in pixels; by default they fill the frame.
    pub face_size: Option<f32>,
    /// `clip`: a file whose frames replace the average faces.
    pub clip: Option<String>,
    /// `chain`: the elements under test.
    pub chain: String,
    /// `disturb=true`: every minute the second stream is rebuilt and the third one changes its frame size.
    pub disturb: bool,
}

impl Options {
    /// Reads the arguments of the program. An option with an empty value keeps its default.
    ///
    /// # Errors
    /// If an argument is unknown or invalid.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            length: Duration::from_secs(3600),
            streams: 1,
            size: Size::new(1280, 720),
            faces: 2,
            face_size: None,
            clip: None,
            chain: CHAIN.into(),
            disturb: false,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument}: expected name=value"))?;
            if !value.is_empty() {
                options.set(name, value)?;
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "minutes" => self.length = Duration::from_secs_f32(60.0 * number::<f32>(name, value)?),
            "streams" => self.streams = number(name, value)?,
            "size" => {
                let (width, height) = value.split_once('x').ok_or_else(|| format!("size={value}: expected WIDTHxHEIGHT"))?;
                self.size = Size::new(number(name, width)?, number(name, height)?);
            }
            "faces" => self.faces = number(name, value)?,
            "face-size" => self.face_size = Some(number(name, value)?),
            "clip" => self.clip = Some(value.into()),
            "chain" => self.chain = value.into(),
            "disturb" => self.disturb = number(name, value)?,
            _ => return Err(format!("{name}: no such option")),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name}={value}: {error}"))
}
