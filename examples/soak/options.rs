// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: `name=value`, each with a default.

use std::time::Duration;

use gstemotion::geometry::Size;

const CHAIN: &str = "emotionfacedetect name=detect ! emotionclassify name=classify ! emotionoverlay";

/// What is run, and for how long.
#[derive(Debug)]
pub struct Options {
    /// `minutes`: length of the run.
    pub length: Duration,
    /// `streams`: pipelines that run at the same time.
    pub streams: usize,
    /// `size`: width and height of the frames.
    pub size: Size,
    /// `faces`: average faces on each frame.
    pub faces: usize,
    /// `face-size`: their height in pixels; as there is room where it is not given.
    pub face_size: Option<f32>,
    /// `clip`: a file whose frames are shown instead.
    pub clip: Option<String>,
    /// `chain`: the elements.
    pub chain: String,
    /// `disturb=true`: each minute the second stream is rebuilt and the third changes the size of its frames.
    pub disturb: bool,
}

impl Options {
    /// Reads the arguments of the program. An empty value is as good as none.
    ///
    /// # Errors
    /// Which argument is wrong, and what was expected.
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
