// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--like results.json`: a scan with the options of an earlier one, and with the same networks.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::networks::{self, Network};
use super::{Program, TableOptions, VERSION};
use crate::command_line::CommandLine;
use crate::error::Error;
use crate::models::Models;
use crate::outputs::Outputs;

/// What a record says about the tables.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    version: u32,
    program: Program,
    options: TableOptions,
    networks: Vec<Network>,
    #[serde(skip)]
    path: PathBuf,
}

impl Recorded {
    pub fn read(path: &Path) -> Result<Self, Error> {
        let no_record = |reason: String| Error::NoRecord { path: path.to_owned(), reason };
        let file = File::open(path).map_err(Error::at(path))?;
        let recorded: Self = serde_json::from_reader(BufReader::new(file)).map_err(|error| no_record(error.to_string()))?;
        match recorded.version {
            VERSION => Ok(Self { path: path.to_owned(), ..recorded }),
            found => Err(no_record(format!("expected version {VERSION}, found {found}"))),
        }
    }

    /// `command` with the options of the record.
    pub fn apply(&self, command: &CommandLine) -> CommandLine {
        let outputs = Outputs { bins: command.outputs.bins.or(self.options.bins_s), ..command.outputs.clone() };
        CommandLine { examination: self.options.examination.clone(), outputs, ..command.clone() }
    }

    /// Checks that `models` are those of the record.
    pub fn check(&self, models: &Models) -> Result<(), Error> {
        let expected = networks::models(&self.networks);
        if expected == *models {
            return Ok(());
        }
        Err(Error::OtherNetworks { record: self.path.clone(), expected: expected.into(), found: Box::new(models.clone()) })
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
    use std::time::Duration;

    use super::*;
    use crate::examination::Examination;

    /// The examination of a scan that is like `recorded`, and the length of its bins.
    fn applied(recorded: &Recorded) -> (Examination, Option<Duration>) {
        let command = recorded.apply(&CommandLine::new(Vec::new(), "results.csv".into()));
        (command.examination, command.outputs.bins)
    }

    /// The record of the first version that wrote one, without what is not read.
    const FIRST_FORM: &str = r#"{"version":1,"program":{"name":"emotion-scan","version":"0.1.0","commit":"becbeb9"},
        "options":{"every_s":0.2,"set":["facedetect.max-faces=1"],"bins_s":null},"networks":[
        {"role":"detector","sha256":"a1","description_sha256":"b2"},{"role":"expression","sha256":"c3","description_sha256":"d4"}]}"#;

    #[test]
    fn records_of_1_0_and_of_the_first_version_are_read() {
        gst::init().unwrap();
        let recorded = Recorded::read(&test_support::data("1.0/results.json")).unwrap();
        let (examination, bins) = applied(&recorded);
        assert_eq!((examination.every, bins, examination.exact), (Some(Duration::from_secs(1)), Some(Duration::from_secs(5)), false));
        assert_eq!(
            recorded.networks.iter().map(|network| network.role.as_str()).collect::<Vec<_>>(),
            ["detector", "refiner", "expression"]
        );
        let first: Recorded = serde_json::from_str(FIRST_FORM).unwrap();
        let (examination, _) = applied(&first);
        assert_eq!((examination.every, examination.set.len(), examination.where_faces), (Some(Duration::from_millis(200)), 1, None));
        let models = Models {
            detector: "a1".into(),
            classifier: "c3".into(),
            detector_description: "b2".into(),
            classifier_description: "d4".into(),
            ..Models::default()
        };
        first.check(&models).unwrap();
        assert!(first.note().is_some_and(|note| note.contains("rows may differ")));
    }
}
