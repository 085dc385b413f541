// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotion-evaluate`: how good a model is on labelled data. The measuring is in [`gstemotion::evaluation`].

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use clap::{Args, Parser, Subcommand};
use gstemotion::error::{Error, Result};
use gstemotion::evaluation::dataset::Dataset;
use gstemotion::evaluation::expression::{Options, evaluate};
use gstemotion::evaluation::figure::{confusion_matrix, reliability};
use gstemotion::evaluation::report::{Protocol, Report};
use gstemotion::locate::SearchPath;
use gstemotion::model::ModelFile;

/// Measures models on labelled data, through the preprocessing of the GStreamer elements.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Scores of expressions on cropped faces
    Expression(ExpressionArguments),
}

#[derive(Args)]
struct ExpressionArguments {
    /// Labelled pictures: a folder of folders named by class; a folder with labels.csv, or such a table (columns file
    /// and label, or FER+'s ten columns of votes); an npz with images and votes or label
    data: PathBuf,
    /// ONNX file with a model.toml beside it
    #[arg(long, default_value = "models/expression/model.onnx")]
    model: PathBuf,
    /// Also measure under each condition: covered, dark, blurred, small, turned, badly framed
    #[arg(long)]
    conditions: bool,
    /// Networks that run side by side; 0 for as many as there are cores
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// Write all figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write confusion matrices and reliability diagrams to this folder
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Expression(arguments) => expression(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emotion-evaluate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn expression(arguments: &ExpressionArguments) -> Result<()> {
    let data = Dataset::open(&arguments.data)?;
    let model = ModelFile::open(&arguments.model)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = if arguments.jobs == 0 { cores() } else { arguments.jobs };
    let shown = AtomicU32::new(u32::MAX);
    let options = Options { conditions: arguments.conditions, jobs, progress: &|share| show_progress(&shown, share) };
    let report = evaluate(&model, &data, &SearchPath::from_env(None), &options)?;
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| Error::Config(error.to_string()))?;
        write(path, &(json + "\n"))?;
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
            write(&folder.join(format!("confusion-{name}-{protocol}.svg")), &confusion_matrix(&figures.confusion, &title))?;
            let diagram = reliability(&figures.bins, figures.calibration_error, &title);
            write(&folder.join(format!("reliability-{name}-{protocol}.svg")), &diagram)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|source| Error::Io { path: path.into(), source })
}

/// One line on a terminal, rewritten for each percent.
fn show_progress(shown: &AtomicU32, share: f32) {
    let percent = (100.0 * share) as u32;
    if std::io::stderr().is_terminal() && shown.swap(percent, Ordering::Relaxed) != percent {
        eprint!("\r{percent:3} %{}", if percent == 100 { "\n" } else { "" });
        let _ = std::io::stderr().flush();
    }
}
