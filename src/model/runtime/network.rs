// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network that is ready to run, and the tensors that it reads and writes.

use std::borrow::Cow;
use std::path::Path;

use ort::memory::Allocator;
use ort::session::{HasSelectedOutputs, OutputSelector, Session, SessionOutputs};
use ort::value::{DynTensor, Tensor, ValueType};

use super::provider::{Provider, RunOptions, check_provider};
use super::session::{environment, session};
use crate::error::{Error, Result};
use crate::model::ModelFile;
use crate::model::onnx::constant_weights;
use crate::model::search_path::SearchPath;

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

/// Number of input shapes whose tensors are cached. The batch size changes with the number of faces.
const CACHED_SHAPES: usize = 4;

/// A loaded ONNX model.
pub struct Network {
    session: Session,
    name: String,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    /// Cached tensors by input shape, the most recently used last.
    tensors: Vec<Tensors>,
    provider: Provider,
}

/// The tensors for one input shape, reused from run to run.
struct Tensors {
    shape: [usize; 4],
    input: Tensor<f32>,
    /// Preallocated outputs. `None` before the first run, which determines their shapes.
    outputs: Option<ort::session::RunOptions<HasSelectedOutputs>>,
}

impl Network {
    /// Loads `model`, and ONNX Runtime if this is the first network of the process.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Runtime`] if ONNX Runtime's library is missing or cannot be loaded, [`Error::Config`]
    /// if the execution provider is not part of the library or fails to start, [`Error::Model`] if ONNX Runtime cannot run
    /// the file.
    pub fn load(model: &ModelFile, search: &SearchPath, options: RunOptions) -> Result<Self> {
        let (environment, library) = environment(search)?;
        check_provider(options.provider, library)?;
        // A file that cannot be edited is not an ONNX model; ONNX Runtime then reports the error.
        let bytes = constant_weights(&model.bytes).map_or(model.bytes.as_ref().into(), Cow::from);
        let session = session(environment, &bytes, options).map_err(|error| match options.provider {
            Provider::Cpu => Error::Model { path: model.path.clone(), expected: "an ONNX model".into(), found: error.to_string() },
            other => Error::Config(format!("execution provider {} with {}: {error}", other.name(), model.path.display())),
        })?;
        let spec = |outlet: &ort::value::Outlet| TensorSpec { name: outlet.name().into(), shape: shape_of(outlet.dtype()) };
        let (inputs, outputs) = (session.inputs().iter().map(spec).collect(), session.outputs().iter().map(spec).collect());
        let (name, tensors) = (model.path.display().to_string(), Vec::with_capacity(CACHED_SHAPES));
        Ok(Self { session, name, inputs, outputs, tensors, provider: options.provider })
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

    /// The input tensor for the next [`run`](Self::run), row-major, with unspecified values. The tensors of the last few shapes
    /// are cached.
    ///
    /// # Errors
    /// [`Error::Inference`] if the tensor cannot be allocated.
    pub fn input(&mut self, shape: [usize; 4]) -> Result<&mut [f32]> {
        match self.tensors.iter().position(|tensors| tensors.shape == shape) {
            Some(index) => self.tensors[index..].rotate_left(1),
            None => {
                let input = Tensor::new(&Allocator::default(), shape).map_err(|error| inference_error(&self.name, error))?;
                self.tensors.drain(..self.tensors.len().saturating_sub(CACHED_SHAPES - 1));
                self.tensors.push(Tensors { shape, input, outputs: None });
            }
        }
        let last = self.tensors.len() - 1;
        Ok(self.tensors[last].input.extract_tensor_mut().1)
    }

    /// Runs the graph on the values written to [`input`](Self::input).
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message.
    pub fn run(&mut self) -> Result<Outputs<'_>> {
        let Self { session, name, tensors, .. } = self;
        let Some(Tensors { input, outputs, .. }) = tensors.last_mut() else {
            return Err(Error::Inference { model: name.clone(), message: "run without an input".into() });
        };
        // Preallocated outputs save an allocation per output and frame. Their shapes are known only after the first run.
        let values = match outputs {
            Some(outputs) => session.run_with_options(ort::inputs![&*input], outputs).map_err(|error| inference_error(name, error))?,
            None => {
                let values = session.run(ort::inputs![&*input]).map_err(|error| inference_error(name, error))?;
                *outputs = Some(outputs_like(&values).map_err(|error| inference_error(name, error))?);
                values
            }
        };
        Ok(Outputs { values, model: name })
    }

    /// Runs the graph on zeros of `shape` and passes the outputs to `check`, so that an unusable file fails on loading rather
    /// than on the first frame. Does nothing on accelerators, which may compile the graph for minutes for each input shape.
    ///
    /// # Errors
    /// [`Error::Model`] with `path` and `expected` if the run or `check` fails.
    pub fn probe(&mut self, path: &Path, shape: [usize; 4], expected: &str, check: impl FnOnce(&Outputs) -> Result<()>) -> Result<()> {
        if self.provider != Provider::Cpu {
            return Ok(());
        }
        self.input(shape)?.fill(0.0);
        let checked = self.run().and_then(|outputs| check(&outputs));
        // The stream may never use this shape.
        self.tensors.pop();
        checked.map_err(|error| match error {
            Error::Inference { message: found, .. } => Error::Model { path: path.into(), expected: expected.into(), found },
            other => other,
        })
    }
}

fn inference_error(model: &str, error: ort::Error) -> Error {
    Error::Inference { model: model.into(), message: error.to_string() }
}

/// Run options that write all outputs to new tensors, which have the shapes of `values`.
fn outputs_like(values: &SessionOutputs) -> ort::Result<ort::session::RunOptions<HasSelectedOutputs>> {
    let mut outputs = OutputSelector::default();
    for (name, value) in values.iter() {
        if let ValueType::Tensor { ty, shape, .. } = value.dtype() {
            outputs = outputs.preallocate(name, DynTensor::new(&Allocator::default(), *ty, shape.clone())?);
        }
    }
    Ok(ort::session::RunOptions::new()?.with_outputs(outputs))
}

/// The outputs of one run.
pub struct Outputs<'a> {
    values: SessionOutputs<'a>,
    model: &'a str,
}

impl Outputs<'_> {
    /// Number of outputs.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The length of each axis of output `index`, and its values, row-major.
    ///
    /// # Errors
    /// [`Error::Inference`] if there is no such output or its element type is not `f32`.
    pub fn get(&self, index: usize) -> Result<(&[i64], &[f32])> {
        let error = |message: String| Error::Inference { model: self.model.into(), message };
        // Indexing panics beyond the last output.
        if index >= self.values.len() {
            return Err(error(format!("no output {index}: the network has {}", self.values.len())));
        }
        let (shape, data) = self.values[index].try_extract_tensor::<f32>().map_err(|failed| error(failed.to_string()))?;
        Ok((shape, data))
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
        let name = self.values.keys().nth(index).unwrap_or_default();
        let message = format!("{} values of {name} instead of {count}", values.len());
        Err(Error::Inference { model: self.model.into(), message })
    }
}

/// The length of each axis; ONNX Runtime gives -1 for an axis of any length.
fn shape_of(value: &ValueType) -> Vec<Option<usize>> {
    value.tensor_shape().map(|shape| shape.iter().map(|&length| usize::try_from(length).ok()).collect()).unwrap_or_default()
}
