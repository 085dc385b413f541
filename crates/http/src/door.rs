// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may connect.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Maximum number of connections that get status 503 at the same time; more are closed without a response.
pub const MAX_REFUSALS: usize = 16;

/// Counts the connections.
pub struct Door {
    max: usize,
    room: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    /// The connections that may not have sent a request yet, the oldest first.
    silent: VecDeque<Weak<Connection>>,
}

/// A connection, until it closes or becomes a WebSocket.
pub struct Connection {
    /// True once a whole request has arrived.
    pub is_heard: AtomicBool,
    /// Notified when a new connection takes the place of this one.
    pub evicted: Notify,
    /// True if it may wait for another request.
    pub keeps_alive: bool,
    _permit: OwnedSemaphorePermit,
}

impl Door {
    /// Room for `max` connections.
    pub fn new(max: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { max, room: semaphore(max), refusals: semaphore(MAX_REFUSALS), silent: VecDeque::new() }
    }

    /// Admits a new connection; `None` if all others have sent a request.
    pub async fn admit(&mut self) -> Option<Arc<Connection>> {
        if self.room.available_permits() == 0 && !self.evict_oldest() {
            return None;
        }
        // Connections that wait for another request may take half of the room.
        let keeps_alive = self.room.available_permits() > self.max / 2;
        // An evicted connection returns its permit at once.
        let permit = self.room.clone().acquire_owned().await.ok()?;
        let connection = Connection::new(permit, keeps_alive);
        self.silent.push_back(Arc::downgrade(&connection));
        if self.silent.len() > 2 * self.max {
            self.silent.retain(|known| known.upgrade().is_some_and(|known| !known.is_heard.load(Ordering::Relaxed)));
        }
        Some(connection)
    }

    /// Lets a connection in that gets status 503; `None` if there are too many of them.
    pub fn refuse(&self) -> Option<Arc<Connection>> {
        self.refusals.clone().try_acquire_owned().ok().map(|permit| Connection::new(permit, false))
    }

    /// Closes the oldest connection that has not sent a request. Returns false if there is no such connection.
    fn evict_oldest(&mut self) -> bool {
        while let Some(oldest) = self.silent.pop_front() {
            if let Some(oldest) = oldest.upgrade()
                && !oldest.is_heard.load(Ordering::Relaxed)
            {
                oldest.evicted.notify_one();
                return true;
            }
        }
        false
    }
}

impl Connection {
    fn new(permit: OwnedSemaphorePermit, keeps_alive: bool) -> Arc<Self> {
        Arc::new(Self { is_heard: AtomicBool::new(false), evicted: Notify::new(), keeps_alive, _permit: permit })
    }
}

#[cfg(test)]
impl Door {
    /// Number of connections that there is room for.
    pub fn free(&self) -> usize {
        self.room.available_permits()
    }

    /// Number of connections that it remembers.
    pub fn known(&self) -> usize {
        self.silent.len()
    }
}
