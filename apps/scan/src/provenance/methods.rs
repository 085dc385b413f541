// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record as a paragraph for a methods section.

use emotion_core::behaviour::face_states::{AWAY_PITCH, AWAY_YAW};

use super::networks::{EXPRESSION, GEOMETRY};
use super::{Network, Provenance};
use crate::examination::Examination;
use crate::setting::Setting;
use crate::summary::Summary;

/// Digits of a checksum that the paragraph shows; `results.json` has all of them.
const SUM_DIGITS: usize = 12;
/// Figures of the expression network's card for the default prior, and how the paragraph calls them.
const FIGURES: [(&str, &str); 3] = [
    ("scores_ferplus_accuracy", "accuracy"),
    ("scores_ferplus_macro_recall", "mean recall of the classes"),
    ("scores_ferplus_calibration_error", "expected calibration error"),
];

impl Provenance {
    /// Sentences about programs, networks, settings and what was examined.
    pub fn methods(&self, summary: &Summary) -> String {
        let is_detector = |network: &&Network| ![GEOMETRY, EXPRESSION].contains(&network.role.as_str());
        let detectors: Vec<String> = self.networks.iter().filter(is_detector).map(named).collect();
        let expression = self.networks.iter().find(|network| network.role == EXPRESSION);
        let mut sentences = vec![self.programs(), format!("Faces were found by {}.", detectors.join(" and "))];
        sentences.extend(self.networks.iter().find(|network| network.role == GEOMETRY).map(geometry));
        sentences.extend(expression.map(|network| {
            let classes = summary.classes.join(", ");
            let classes = if classes.is_empty() { String::new() } else { format!(", which scores {classes}") };
            format!("The expression network was {}{classes}.", named(network))
        }));
        sentences.extend(expression.filter(|_| self.is_natural()).and_then(figures));
        let settings = self.settings();
        if !settings.is_empty() {
            sentences.push(format!("Settings other than the defaults: {}.", settings.join(", ")));
        }
        let Summary { files, frames, faces, unreadable, .. } = summary;
        let unreadable = if *unreadable == 0 { String::new() } else { format!(" ({unreadable} of them unreadable)") };
        sentences.push(format!("{files} files{unreadable} with {frames} examined frames had {faces} faces."));
        sentences.join(" ")
    }

    fn programs(&self) -> String {
        let Examination { every, where_faces, .. } = &self.options.examination;
        let [every_s, where_faces_s] = [every, where_faces].map(|time| time.map(|time| time.as_secs_f64()));
        let frames = every_s.map_or_else(|| "Every frame".to_owned(), |every| format!("One frame every {every} s"));
        let look = |every| format!("In spans around faces, which a first look each {every} s had found, ");
        let frames = where_faces_s.map_or(frames.clone(), |every| look(every) + &frames.to_lowercase());
        let runtime = self.software.onnxruntime.as_ref().and_then(|runtime| runtime.version.as_deref());
        let runtime = runtime.map(|version| format!(" and ONNX Runtime {version}")).unwrap_or_default();
        let commit = self.program.commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default();
        let (name, version, gstreamer) = (&self.program.name, &self.program.version, &self.software.gstreamer);
        format!("{frames} was examined with {name} (gst-plugin-emotion {version}{commit}), GStreamer {gstreamer}{runtime}.")
    }

    /// True if the figures of the card are those of the settings.
    fn is_natural(&self) -> bool {
        let defaults = [(".prior=", "natural"), (".baseline=", "none")];
        let changes =
            |setting: &String| defaults.iter().any(|(property, default)| setting.contains(property) && !setting.ends_with(default));
        !self.settings().iter().any(changes)
    }

    fn settings(&self) -> Vec<String> {
        self.options.examination.set.iter().map(Setting::to_string).collect()
    }
}

/// A network with its version and checksum.
fn named(network: &Network) -> String {
    let name = network.name.as_deref().unwrap_or("a network without a description");
    let version = network.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    format!("{name}{version} (SHA-256 {})", network.sha256.chars().take(SUM_DIGITS).collect::<String>())
}

/// What the geometry network gave.
fn geometry(network: &Network) -> String {
    format!(
        "Head pose and blendshapes were estimated by {}; a face counts as facing the camera while its yaw is within {AWAY_YAW} and its \
         pitch within {AWAY_PITCH} degrees.",
        named(network)
    )
}

/// The figures of the card.
fn figures(network: &Network) -> Option<String> {
    let shown = |(key, name): &(&str, &str)| Some(format!("{name} {:.1} %", 100.0 * network.measured.get(*key)?));
    let figures = FIGURES.iter().map(shown).collect::<Option<Vec<_>>>()?;
    Some(format!("By its model card, it reaches on FER2013's PublicTest, by the votes of FER+: {}.", figures.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::{Processor, Program, Software, TableOptions};
    use super::*;

    fn record(set: &[&str]) -> Provenance {
        let network = |role: &str, name: &str| Network {
            role: role.into(),
            name: Some(name.into()),
            version: Some("1".into()),
            sha256: "0123456789abcdef".into(),
            description_sha256: String::new(),
            licence: None,
            card: None,
            measured: FIGURES.iter().map(|(key, _)| ((*key).to_owned(), 0.8385)).collect(),
        };
        Provenance {
            version: 1,
            program: Program { name: "emotion-scan".into(), version: "0.1.0".into(), commit: Some("abc1234".into()) },
            command: Vec::new(),
            options: TableOptions {
                examination: Examination {
                    every: Some(Duration::from_millis(200)),
                    set: set.iter().map(|set| set.parse().unwrap()).collect(),
                    ..Examination::default()
                },
                bins_s: None,
            },
            properties: BTreeMap::new(),
            networks: vec![network("detector", "face"), network("refiner", "face-refiner"), network("expression", "expression")],
            software: Software { gstreamer: "1.22.0".into(), onnxruntime: None, system: "Debian".into() },
            processor: Processor::this(),
            started: String::new(),
        }
    }

    #[test]
    fn the_paragraph_names_versions_networks_figures_and_counts() {
        let summary = Summary { files: 3, frames: 50, faces: 60, unreadable: 1, ..Summary::default() };
        let said = record(&[]).methods(&summary);
        for part in [
            "One frame every 0.2 s was examined with emotion-scan (gst-plugin-emotion 0.1.0, commit abc1234), GStreamer 1.22.0.",
            "Faces were found by face 1 (SHA-256 0123456789ab) and face-refiner 1",
            "accuracy 83.9 %",
            "3 files (1 of them unreadable) with 50 examined frames had 60 faces.",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let mut spans = record(&[]);
        spans.options.examination.where_faces = Some(Duration::from_secs(1));
        let said = spans.methods(&summary);
        assert!(said.contains("In spans around faces, which a first look each 1 s had found, one frame every 0.2 s was"), "{said}");
        let mut posed = record(&[]);
        posed.networks.insert(2, Network { role: GEOMETRY.into(), name: Some("face-geometry".into()), ..posed.networks[0].clone() });
        let said = posed.methods(&summary);
        assert!(
            said.contains("and face-refiner 1 (SHA-256 0123456789ab). Head pose and blendshapes were estimated by face-geometry 1"),
            "{said}"
        );
        assert!(said.contains("yaw is within 30 and its pitch within 25 degrees."), "{said}");
        assert!(!record(&["*.baseline=track"]).methods(&summary).contains("accuracy"));
        let said = record(&["emotionclassify.prior=balanced"]).methods(&summary);
        assert!(!said.contains("accuracy") && said.contains("defaults: emotionclassify.prior=balanced."), "{said}");
    }
}
