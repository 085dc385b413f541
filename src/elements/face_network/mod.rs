// SPDX-License-Identifier: MIT OR Apache-2.0
//! Elements that run a network on each face that others found: `emotionclassify` and `facelandmarks` are two uses of it.

mod class;
pub mod settings;
mod source;

pub(crate) use class::face_element;

use std::time::Duration;

use self::settings::{FaceSettings, Request};
use self::source::FaceSource;
use crate::crops::results::{Batch, FaceMemory, Selection};
use crate::elements::analyser::engine::{Engine, Work};
use crate::elements::analyser::{Analysis, Frame, LoadedModel};
use crate::elements::bus::post;
use crate::elements::frame;
use crate::elements::properties::PostMessages;
use crate::error::Result;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::meta::message::BufferTimes;
use crate::record::FaceRecord;
use crate::statistics::{StepTimes, Stopwatch};

/// What the network of an element says of a face.
pub type Output<N> = <<N as FaceNetwork>::Memory as FaceMemory>::Output;
/// How an element analyses faces.
pub type Options<N> = <<N as FaceNetwork>::Memory as FaceMemory>::Options;
/// Runs the network on the faces of a frame, as its request says. Also returns how long its steps took.
pub type Run<N> = Box<dyn FnMut(&FrameView, &Batch, <N as FaceNetwork>::Request) -> Result<(Vec<Output<N>>, StepTimes)> + Send>;

/// A network that an element runs on each face, and what becomes of its results.
pub trait FaceNetwork: Sized + Send + 'static {
    /// The element's properties.
    type Settings: Clone;
    /// What is kept of the faces.
    type Memory: FaceMemory<Output: Send> + Send;
    /// What changes the network's outputs while it plays. Outputs for an earlier request are not used.
    type Request: Copy + PartialEq + Send;

    /// The category of the element's log lines.
    fn category() -> gst::DebugCategory;

    /// Loads the model.
    ///
    /// # Errors
    /// Those of the model.
    fn load(settings: &Self::Settings) -> Result<(Self, LoadedModel, Run<Self>)>;

    /// The properties that these elements share.
    fn faces(settings: &Self::Settings) -> &FaceSettings;

    /// What the network is asked for.
    fn request(settings: &Self::Settings) -> Self::Request;

    /// How the faces of a frame are analysed, with this selection of them.
    fn options(&self, settings: &Self::Settings, selection: Selection) -> Options<Self>;

    /// What the results of faces are relative to from now on.
    fn set_baseline(&mut self, settings: &Self::Settings);

    /// What is kept of the faces.
    fn memory(&mut self) -> &mut Self::Memory;

    /// Writes the results to the buffer of the faces.
    fn write(buffer: &mut gst::BufferRef, size: Size, faces: &[FaceRecord]);

    /// The element message.
    fn message(times: &BufferTimes, size: Size, faces: &[FaceRecord]) -> gst::Structure;

    /// True if the result of a face differs from the one in the last message about it.
    fn differs(face: &FaceRecord, posted: &FaceRecord) -> bool;
}

/// The faces of a frame, and what the network says of them once it has run.
pub struct Task<N: FaceNetwork> {
    batch: Batch,
    request: N::Request,
    outputs: Vec<Output<N>>,
    /// Duration of the run.
    duration: Duration,
}

/// The faces of a stream and the network that runs on each of them.
pub struct FaceAnalysis<N: FaceNetwork> {
    network: N,
    source: FaceSource,
    /// The request of the last frame.
    request: N::Request,
    /// The faces in the last message, by id.
    posted: Vec<FaceRecord>,
}

impl<N: FaceNetwork> Analysis for FaceAnalysis<N> {
    type Settings = N::Settings;
    type Task = Task<N>;

    fn category() -> gst::DebugCategory {
        N::category()
    }

