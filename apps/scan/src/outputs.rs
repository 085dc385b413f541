// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a scan writes, and where.

use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::ArgPredicate;
use clap::{Args, ValueEnum, ValueHint};
use serde_json::Value;

use crate::error::Error;
use crate::sampling::seconds;
use crate::table::{Format, Table};

/// What precedes the name of the table in the description of a project for BORIS.
pub(crate) const BORIS_DESCRIPTION: &str = "Apparent expressions, by emotion-scan: ";

/// The options of what is written.
#[derive(Args, Clone, Debug, Default)]
pub struct Outputs {
    /// Table to write, a .parquet, .csv or .ndjson file
    #[arg(
        short,
        long,
        value_name = "TABLE",
        display_order = 0,
        required = true,
        default_value_if("blurred", ArgPredicate::IsPresent, "results.csv"),
        hide_default_value = true
    )]
    pub output: PathBuf,

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

    /// Number of the part, if these are the outputs of one part of a partition.
    #[arg(skip)]
    pub part: Option<usize>,
}

/// A program that opens annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// ELAN: an .eaf file for each video.
    Elan,
    /// BORIS: one project with an observation for each video.
    Boris,
    /// Praat: a .TextGrid file for each video.
    Textgrid,
}

impl Outputs {
    /// The format of the tables, by their suffix.
    pub fn format(&self) -> Result<Format, Error> {
        Format::of_suffix(&self.suffix().to_lowercase()).ok_or_else(|| Error::UnknownFormat(self.output.clone()))
    }

