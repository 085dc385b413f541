// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loaded networks, and how many requests use them at the same time.

use std::sync::{Arc, OnceLock};

use emotion_scan::analysis::{Analyser, start_elements};
use emotion_scan::{Network, networks};
use emotion_supervise::chain::{self, Prior};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// Requests with pictures that wait, for each processor. More are refused.
const WAITING_PER_PROCESSOR: usize = 8;
/// Threads of each network. Several pictures are examined at the same time instead.
const THREADS: u32 = 1;
/// When to send a picture again, in seconds.
const PICTURE_SECONDS: u32 = 1;
/// When to send a film again, in seconds.
const FILM_SECONDS: u32 = 30;

/// What the networks of a request need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The geometry of faces.
    pub geometry: bool,
    /// How frequent the expressions are assumed to be.
    pub prior: Prior,
}

/// The networks that are loaded and not in use, and the room for requests.
#[derive(Debug)]
pub struct Analysers {
    idle: Mutex<Vec<(Wanted, Analyser)>>,
    max_idle: usize,
    admitted: Arc<Semaphore>,
    pictures: Arc<Semaphore>,
    films: Arc<Semaphore>,
    networks: OnceLock<Vec<Network>>,
}

impl Default for Analysers {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let room = |permits| Arc::new(Semaphore::new(permits));
        let films = (processors / 2).max(1);
        Self {
            idle: Mutex::default(),
            max_idle: processors + films,
            admitted: room(processors * (1 + WAITING_PER_PROCESSOR)),
            pictures: room(processors),
            films: room(films),
            networks: OnceLock::new(),
        }
    }
}

impl Analysers {
    /// Lets a request with a picture in.
    ///
    /// # Errors
    /// If too many are waiting.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = |_| Problem::busy("too many pictures are waiting", PICTURE_SECONDS);
        self.admitted.clone().try_acquire_owned().map_err(busy)
    }

    /// Waits until a picture can be examined.
    ///
    /// # Errors
    /// Never: the semaphore is not closed.
    pub async fn picture(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.pictures.clone().acquire_owned().await.map_err(Problem::internal)
    }

    /// Lets a request with a film in.
    ///
    /// # Errors
    /// If others are being examined.
    pub fn film(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy =
            |_| Problem::busy("other films are being examined; with `Prefer: respond-async`, a film waits for its turn", FILM_SECONDS);
        self.films.clone().try_acquire_owned().map_err(busy)
    }

    /// Waits until a film can be examined.
    ///
    /// # Errors
    /// Never: the semaphore is not closed.
    pub async fn next_film(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.films.clone().acquire_owned().await.map_err(Problem::internal)
    }

    /// Examines something with networks, which are loaded if none are idle. It takes long.
    ///
    /// # Errors
    /// Those of `examine`, and if the networks cannot be loaded.
    pub fn with<T>(&self, wanted: Wanted, examine: impl FnOnce(&mut Analyser) -> Result<T, Problem>) -> Result<T, Problem> {
        let known = {
            let mut idle = self.idle.lock();
            idle.iter().rposition(|(known, _)| *known == wanted).map(|index| idle.remove(index).1)
        };
        let mut analyser = known.map_or_else(|| load(wanted), Ok)?;
        let examined = examine(&mut analyser);
        let mut idle = self.idle.lock();
        idle.push((wanted, analyser));
        // Those that were not in use for longest are at the front.
        let unused = (idle.len() > self.max_idle).then(|| idle.remove(0));
        drop(idle);
        drop(unused);
        examined
    }

    /// What is known about the networks.
    ///
    /// # Errors
    /// If they cannot be loaded.
    pub fn networks(&self) -> Result<Vec<Network>, Problem> {
        if let Some(known) = self.networks.get() {
            return Ok(known.clone());
        }
        let models = self.with(Wanted { geometry: true, ..Wanted::default() }, |analyser| Ok(analyser.models()))?;
        Ok(self.networks.get_or_init(|| networks(&models, &[])).clone())
    }
}

fn load(wanted: Wanted) -> Result<Analyser, Problem> {
    let loaded = start_elements().and_then(|()| Analyser::new(&[chain::prior(wanted.prior)], wanted.geometry, THREADS));
    loaded.map_err(Problem::internal)
}
