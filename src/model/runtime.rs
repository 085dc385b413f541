// SPDX-License-Identifier: MIT OR Apache-2.0
//! Networks through ONNX Runtime: the only user of `ort`.
//!
//! The runtime's library is loaded when the first network is, from where [`SearchPath`] finds it. There is one
//! environment in a process, never dropped, telemetry off; its thread pool serves every network that does not ask for
//! threads of its own.
//!
//! A session runs one frame at a time, so every stream has its own. What can be is shared between them: the weights of a
//! model, which all sessions read in place, and the memory of intermediate results, of which there is as much as sessions
//! run at the same time.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use once_cell::sync::OnceCell;
use ort::AsPointer;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};
use ort::logging::LogLevel;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, Session, SessionOutputs};
use ort::value::{DynTensor, Tensor, ValueType};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::ModelFile;
use crate::model::onnx::constant_weights;
use crate::model::search_path::SearchPath;

static ENVIRONMENT: OnceCell<(Environment, PathBuf)> = OnceCell::new();

/// Models as the runtime optimised them, by the digest of their file. Sessions read weights in place, so that these are
/// never dropped.
static OPTIMISED: Mutex<Vec<(Vec<u8>, &'static [u8])>> = Mutex::new(Vec::new());

/// How a network is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Threads of its own; 0 shares the process-wide pool, which has as many as the machine has cores.
    pub threads: u32,
    /// What computes.
    pub provider: Provider,
}

/// What computes a network: an execution provider of ONNX Runtime. Which there are depends on how its library was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    #[default]
    Cpu,
    /// NVIDIA's CUDA.
    Cuda,
    /// NVIDIA's TensorRT.
    TensorRt,
    /// Intel's OpenVINO.
    OpenVino,
    /// AMD's MIGraphX.
    MiGraphX,
    /// XNNPACK, for the processor.
    Xnnpack,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino, Self::MiGraphX, Self::Xnnpack];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::MiGraphX => "migraphx",
            Self::Xnnpack => "xnnpack",
        }
    }

    /// True if the loaded runtime was built with it.
    fn is_offered(self) -> bool {
        let offered = match self {
            Self::Cpu => Ok(true),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::Xnnpack => ep::XNNPACK::is_available(),
        };
        offered.unwrap_or(false)
    }

    /// What a session is to register; the processor is always there.
    fn dispatch(self) -> Option<ExecutionProviderDispatch> {
        let dispatch = match self {
            Self::Cpu => return None,
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
            Self::OpenVino => ep::OpenVINO::default().build(),
            Self::MiGraphX => ep::MIGraphX::default().build(),
            Self::Xnnpack => ep::XNNPACK::default().build(),
        };
        Some(dispatch.error_on_failure())
    }
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

fn environment(search: &SearchPath) -> Result<&'static (Environment, PathBuf)> {
    ENVIRONMENT.get_or_try_init(|| {
        let path = search.runtime_library()?;
        let failed = |message: String| Error::Runtime { path: path.clone(), message };
        // Anything else of `ort` that comes first would load a library of its own choice, or panic.
        let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
        // Threads that spin between frames would take three times what the networks do, at 30 frames a second.
        let pool = GlobalThreadPoolOptions::default().with_spin_control(false).map_err(|error| failed(error.to_string()))?;
        let builder = builder.with_name("gst-emotion").with_telemetry(false).with_global_thread_pool(pool);
        let environment = builder.build().map_err(|error| failed(error.to_string()))?;
        // Its warnings are about how a file was exported, on standard error; errors come back from the calls as well.
        environment.set_log_level(LogLevel::Error);
        // Where this fails each session has an arena of its own, and everything else is the same.
        let _ = share_arena(&environment);
        Ok((environment, path))
    })
}

