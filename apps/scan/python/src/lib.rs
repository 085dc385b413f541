// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module `emotion._emotion`, which the Python package wraps: scans and single pictures.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use emotion_scan::analysis::Analyser;
use emotion_scan::setting::Setting;
use emotion_scan::{CommandLine, Error, picture};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde::de::DeserializeOwned;

/// Files that could not be examined: name and error.
type Errors = Vec<(String, String)>;

/// Examines `inputs`, writes the tables and returns the errors of files. `schedule` has the values of `--every`, `--exact` and
/// `--where-faces`, and `examination` those of `--prior`, `--baseline`, `--turn` and `--geometry`.
#[pyfunction]
fn scan(
    py: Python<'_>,
    inputs: Vec<PathBuf>,
    output: PathBuf,
    schedule: (Option<f64>, bool, Option<f64>),
    examination: (Option<String>, Option<String>, String, bool),
    set: Vec<String>,
    jobs: Option<u16>,
) -> PyResult<Errors> {
    let mut command = CommandLine::new(inputs, output);
    let options = &mut command.examination;
    let (every, exact, where_faces) = schedule;
    options.every = every.map(|every| interval("every", every)).transpose()?;
    options.exact = exact && every.is_some();
    options.where_faces = where_faces.map(|every| interval("where_faces", every)).transpose()?;
    let (prior, baseline, turn, geometry) = examination;
    options.prior = prior.map(|name| choice("prior", name)).transpose()?;
    options.baseline = baseline.map(|name| choice("baseline", name)).transpose()?;
    options.turn = turn.parse().map_err(|error| PyValueError::new_err(format!("turn: {error}, found {turn}")))?;
    options.geometry = geometry;
    options.set = settings(&set)?;
    command.jobs = jobs.filter(|&jobs| jobs > 0);
    Ok(py.detach(|| emotion_scan::scan(&command)).map_err(python_error)?.errors)
}

/// The loaded networks, with the values of `geometry` and `set` that they were loaded for.
type Loaded = ((bool, Vec<String>), Analyser);

/// The faces of a picture, as JSON. `shape` is width, height and the number of bytes for each pixel: 1 is grey, 3 is RGB.
#[pyfunction]
fn faces(py: Python<'_>, pixels: &[u8], shape: (u32, u32, u32), geometry: bool, set: Vec<String>) -> PyResult<String> {
    static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);
    let settings = settings(&set)?;
    let (pixels, (width, height, channels)) = (pixels.to_vec(), shape);
    let found = py.detach(|| {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (geometry, set);
        if loaded.as_ref().is_none_or(|(known, _)| *known != wanted) {
            emotion_scan::analysis::start_elements()?;
            *loaded = Some((wanted, Analyser::new(&settings, geometry, 0)?));
        }
        let (_, analyser) = loaded.as_mut().expect("loaded above");
        picture::faces(analyser, pixels, width, height, channels)
    });
    serde_json::to_string(&found.map_err(python_error)?).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

fn interval(argument: &str, seconds: f64) -> PyResult<Duration> {
    let interval = Duration::try_from_secs_f64(seconds).ok().filter(|interval| !interval.is_zero());
    interval.ok_or_else(|| PyValueError::new_err(format!("{argument}: expected more than 0 seconds, found {seconds}")))
}

/// A value by its name in options.
fn choice<T: DeserializeOwned>(argument: &str, name: String) -> PyResult<T> {
    serde_json::from_value(name.into()).map_err(|error| PyValueError::new_err(format!("{argument}: {error}")))
}

fn settings(set: &[String]) -> PyResult<Vec<Setting>> {
    set.iter().map(|text| text.parse().map_err(|error| PyValueError::new_err(format!("set: {error}, found {text}")))).collect()
}

fn python_error(error: Error) -> PyErr {
    match error {
        error if error.is_usage() => PyValueError::new_err(error.to_string()),
        Error::Io { .. } | Error::Busy(_) => PyOSError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

#[pymodule]
fn _emotion(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(scan, module)?)?;
    module.add_function(wrap_pyfunction!(faces, module)?)
}
