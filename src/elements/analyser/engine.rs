// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the networks of `facedetect` and `emotionclassify`: inline, or on a worker thread so that frames never wait.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gst_video::VideoInfo;
use parking_lot::Mutex;

use super::frame;
use crate::error::{Error, Result};
use crate::image::FrameView;
use crate::statistics::{Statistics, StepTimes, Stopwatch};
use crate::worker::Worker;

/// Does the task on one frame and writes the result into it.
pub type Work<T> = Box<dyn FnMut(&FrameView, &mut T) -> Result<Option<StepTimes>> + Send>;

/// Calls `work` and turns a panic into an error that names `what`.
///
/// Model files come from anywhere, and a bad one may cause a panic. GStreamer's bindings disable an element for good after a
/// panic. With an error instead, the element can be started again with another file. Stopping the unwinding here is safe:
/// `work` borrows only scratch memory that each frame writes before reading, and data that is dropped with the error.
///
/// # Errors
/// Those of `work`; [`Error::Inference`] if it panics.
pub fn catch_panic<R>(what: &str, work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::Inference { model: what.into(), message: format!("panicked: {}", panic_message(&*panic)) }))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Runs tasks `T`, each on its frame, and counts them. After [`submit`](Self::submit), [`take`](Self::take) returns
/// finished tasks: the same one if the engine runs inline, earlier ones or none if it has a worker.
pub struct Engine<T> {
    name: String,
    runner: Runner<T>,
}

enum Runner<T> {
    Inline { run: TaskRunner<T>, done: Option<Result<T>> },
    Worker(Worker<Job<T>, Result<T>>),
}

/// A task and its frame, which shares its pixels with the buffer that was pushed downstream.
struct Job<T> {
    buffer: gst::Buffer,
    info: VideoInfo,
    task: T,
}

/// Does the work of a task and records its time.
struct TaskRunner<T> {
    name: String,
    work: Work<T>,
    statistics: Arc<Mutex<Statistics>>,
}

impl<T> TaskRunner<T> {
    /// Does `task` and passes it to `deliver`. It is counted after that, so that a counted task can always be taken.
    fn run(&mut self, view: &FrameView, mut task: T, deliver: impl FnOnce(Result<T>)) {
        let mut clock = Stopwatch::start();
        match catch_panic(&self.name, || (self.work)(view, &mut task)) {
            Ok(steps) => {
                let time = clock.lap();
                deliver(Ok(task));
                self.statistics.lock().record(time, steps);
            }
            Err(error) => deliver(Err(error)),
        }
    }
}

impl<T: Send + 'static> Engine<T> {
    /// An engine for the element `name`. If `has_worker`, `work` is called on a thread of that name.
    ///
    /// # Errors
    /// Those of [`Worker::start`].
    pub fn new(name: &str, has_worker: bool, statistics: Arc<Mutex<Statistics>>, work: Work<T>) -> Result<Self> {
        let mut run = TaskRunner { name: name.into(), work, statistics };
        let runner = if has_worker {
            Runner::Worker(Worker::start(name, move |Job { buffer, info, task }: Job<T>, deliver| {
                let mapped = frame::map(&buffer, &info).and_then(|mapped| {
                    run.run(&frame::view(&mapped)?, task, &mut *deliver);
                    Ok(())
                });
                if let Err(error) = mapped {
                    deliver(Err(error));
                }
            })?)
        } else {
            Runner::Inline { run, done: None }
        };
        Ok(Self { name: name.into(), runner })
    }

    /// True if a worker thread does the work.
    pub fn is_async(&self) -> bool {
        matches!(self.runner, Runner::Worker(_))
    }

    /// Does `task` on the frame `view` of `buffer`, or queues it for the worker. Returns a queued task that this one replaces,
    /// if there is one; it will not be done.
    pub fn submit(&mut self, buffer: &gst::BufferRef, info: &VideoInfo, view: &FrameView, task: T) -> Option<T> {
        match &mut self.runner {
            Runner::Inline { run, done } => {
                run.run(view, task, |result| *done = Some(result));
                None
            }
            // Not a copy: an element that writes to the pushed buffer while the worker reads gets a copy of its own.
            Runner::Worker(worker) => {
                worker.submit(Job { buffer: frame::share_pixels(buffer), info: info.clone(), task }).map(|job| job.task)
            }
        }
    }

    /// A finished task that was not taken yet.
    ///
    /// # Errors
    /// Those of the work and of mapping the frame.
    pub fn take(&mut self) -> Result<Option<T>> {
        match &mut self.runner {
            Runner::Inline { done, .. } => done.take().transpose(),
            Runner::Worker(worker) => match worker.take() {
                None if worker.is_dead() => {
                    Err(Error::Inference { model: self.name.clone(), message: "the worker thread panicked".into() })
                }
                done => done.transpose(),
            },
        }
    }

    /// Forgets all tasks, as after a seek.
    pub fn forget(&mut self) {
        match &mut self.runner {
            Runner::Inline { done, .. } => *done = None,
            Runner::Worker(worker) => worker.forget(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst_video::VideoFormat;
    use std::time::Duration;

    /// Adds 1 to the task; panics at 13.
    fn increment() -> Work<u32> {
        Box::new(|_: &FrameView, task: &mut u32| {
            assert_ne!(*task, 13, "an unlucky number");
            *task += 1;
            Ok(None)
        })
    }

    #[test]
    fn a_panic_becomes_an_error_and_the_next_task_runs() {
        gst::init().unwrap();
        let info = VideoInfo::builder(VideoFormat::Gray8, 4, 4).build().unwrap();
        let buffer = gst::Buffer::with_size(info.size()).unwrap();
        let mapped = frame::map(&buffer, &info).unwrap();
        for has_worker in [false, true] {
            let mut engine = Engine::new("counter", has_worker, Arc::default(), increment()).unwrap();
            let mut done = |task| {
                engine.submit(&buffer, &info, &frame::view(&mapped).unwrap(), task);
                let results = std::iter::repeat_with(|| {
                    std::thread::sleep(Duration::from_millis(if has_worker { 1 } else { 0 }));
                    engine.take()
                });
                results.take(10_000).find_map(Result::transpose).expect("a result")
            };
            let failed = done(13).unwrap_err();
            assert!(matches!(failed, Error::Inference { .. }), "{failed:?}");
            let message = failed.to_string();
            assert!(message.contains("counter") && message.contains("panicked") && message.contains("an unlucky number"), "{message}");
            assert_eq!(done(1).unwrap(), 2);
        }
        let loaded = catch_panic("model", || -> Result<()> { panic!("half a file") });
        assert!(loaded.unwrap_err().to_string().contains("half a file"));
    }
}
