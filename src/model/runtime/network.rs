// SPDX-License-Identifier: MIT OR Apache-2.0
//! A loaded network: its inputs, outputs and runs.

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

/// Shapes of input whose memory is kept: faces come and go, and with them the size of a batch.
const KEPT_SHAPES: usize = 4;

/// A loaded ONNX model.
pub struct Network {
    session: Session,
    name: String,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    /// Of the shapes that were used last, the present one at the end.
    tensors: Vec<Tensors>,
    provider: Provider,
}

/// The tensors of a run, kept from one to the next.
struct Tensors {
    shape: [usize; 4],
    input: Tensor<f32>,
    /// Has the outputs written to tensors that are there already; none until the first run has told their shapes.
    outputs: Option<ort::session::RunOptions<HasSelectedOutputs>>,
}

impl Network {
    /// Loads `model`, and ONNX Runtime if this is the first network of the process.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Runtime`] for the runtime's library, [`Error::Config`] if the library lacks the
    /// execution provider or that cannot be started, [`Error::Model`] if the file is no ONNX model that the runtime can run.
    pub fn load(model: &ModelFile, search: &SearchPath, options: RunOptions) -> Result<Self> {
        let (environment, library) = environment(search)?;
        check_provider(options.provider, library)?;
        // What cannot be edited is no ONNX model, and the runtime says so in its own words.
        let bytes = constant_weights(&model.bytes).map_or(model.bytes.as_ref().into(), Cow::from);
        let session = session(environment, &bytes, options).map_err(|error| match options.provider {
            Provider::Cpu => Error::Model { path: model.path.clone(), expected: "an ONNX model".into(), found: error.to_string() },
            other => Error::Config(format!("execution provider {} with {}: {error}", other.name(), model.path.display())),
        })?;
        let spec = |outlet: &ort::value::Outlet| TensorSpec { name: outlet.name().into(), shape: shape_of(outlet.dtype()) };
        let (inputs, outputs) = (session.inputs().iter().map(spec).collect(), session.outputs().iter().map(spec).collect());
        let (name, tensors) = (model.path.display().to_string(), Vec::with_capacity(KEPT_SHAPES));
        Ok(Self { session, name, inputs, outputs, tensors, provider: options.provider })
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

    /// The memory of the first input for the next [`run`](Self::run), row-major; its values are unspecified. The last few
    /// shapes are kept.
    ///
    /// # Errors
    /// [`Error::Inference`] if there is no memory.
    pub fn input(&mut self, shape: [usize; 4]) -> Result<&mut [f32]> {
        match self.tensors.iter().position(|tensors| tensors.shape == shape) {
            Some(index) => self.tensors[index..].rotate_left(1),
            None => {
                let input = Tensor::new(&Allocator::default(), shape).map_err(|error| failed(&self.name, error))?;
                self.tensors.drain(..self.tensors.len().saturating_sub(KEPT_SHAPES - 1));
                self.tensors.push(Tensors { shape, input, outputs: None });
            }
        }
        let last = self.tensors.len() - 1;
        Ok(self.tensors[last].input.extract_tensor_mut().1)
    }

    /// Runs the graph on what was written to its [`input`](Self::input).
    ///
    /// # Errors
    /// [`Error::Inference`] with the runtime's words.
    pub fn run(&mut self) -> Result<Outputs<'_>> {
        let Self { session, name, tensors, .. } = self;
        let Some(Tensors { input, outputs, .. }) = tensors.last_mut() else {
            return Err(Error::Inference { model: name.clone(), message: "there is no input to run on".into() });
        };
        let values = match outputs {
            Some(outputs) => session.run_with_options(ort::inputs![&*input], outputs).map_err(|error| failed(name, error))?,
            None => {
                let values = session.run(ort::inputs![&*input]).map_err(|error| failed(name, error))?;
                *outputs = Some(outputs_like(&values).map_err(|error| failed(name, error))?);
                values
            }
        };
        Ok(Outputs { values, model: name })
    }

    /// Runs the graph on zeros of `shape` and lets `check` look at the outputs, so that a file that cannot be used fails
    /// when it is loaded rather than on the first frame. On the processor alone: accelerators may compile a graph for
    /// minutes for each shape of input.
    ///
    /// # Errors
    /// [`Error::Model`] with the file's `path` and what was `expected` if the run or `check` fails.
    pub fn probe(&mut self, path: &Path, shape: [usize; 4], expected: &str, check: impl FnOnce(&Outputs) -> Result<()>) -> Result<()> {
        if self.provider != Provider::Cpu {
            return Ok(());
        }
        self.input(shape)?.fill(0.0);
        let checked = self.run().and_then(|outputs| check(&outputs));
        self.tensors.pop();
        checked.map_err(|error| match error {
            Error::Inference { message: found, .. } => Error::Model { path: path.into(), expected: expected.into(), found },
            other => other,
        })
    }
}

fn failed(model: &str, error: ort::Error) -> Error {
    Error::Inference { model: model.into(), message: error.to_string() }
}

/// Has all outputs written to new tensors of the same shapes as `values`.
fn outputs_like(values: &SessionOutputs) -> ort::Result<ort::session::RunOptions<HasSelectedOutputs>> {
    let mut outputs = OutputSelector::default();
    for (name, value) in values.iter() {
        if let ValueType::Tensor { ty, shape, .. } = value.dtype() {
            outputs = outputs.preallocate(name, DynTensor::new(&Allocator::default(), *ty, shape.clone())?);
        }
    }
    Ok(ort::session::RunOptions::new()?.with_outputs(outputs))
}

/// The results of one run.
pub struct Outputs<'a> {
    values: SessionOutputs<'a>,
    model: &'a str,
}

impl Outputs<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

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

    /// The values of output `index`, of which there have to be `count`.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and [`Error::Inference`] for another number of values.
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

fn shape_of(value: &ValueType) -> Vec<Option<usize>> {
    value.tensor_shape().map(|shape| shape.iter().map(|&length| usize::try_from(length).ok()).collect()).unwrap_or_default()
}