    fn load(settings: &N::Settings, element: &gst_base::BaseTransform) -> Result<(Self, LoadedModel, Work<Task<N>>)> {
        let (network, model, mut run) = N::load(settings)?;
        gst::info!(N::category(), obj = element, "analysing faces with {}", model.name);
        let work = Box::new(move |view: &FrameView, task: &mut Task<N>| {
            let mut clock = Stopwatch::start();
            let (outputs, steps) = run(view, &task.batch, task.request)?;
            (task.outputs, task.duration) = (outputs, clock.lap());
            Ok(Some(steps))
        });
        let (source, request) = (FaceSource::new(N::category()), N::request(settings));
        Ok((Self { network, source, request, posted: Vec::new() }, model, work))
    }

    fn is_async(settings: &N::Settings) -> bool {
        N::faces(settings).asynchronous
    }

    fn set_caps(&mut self, element: &gst_base::BaseTransform, engine: &mut Engine<Task<N>>, is_resized: bool) {
        self.source.set_caps(element, is_resized);
        if is_resized {
            // What is being analysed has pixels of another size.
            self.network.memory().results().give_up_all();
            engine.forget();
        }
    }

    fn restart(&mut self, engine: &mut Engine<Task<N>>) {
        self.network.memory().clear();
        engine.forget();
        self.source.restart();
    }

    fn analyse(&mut self, buffer: &mut gst::BufferRef, frame: &mut Frame<Self>, settings: &N::Settings) -> Result<()> {
        let mut faces = self.source.read(buffer, frame.size, frame.element);
        self.measure(buffer, frame, settings, &mut faces)?;
        if !faces.is_empty() {
            N::write(buffer, frame.size, &faces);
        }
        if self.is_message_due(N::faces(settings).post_messages, &faces) {
            post(frame.element, N::message(&frame.times, frame.size, &faces));
        }
        Ok(())
    }
}

impl<N: FaceNetwork> FaceAnalysis<N> {
    /// Adds ids and results to `faces`, which are on `buffer`.
    fn measure(
        &mut self,
        buffer: &gst::BufferRef,
        frame: &mut Frame<Self>,
        settings: &N::Settings,
        faces: &mut [FaceRecord],
    ) -> Result<()> {
        let request = N::request(settings);
        if std::mem::replace(&mut self.request, request) != request {
            self.network.memory().results().forget_pictures();
        }
        let mut selection = N::faces(settings).selection(frame.is_live);
        let is_late = self.source.limit(&mut selection, faces.len(), frame);
        self.network.set_baseline(settings);
        let options = self.network.options(settings, selection);
        let mapped = frame::map(buffer, frame.info)?;
        let view = frame::view(&mapped)?;
        let memory = self.network.memory();
        if self.source.is_cut(faces, &view, frame.element) {
            memory.results().end_tracks();
        }
        for request in std::mem::take(&mut *N::faces(settings).requests.lock()) {
            match request {
                Request::Calibrate(id) => memory.calibrate(id),
                Request::Reset(id) => memory.reset_baseline(id),
            }
        }
        let batch = memory.choose(&view, faces, &options, frame.now);
        frame.statistics().faces += faces.len() as u64;
        let task = Task { batch, request, outputs: Vec::new(), duration: Duration::ZERO };
        if let Some(replaced) = self.source.submit(buffer, &view, frame, task, is_late) {
            memory.results().give_up(&replaced.batch);
        }
        while let Some(done) = frame.engine.take().inspect_err(|_| memory.results().give_up_all())? {
            if done.request == request {
                memory.store(&done.batch, done.outputs, done.duration, &options);
            } else {
                memory.results().give_up(&done.batch);
            }
        }
        memory.complete(faces, view.size(), &options, frame.now);
        Ok(())
    }

    fn is_message_due(&mut self, wanted: PostMessages, faces: &[FaceRecord]) -> bool {
        if wanted == PostMessages::None {
            return false;
        }
        let mut confirmed: Vec<&FaceRecord> = faces.iter().filter(|face| face.confirmed).collect();
        confirmed.sort_unstable_by_key(|face| face.id);
        let is_same = confirmed.len() == self.posted.len()
            && confirmed.iter().zip(&self.posted).all(|(face, posted)| face.id == posted.id && !N::differs(face, posted));
        let is_due = wanted == PostMessages::Every || !is_same;
        if is_due {
            self.posted = confirmed.into_iter().cloned().collect();
        }
        is_due
    }
}
