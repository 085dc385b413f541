// SPDX-License-Identifier: MIT OR Apache-2.0
//! A background thread that runs the newest of the submitted jobs, so that the submitter never waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

/// Runs jobs `J` one by one on its own thread and keeps their results `R` until they are taken. Of the waiting jobs only
/// the newest is kept. Dropping the worker waits for the running job.
pub struct Worker<J, R> {
    shared: Arc<Shared<J, R>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<J, R> {
    slot: Mutex<Slot<J, R>>,
    changed: Condvar,
}

struct Slot<J, R> {
    waiting: Option<J>,
    results: VecDeque<R>,
    /// Incremented by each [`Worker::forget`]. Results of jobs from an earlier generation are dropped.
    generation: u64,
    stop: bool,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts a thread with the given name that calls `work` for each job. `work` passes its result to the function that
    /// it gets.
    ///
    /// # Errors
    /// [`Error::Thread`] if the operating system cannot start a thread.
    pub fn start(name: &str, work: impl FnMut(J, &mut dyn FnMut(R)) + Send + 'static) -> Result<Self> {
        let slot = Slot { waiting: None, results: VecDeque::new(), generation: 0, stop: false };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), changed: Condvar::new() });
        let thread = std::thread::Builder::new().name(name.into()).spawn({
            let shared = shared.clone();
            move || run(&shared, work)
        });
        let thread = thread.map_err(|source| Error::Thread { name: name.into(), source })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Submits a job. Returns the job that was waiting until now and will not run.
    pub fn submit(&self, job: J) -> Option<J> {
        let replaced = self.shared.slot.lock().waiting.replace(job);
        self.shared.changed.notify_one();
        replaced
    }

    /// Takes the oldest result, if there is one.
    pub fn take(&self) -> Option<R> {
        self.shared.slot.lock().results.pop_front()
    }

    /// Discards the waiting job, the result of the running job, and all results so far.
    pub fn forget(&self) {
        let mut slot = self.shared.slot.lock();
        slot.generation += 1;
        slot.results.clear();
        let waiting = slot.waiting.take();
        drop(slot);
        // Dropped without the lock: freeing what a job holds may be slow, or call back into the worker.
        drop(waiting);
    }

    /// True if the thread has ended, which only a panic in `work` causes.
    pub fn is_dead(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

fn run<J, R>(shared: &Shared<J, R>, mut work: impl FnMut(J, &mut dyn FnMut(R))) {
    let mut slot = shared.slot.lock();
    while !slot.stop {
        let Some(job) = slot.waiting.take() else {
            shared.changed.wait(&mut slot);
            continue;
        };
        let generation = slot.generation;
        drop(slot);
        work(job, &mut |result| {
            let mut slot = shared.slot.lock();
            if slot.generation == generation {
                slot.results.push_back(result);
            }
        });
        slot = shared.slot.lock();
    }
}

impl<J, R> Drop for Worker<J, R> {
    fn drop(&mut self) {
        self.shared.slot.lock().stop = true;
        self.shared.changed.notify_one();
        // A panic has already been printed to standard error by the panic hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// A worker that doubles numbers, a channel on which it announces each job that it starts, and one on which it waits
    /// for permission to finish each job.
    fn doubler() -> (Worker<u32, u32>, Receiver<u32>, Sender<()>) {
        let ((announce, started), (permit, permits)) = (channel(), channel());
        let worker = Worker::start("doubler", move |job, deliver| {
            announce.send(job).unwrap();
            permits.recv().unwrap();
            deliver(job * 2);
        });
        (worker.unwrap(), started, permit)
    }

    fn result(worker: &Worker<u32, u32>) -> u32 {
        for _ in 0..1_000 {
            if let Some(result) = worker.take() {
                return result;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no result")
    }

    #[test]
    fn only_the_newest_waiting_job_runs() {
        let (worker, started, permit) = doubler();
        assert_eq!(worker.submit(1), None);
        assert_eq!(started.recv(), Ok(1));
        assert_eq!((worker.submit(2), worker.submit(3)), (None, Some(2)), "3 replaces 2");
        assert_eq!(worker.take(), None, "`take` does not wait for a result");
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert_eq!((result(&worker), result(&worker)), (2, 6));
        assert_eq!(started.recv(), Ok(3));
    }

    #[test]
    fn forgotten_jobs_yield_no_result() {
        let (worker, started, permit) = doubler();
        worker.submit(1);
        started.recv().unwrap();
        worker.submit(2);
        worker.forget();
        worker.submit(3);
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert_eq!(result(&worker), 6);
    }

    #[test]
    fn dropping_the_worker_waits_for_the_running_job() {
        let (worker, started, permit) = doubler();
        worker.submit(1);
        started.recv().unwrap();
        worker.submit(2);
        let shared = worker.shared.clone();
        let dropped = std::thread::spawn(move || drop(worker));
        while !shared.slot.lock().stop {
            std::thread::yield_now();
        }
        permit.send(()).unwrap();
        dropped.join().unwrap();
        assert!(started.recv().is_err(), "the thread has ended without starting job 2");
    }

    #[test]
    fn a_worker_that_panicked_is_dead() {
        let worker = Worker::<u32, u32>::start("panics", |_, _| panic!("intended by the test")).unwrap();
        worker.submit(1);
        (0..1_000).take_while(|_| !worker.is_dead()).for_each(|_| std::thread::sleep(Duration::from_millis(5)));
        assert!(worker.is_dead());
    }
}
