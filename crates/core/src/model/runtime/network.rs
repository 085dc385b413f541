// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network that is ready to run.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ort::value::{Outlet, ValueType};

use super::instance::Instance;
use super::outputs::{Outputs, Part, TensorSpec, Values};
use super::plugin;
use super::pool::InstancePool;
use super::provider::{Execution, check_provider};
use super::session::environment;
use crate::error::{Error, Result};
use crate::model::ModelFile;
use crate::model::onnx::constant_weights;
use crate::model::search_path::SearchPath;
use crate::statistics::{StepTimes, Stopwatch};

/// A loaded ONNX model.
pub struct Network {
    pool: Arc<InstancePool>,
    name: String,
    sha256: String,
    description_sha256: String,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    execution: Execution,
}

impl Network {
    /// Loads `model`, and ONNX Runtime if this is the first network of the process.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Runtime`] if ONNX Runtime's library is missing or cannot be loaded,
    /// [`Error::ProviderMissing`], [`Error::ProviderLibrary`], [`Error::ProviderDevice`] or [`Error::ProviderFailed`] if the execution
    /// provider is not part of the library, cannot be loaded, has no device or fails to start, [`Error::Model`] if ONNX Runtime cannot
    /// run the file.
    pub fn load(model: &ModelFile, search: &SearchPath, execution: impl Into<Execution>) -> Result<Self> {
        let execution = execution.into();
        let (environment, library) = environment(search)?;
        let device = match &execution.plugin {
            Some(plugin) => Some(plugin::device(environment, library, plugin)?),
            None => check_provider(execution.run.provider, library).map(|()| None)?,
        };
        // A file that cannot be edited is not an ONNX model; ONNX Runtime then reports the error.
        let bytes = constant_weights(&model.bytes).map_or(model.bytes.as_ref().into(), Cow::from);
        let pool = InstancePool::join(environment, &bytes, &execution, device).map_err(|error| match device {
            None if execution.is_on_cpu() => {
                Error::Model { path: model.path.clone(), expected: "an ONNX model".into(), found: error.to_string() }
            }
            None => {
                Error::ProviderFailed { provider: execution.run.provider.name(), model: model.path.clone(), message: error.to_string() }
            }
            Some(device) => {
                let message = format!("{error} (device: {})", device.description());
                Error::ProviderFailed { provider: device.provider(), model: model.path.clone(), message }
            }
        })?;
        let spec = |outlet: &Outlet| TensorSpec { name: outlet.name().into(), shape: shape_of(outlet.dtype()) };
        let (inputs, outputs) = {
            let instance = pool.lease();
            let session = instance.session();
            (session.inputs().iter().map(spec).collect(), session.outputs().iter().map(spec).collect())
        };
        let (name, sha256) = (model.path.display().to_string(), model.sha256.clone());
        let description_sha256 = model.description_sha256.clone().unwrap_or_default();
        Ok(Self { pool, name, sha256, description_sha256, inputs, outputs, execution })
    }

    /// The SHA-256 of the model's file, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The SHA-256 of the model's description, in hex; empty without a description.
    pub fn description_sha256(&self) -> &str {
        &self.description_sha256
    }

    /// True if ONNX Runtime's own kernels for the CPU run the network.
    pub fn is_on_cpu(&self) -> bool {
        self.execution.is_on_cpu()
    }

    /// The inputs of the graph.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The outputs of the graph.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Inputs and outputs as text, for error messages.
    pub fn signature(&self) -> String {
        let list = |specs: &[TensorSpec]| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!("inputs {}; outputs {}", list(&self.inputs), list(&self.outputs))
    }

    /// Runs the graph and returns how long each step took. `write` fills the input of `shape`, row-major, whose values are
    /// unspecified before; `read` gets the outputs. Waits first, while as many streams as there are cores run the same model.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message, and those of `read`.
    pub fn run(&self, shape: [usize; 4], write: impl FnOnce(&mut [f32]), read: impl FnOnce(&Outputs) -> Result<()>) -> Result<StepTimes> {
        if self.is_batched() { self.run_with_others(shape, write, read) } else { self.run_on(&mut self.pool.lease(), shape, write, read) }
    }

