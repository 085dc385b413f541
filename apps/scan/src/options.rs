// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueHint};
use emotion_supervise::chain::Prior;

use crate::error::Error;
use crate::models::Models;
use crate::output::Annotations;
use crate::sampling::{Sampling, Schedule};
use crate::setting::{self, Setting};
use crate::table::{Format, Table};
use crate::turn::Turn;

const AFTER_HELP: &str = "\
TABLE has one row for each face on each examined frame. The tables of files and of tracks, whose names have .files and \
.tracks before the suffix, have one row for each file and for each track. docs/scan.md describes the columns.

If the scan is interrupted, the same command continues it.

Exit status: 0 if all files were examined or are no pictures, 3 if a file could not be read (its row has the error), \
1 if the scan stopped, 2 if an option is wrong.";

/// Finds faces in photos and recordings, scores their apparent expression, and writes one table.
#[derive(Clone, Debug, Parser)]
#[command(name = "emotion-scan", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Photos, videos and folders, or their http, https and s3 URLs; folders are searched with their subfolders
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Table to write, a .parquet, .csv or .ndjson file
    #[arg(short, long, value_name = "TABLE")]
    pub output: PathBuf,

    /// File with further inputs, one per line; - is standard input; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub list: Vec<PathBuf>,

    /// Seconds between examined frames; without it, every frame is examined. The keyframe nearest to each of these times is
    /// taken where keyframes are that close, since other frames then need not be decoded
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub every: Option<Duration>,

    /// Take the first frame at or after each time of --every, which decodes all frames
    #[arg(long, requires = "every")]
    pub exact: bool,

    /// Look at frames at most twice so many seconds apart first, 1 without a number, and examine only the spans with faces. Keyframes
    /// are taken where they are that close
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub where_faces: Option<Duration>,

    /// Assumed frequency of the expressions: natural, as in front of a camera, which is the default; or balanced, all equally
    /// frequent, as in posed or selected pictures
    #[arg(long, value_enum, hide_possible_values = true)]
    pub prior: Option<Prior>,

    /// Degrees by which pictures are turned clockwise before they are searched: 0, 90, 180 or 270; or auto: a photo with few
    /// faces is searched in all four directions. Boxes refer to the picture as it is stored
    #[arg(long, value_name = "DEGREES", value_enum, hide_possible_values = true, default_value = "0")]
    pub turn: Turn,

    /// Estimate pose, landmarks and blendshapes of each face too: the tables get the columns of the pose, the blendshapes, of facing
    /// the camera and of blinks
    #[arg(long)]
    pub geometry: bool,

    /// results.json of an earlier scan, whose options and networks this scan uses; other networks are refused
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["every", "exact", "prior", "turn", "geometry", "set"])]
    pub like: Option<PathBuf>,

    /// Property of an element, such as facedetect.tile-size=640; * is every element that has the property; may be repeated
    #[arg(long, value_name = "ELEMENT.PROPERTY=VALUE")]
    pub set: Vec<Setting>,

    /// Number of files or slices examined at the same time; without it, one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Write the tables in parts, each of so many files: TABLE and the table of files become folders
    #[arg(long, value_name = "FILES", conflicts_with_all = ["report", "annotated", "annotations"])]
    pub partition: Option<NonZeroUsize>,

    /// Also write the table of bins, TABLE with .bins before the suffix: means and standard errors over intervals of this length
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub bins: Option<Duration>,

    /// Page to write, with timelines and shares
    #[arg(long, value_name = "PAGE.html")]
    pub report: Option<PathBuf>,

    /// Folder for photos and videos with the faces drawn
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub annotated: Option<PathBuf>,

    /// Also write the labels of each video's faces as intervals for a program in which people annotate; may be repeated
    #[arg(long, value_name = "PROGRAM", value_enum)]
    pub annotations: Vec<Annotations>,

    /// Seconds without a decoded frame, or without data from a server, after which a file is given up
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub timeout: Duration,

    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Examine nothing here: write tasks to standard output and read their results from standard input, for a program that
    /// takes them to other machines
    #[arg(long, conflicts_with = "worker")]
    pub dispatch: bool,

    /// Examine the tasks of a scan that has --dispatch and the same options; the inputs are ignored
    #[arg(long)]
    pub worker: bool,

    /// The arguments of the program, which the record of the scan has.
    #[arg(skip)]
    pub command: Vec<String>,

    /// Number of the part, if these are the options of one part of a partition.
    #[arg(skip)]
    pub part: Option<usize>,
}

