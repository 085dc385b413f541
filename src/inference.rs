// SPDX-License-Identifier: MIT OR Apache-2.0
//! Networks through ONNX Runtime: the only user of `ort`.
//!
//! The runtime's library is loaded when the first network is, from where [`SearchPath`] finds it. There is one
//! environment in a process, never dropped, telemetry off; its thread pool serves every network that does not ask for
//! threads of its own.

use std::borrow::Cow;

use once_cell::sync::OnceCell;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use ort::session::{Session, SessionOutputs};
use ort::value::{TensorRef, ValueType};

use crate::error::{Error, Result};
use crate::locate::SearchPath;
use crate::model::ModelFile;
use crate::onnx::constant_weights;
use crate::tensor::Tensor;

static ENVIRONMENT: OnceCell<Environment> = OnceCell::new();

/// How a network is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Threads of its own; 0 shares the process-wide pool, which has as many as the machine has cores.
    pub threads: u32,
}

/// Name and shape of one input or output; an axis of any length is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// Length of each axis.
    pub shape: Vec<Option<usize>>,
}

impl std::fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let axes: Vec<_> = self.shape.iter().map(|axis| axis.map_or("?".to_string(), |length| length.to_string())).collect();
        write!(f, "{} [{}]", self.name, axes.join(", "))
    }
}

/// A loaded ONNX model.
pub struct Network {
    session: Session,
    name: String,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
}

impl Network {
    /// Loads `model`, and ONNX Runtime if this is the first network of the process.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Runtime`] for the runtime's library, [`Error::Model`] if the file is no ONNX
    /// model that the runtime can run.
    pub fn load(model: &ModelFile, search: &SearchPath, options: RunOptions) -> Result<Self> {
        let environment = environment(search)?;
        // What cannot be edited is no ONNX model, and the runtime says so in its own words.
        let bytes = constant_weights(&model.bytes).map_or(model.bytes.as_ref().into(), Cow::from);
        let session = session(environment, &bytes, options).map_err(|error| Error::Model {
            path: model.path.clone(),
            expected: "an ONNX model".into(),
            found: error.to_string(),
        })?;
        let spec = |outlet: &ort::value::Outlet| TensorSpec { name: outlet.name().into(), shape: shape_of(outlet.dtype()) };
        let (inputs, outputs) = (session.inputs().iter().map(spec).collect(), session.outputs().iter().map(spec).collect());
        Ok(Self { session, name: model.path.display().to_string(), inputs, outputs })
    }

    /// What the graph takes.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What the graph gives.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Inputs and outputs in words, for an error that says what a model is.
    pub fn signature(&self) -> String {
        let list = |specs: &[TensorSpec]| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!("inputs {}; outputs {}", list(&self.inputs), list(&self.outputs))
    }

    /// Runs the graph on `input`, which goes to its first input.
    ///
    /// # Errors
    /// [`Error::Inference`] with the runtime's words.
    pub fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>> {
        let failed = |error: ort::Error| Error::Inference { model: self.name.clone(), message: error.to_string() };
        let tensor = TensorRef::from_array_view((input.shape(), input.data())).map_err(failed)?;
        let values = self.session.run(ort::inputs![tensor]).map_err(failed)?;
        Ok(Outputs { values, model: &self.name })
    }
}

/// The results of one run.
pub struct Outputs<'a> {
    values: SessionOutputs<'a>,
    model: &'a str,
}

impl Outputs<'_> {
    /// The values of output `index`, row-major, with the length of each axis.
    ///
    /// # Errors
    /// [`Error::Inference`] if there is no such output or it does not hold `f32`.
    pub fn get(&self, index: usize) -> Result<(&[i64], &[f32])> {
        let failed = |message: String| Error::Inference { model: self.model.into(), message };
        if index >= self.values.len() {
            return Err(failed(format!("output {index} of {} was asked for", self.values.len())));
        }
        let (shape, data) = self.values[index].try_extract_tensor::<f32>().map_err(|error| failed(error.to_string()))?;
        Ok((shape, data))
    }
}

fn environment(search: &SearchPath) -> Result<&'static Environment> {
    ENVIRONMENT.get_or_try_init(|| {
        let path = search.runtime_library()?;
        let failed = |message: String| Error::Runtime { path: path.clone(), message };
        // Anything else of `ort` that comes first would load a library of its own choice, or panic.
        let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
        let pool = GlobalThreadPoolOptions::default().with_spin_control(false).map_err(|error| failed(error.to_string()))?;
        let builder = builder.with_name("gst-emotion").with_telemetry(false).with_global_thread_pool(pool);
        let environment = builder.build().map_err(|error| failed(error.to_string()))?;
        // Its warnings are about how a file was exported, on standard error; errors come back from the calls as well.
        environment.set_log_level(LogLevel::Error);
        Ok(environment)
    })
}

fn session(environment: &Environment, bytes: &[u8], options: RunOptions) -> ort::Result<Session> {
    if options.threads == 0 {
        match Session::builder(environment)?.commit_from_memory(bytes) {
            // Somebody else in this process started the same library, without a pool that could be shared.
            Err(error) if error.message().contains("GlobalThreadPools") => {}
            result => return result,
        }
    }
    let builder = Session::builder(environment)?.with_independent_thread_pool()?.with_intra_op_spinning(false)?;
    builder.with_intra_threads(options.threads as usize)?.commit_from_memory(bytes)
}

fn shape_of(value: &ValueType) -> Vec<Option<usize>> {
    value.tensor_shape().map(|shape| shape.iter().map(|&length| usize::try_from(length).ok()).collect()).unwrap_or_default()
}
