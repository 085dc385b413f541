// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-evaluate`: its arguments, and where its reports go.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::agreement;
use crate::dataset::Dataset;
use crate::detection::{self, Task};
use crate::error::{Error, Result};
use crate::expression::{Options, evaluate};
use crate::figure::{RATERS, TRUTH, confusion_matrix, reliability};
use crate::photos::{self, read_names};
use crate::report::{Protocol, Report};
use clap::{Args, CommandFactory, Parser, Subcommand};
use emotion_core::model::ModelFile;
use emotion_core::model::search_path::SearchPath;

/// Measures models on labelled data, with the preprocessing of the GStreamer elements.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures an expression model on cropped faces
    Expression(ExpressionArguments),
    /// Measures face detectors on the same photos
    Detection(DetectionArguments),
    /// Compares people's ratings of segments of files with a table of emotion-scan
    Agreement(AgreementArguments),
}

#[derive(Args)]
struct ExpressionArguments {
    /// Labelled pictures: a folder of folders named after the classes; or a folder with labels.csv, or such a table (columns
    /// file and label, or FER+'s ten columns of votes)
    data: PathBuf,
    /// ONNX file with a model.toml beside it, or the name of a model that is compiled in
    #[arg(long, default_value = "expression")]
    model: PathBuf,
    /// Also measure degraded pictures: covered, dark, blurred, small, rotated, inaccurately cropped
    #[arg(long)]
    conditions: bool,
    /// Number of networks that run in parallel; 0 for the number of cores
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// Write all metrics to this JSON file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write confusion matrices and reliability diagrams to this folder
    #[arg(long)]
    svg: Option<PathBuf>,
}

#[derive(Args)]
struct DetectionArguments {
    /// Folder with labels.json ({file: {faces: [{box: [x, y, w, h]}], ignore: [box, ...]}}) and the pictures in photos/
    data: PathBuf,
    /// ONNX file of a detector, recognised by its outputs, or the name of a model that is compiled in; may be given several times
    #[arg(long, required = true)]
    model: Vec<PathBuf>,
    /// Longer side of the network's input, 0 for the photo's own; may be given several times
    #[arg(long, default_value = "320")]
    detect_size: Vec<u32>,
    /// Minimum IoU (intersection over union) of a box and the face that it hits
    #[arg(long, default_value_t = 0.5)]
    iou: f32,
    /// File with the names of the photos to measure, one per line; the default is all
    #[arg(long)]
    only: Option<PathBuf>,
    /// File with the names of photos without faces, one per line; every box on them is a false positive, whatever their
    /// labels are
    #[arg(long)]
    face_free: Option<PathBuf>,
    /// Write all metrics to this JSON file
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct AgreementArguments {
    /// Table of faces of emotion-scan: results.parquet, .csv or .ndjson
    table: PathBuf,
    /// CSV file with a row for each segment and rater: columns file, start and end in seconds, rater, and label or
    /// score_happiness, score_sadness, ...; id selects a track
    ratings: PathBuf,
    /// Write all figures to this JSON file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the confusion matrix to this SVG file
    #[arg(long)]
    svg: Option<PathBuf>,
}

/// The command line of the program.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with its arguments, the first of which is its name.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let result = match Cli::parse_from(arguments).command {
        Command::Expression(arguments) => expression(&arguments),
        Command::Detection(arguments) => detection(&arguments),
        Command::Agreement(arguments) => agreement(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emotion-evaluate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn expression(arguments: &ExpressionArguments) -> Result<()> {
    let data = Dataset::open(&arguments.data)?;
    let search = SearchPath::from_env(None);
    let model = open(&arguments.model, &search)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = if arguments.jobs == 0 { cores() } else { arguments.jobs };
    let shown = AtomicU32::new(u32::MAX);
    let options = Options { conditions: arguments.conditions, jobs, progress: &|share| show_progress(&shown, share) };
    let report = evaluate(&model, &data, &search, &options)?;
    if let Some(path) = &arguments.json {
        write_json(path, &report)?;
    }
    if let Some(folder) = &arguments.svg {
        write_figures(folder, &report)?;
    }
    print!("{report}");
    Ok(())
}

fn write_figures(folder: &Path, report: &Report) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.into(), source })?;
    for output in &report.outputs {
        for figures in &output.figures {
            let protocol = match figures.protocol {
                Protocol::Votes => "votes",
                Protocol::Labels => "labels",
            };
            let (name, title) = (&output.output, format!("{}, output {}, by {}", report.model, output.output, figures.protocol));
            write(&folder.join(format!("confusion-{name}-{protocol}.svg")), &confusion_matrix(&figures.confusion, &title, TRUTH))?;
            let diagram = reliability(&figures.bins, figures.calibration_error, &title);
            write(&folder.join(format!("reliability-{name}-{protocol}.svg")), &diagram)?;
        }
    }
    Ok(())
}

fn detection(arguments: &DetectionArguments) -> Result<()> {
    let names = |file: &Option<PathBuf>| file.as_deref().map(read_names).transpose();
    let (only, face_free) = (names(&arguments.only)?, names(&arguments.face_free)?.unwrap_or_default());
    let mut photos = photos::read(&arguments.data, only.as_ref())?;
    photos.retain(|photo| !photo.path.file_name().is_some_and(|name| face_free.contains(&*name.to_string_lossy())));
    let face_free = photos::read(&arguments.data, Some(&face_free))?;
    let search = SearchPath::from_env(None);
    let models = arguments.model.iter().map(|model| open(model, &search)).collect::<Result<Vec<_>>>()?;
    let shown = AtomicU32::new(u32::MAX);
    let task = Task {
        photos: &photos,
        face_free: &face_free,
        detect_sizes: &arguments.detect_size,
        min_iou: arguments.iou,
        progress: &|share| show_progress(&shown, share),
    };
    let report = detection::evaluate(&models, &task, &search)?;
    if let Some(path) = &arguments.json {
        write_json(path, &report)?;
    }
    print!("{report}");
    Ok(())
}

fn agreement(arguments: &AgreementArguments) -> Result<()> {
    let report = agreement::evaluate(&arguments.table, &arguments.ratings)?;
    if let Some(path) = &arguments.json {
        write_json(path, &report)?;
    }
    if let (Some(path), Some(labels)) = (&arguments.svg, &report.labels) {
        let title = format!("{} of {} segments agree", (labels.accuracy * labels.compared as f64).round(), labels.compared);
        write(path, &confusion_matrix(&labels.confusion, &title, RATERS))?;
    }
    print!("{report}");
    Ok(())
}

/// A model by its file, or by its name if it looks like one.
fn open(model: &Path, search: &SearchPath) -> Result<ModelFile> {
    let name = model.to_str().filter(|name| !name.contains(['/', '.']));
    Ok(name.map_or_else(|| ModelFile::open(model), |name| ModelFile::named(name, search))?)
}

fn write_json(path: &Path, report: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(report)?;
    write(path, &(json + "\n"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|source| Error::Io { path: path.into(), source })
}

/// Shows progress on a terminal, as one line that is rewritten for each percent.
fn show_progress(shown: &AtomicU32, share: f32) {
    let percent = (100.0 * share) as u32;
    if std::io::stderr().is_terminal() && shown.swap(percent, Ordering::Relaxed) != percent {
        eprint!("\r{percent:3} %{}", if percent == 100 { "\n" } else { "" });
        let _ = std::io::stderr().flush();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use test_support::command_line;

    use super::Cli;

    #[test]
    fn manual_page_and_completions_have_the_options() {
        command_line::assert_committed(Cli::command(), "emotion-evaluate");
    }
}
