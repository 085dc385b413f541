// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network that is ready to run, and the tensors that it reads and writes.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ort::value::{DynValue, Outlet, ValueType};

use super::batch::Output;
use super::instance::Instance;
use super::plugin;
use super::pool::InstancePool;
use super::provider::{Execution, check_provider};
use super::session::environment;
use crate::error::{Error, Result};
use crate::model::ModelFile;
use crate::model::onnx::constant_weights;
use crate::model::search_path::SearchPath;
use crate::statistics::{StepTimes, Stopwatch};

/// Name and shape of one input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// Length of each axis; `None` for an axis of any length.
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
            .run(&self.pool, shape, pictures, streams, self.execution.batch_window, padded)
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

/// The outputs for some pictures.
pub struct Outputs<'a> {
    values: Values<'a>,
    part: Part,
    specs: &'a [TensorSpec],
    model: &'a str,
}

/// The outputs of a run.
enum Values<'a> {
    Tensors(&'a [DynValue]),
    Copied(&'a [Output]),
}

/// Some pictures of a run.
pub(super) struct Part {
    pub(super) pictures: Range<usize>,
    /// Number of pictures in the run.
    pub(super) of: usize,
}

impl Outputs<'_> {
    /// Number of outputs.
    pub fn count(&self) -> usize {
        match self.values {
            Values::Tensors(values) => values.len(),
            Values::Copied(values) => values.len(),
        }
    }

    /// The length of each axis of output `index`, and its values, row-major. The first axis may be longer than the values: the run may
    /// have had other pictures, too.
    ///
    /// # Errors
    /// [`Error::Inference`] if there is no such output or its element type is not `f32`.
    pub fn get(&self, index: usize) -> Result<(&[i64], &[f32])> {
        let error = |message: String| Error::Inference { model: self.model.into(), message };
        if index >= self.count() {
            return Err(error(format!("no output {index}: the network has {}", self.count())));
        }
        let (shape, values) = match self.values {
            Values::Copied(outputs) => (&outputs[index].shape[..], &outputs[index].values[..]),
            Values::Tensors(tensors) => {
                let (shape, values) = tensors[index].try_extract_tensor::<f32>().map_err(|failed| error(failed.to_string()))?;
                (&shape[..], values)
            }
        };
        let Part { pictures, of } = &self.part;
        if pictures.len() == *of {
            return Ok((shape, values));
        }
        let each = values.len() / of;
        Ok((shape, &values[pictures.start * each..pictures.end * each]))
    }

    /// The values of output `index`, which must be `count` in number.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and [`Error::Inference`] if the number of values differs.
    pub fn get_exactly(&self, index: usize, count: usize) -> Result<&[f32]> {
        let (_, values) = self.get(index)?;
        if values.len() == count {
            return Ok(values);
        }
        let message = format!("{} values of {} instead of {count}", values.len(), self.specs[index].name);
        Err(Error::Inference { model: self.model.into(), message })
    }
}

/// The length of each axis; ONNX Runtime gives -1 for an axis of any length.
fn shape_of(value: &ValueType) -> Vec<Option<usize>> {
    value.tensor_shape().map(|shape| shape.iter().map(|&length| usize::try_from(length).ok()).collect()).unwrap_or_default()
}
