// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs of several streams that are joined to one.
//!
//! An accelerator takes about as long for thirty pictures as for one. The first stream that has pictures opens a batch, waits for at
//! most the window and until an instance is idle, and runs the network on all pictures that came meanwhile. A batch is closed
//! earlier when each stream has its pictures in it, so a stream alone never waits.

use std::ops::DerefMut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::instance::Instance;
use super::outputs::{Output, Part};

/// Maximum number of values in the input of a batch, unless a stream alone has more: 32 MB. Of that, the number of pictures is the next
/// lower power of two, such as 32 for colour pictures of 320x192.
const MAX_VALUES: usize = 8 << 20;

/// The batches of a model that are open.
#[derive(Default)]
pub(super) struct Batches {
    open: Mutex<Vec<Arc<Batch>>>,
    /// Inputs of earlier batches, to be used again.
    spare: Mutex<Vec<Vec<f32>>>,
}

/// Pictures of one shape, from several streams.
struct Batch {
    /// Shape of a picture.
    picture: [usize; 3],
    /// Maximum number of values.
    limit: usize,
    state: Mutex<State>,
    /// Notified when the batch is complete, and when it is done.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The input of each stream.
    parts: Vec<Vec<f32>>,
    values: usize,
    /// True if no other stream is expected or fits.
    is_complete: bool,
    /// The outputs of the graph, or its error.
    done: Option<Result<Arc<[Output]>, String>>,
}

impl Batches {
    /// A buffer of `length` values, which are unspecified.
    pub(super) fn buffer(&self, length: usize) -> Vec<f32> {
        let mut buffer = self.spare.lock().pop().unwrap_or_default();
        buffer.resize(length, 0.0);
        buffer
    }

    /// Runs the instance that `lease` waits for on `values`, which are pictures of `shape`, together with those of the `streams` that
    /// come within `window`. A run has `padded` pictures for those that came. Returns the outputs, and which of their pictures these are.
    ///
    /// # Errors
    /// The message of the run.
    pub(super) fn run<I: DerefMut<Target = Instance>>(
        &self,
        lease: impl FnOnce() -> I,
        shape: [usize; 4],
        values: Vec<f32>,
        streams: usize,
        window: Duration,
        padded: impl Fn(usize) -> usize,
    ) -> Result<(Arc<[Output]>, Part), String> {
        let deadline = Instant::now() + window;
        let [pictures, picture @ ..] = shape;
        let (batch, first, is_leader) = self.join(picture, values, streams);
        if is_leader {
            self.lead(lease, &batch, deadline, padded);
        }
        let mut state = batch.state.lock();
        while state.done.is_none() {
            batch.changed.wait(&mut state);
        }
        let outputs = state.done.clone().expect("the loop ends when it is done")?;
        let of = outputs.first().map_or(0, |output| output.shape[0] as usize);
        Ok((outputs, Part { pictures: first..first + pictures, of }))
    }

    /// Adds `values` to an open batch, or opens one. Returns it, the index of the first picture in it, and whether it is new.
    fn join(&self, picture: [usize; 3], values: Vec<f32>, streams: usize) -> (Arc<Batch>, usize, bool) {
        let each = picture.iter().product::<usize>().max(1);
        let mut open = self.open.lock();
        for batch in open.iter().filter(|batch| batch.picture == picture) {
            let mut state = batch.state.lock();
            if state.values + values.len() <= batch.limit {
                let first = state.values / each;
                state.add(values, streams, batch.limit);
                batch.changed.notify_all();
                return (batch.clone(), first, false);
            }
            state.is_complete = true;
            batch.changed.notify_all();
        }
        let limit = each << (MAX_VALUES / each).max(1).ilog2();
        let mut state = State::default();
        state.add(values, streams, limit);
        let batch = Arc::new(Batch { picture, limit, state: Mutex::new(state), changed: Condvar::new() });
        open.push(batch.clone());
        (batch, 0, true)
    }

    /// Waits for the streams, closes `batch` and runs it. The other streams hear of a panic as of an error.
    fn lead<I: DerefMut<Target = Instance>>(
        &self,
        lease: impl FnOnce() -> I,
        batch: &Arc<Batch>,
        deadline: Instant,
        padded: impl Fn(usize) -> usize,
    ) {
        let mut state = batch.state.lock();
        while !state.is_complete && !batch.changed.wait_until(&mut state, deadline).timed_out() {}
        drop(state);
        let _finish = Finish(batch);
        let mut instance = lease();
        let _device = instance.exclusive();
        self.open.lock().retain(|open| !Arc::ptr_eq(open, batch));
        let parts = std::mem::take(&mut batch.state.lock().parts);
        let pictures = padded(parts.iter().map(Vec::len).sum::<usize>() / batch.picture.iter().product::<usize>().max(1));
        let [channels, rows, columns] = batch.picture;
        let mut run = || {
            let mut input = instance.input([pictures, channels, rows, columns]).map_err(|error| error.to_string())?;
            for part in &parts {
                let (values, rest) = input.split_at_mut(part.len());
                values.copy_from_slice(part);
                input = rest;
            }
            input.fill(0.0);
            let outputs = instance.run().map_err(|error| error.to_string())?;
            outputs.iter().map(|value| Output::copy(value, pictures)).collect::<Result<Arc<[_]>, String>>()
        };
        let done = run();
        batch.state.lock().done = Some(done);
        self.spare.lock().extend(parts);
    }
}

impl State {
    fn add(&mut self, values: Vec<f32>, streams: usize, limit: usize) {
        self.values += values.len();
        self.parts.push(values);
        self.is_complete |= self.parts.len() >= streams || self.values >= limit;
    }
}

/// Wakes the streams of a batch when its run has ended, and be it by a panic.
struct Finish<'a>(&'a Batch);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.state.lock().done.get_or_insert_with(|| Err("the run of the batch panicked".into()));
        self.0.changed.notify_all();
    }
}