    /// True if pictures of several streams are one run.
    fn is_batched(&self) -> bool {
        !self.execution.batch_window.is_zero() && self.takes_any_number()
    }

    fn takes_any_number(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).all(|spec| spec.shape.first() == Some(&None))
    }

    /// Number of pictures in a run on `pictures`. A provider in a library compiles the graph for each shape, so there are few.
    fn padded(&self, pictures: usize) -> usize {
        if self.execution.plugin.is_some() && self.takes_any_number() { pictures.next_power_of_two() } else { pictures }
    }

    fn run_with_others(
        &self,
        shape: [usize; 4],
        write: impl FnOnce(&mut [f32]),
        read: impl FnOnce(&Outputs) -> Result<()>,
    ) -> Result<StepTimes> {
        let mut clock = Stopwatch::start();
        let batches = self.pool.batches();
        let mut pictures = batches.buffer(shape.iter().product());
        write(&mut pictures);
        let preprocess = clock.lap();
        // Each stream has a network, and each network has the pool.
        let streams = Arc::strong_count(&self.pool);
        let padded = |pictures| self.padded(pictures);
        let (outputs, part) = batches
            .run(|| self.pool.lease(), shape, pictures, streams, self.execution.batch_window, padded)
            .map_err(|message| Error::Inference { model: self.name.clone(), message })?;
        let inference = clock.lap();
        read(&Outputs { values: Values::Copied(&outputs), part, specs: &self.outputs, model: &self.name })?;
        Ok(StepTimes { preprocess, inference, postprocess: clock.lap() })
    }

    fn run_on(
        &self,
        instance: &mut Instance,
        shape: [usize; 4],
        write: impl FnOnce(&mut [f32]),
        read: impl FnOnce(&Outputs) -> Result<()>,
    ) -> Result<StepTimes> {
        let error = |error: ort::Error| Error::Inference { model: self.name.clone(), message: error.to_string() };
        let mut clock = Stopwatch::start();
        let [pictures, channels, rows, columns] = shape;
        let padded = self.padded(pictures);
        let input = instance.input([padded, channels, rows, columns]).map_err(error)?;
        let (used, unused) = input.split_at_mut(shape.iter().product());
        write(used);
        unused.fill(0.0);
        let preprocess = clock.lap();
        let device = instance.exclusive();
        let values = instance.run().map_err(error)?;
        drop(device);
        let inference = clock.lap();
        let part = Part { pictures: 0..pictures, of: padded };
        read(&Outputs { values: Values::Tensors(values), part, specs: &self.outputs, model: &self.name })?;
        Ok(StepTimes { preprocess, inference, postprocess: clock.lap() })
    }

    /// Runs the graph on zeros of `shape` and passes the outputs to `check`, so that an unusable file fails on loading rather
    /// than on the first frame. Does nothing on accelerators, which may compile the graph for minutes for each input shape.
    ///
    /// # Errors
    /// [`Error::Model`] with `path` and `expected` if the run or `check` fails.
    pub fn probe(&self, path: &Path, shape: [usize; 4], expected: &str, check: impl FnOnce(&Outputs) -> Result<()>) -> Result<()> {
        if !self.is_on_cpu() {
            return Ok(());
        }
        let mut instance = self.pool.lease();
        let checked = self.run_on(&mut instance, shape, |input| input.fill(0.0), check);
        // The streams may never use this shape.
        instance.forget_shape();
        checked.map(|_| ()).map_err(|error| match error {
            Error::Inference { message: found, .. } => Error::Model { path: path.into(), expected: expected.into(), found },
            other => other,
        })
    }
}

/// The length of each axis; ONNX Runtime gives -1 for an axis of any length.
fn shape_of(value: &ValueType) -> Vec<Option<usize>> {
    value.tensor_shape().map(|shape| shape.iter().map(|&length| usize::try_from(length).ok()).collect()).unwrap_or_default()
}
