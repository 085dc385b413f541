// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instances of a model, which all its networks share.
//!
//! No more of them are created than can run at the same time, so a further stream of the process needs no memory for
//! prepared weights and tensors.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use ort::environment::Environment;
use parking_lot::{Condvar, Mutex};
use sha2::{Digest, Sha256};

use super::instance::Instance;
use super::provider::RunOptions;
use super::session::{ModelDigest, session};

/// A pool, the model that it runs, and how.
type Entry = (ModelDigest, RunOptions, Weak<InstancePool>);

/// The pools of the process.
static POOLS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The instances of one model that is run in one way. They end with the last network that uses them.
pub(super) struct InstancePool {
    instances: Mutex<Instances>,
    returned: Condvar,
}

struct Instances {
    idle: Vec<Instance>,
    /// Number of instances that are idle, running or being created; at least one of them exists.
    count: usize,
}

impl InstancePool {
    /// The pool for the model in `bytes`, with one instance more than before, unless it has one for each core already.
    ///
    /// # Errors
    /// Those of ONNX Runtime if it cannot run the model.
    pub(super) fn join(environment: &Environment, bytes: &[u8], options: RunOptions) -> ort::Result<Arc<Self>> {
        let digest = Sha256::digest(bytes).into();
        let create = || session(environment, bytes, &digest, options).map(Instance::new);
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
        let instances = Mutex::new(Instances { idle: vec![first], count: 1 });
        let pool = Arc::new(Self { instances, returned: Condvar::new() });
        pools.push((digest, options, Arc::downgrade(&pool)));
        Ok(pool)
    }

    /// Adds an instance, unless there is one for each core. If it cannot be created, the existing ones have to do.
    fn grow(&self, create: impl FnOnce() -> ort::Result<Instance>) {
        let mut instances = self.instances.lock();
        // More instances than cores would only compete.
        if instances.count >= available_parallelism().map_or(1, usize::from) {
            return;
        }
        instances.count += 1;
        drop(instances);
        let created = create();
        let mut instances = self.instances.lock();
        match created {
            Ok(instance) => instances.idle.push(instance),
            Err(_) => instances.count -= 1,
        }
        self.returned.notify_one();
    }

    /// An instance for one run. Waits while all of them run.
    pub(super) fn lease(&self) -> Lease<'_> {
        let mut instances = self.instances.lock();
        loop {
            match instances.idle.pop() {
                Some(instance) => return Lease { instance: Some(instance), pool: self },
                None => self.returned.wait(&mut instances),
            }
        }
    }
}

/// The pool of a model, if a network uses it. Entries of pools that have ended are removed.
fn find(pools: &mut Vec<Entry>, digest: &ModelDigest, options: RunOptions) -> Option<Arc<InstancePool>> {
    pools.retain(|(.., pool)| pool.strong_count() > 0);
    let (.., pool) = pools.iter().find(|(known, run, _)| known == digest && *run == options)?;
    pool.upgrade()
}

/// An instance of a pool, to which it returns when this value is dropped.
pub(super) struct Lease<'a> {
    /// `None` only while the lease is dropped.
    instance: Option<Instance>,
    pool: &'a InstancePool,
}

impl Deref for Lease<'_> {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        self.instance.as_ref().expect("a lease has its instance until it is dropped")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Instance {
        self.instance.as_mut().expect("a lease has its instance until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.instances.lock().idle.extend(self.instance.take());
        self.pool.returned.notify_one();
    }
}
