// SPDX-License-Identifier: MIT OR Apache-2.0
//! Workers that all networks of one model share.
//!
//! No more of them are created than can run at the same time, so a further stream of the process needs no memory for
//! prepared weights and tensors.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use ort::environment::Environment;
use parking_lot::{Condvar, Mutex};
use sha2::{Digest, Sha256};

use super::provider::RunOptions;
use super::session::{ModelDigest, session};
use super::worker::Worker;

/// A pool, the model that it runs, and how.
type Entry = (ModelDigest, RunOptions, Weak<WorkerPool>);

/// The pools of the process.
static POOLS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The workers of one model that is run in one way. They end with the last network that uses them.
pub(super) struct WorkerPool {
    workers: Mutex<Workers>,
    returned: Condvar,
}

struct Workers {
    idle: Vec<Worker>,
    /// Number of workers that are idle, running or being created; at least one of them exists.
    count: usize,
}

impl WorkerPool {
    /// The pool for the model in `bytes`, with one worker more than before, unless it has one for each core already.
    ///
    /// # Errors
    /// Those of ONNX Runtime if it cannot run the model.
    pub(super) fn join(environment: &Environment, bytes: &[u8], options: RunOptions) -> ort::Result<Arc<Self>> {
        let digest = Sha256::digest(bytes).into();
        let create = || session(environment, bytes, &digest, options).map(Worker::new);
        // Creating a session may take minutes on an accelerator, so the list is not locked meanwhile.
        let known = find(&mut POOLS.lock(), &digest, options);
        if let Some(pool) = known {
            pool.grow(create);
            return Ok(pool);
        }
        let first = create()?;
        let mut pools = POOLS.lock();
        if let Some(pool) = find(&mut pools, &digest, options) {
            pool.grow(|| Ok(first));
            return Ok(pool);
        }
        let workers = Mutex::new(Workers { idle: vec![first], count: 1 });
        let pool = Arc::new(Self { workers, returned: Condvar::new() });
        pools.push((digest, options, Arc::downgrade(&pool)));
        Ok(pool)
    }

    /// Adds a worker, unless there is one for each core. If it cannot be created, the existing ones have to do.
    fn grow(&self, create: impl FnOnce() -> ort::Result<Worker>) {
        let mut workers = self.workers.lock();
        // More workers than cores would only compete.
        if workers.count >= available_parallelism().map_or(1, usize::from) {
            return;
        }
        workers.count += 1;
        drop(workers);
        let created = create();
        let mut workers = self.workers.lock();
        match created {
            Ok(worker) => workers.idle.push(worker),
            Err(_) => workers.count -= 1,
        }
        self.returned.notify_one();
    }

    /// A worker for one run. Waits while all of them run.
    pub(super) fn lease(&self) -> Lease<'_> {
        let mut workers = self.workers.lock();
        loop {
            match workers.idle.pop() {
                Some(worker) => return Lease { worker: Some(worker), pool: self },
                None => self.returned.wait(&mut workers),
            }
        }
    }
}

/// The pool of a model, if a network uses it. Entries of pools that have ended are removed.
fn find(pools: &mut Vec<Entry>, digest: &ModelDigest, options: RunOptions) -> Option<Arc<WorkerPool>> {
    pools.retain(|(.., pool)| pool.strong_count() > 0);
    let (.., pool) = pools.iter().find(|(known, run, _)| known == digest && *run == options)?;
    pool.upgrade()
}

/// A worker of a pool, to which it returns when this value is dropped.
pub(super) struct Lease<'a> {
    /// `None` only while the lease is dropped.
    worker: Option<Worker>,
    pool: &'a WorkerPool,
}

impl Deref for Lease<'_> {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        self.worker.as_ref().expect("a lease has its worker until it is dropped")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Worker {
        self.worker.as_mut().expect("a lease has its worker until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.workers.lock().idle.extend(self.worker.take());
        self.pool.returned.notify_one();
    }
}
