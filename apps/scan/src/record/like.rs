// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--like results.json`: a scan with the options of an earlier one, and with the same networks.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::networks::{self, Network};
use super::{Program, RowOptions, VERSION};
use crate::error::Error;
use crate::models::Models;
use crate::options::Options;
use crate::setting::Setting;
use crate::turn::Turn;

/// What a record says about the rows.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    version: u32,
    program: Program,
    options: RowOptions,
    networks: Vec<Network>,
}

impl Recorded {
    /// Reads a record.
    ///
    /// # Errors
    /// If it cannot be read or is no record.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::at(path))?;
        let unreadable = |source: serde_json::Error| Error::NoRecord { path: path.to_owned(), reason: source.to_string() };
        let recorded: Self = serde_json::from_reader(BufReader::new(file)).map_err(unreadable)?;
        if recorded.version != VERSION {
            let reason = format!("expected version {VERSION}, found {}", recorded.version);
            return Err(Error::NoRecord { path: path.to_owned(), reason });
        }
        Ok(recorded)
    }

    /// `options` with those of the record.
    ///
    /// # Errors
    /// If a value of the record is out of its range.
    pub fn apply(&self, options: &Options, path: &Path) -> Result<Options, Error> {
        let no_record = |reason: String| Error::NoRecord { path: path.to_owned(), reason };
        let seconds = |seconds: Option<f64>| {
            let duration = |seconds| Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
            seconds.map(|seconds| duration(seconds).ok_or_else(|| no_record(format!("expected a time, found {seconds} s")))).transpose()
        };
        let setting = |text: &String| text.parse::<Setting>().map_err(|error| no_record(format!("{error}, found {text}")));
        let set = self.options.set.iter().map(setting).collect::<Result<_, _>>()?;
        let turn = self.options.turn.as_deref().map_or(Ok(Turn::None), str::parse);
        let turn = turn.map_err(|error| no_record(format!("turn: {error}, found {}", self.options.turn.as_deref().unwrap_or_default())))?;
        let bins = options.bins.map_or_else(|| seconds(self.options.bins_s), |bins| Ok(Some(bins)))?;
        let (every, where_faces) = (seconds(self.options.every_s)?, seconds(self.options.where_faces_s)?);
        let RowOptions { exact, geometry, .. } = self.options;
        Ok(Options { every, exact, where_faces, turn, geometry, prior: None, set, bins, ..options.clone() })
    }

    /// Checks that `models` are those of the record.
    ///
    /// # Errors
    /// If they are others.
    pub fn check(&self, models: &Models, path: &Path) -> Result<(), Error> {
        let expected = networks::models(&self.networks);
        if expected == *models {
            return Ok(());
        }
        Err(Error::OtherNetworks { record: path.to_owned(), expected: expected.into(), found: Box::new(models.clone()) })
    }

    /// A sentence if another version of the program wrote the record, since it may give other rows.
    pub fn note(&self) -> Option<String> {
        let this = Program::this();
        let differs = self.program.version != this.version || self.program.commit != this.commit;
        differs.then(|| format!("--like: the record is of {}, this is {this}; rows may differ", self.program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_options() -> Options {
        Options::new(Vec::new(), "results.csv".into())
    }

    /// The record of the first version that wrote one, without what is not read.
    const FIRST_FORM: &str = r#"{"version":1,"program":{"name":"emotion-scan","version":"0.1.0","commit":"becbeb9"},
        "options":{"every_s":0.2,"set":["facedetect.max-faces=1"],"bins_s":null},"networks":[
        {"role":"detector","sha256":"a1","description_sha256":"b2"},{"role":"expression","sha256":"c3","description_sha256":"d4"}]}"#;

    #[test]
    fn records_of_1_0_and_of_the_first_version_are_read() {
        gst::init().unwrap();
        let path = test_support::data("1.0/results.json");
        let recorded = Recorded::read(&path).unwrap();
        let options = recorded.apply(&plain_options(), &path).unwrap();
        assert_eq!((options.every, options.bins, options.exact), (Some(Duration::from_secs(1)), Some(Duration::from_secs(5)), false));
        assert_eq!(
            recorded.networks.iter().map(|network| network.role.as_str()).collect::<Vec<_>>(),
            ["detector", "refiner", "expression"]
        );
        let first: Recorded = serde_json::from_str(FIRST_FORM).unwrap();
        let options = first.apply(&plain_options(), &path).unwrap();
        assert_eq!((options.every, options.set.len(), options.where_faces), (Some(Duration::from_millis(200)), 1, None));
        let models = Models {
            detector: "a1".into(),
            classifier: "c3".into(),
            detector_description: "b2".into(),
            classifier_description: "d4".into(),
            ..Models::default()
        };
        first.check(&models, &path).unwrap();
        assert!(first.note().is_some_and(|note| note.contains("rows may differ")));
    }
}