/// Gives all sessions that ask for it one arena for intermediate results. CenterFace fills 25 MB with them; an arena of
/// its own would keep those for each stream, though hardly two of them ever need theirs at the same time.
#[allow(unsafe_code)] // `ort` has no call for it.
fn share_arena(environment: &Environment) -> ort::Result<()> {
    let memory = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let (environment, usual) = (environment.ptr().cast_mut(), std::ptr::null());
    // SAFETY: the environment and the memory information are alive, null stands for the usual configuration, and the
    // status is used up by the next line alone. The runtime locks its own list of allocators.
    unsafe { ort::Error::result_from_status((ort::api().CreateAndRegisterAllocator)(environment, memory.ptr(), usual)) }
}

fn check_provider(provider: Provider, library: &Path) -> Result<()> {
    if provider.is_offered() {
        return Ok(());
    }
    let offered: Vec<_> = Provider::ALL.into_iter().filter(|provider| provider.is_offered()).map(Provider::name).collect();
    let (name, library, offered) = (provider.name(), library.display(), offered.join(", "));
    Err(Error::Config(format!("execution provider {name} is not part of the ONNX Runtime library {library}, which offers {offered}")))
}

/// A session for the model in `bytes`; on the processor it shares what [`OPTIMISED`] holds with others of the same model.
fn session(environment: &Environment, bytes: &[u8], options: RunOptions) -> ort::Result<Session> {
    let Some(provider) = options.provider.dispatch() else {
        return match optimised(environment, bytes) {
            Some(shared) => commit(environment, options, |builder| in_place(builder)?.commit_from_memory(shared)),
            None => commit(environment, options, |mut builder| builder.commit_from_memory(bytes)),
        };
    };
    commit(environment, options, |builder| builder.with_execution_providers([provider.clone()])?.commit_from_memory(bytes))
}

/// Makes a session with threads as `options` ask for.
fn commit(environment: &Environment, options: RunOptions, finish: impl Fn(SessionBuilder) -> ort::Result<Session>) -> ort::Result<Session> {
    let builder = || Ok::<_, ort::Error>(Session::builder(environment)?.with_env_allocators()?);
    if options.threads == 0 {
        match finish(builder()?) {
            // Somebody else in this process started the same library, without a pool that could be shared.
            Err(error) if error.message().contains("GlobalThreadPools") => {}
            result => return result,
        }
    }
    let builder = builder()?.with_independent_thread_pool()?.with_intra_op_spinning(false)?;
    finish(builder.with_intra_threads(options.threads as usize)?)
}

/// Has a session read the weights of a model in the runtime's own format where they are, instead of copying them.
fn in_place(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Disable)?;
    let builder = builder.with_config_entry("session.use_ort_model_bytes_directly", "1")?;
    Ok(builder.with_config_entry("session.use_ort_model_bytes_for_initializers", "1")?)
}

/// The model in `bytes` as the runtime optimised it for this machine, in the runtime's own format. None where that does
/// not work; why not, loading it in the usual way will tell.
fn optimised(environment: &Environment, bytes: &[u8]) -> Option<&'static [u8]> {
    let digest = Sha256::digest(bytes).to_vec();
    let mut models = OPTIMISED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, model)) = models.iter().find(|(of, _)| *of == digest) {
        return Some(model);
    }
    let folder = std::env::temp_dir().join(format!("gst-emotion-{}-{:p}", std::process::id(), bytes));
    std::fs::create_dir(&folder).ok()?;
    let file = folder.join("model.ort");
    let written = RunOptions { threads: 1, ..Default::default() };
    let saved = commit(environment, written, |builder| {
        let builder = builder.with_config_entry("session.save_model_format", "ORT")?;
        builder.with_optimized_model_path(&file)?.commit_from_memory(bytes)
    });
    let model = saved.ok().and_then(|_| std::fs::read(&file).ok());
    // What cannot be removed is left to whoever cleans the folder for temporary files.
    let _ = std::fs::remove_dir_all(&folder);
    let model: &'static [u8] = model?.leak();
    models.push((digest, model));
    Some(model)
}

fn shape_of(value: &ValueType) -> Vec<Option<usize>> {
    value.tensor_shape().map(|shape| shape.iter().map(|&length| usize::try_from(length).ok()).collect()).unwrap_or_default()
}
