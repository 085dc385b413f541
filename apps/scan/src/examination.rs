// SPDX-License-Identifier: MIT OR Apache-2.0
//! How files are examined: what the rows depend on besides the files and the networks.
//!
//! An option is a field of [`Examination`]. The command line, `results.json`, `--like` and the fingerprint of an unfinished scan
//! come from the field.

use std::time::Duration;

use clap::Args;
use emotion_supervise::chain::{self, Baseline, Prior};
use serde::{Deserialize, Serialize};

use crate::models::Models;
use crate::sampling::{Sampling, Schedule, in_seconds, seconds};
use crate::setting::{self, Setting};
use crate::turn::Turn;

/// The options that change rows. Their JSON is the object `options` of `results.json`.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// Seconds between examined frames; without it, every frame is examined. The keyframe nearest to each of these times is
    /// taken where keyframes are that close, since other frames then need not be decoded
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    #[serde(rename = "every_s", default, with = "in_seconds")]
    pub every: Option<Duration>,

    /// Take the first frame at or after each time of --every, which decodes all frames
    #[arg(long, requires = "every")]
    #[serde(default)]
    pub exact: bool,

    /// Look at frames at most twice so many seconds apart first, 1 without a number, and examine only the spans with faces. Keyframes
    /// are taken where they are that close
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    #[serde(rename = "where_faces_s", default, with = "in_seconds")]
    pub where_faces: Option<Duration>,

    /// Assumed frequency of the expressions: natural, as in front of a camera, which is the default; or balanced, all equally
    /// frequent, as in posed or selected pictures
    #[arg(long, value_enum, hide_possible_values = true)]
    #[serde(skip)]
    pub prior: Option<Prior>,

    /// What scores in videos are relative to: none, all people, which is the default; or track, how the face of a track looks at rest,
    /// for people who look sad or angry then
    #[arg(long, value_enum, hide_possible_values = true)]
    #[serde(skip)]
    pub baseline: Option<Baseline>,

    /// Degrees by which pictures are turned clockwise before they are searched: 0, 90, 180 or 270; or auto: a photo with few
    /// faces is searched in all four directions. Boxes refer to the picture as it is stored
    #[arg(long, value_name = "DEGREES", value_enum, hide_possible_values = true, default_value = "0")]
    #[serde(default)]
    pub turn: Turn,

    /// Estimate pose, landmarks and blendshapes of each face too: the tables get the columns of the pose, the blendshapes, of facing
    /// the camera and of blinks
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub geometry: bool,

    /// Property of an element, such as facedetect.tile-size=640; * is every element that has the property; may be repeated
    #[arg(long, value_name = "ELEMENT.PROPERTY=VALUE")]
    pub set: Vec<Setting>,
}

impl Examination {
    /// Which frames of a video are examined.
    pub fn sampling(&self) -> Sampling {
        match (self.every, self.exact) {
            (None, _) => Sampling::All,
            (Some(every), true) => Sampling::First(every),
            (Some(every), false) => Sampling::Nearest(every),
        }
    }

    /// How a video is examined.
    pub fn schedule(&self) -> Schedule {
        Schedule { sampling: self.sampling(), look: self.where_faces }
    }

    /// The properties of the elements: the prior, the baseline, the timeout of tracks, and then those of `--set`.
    pub fn settings(&self) -> Vec<Setting> {
        let timeout = setting::track_timeout(self.every, &self.set);
        let own = [self.prior.map(chain::prior), self.baseline.map(chain::baseline)];
        own.into_iter().flatten().chain(timeout).chain(self.set.iter().cloned()).collect()
    }

    /// True if what is found in a frame depends on the whole track before it.
    pub fn has_baseline(&self) -> bool {
        self.settings().iter().any(|setting| setting.property == "baseline" && setting.value == "track")
    }

    /// The same examination with all its settings in `set`, as `results.json` has it.
    pub fn recorded(&self) -> Self {
        Self { prior: None, baseline: None, set: self.settings(), ..self.clone() }
    }

    /// The expression model, as given to `emotionclassify`.
    pub fn classifier(&self) -> &str {
        let is_model = |set: &&Setting| ["*", "emotionclassify"].contains(&set.element.as_str()) && set.property == "model-file";
        self.set.iter().rfind(is_model).map_or("expression", |set| &set.value)
    }

    /// Everything besides the files that the rows depend on, as JSON: the version of the program, the networks, `every`, and the other
    /// options that are set.
    pub fn fingerprint(&self, models: &Models) -> String {
        let mut settings = serde_json::json!({"version": env!("CARGO_PKG_VERSION"), "models": models, "every": null});
        let options = serde_json::to_value(self.recorded()).expect("numbers and texts become JSON");
        for (name, value) in options.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null() && **value != false) {
            settings[name.strip_suffix("_s").unwrap_or(name)] = value.clone();
        }
        settings.to_string()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::command_line::CommandLine;

    #[test]
    fn the_fingerprint_has_what_changes_rows() {
        let models = Models { detector: "a1".into(), classifier: "b2".into(), ..Models::default() };
        let parse = |line: &str| CommandLine::parse_from(std::iter::once("emotion-scan").chain(line.split(' '))).examination;
        let of = |line| parse(line).fingerprint(&models);
        assert_eq!(of("a -o b.csv"), of("c d -o e.csv --jobs 7 --quiet"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --every 2"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --where-faces"));
        assert_ne!(of("a -o b.csv --where-faces=2"), of("a -o b.csv --where-faces"));
        assert_ne!(of("a -o b.csv --every 2"), of("a -o b.csv --every 2 --exact"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --set facedetect.max-faces=3"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --prior balanced"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --baseline track"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --turn auto"));
        assert_eq!(of("a -o b.csv"), of("a -o b.csv --turn 0"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --geometry"));
        assert_eq!(of("a -o b.csv --prior balanced"), of("a -o b.csv --set emotionclassify.prior=balanced"));
        for other in [
            Models { classifier: "c3".into(), ..models.clone() },
            Models { classifier_description: "d4".into(), ..models.clone() },
            Models { detector_description: "d4".into(), ..models.clone() },
            Models { geometry: "e5".into(), ..models.clone() },
        ] {
            assert_ne!(of("a -o b.csv"), parse("a -o b.csv").fingerprint(&other));
        }
    }

    #[test]
    fn an_examination_is_read_as_it_was_recorded() {
        let examination = Examination {
            every: Some(Duration::from_millis(200)),
            where_faces: Some(Duration::from_secs(2)),
            prior: Some(Prior::Balanced),
            baseline: Some(Baseline::Track),
            turn: Turn::Left,
            geometry: true,
            ..Examination::default()
        };
        let recorded = examination.recorded();
        let read: Examination = serde_json::from_value(serde_json::to_value(&recorded).unwrap()).unwrap();
        assert_eq!((&read, read.settings()), (&recorded, examination.settings()));
        for wrong in [r#"{"every_s": 0, "set": []}"#, r#"{"turn": "45", "set": []}"#, r#"{"set": ["a"]}"#, "{}"] {
            assert!(serde_json::from_str::<Examination>(wrong).is_err(), "{wrong}");
        }
    }
}
