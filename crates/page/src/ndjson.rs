// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the lines of `emotionexport format=ndjson`.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead};
use std::marker::PhantomData;
use std::path::Path;

use gstemotion::export::FaceSigns;
use gstemotion::face_geometry::HeadPose;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::error::Error;
use crate::records::{Content, Face, Records, Summary, Times};

/// The version of the fields.
const VERSION: u64 = 1;
/// Characters of a wrong line that an error shows.
const SHOWN_CHARACTERS: usize = 60;

impl Records {
    /// Reads all lines of `text`; errors name `path`. A last line that was not finished is left out, which the page notes.
    ///
    /// # Errors
    /// If the text cannot be read, a line is no record, or faces and totals are mixed.
    pub fn read(mut text: impl BufRead, path: &Path) -> Result<Self, Error> {
        let mut records = Self::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let length = text.read_until(b'\n', &mut line).map_err(|source| Error::Read { path: path.to_owned(), source })?;
            if length == 0 {
                break;
            }
            if let Err(reason) = records.read_line(&line) {
                if line.last() != Some(&b'\n') {
                    records.notes.push("The last line is incomplete and was skipped.".into());
                    break;
                }
                let text = String::from_utf8_lossy(&line);
                let found = text.trim_end().chars().take(SHOWN_CHARACTERS).collect();
                return Err(Error::Record { path: path.to_owned(), line: number, found, reason });
            }
        }
        records.check_kinds(path)?;
        Ok(records)
    }

    fn check_kinds(&self, path: &Path) -> Result<(), Error> {
        let summaries = self.all.iter().filter(|record| matches!(record.content, Content::Totals(_))).count();
        if summaries == 0 || summaries == self.all.len() { Ok(()) } else { Err(Error::Mixed { path: path.to_owned() }) }
    }

    /// Adds the record of a line; an empty line has none. The error says what is wrong with it.
    fn read_line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = str::from_utf8(line).map_err(|error| format!("expected UTF-8, found another byte at {}", error.valid_up_to()))?;
        if line.trim().is_empty() {
            return Ok(());
        }
        let header: Header = parse(line)?;
        if header.version != VERSION {
            let found = if header.version.is_null() { "none".into() } else { header.version.to_string() };
            return Err(format!("expected version {VERSION}, found {found}"));
        }
        match header.kind.as_str() {
            Some("face") => self.push_face_line(&parse(line)?),
            Some("frame") => {
                let line: FrameLine<'_> = parse(line)?;
                self.push_gone(&line.stream, line.times());
            }
            Some("summary") => self.push_summary_line(&parse(line)?),
            _ => return Err(format!("expected the type face, frame or summary, found {}", header.kind)),
        }
        Ok(())
    }

    fn push_face_line(&mut self, line: &FaceLine<'_>) {
        let scores = line.scores.as_ref().map_or(&[][..], |scores| &scores.0);
        let face = Face {
            frame: line.frame,
            id: line.id,
            rect_norm: [line.rect.x, line.rect.y, line.rect.w, line.rect.h],
            label: line.label.as_deref(),
            reason: line.reason.as_deref(),
            score: line.score,
            scores: scores.iter().map(|(name, score)| (&**name, *score)).collect(),
            detector: line.detector.as_deref(),
            smoothed: line.smoothed == Some(true),
            signs: line.signs(),
        };
        line.utc.iter().for_each(|utc| self.note_utc(utc));
        self.push_face(&line.stream, line.times(), &face);
    }

    fn push_summary_line(&mut self, line: &SummaryLine<'_>) {
        let summary = Summary {
            frames: line.frames,
            faces_mean: line.faces_mean,
            faces_max: line.faces_max,
            faces_scored: line.faces_scored,
            counts: line.counts.0.iter().map(|(name, count)| (&**name, *count)).collect(),
        };
        line.utc.iter().for_each(|utc| self.note_utc(utc));
        self.push_summary(line.stream.as_deref().unwrap_or_default(), line.times(), &summary);
    }
}

/// Parses a line. The error is without serde's line number, which is always 1.
fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        let text = io::Error::from(error).to_string();
        text.split(" at line 1").next().unwrap_or_default().to_owned()
    })
}

#[derive(serde::Deserialize)]
struct Header {
    #[serde(default)]
    version: Value,
    #[serde(default, rename = "type")]
    kind: Value,
}

/// Defines a line with the times that all lines have.
macro_rules! line {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(serde::Deserialize)]
        struct $name<'a> {
            pts: u64,
            duration: u64,
            stream_time: Option<u64>,
            /// The time in the recording beside the records.
            recording_time: Option<u64>,
            $($(#[$attribute])* $field: $type,)*
        }

        impl $name<'_> {
            fn times(&self) -> Times {
                let start_ns = self.recording_time.or(self.stream_time).unwrap_or(self.pts);
                Times { start_ns, duration_ns: self.duration }
            }
        }
    };
}

line!(FaceLine {
    frame: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    utc: Option<Cow<'a, str>>,
    id: Option<u64>,
    #[serde(rename = "box")]
    rect: BoxLine,
    #[serde(borrow)]
    detector: Option<Cow<'a, str>>,
    #[serde(borrow)]
    label: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    score: Option<f32>,
    #[serde(borrow)]
    scores: Option<ByName<'a, f32>>,
    smoothed: Option<bool>,
    pose: Option<PoseLine>,
    trust: Option<f32>,
    blendshapes: Option<LidsLine>,
});

impl FaceLine<'_> {
    /// What facing the camera and blinking depend on, if the record has the geometry of the face.
    fn signs(&self) -> Option<FaceSigns> {
        let (pose, lids) = (self.pose.as_ref()?, self.blendshapes.as_ref()?);
        let pose = HeadPose { yaw: pose.yaw, pitch: pose.pitch, roll: pose.roll };
        Some(FaceSigns { pose, lids: (lids.left + lids.right) / 2.0, trust: self.trust? })
    }
}

line!(FrameLine {
    #[serde(borrow)]
    stream: Cow<'a, str>,
});

line!(SummaryLine {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    utc: Option<Cow<'a, str>>,
    frames: u64,
    faces_mean: f64,
    faces_max: u64,
    faces_scored: u64,
    #[serde(borrow)]
    counts: ByName<'a, u64>,
});

#[derive(serde::Deserialize)]
struct BoxLine {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

#[derive(serde::Deserialize)]
struct PoseLine {
    yaw: f32,
    pitch: f32,
    roll: f32,
}

/// The blendshapes of both eyes' lids.
#[derive(serde::Deserialize)]
struct LidsLine {
    #[serde(rename = "eyeBlinkLeft")]
    left: f32,
    #[serde(rename = "eyeBlinkRight")]
    right: f32,
}

/// An object of values of one type, in its order.
struct ByName<'a, T>(Vec<(Cow<'a, str>, T)>);

/// A key, which is borrowed from the line where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for ByName<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByNameVisitor(PhantomData))
    }
}

struct ByNameVisitor<'a, T>(PhantomData<ByName<'a, T>>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for ByNameVisitor<'a, T> {
    type Value = ByName<'a, T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some((Key(name), value)) = map.next_entry()? {
            all.push((name, value));
        }
        Ok(ByName(all))
    }
}
