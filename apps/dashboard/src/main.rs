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
mod web;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use crate::dashboard::Dashboard;
use crate::options::Options;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os()) {
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
fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    gst::init()?;
    gstemotion::plugin_register_static()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start the async runtime: {error}"))?;
    let dashboard = Arc::new(Dashboard::new(options)?);
    for input in dashboard.options.inputs() {
        dashboard.sources.add(input.clone(), input.name())?;
    }
    let served = runtime.block_on(web::run(dashboard.clone()));
    dashboard.sources.remove_all();
    runtime.shutdown_background();
    Ok(served?)
}
