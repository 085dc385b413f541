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

use super::batch::Batches;
use super::instance::Instance;
use super::plugin::ChosenDevice;
use super::provider::Execution;
use super::session::{ModelDigest, session};

/// A pool, the model that it runs, and how.
type Entry = (ModelDigest, Execution, Weak<InstancePool>);

/// Maximum number of instances on a device that runs one of them at a time: the others read and write tensors meanwhile.
const MAX_ON_EXCLUSIVE_DEVICE: usize = 4;

/// The pools of the process.
static POOLS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The instances of one model that is run in one way. They end with the last network that uses them.
pub(super) struct InstancePool {
    instances: Mutex<Instances>,
    returned: Condvar,
    /// Maximum number of instances.
    limit: usize,
    batches: Batches,
}

struct Instances {
    idle: Vec<Instance>,
    /// Number of instances that are idle, running or being created; at least one of them exists.
    count: usize,
}

impl InstancePool {
    /// The pool for the model in `bytes`, with one instance more than before, unless it has as many as can run already. `device` is
    /// that of `execution`'s plugin.
    ///
    /// # Errors
    /// Those of ONNX Runtime if it cannot run the model.
    pub(super) fn join(
        environment: &Environment,
        bytes: &[u8],
        execution: &Execution,
        device: Option<ChosenDevice>,
    ) -> ort::Result<Arc<Self>> {
        let digest = Sha256::digest(bytes).into();
        let exclusive = device.and_then(|device| device.exclusive());
        let create = || session(environment, bytes, &digest, execution, device).map(|session| Instance::new(session, exclusive));
        // Creating a session may take minutes on an accelerator, so the list is not locked meanwhile.
        let known = find(&mut POOLS.lock(), &digest, execution);
        if let Some(pool) = known {
            pool.grow(create);
            return Ok(pool);
        }
        let first = create()?;
        let mut pools = POOLS.lock();
        if let Some(pool) = find(&mut pools, &digest, execution) {
            pool.grow(|| Ok(first));
            return Ok(pool);
        }
        let instances = Mutex::new(Instances { idle: vec![first], count: 1 });
        // More instances than cores would only compete.
        let cores = available_parallelism().map_or(1, usize::from);
        let limit = match exclusive {
            None => cores,
            // A batch stays open until the instance is idle.
            Some(_) if !execution.batch_window.is_zero() => 1,
            Some(_) => cores.min(MAX_ON_EXCLUSIVE_DEVICE),
        };
        let pool = Arc::new(Self { instances, returned: Condvar::new(), limit, batches: Batches::default() });
        pools.push((digest, execution.clone(), Arc::downgrade(&pool)));
        Ok(pool)
    }

    /// The batches of several streams.
    pub(super) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// Adds an instance, unless there are as many as can run. If it cannot be created, the existing ones have to do.
    fn grow(&self, create: impl FnOnce() -> ort::Result<Instance>) {
        let mut instances = self.instances.lock();
        if instances.count >= self.limit {
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
fn find(pools: &mut Vec<Entry>, digest: &ModelDigest, execution: &Execution) -> Option<Arc<InstancePool>> {
    pools.retain(|(.., pool)| pool.strong_count() > 0);
    let (.., pool) = pools.iter().find(|(known, run, _)| known == digest && run == execution)?;
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
