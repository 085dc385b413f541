// SPDX-License-Identifier: MIT OR Apache-2.0
//! An instance of a model: a session with its tensors, which is all that running a network needs memory for.

use ort::memory::Allocator;
use ort::session::{HasSelectedOutputs, OutputSelector, Session};
use ort::value::{DynTensor, DynValue, Outlet, Tensor, ValueType};
use parking_lot::{Mutex, MutexGuard};

/// Number of input shapes whose tensors are cached. The batch size changes with the number of faces, the size of a picture
/// with the part of a frame that changed.
const CACHED_SHAPES: usize = 8;

/// A session, which runs one frame at a time, and its tensors.
pub(super) struct Instance {
    /// `None` only while the instance is dropped.
    session: Option<Session>,
    /// Cached tensors by input shape, the most recently used last.
    tensors: Vec<Tensors>,
    /// The results of the last run, in the order of the graph's outputs.
    results: Vec<DynValue>,
    /// The lock of a device that runs one session at a time.
    exclusive: Option<&'static Mutex<()>>,
}

/// The tensors for one input shape, reused from run to run.
struct Tensors {
    shape: [usize; 4],
    input: Tensor<f32>,
    /// Preallocated outputs. `None` before the first run, which determines their shapes.
    outputs: Option<ort::session::RunOptions<HasSelectedOutputs>>,
}

impl Instance {
    pub(super) fn new(session: Session, exclusive: Option<&'static Mutex<()>>) -> Self {
        Self { session: Some(session), tensors: Vec::with_capacity(CACHED_SHAPES), results: Vec::new(), exclusive }
    }

    pub(super) fn session(&self) -> &Session {
        self.session.as_ref().expect("an instance has its session until it is dropped")
    }

    /// Waits for the device, if it runs one session at a time. To be held during [`run`](Self::run).
    pub(super) fn exclusive(&self) -> Option<MutexGuard<'static, ()>> {
        self.exclusive.map(Mutex::lock)
    }

    /// The input tensor for the next [`run`](Self::run), row-major, with unspecified values.
    pub(super) fn input(&mut self, shape: [usize; 4]) -> ort::Result<&mut [f32]> {
        match self.tensors.iter().position(|tensors| tensors.shape == shape) {
            Some(index) => self.tensors[index..].rotate_left(1),
            None => {
                let input = Tensor::new(&Allocator::default(), shape)?;
                self.tensors.drain(..self.tensors.len().saturating_sub(CACHED_SHAPES - 1));
                self.tensors.push(Tensors { shape, input, outputs: None });
            }
        }
        let last = self.tensors.len() - 1;
        Ok(self.tensors[last].input.extract_tensor_mut().1)
    }

    /// The outputs of the graph for the values written to [`input`](Self::input); none before that.
    pub(super) fn run(&mut self) -> ort::Result<&[DynValue]> {
        self.results.clear();
        if let (Some(session), Some(tensors)) = (&mut self.session, self.tensors.last_mut()) {
            tensors.run(session, &mut self.results)?;
        }
        Ok(&self.results)
    }

    /// Frees the tensors of the last run.
    pub(super) fn forget_shape(&mut self) {
        self.results.clear();
        self.tensors.pop();
    }
}

impl Drop for Instance {
    /// The results keep the session alive, so they go first.
    fn drop(&mut self) {
        let _device = self.exclusive();
        self.results.clear();
        self.tensors.clear();
        self.session = None;
    }
}

impl Tensors {
    /// Runs the graph and appends its outputs to `results`.
    fn run(&mut self, session: &mut Session, results: &mut Vec<DynValue>) -> ort::Result<()> {
        // Preallocated outputs save an allocation per output and frame. Their shapes are known only after the first run.
        let values = match &self.outputs {
            Some(outputs) => session.run_with_options(ort::inputs![&self.input], outputs)?,
            None => session.run(ort::inputs![&self.input])?,
        };
        results.extend(values.into_iter().map(|(_, value)| value));
        if self.outputs.is_none() {
            self.outputs = Some(outputs_like(session.outputs().iter().map(Outlet::name).zip(&*results))?);
        }
        Ok(())
    }
}

/// Run options that write all outputs to new tensors, which have the shapes of the named `values`.
fn outputs_like<'a>(values: impl Iterator<Item = (&'a str, &'a DynValue)>) -> ort::Result<ort::session::RunOptions<HasSelectedOutputs>> {
    let mut outputs = OutputSelector::default();
    for (name, value) in values {
        if let ValueType::Tensor { ty, shape, .. } = value.dtype() {
            outputs = outputs.preallocate(name, DynTensor::new(&Allocator::default(), *ty, shape.clone())?);
        }
    }
    Ok(ort::session::RunOptions::new()?.with_outputs(outputs))
}