impl Options {
    /// The options of a scan of `inputs` to `output`, all others at their defaults.
    pub fn new(inputs: Vec<PathBuf>, output: PathBuf) -> Self {
        Self {
            inputs,
            output,
            list: Vec::new(),
            every: None,
            exact: false,
            where_faces: None,
            prior: None,
            turn: Turn::None,
            geometry: false,
            like: None,
            set: Vec::new(),
            jobs: None,
            partition: None,
            bins: None,
            report: None,
            annotated: None,
            annotations: Vec::new(),
            timeout: Duration::from_secs(60),
            quiet: true,
            dispatch: false,
            worker: false,
            command: Vec::new(),
            part: None,
        }
    }

    /// The format of the output, by its suffix.
    ///
    /// # Errors
    /// If no format has this suffix.
    pub fn format(&self) -> Result<Format, Error> {
        let suffix = self.output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match suffix.as_str() {
            "parquet" => Ok(Format::Parquet),
            "csv" => Ok(Format::Csv),
            "ndjson" | "jsonl" => Ok(Format::Ndjson),
            _ => Err(Error::UnknownFormat(self.output.clone())),
        }
    }

    /// Checks what the parser of the command line does not.
    ///
    /// # Errors
    /// If an option is wrong.
    pub fn check(&self) -> Result<(), Error> {
        if self.dispatch && self.list.iter().any(|list| list == Path::new("-")) {
            return Err(Error::ListFromStandardInput);
        }
        self.format().map(|_| ())
    }

    /// The options of part `number` of a partition: `results.parquet/part-00000.parquet`.
    pub fn of_part(&self, number: usize) -> Self {
        Self { part: Some(number), output: self.output.join(self.part_name(number)), ..self.clone() }
    }

    /// File name of part `number`.
    pub fn part_name(&self, number: usize) -> String {
        format!("part-{number:05}.{}", self.output.extension().unwrap_or_default().to_string_lossy())
    }

    /// The number of a part by its file name; `None` for other files.
    pub fn part_number(&self, name: &str) -> Option<usize> {
        let number = name.strip_prefix("part-")?.split('.').next()?.parse().ok()?;
        (self.part_name(number) == name).then_some(number)
    }

    /// The tables that are written.
    pub fn tables(&self) -> Vec<Table> {
        let bins = self.bins.map(|_| Table::Bins);
        [Table::Faces, Table::Files, Table::Tracks].into_iter().chain(bins).collect()
    }

    /// The path of a table: `results.files.parquet` beside `results.parquet` for the table of files.
    pub fn path_of(&self, table: Table) -> PathBuf {
        match (table, self.part, self.output.parent(), self.output.file_name()) {
            (Table::Faces, ..) => self.output.clone(),
            (_, Some(_), Some(folder), Some(name)) => beside(folder, table).join(name),
            _ => beside(&self.output, table),
        }
    }

    /// The folder of finished slices, `results.parquet.parts` beside `results.parquet`.
    pub fn parts(&self) -> PathBuf {
        if let (Some(_), Some(folder), Some(name)) = (self.part, self.output.parent(), self.output.file_name()) {
            return parts_of(folder).join(name);
        }
        parts_of(&self.output)
    }

    /// The file that says what made the tables: `results.json` beside `results.parquet`.
    pub fn record(&self) -> PathBuf {
        self.output.with_extension("json")
    }

    /// The file that describes the columns: `results.datapackage.json` beside `results.parquet`.
    pub fn dictionary(&self) -> PathBuf {
        self.output.with_extension("datapackage.json")
    }

    /// What the scan itself writes.
    pub fn own(&self) -> Vec<PathBuf> {
        let tables = [Table::Faces, Table::Files, Table::Tracks, Table::Bins].map(|table| self.path_of(table));
        let others = [self.parts(), self.record(), self.dictionary()];
        let annotations = self.annotations.iter().map(|format| format.path(self));
        let own = tables.into_iter().chain(others).chain(annotations);
        own.chain(self.report.clone()).chain(self.annotated.clone()).collect()
    }

