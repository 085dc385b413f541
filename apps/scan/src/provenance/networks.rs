// SPDX-License-Identifier: MIT OR Apache-2.0
//! The networks of a scan, with what their descriptions say. They are found by the checksums of the files that were loaded.

use std::collections::BTreeMap;
use std::path::Path;

use emotion_core::model::ModelFile;
use emotion_core::model::search_path::SearchPath;
use serde::{Deserialize, Serialize};

use crate::models::Models;
use crate::setting::Setting;

/// The role of the network that scores expressions.
pub(super) const EXPRESSION: &str = "expression";
/// The role of the network that estimates the geometry of faces.
pub(super) const GEOMETRY: &str = "geometry";

/// A network, with what its description says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Network {
    /// What it does: `detector`, `refiner`, `geometry` or `expression`.
    pub role: String,
    /// Its name; `None` if no description with this checksum was found.
    #[serde(default)]
    pub name: Option<String>,
    /// Version of its description.
    #[serde(default)]
    pub version: Option<String>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// SHA-256 of the description.
    pub description_sha256: String,
    /// Its licence.
    #[serde(default)]
    pub licence: Option<String>,
    /// The model card, in the source of the program.
    #[serde(default)]
    pub card: Option<String>,
    /// Figures of the card.
    #[serde(default)]
    pub measured: BTreeMap<String, f64>,
}

/// The networks of `models`, which `settings` have selected.
pub fn of(models: &Models, settings: &[Setting]) -> Vec<Network> {
    let known = known(settings);
    let detectors = ["detector", "refiner"].into_iter().zip(pairs(&models.detector, &models.detector_description));
    let geometry = (GEOMETRY, (models.geometry.as_str(), models.geometry_description.as_str()));
    let classifier = (EXPRESSION, (models.classifier.as_str(), models.classifier_description.as_str()));
    let others = [geometry, classifier].into_iter().filter(|(_, (sha256, _))| !sha256.is_empty());
    detectors.chain(others).map(|(role, (sha256, description))| network(role, sha256, description, &known)).collect()
}

/// The checksums of both networks of a detector.
fn pairs<'a>(sums: &'a str, descriptions: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    sums.split(' ').zip(descriptions.split(' ').chain(std::iter::repeat("")))
}

/// The models as they were loaded, from networks in their order.
pub(super) fn models(networks: &[Network]) -> Models {
    let of = |is_meant: fn(&str) -> bool| {
        let networks = networks.iter().filter(move |network| is_meant(&network.role));
        let (sums, texts): (Vec<_>, Vec<_>) =
            networks.map(|network| (network.sha256.as_str(), network.description_sha256.as_str())).unzip();
        (sums.join(" "), texts.join(" "))
    };
    let (detector, detector_description) = of(|role| ![GEOMETRY, EXPRESSION].contains(&role));
    let (classifier, classifier_description) = of(|role| role == EXPRESSION);
    let (geometry, geometry_description) = of(|role| role == GEOMETRY);
    Models { detector, classifier, detector_description, classifier_description, geometry, geometry_description }
}

/// Files that may have been loaded: those that are compiled in, or replace them, and those of `settings`. Compiled-in ones have a
/// card.
fn known(settings: &[Setting]) -> Vec<(ModelFile, Option<&'static str>)> {
    let search = SearchPath::from_env(None);
    let named = ModelFile::embedded_names().filter_map(|name| Some((ModelFile::named(name, &search).ok()?, Some(name))));
    let files = settings.iter().filter(|setting| setting.property == "model-file");
    let files = files.filter_map(|setting| Some((ModelFile::open(Path::new(&setting.value)).ok()?, None)));
    named.chain(files).collect()
}

fn network(role: &str, sha256: &str, description_sha256: &str, known: &[(ModelFile, Option<&'static str>)]) -> Network {
    let is_same = |file: &ModelFile| file.sha256 == sha256 && file.description_sha256.as_deref().unwrap_or_default() == description_sha256;
    let found = known.iter().find(|(file, _)| is_same(file));
    let description = found.and_then(|(file, _)| file.description.as_ref());
    Network {
        role: role.to_owned(),
        name: description.map(|description| description.name.clone()),
        version: description.map(|description| description.version.clone()).filter(|version| !version.is_empty()),
        sha256: sha256.to_owned(),
        description_sha256: description_sha256.to_owned(),
        licence: description.and_then(|description| description.licence.clone()),
        card: found.and_then(|(_, folder)| folder.map(|folder| format!("models/{folder}/CARD.md"))),
        measured: description.map(|description| description.measured.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_found_by_their_checksums() {
        let search = SearchPath::default();
        let file = |name: &str| ModelFile::named(name, &search).unwrap();
        let sums = |file: &ModelFile| (file.sha256.clone(), file.description_sha256.clone().unwrap());
        let [(face, face_text), (refiner, refiner_text), (expression, expression_text)] =
            ["face", "face-refiner", "expression"].map(|name| sums(&file(name)));
        let models = Models {
            detector: format!("{face} {refiner}"),
            classifier: expression,
            detector_description: format!("{face_text} {refiner_text}"),
            classifier_description: expression_text,
            ..Models::default()
        };
        let networks = of(&models, &[]);
        let names: Vec<_> = networks.iter().map(|network| (network.role.as_str(), network.name.as_deref())).collect();
        assert_eq!(names, [("detector", Some("emotion-face")), ("refiner", Some("face-refiner")), ("expression", Some("expression"))]);
        assert_eq!(networks[2].card.as_deref(), Some("models/expression/CARD.md"));
        assert!(networks[2].measured["scores_ferplus_accuracy"] > 0.8, "{:?}", networks[2].measured);
        assert_eq!(super::models(&networks), models);
        let (geometry, geometry_description) = sums(&file("face-geometry"));
        let with_geometry = Models { geometry, geometry_description, ..models.clone() };
        let networks = of(&with_geometry, &[]);
        assert_eq!((networks[2].role.as_str(), networks[2].card.as_deref()), ("geometry", Some("models/face-geometry/CARD.md")));
        assert_eq!(super::models(&networks), with_geometry);
        let unknown = of(&Models { classifier: "00".into(), ..models }, &[]);
        assert!(unknown[2].name.is_none() && unknown[2].sha256 == "00" && unknown[2].card.is_none(), "{unknown:?}");
    }
}
