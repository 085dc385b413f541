// SPDX-License-Identifier: MIT OR Apache-2.0
//! A web page that shows faces and their apparent expressions live, from cameras, files, network cameras and the viewers'
//! browsers.
//!
//! ```text
//!                 sources/: a supervisor (one thread) for each
//! input → graph ───┬─→ pictures ─→ viewers            graph.rs: the pipeline
//!                  ├─→ live ─────→ viewers, timeline  live.rs: readings of the metadata, history.rs: the last day
//!                  └─→ recorder ─→ downloads          recorder.rs: NDJSON and CSV of limited size
//! broker → fleet ──────→ viewers                      fleet/: cameras on any machine, by what they publish
//! live, fleet ─→ alerts → viewers, broker             alerts/: rules, whether or not a page is open
//! viewers ↔ web                                       web/: the page, its API and downloads
//! programs ↔ v1                                       v1/: pictures and films in, records out
//! ```
//!
//! It is also an example of how to embed the elements in Rust: `sources/graph.rs` builds the pipeline and reads the faces from the
//! buffers in a pad probe, with the types of `gstemotion`.

mod alerts;
mod argument;
mod calendar;
mod configuration;
mod dashboard;
mod fleet;
mod history;
mod options;
mod sample;
mod sources;
mod v1;
mod web;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;

use crate::dashboard::Dashboard;
pub use crate::options::Options;

/// The command line of the program.
pub fn command() -> clap::Command {
    Options::command()
}

/// Runs the program with its arguments, the first of which is its name.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    emotion_supervise::memory::stay_small();
    let options = match Options::read(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            // clap returns the text of --help as an error.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emotion-dashboard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is told to stop.
///
/// # Errors
/// If something that the options name is not there, or the server cannot listen.
pub fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start the async runtime: {error}"))?;
    let dashboard = dashboard(options)?;
    for input in dashboard.options.inputs() {
        dashboard.sources.add(input.clone(), input.name())?;
    }
    let served = runtime.block_on(web::run(dashboard.clone()));
    dashboard.sources.remove_all();
    runtime.shutdown_background();
    Ok(served?)
}

/// What answers the requests, without a server and without the sources of the options.
///
/// # Errors
/// If something that the options name is not there.
pub fn router(options: Options) -> Result<axum::Router, Box<dyn Error>> {
    Ok(web::router(dashboard(options)?, emotion_http::max_connections()))
}

fn dashboard(options: Options) -> Result<Arc<Dashboard>, Box<dyn Error>> {
    emotion_scan::analysis::start_elements()?;
    Ok(Arc::new(Dashboard::new(options)?))
}