    /// The suffix of the tables.
    pub fn suffix(&self) -> String {
        self.output.extension().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The outputs of part `number` of a partition: `results.parquet/part-00000.parquet`.
    pub fn of_part(&self, number: usize) -> Self {
        Self { part: Some(number), output: self.output.join(self.part_name(number)), ..self.clone() }
    }

    /// File name of part `number`.
    pub fn part_name(&self, number: usize) -> String {
        format!("part-{number:05}.{}", self.suffix())
    }

    /// The number of a part by its file name; `None` for other files.
    pub fn part_number(&self, name: &str) -> Option<usize> {
        let number = name.strip_prefix("part-")?.split('.').next()?.parse().ok()?;
        (self.part_name(number) == name).then_some(number)
    }

    /// The tables that are written.
    pub fn tables(&self) -> impl DoubleEndedIterator<Item = Table> {
        let has_bins = self.bins.is_some();
        Table::ALL.into_iter().filter(move |table| *table != Table::Bins || has_bins)
    }

    /// The path of a table: `results.files.parquet` beside `results.parquet` for the table of files.
    pub fn path_of(&self, table: Table) -> PathBuf {
        let named = |output: &Path| output.with_extension(format!("{}.{}", table.name(), self.suffix()));
        if table == Table::Faces { self.output.clone() } else { self.beside(named) }
    }

    /// The folder of the journal: `results.parquet.parts` beside `results.parquet`.
    pub fn journal_folder(&self) -> PathBuf {
        let named = |output: &Path| {
            let mut name = output.file_name().unwrap_or_default().to_owned();
            name.push(".parts");
            output.with_file_name(name)
        };
        self.beside(named)
    }

    /// The path that `named` gives to the output. That of a part is in the folder that `named` gives to the partition.
    fn beside(&self, named: impl Fn(&Path) -> PathBuf) -> PathBuf {
        match (self.part, self.output.parent(), self.output.file_name()) {
            (Some(_), Some(folder), Some(name)) => named(folder).join(name),
            _ => named(&self.output),
        }
    }

    /// The file that says what made the tables: `results.json` beside `results.parquet`.
    pub fn provenance(&self) -> PathBuf {
        self.own("json")
    }

    /// The file that describes the columns: `results.datapackage.json` beside `results.parquet`.
    pub fn dictionary(&self) -> PathBuf {
        self.own("datapackage.json")
    }

    /// `results.ENDING` beside `results.parquet`. If that is somebody else's, or belongs to another table such as `results.csv`, it is
    /// `results.parquet.ENDING`.
    fn own(&self, ending: &str) -> PathBuf {
        let short = self.output.with_extension(ending);
        if !short.exists() || self.is_described_by(&short) {
            return short;
        }
        let mut long = self.output.clone().into_os_string();
        long.push(format!(".{ending}"));
        long.into()
    }

    /// True if a file was written for these tables.
    fn is_described_by(&self, path: &Path) -> bool {
        let Some(Ok(found)) = File::open(path).ok().map(|file| serde_json::from_reader::<_, Value>(BufReader::new(file))) else {
            return false;
        };
        let name = self.output.file_name().unwrap_or_default().to_string_lossy();
        let of_package = &found["resources"][0]["path"];
        let of_part = of_package[0].as_str().and_then(|part| part.strip_prefix(&*name)).is_some_and(|part| part.starts_with('/'));
        let of_project = found["project_description"].as_str().and_then(|text| text.strip_prefix(BORIS_DESCRIPTION));
        found["tables"]["faces"] == *name || *of_package == *name || of_part || of_project == Some(&*name)
    }

    /// Refuses to replace tables that are none of a scan, besides the one that is asked for by name.
    pub fn check(&self) -> Result<(), Error> {
        let format = self.format()?;
        let is_other = |path: &PathBuf| File::open(path).is_ok_and(|file| path.is_file() && !format.is_of_scan(file).unwrap_or(false));
        let others = Table::ALL.into_iter().filter(|table| *table != Table::Faces).map(|table| self.path_of(table));
        others.into_iter().find(is_other).map_or(Ok(()), |path| Err(Error::TableReplaced(path)))
    }

    /// The folder of annotations, or the file of a format that has one file for all videos: `results.elan` for `results.parquet`.
    pub fn annotations(&self, program: Annotations) -> PathBuf {
        match program {
            Annotations::Elan => self.output.with_extension("elan"),
            Annotations::Boris => self.own("boris"),
            Annotations::Textgrid => self.output.with_extension("textgrid"),
        }
    }

    /// All files and folders.
    pub fn all(&self) -> Vec<PathBuf> {
        let tables = Table::ALL.into_iter().map(|table| self.path_of(table));
        let annotations = self.annotations.iter().map(|program| self.annotations(*program));
        let others = [self.journal_folder(), self.provenance(), self.dictionary()].into_iter().chain(annotations);
        tables.chain(others).chain(self.report.clone()).chain(self.annotated.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(output: &str) -> Outputs {
        Outputs { output: output.into(), ..Outputs::default() }
    }

    #[test]
    fn the_suffix_of_the_output_gives_format_and_names() {
        let outputs = outputs("out/results.v2.parquet");
        assert_eq!(outputs.format().unwrap(), Format::Parquet);
        assert_eq!(outputs.path_of(Table::Files), Path::new("out/results.v2.files.parquet"));
        assert_eq!(outputs.path_of(Table::Faces), outputs.output);
        assert_eq!(outputs.provenance(), Path::new("out/results.v2.json"));
        assert_eq!(outputs.journal_folder(), Path::new("out/results.v2.parquet.parts"));
        assert_eq!(outputs.annotations(Annotations::Boris), Path::new("out/results.v2.boris"));
        let error = Outputs { output: "results.xlsx".into(), ..outputs }.format().unwrap_err();
        assert!(error.is_usage() && matches!(&error, Error::UnknownFormat(output) if output == Path::new("results.xlsx")), "{error}");
    }

    #[test]
    fn what_describes_a_table_never_replaces_a_file_of_others() {
        let folder = std::env::temp_dir().join(format!("emotion-scan-outputs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        let outputs = |name: &str| outputs(folder.join(name).to_str().unwrap());
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        write("clip.json", r#"{"notes": 3}"#);
        assert_eq!(name(outputs("clip.csv").provenance()), "clip.csv.json");
        write("clip.json", "no JSON");
        assert_eq!(name(outputs("clip.csv").provenance()), "clip.csv.json");
        write("clip.boris", r#"{"project_description": "mine"}"#);
        assert_eq!(name(outputs("clip.csv").annotations(Annotations::Boris)), "clip.csv.boris");
        write("results.json", r#"{"program": {"name": "emotion-scan"}, "tables": {"faces": "results.csv"}}"#);
        assert_eq!(
            ["csv", "parquet"].map(|format| name(outputs(&format!("results.{format}")).provenance())),
            ["results.json", "results.parquet.json"]
        );
        write("results.datapackage.json", r#"{"resources": [{"path": ["results.parquet/part-00000.parquet"]}]}"#);
        let found = ["csv", "parquet"].map(|format| name(outputs(&format!("results.{format}")).dictionary()));
        assert_eq!(found, ["results.csv.datapackage.json", "results.datapackage.json"]);
        write("clip.files.csv", "name,size\r\n");
        assert!(matches!(outputs("clip.csv").check(), Err(Error::TableReplaced(path)) if path.ends_with("clip.files.csv")));
        write("clip.files.csv", "file,kind\r\n");
        outputs("clip.csv").check().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_parts_of_a_partition_are_in_folders() {
        let part = outputs("out/results.parquet").of_part(3);
        assert_eq!(part.output, Path::new("out/results.parquet/part-00003.parquet"));
        assert_eq!(part.path_of(Table::Files), Path::new("out/results.files.parquet/part-00003.parquet"));
        assert_eq!(part.journal_folder(), Path::new("out/results.parquet.parts/part-00003.parquet"));
    }

    #[test]
    fn parts_have_the_order_of_their_numbers() {
        let outputs = outputs("results.parquet");
        for number in [0, 7, 99_999, 100_000, 1_234_567] {
            assert_eq!(outputs.part_number(&outputs.part_name(number)), Some(number));
        }
        for other in ["part-00003.csv", "part-3.parquet", "part-00003.parquet.old", "part-x.parquet", "notes.parquet"] {
            assert_eq!(outputs.part_number(other), None, "{other}");
        }
    }
}
