// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the analysing elements run their networks: at once, or on a worker so that the stream is never held.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use gst_video::VideoInfo;

use super::frame;
use crate::error::{Error, Result};
use crate::image::FrameView;
use crate::statistics::{Statistics, StepTimes, Stopwatch};
use crate::worker::Worker;

/// Works on one frame: reads a task and leaves its result there.
pub type Work<T> = Box<dyn FnMut(&FrameView, &mut T) -> Result<Option<StepTimes>> + Send>;

/// What `work` gives; a panic of it becomes an error that names `what`.
///
/// Networks and their descriptions come from anywhere. GStreamer's bindings let an element that panicked fail until it is
/// made anew; this one fails like any other error, and the element may be started again with another file. The unwinding
/// is safe to stop here: what `work` borrows is scratch memory that each frame writes before it reads it, or is dropped
/// with the error.
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

/// Does tasks `T`, each on its frame, and counts them. [`submit`](Self::submit) a task, then [`take`](Self::take) what
/// is done: without a worker that is the same task, with one it is an earlier one or nothing.
pub struct Engine<T> {
    name: String,
    runner: Runner<T>,
}

enum Runner<T> {
    Inline { run: Run<T>, done: Option<Result<T>> },
    Worker(Worker<Job<T>, Result<T>>),
}

/// A task and its frame, whose pixels it shares with the buffer that was pushed on.
struct Job<T> {
    buffer: gst::Buffer,
    info: VideoInfo,
    task: T,
}

struct Run<T> {
    name: String,
    work: Work<T>,
    statistics: Arc<Mutex<Statistics>>,
}

impl<T> Run<T> {
    /// Does `task` and hands it to `leave`; only then it is counted, so that what was counted can be taken.
    fn run(&mut self, view: &FrameView, mut task: T, leave: impl FnOnce(Result<T>)) {
        let mut clock = Stopwatch::start();
        match catch_panic(&self.name, || (self.work)(view, &mut task)) {
            Ok(steps) => {
                let time = clock.lap();
                leave(Ok(task));
                self.statistics.lock().unwrap_or_else(PoisonError::into_inner).record(time, steps);
            }
            Err(error) => leave(Err(error)),
        }
    }
}

impl<T: Send + 'static> Engine<T> {
    /// An engine of the element `name`; with `worker` the work is done on a thread of that name.
    ///
    /// # Errors
    /// Those of [`Worker::start`].
    pub fn new(name: &str, worker: bool, statistics: Arc<Mutex<Statistics>>, work: Work<T>) -> Result<Self> {
        let mut run = Run { name: name.into(), work, statistics };
        let runner = if worker {
            Runner::Worker(Worker::start(name, move |Job { buffer, info, task }: Job<T>, leave| {
                let begun = frame::map(&buffer, &info).and_then(|mapped| {
                    run.run(&frame::view(&mapped)?, task, &mut *leave);
                    Ok(())
                });
                if let Err(error) = begun {
                    leave(Err(error));
                }
            })?)
        } else {
            Runner::Inline { run, done: None }
        };
        Ok(Self { name: name.into(), runner })
    }

    /// True if the work is done on a worker.
    pub fn is_async(&self) -> bool {
        matches!(self.runner, Runner::Worker(_))
    }

    /// Does `task` on the frame `view` of `buffer`, or leaves it to the worker. What comes back is a task that was left
    /// to the worker before and will not be done.
    pub fn submit(&mut self, buffer: &gst::BufferRef, info: &VideoInfo, view: &FrameView, task: T) -> Option<T> {
        match &mut self.runner {
            Runner::Inline { run, done } => {
                run.run(view, task, |result| *done = Some(result));
                None
            }
            // The pixels are shared; whoever writes to the pushed buffer before the worker is done gets its own.
            Runner::Worker(worker) => {
                worker.submit(Job { buffer: frame::share_pixels(buffer), info: info.clone(), task }).map(|job| job.task)
            }
        }
    }

    /// A task that is done and was not taken yet.
    ///
    /// # Errors
    /// Those of the work, and of mapping a frame.
    pub fn take(&mut self) -> Result<Option<T>> {
        match &mut self.runner {
            Runner::Inline { done, .. } => done.take().transpose(),
            Runner::Worker(worker) => match worker.take() {
                None if worker.is_dead() => {
                    Err(Error::Inference { model: self.name.clone(), message: "the worker thread ended by a panic".into() })
                }
                done => done.transpose(),
            },
        }
    }

    /// Forgets every task, as after a seek.
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

    /// Adds one; panics at 13.
    fn counting() -> Work<u32> {
        Box::new(|_: &FrameView, task: &mut u32| {
            assert_ne!(*task, 13, "an unlucky number");
            *task += 1;
            Ok(None)
        })
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_task_is_done() {
        gst::init().unwrap();
        let info = VideoInfo::builder(VideoFormat::Gray8, 4, 4).build().unwrap();
        let buffer = gst::Buffer::with_size(info.size()).unwrap();
        let mapped = frame::map(&buffer, &info).unwrap();
        for worker in [false, true] {
            let mut engine = Engine::new("counter", worker, Arc::default(), counting()).unwrap();
            let mut done = |task| {
                engine.submit(&buffer, &info, &frame::view(&mapped).unwrap(), task);
                let results = std::iter::repeat_with(|| {
                    std::thread::sleep(Duration::from_millis(if worker { 1 } else { 0 }));
                    engine.take()
                });
                results.take(10_000).find_map(Result::transpose).expect("a result")
            };
            let failed = done(13).unwrap_err();
            assert!(matches!(failed, Error::Inference { .. }), "{failed:?}");
            let said = failed.to_string();
            assert!(said.contains("counter") && said.contains("panicked") && said.contains("an unlucky number"), "{said}");
            assert_eq!(done(1).unwrap(), 2);
        }
        let loaded = catch_panic("model", || -> Result<()> { panic!("half a file") });
        assert!(loaded.unwrap_err().to_string().contains("half a file"));
    }
}