    /// The number of workers, and of threads of each worker's networks.
    pub fn workers(&self) -> (usize, u32) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.map_or(cores, usize::from);
        (jobs, (cores / jobs).max(1) as u32)
    }

    /// The expression model, as given to `emotionclassify`.
    pub fn classifier(&self) -> String {
        let is_model = |set: &&Setting| ["*", "emotionclassify"].contains(&set.element.as_str()) && set.property == "model-file";
        self.set.iter().rfind(is_model).map_or_else(|| "expression".to_owned(), |set| set.value.clone())
    }

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

    /// The properties of the elements: the prior, the timeout of tracks, and then those of `--set`.
    pub fn settings(&self) -> Vec<Setting> {
        let timeout = setting::track_timeout(self.every, &self.set);
        self.prior.map(Prior::setting).into_iter().chain(timeout).chain(self.set.iter().cloned()).collect()
    }

    /// Everything besides the files that the rows depend on, as JSON.
    pub fn fingerprint(&self, models: &Models) -> String {
        let set: Vec<String> = self.settings().iter().map(Setting::to_string).collect();
        let every_s = self.every.map(|every| every.as_secs_f64());
        let mut settings = serde_json::json!({"version": env!("CARGO_PKG_VERSION"), "every": every_s, "set": set, "models": models});
        if every_s.is_some() {
            settings["exact"] = self.exact.into();
        }
        if let Some(every) = self.where_faces {
            settings["where_faces"] = every.as_secs_f64().into();
        }
        if let Some(turn) = self.turn.name() {
            settings["turn"] = turn.into();
        }
        if self.geometry {
            settings["geometry"] = true.into();
        }
        settings.to_string()
    }
}

/// `results.files.parquet` for `results.parquet`.
fn beside(output: &Path, table: Table) -> PathBuf {
    output.with_extension(format!("{}.{}", table.name(), output.extension().unwrap_or_default().to_string_lossy()))
}

/// `results.parquet.parts` for `results.parquet`.
fn parts_of(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    output.with_file_name(name)
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoTime {
    #[error("expected a number of seconds")]
    NotANumber,
    #[error("expected more than 0 seconds")]
    OutOfRange,
}

/// A positive number of seconds.
fn seconds(text: &str) -> Result<Duration, NoTime> {
    let number: f64 = text.parse().map_err(|_| NoTime::NotANumber)?;
    Duration::try_from_secs_f64(number).ok().filter(|duration| !duration.is_zero()).ok_or(NoTime::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("emotion-scan").chain(line.split(' ')))
    }

    #[test]
    fn the_suffix_of_the_output_gives_format_and_names() {
        let options = parse("clips --output out/results.v2.parquet").unwrap();
        assert_eq!(options.format().unwrap(), Format::Parquet);
        assert_eq!(options.path_of(Table::Files), Path::new("out/results.v2.files.parquet"));
        assert_eq!(options.path_of(Table::Faces), options.output);
        assert_eq!(options.record(), Path::new("out/results.v2.json"));
        assert_eq!(options.parts(), Path::new("out/results.v2.parquet.parts"));
        let error = parse("clips --output results.xlsx").unwrap().format().unwrap_err();
        assert!(error.is_usage() && matches!(&error, Error::UnknownFormat(output) if output == Path::new("results.xlsx")), "{error}");
    }

    #[test]
    fn the_parts_of_a_partition_are_in_folders() {
        let part = parse("clips --output out/results.parquet --partition 10").unwrap().of_part(3);
        assert_eq!(part.output, Path::new("out/results.parquet/part-00003.parquet"));
        assert_eq!(part.path_of(Table::Files), Path::new("out/results.files.parquet/part-00003.parquet"));
        assert_eq!(part.parts(), Path::new("out/results.parquet.parts/part-00003.parquet"));
    }

    #[test]
    fn parts_have_the_order_of_their_numbers() {
        let options = parse("clips --output results.parquet --partition 10").unwrap();
        for number in [0, 7, 99_999, 100_000, 1_234_567] {
            assert_eq!(options.part_number(&options.part_name(number)), Some(number));
        }
        for other in ["part-00003.csv", "part-3.parquet", "part-00003.parquet.old", "part-x.parquet", "notes.parquet"] {
            assert_eq!(options.part_number(other), None, "{other}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for line in [
            "a -o b.csv --every 0",
            "a -o b.csv --every x",
            "a -o b.csv --jobs 0",
            "a -o b.csv --turn 45",
            "a -o b.csv --set tile-size=3",
            "a -o b.csv --exact",
            "a -o b.csv --like c.json --every 2",
            "a -o b.csv --like c.json --geometry",
            "a",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_fingerprint_has_what_changes_rows() {
        let models = Models { detector: "a1".into(), classifier: "b2".into(), ..Models::default() };
        let of = |line| parse(line).unwrap().fingerprint(&models);
        assert_eq!(of("a -o b.csv"), of("c d -o e.csv --jobs 7 --quiet"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --every 2"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --where-faces"));
        assert_ne!(of("a -o b.csv --where-faces=2"), of("a -o b.csv --where-faces"));
        assert_ne!(of("a -o b.csv --every 2"), of("a -o b.csv --every 2 --exact"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --set facedetect.max-faces=3"));
        assert_ne!(of("a -o b.csv"), of("a -o b.csv --prior balanced"));
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
            assert_ne!(of("a -o b.csv"), parse("a -o b.csv").unwrap().fingerprint(&other));
        }
    }
}
