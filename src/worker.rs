// SPDX-License-Identifier: MIT OR Apache-2.0
//! A thread that does the newest of the jobs it is given, so that whoever gives them never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// Does jobs `J` one after the other on a thread of its own and keeps their results `R` until they are taken. Of the
/// jobs that wait for it only the newest is kept. Dropping it waits for the job in hand.
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
    /// Goes up with each [`Worker::forget`]; what a job of an earlier one gives is dropped.
    generation: u64,
    stop: bool,
}

impl<J, R> Shared<J, R> {
    fn slot(&self) -> MutexGuard<'_, Slot<J, R>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts a thread that is called `name` and does each job with `work`, which hands its result to what it is given.
    ///
    /// # Errors
    /// [`Error::Config`] if the system has no more threads.
    pub fn start(name: &str, work: impl FnMut(J, &mut dyn FnMut(R)) + Send + 'static) -> Result<Self> {
        let slot = Slot { waiting: None, results: VecDeque::new(), generation: 0, stop: false };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), changed: Condvar::new() });
        let thread = std::thread::Builder::new().name(name.into()).spawn({
            let shared = shared.clone();
            move || run(&shared, work)
        });
        let thread = thread.map_err(|error| Error::Config(format!("no thread for {name}: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Leaves `job` for the thread; what comes back is the job that waited for it until now and will not be done.
    pub fn submit(&self, job: J) -> Option<J> {
        let replaced = self.shared.slot().waiting.replace(job);
        self.shared.changed.notify_one();
        replaced
    }

    /// The oldest result that was not taken yet.
    pub fn take(&self) -> Option<R> {
        self.shared.slot().results.pop_front()
    }

    /// Forgets the job that waits, the one in hand and all results.
    pub fn forget(&self) {
        let mut slot = self.shared.slot();
        slot.generation += 1;
        slot.results.clear();
        let waiting = slot.waiting.take();
        drop(slot);
        // What a job holds may be slow to free, or call back.
        drop(waiting);
    }

    /// True if the thread is gone, which only a panic of `work` brings about.
    pub fn is_dead(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

fn run<J, R>(shared: &Shared<J, R>, mut work: impl FnMut(J, &mut dyn FnMut(R))) {
    let mut slot = shared.slot();
    while !slot.stop {
        let Some(job) = slot.waiting.take() else {
            slot = shared.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let generation = slot.generation;
        drop(slot);
        work(job, &mut |result| {
            let mut slot = shared.slot();
            if slot.generation == generation {
                slot.results.push_back(result);
            }
        });
        slot = shared.slot();
    }
}

impl<J, R> Drop for Worker<J, R> {
    fn drop(&mut self) {
        self.shared.slot().stop = true;
        self.shared.changed.notify_one();
        // A panic of the thread has been told on standard error, and there is nobody left to tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// Doubles numbers, each once it is let go; says when it begins.
    fn doubler() -> (Worker<u32, u32>, Receiver<u32>, Sender<()>) {
        let ((begun, begins), (go, goes)) = (channel(), channel());
        let worker = Worker::start("doubler", move |job, leave| {
            begun.send(job).unwrap();
            goes.recv().unwrap();
            leave(job * 2);
        });
        (worker.unwrap(), begins, go)
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
    fn the_newest_of_the_waiting_jobs_is_done() {
        let (worker, begins, go) = doubler();
        assert_eq!(worker.submit(1), None);
        assert_eq!(begins.recv(), Ok(1));
        assert_eq!((worker.submit(2), worker.submit(3)), (None, Some(2)), "two waits no longer");
        assert_eq!(worker.take(), None, "nobody waits for a result");
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!((result(&worker), result(&worker)), (2, 6));
        assert_eq!(begins.recv(), Ok(3));
    }

    #[test]
    fn what_is_forgotten_gives_no_result() {
        let (worker, begins, go) = doubler();
        worker.submit(1);
        begins.recv().unwrap();
        worker.submit(2);
        worker.forget();
        worker.submit(3);
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(result(&worker), 6);
    }

    #[test]
    fn dropping_it_waits_for_the_job_in_hand() {
        let (worker, begins, go) = doubler();
        worker.submit(1);
        begins.recv().unwrap();
        worker.submit(2);
        let shared = worker.shared.clone();
        let dropped = std::thread::spawn(move || drop(worker));
        while !shared.slot().stop {
            std::thread::yield_now();
        }
        go.send(()).unwrap();
        dropped.join().unwrap();
        assert!(begins.recv().is_err(), "the thread is gone and did not begin with two");
    }

    #[test]
    fn a_panic_is_noticed() {
        let worker = Worker::<u32, u32>::start("panics", |_, _| panic!("as the test wants")).unwrap();
        worker.submit(1);
        (0..1_000).take_while(|_| !worker.is_dead()).for_each(|_| std::thread::sleep(Duration::from_millis(5)));
        assert!(worker.is_dead());
    }
}
