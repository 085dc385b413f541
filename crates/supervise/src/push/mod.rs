// SPDX-License-Identifier: MIT OR Apache-2.0
//! Video to servers of others and to folders for web servers, several at once.
//!
//! ```text
//! the camera's own H.264, by a Tap ─┐
//! H.264 of the one encoder ─────────┴▶ Pusher ─▶ a thread for each target, lane.rs: appsrc ! h264parse ! muxer ! sink, target.rs
//! ```
//!
//! A target that fails is tried again with growing pauses, from the next key frame on, and touches no other one.

mod lane;
mod target;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::glib;
use parking_lot::Mutex;
use thiserror::Error;

use crate::recording::{Frame, Taker};
use lane::Lane;
pub use target::Target;

/// Video that waits for a target. With more, it is given up until the next attempt.
const LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// Why video is not sent. No message has a secret.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum PushError {
    #[error("expected an address of rtmp, rtmps, rtsp, rtsps, srt with a port, whip+http or whip+https, or hls:FOLDER, found {0}")]
    Address(String),
    #[error("expected / ? and # in a user name or password as %2F, %3F and %23, and @ in a path behind a port as %40")]
    Password,
    #[error("{target} needs GStreamer's element {element}: {how}")]
    Element { target: String, element: &'static str, how: String },
    #[error("{}: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("no thread: {0}")]
    Thread(#[from] io::Error),
    #[error("{0}")]
    Launch(#[from] glib::Error),
    #[error("the pipeline has no {0}")]
    Missing(&'static str),
}

/// What a target has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Name of the target.
    pub name: String,
    /// True while it takes video.
    pub is_up: bool,
    /// How often it has failed.
    pub failures: u64,
    /// Frames that were passed to the network or to the disk.
    pub frames: u64,
}

/// Sends video to targets.
pub struct Pusher {
    shared: Arc<Shared>,
    lanes: Vec<Lane>,
}

/// What all targets share.
#[derive(Default)]
struct Shared {
    origin: Mutex<Origin>,
    /// Changes when the frames come from elsewhere: frames of another one are not sent any more.
    generation: AtomicU64,
    /// True if a target waits for a key frame of the encoder.
    wants_key: AtomicBool,
}

/// Where frames come from.
#[derive(Debug, Default)]
struct Origin {
    /// True while the camera sends H.264.
    has_h264: bool,
    /// True while only frames of the encoder are sent.
    is_raw_only: bool,
}

impl Origin {
    fn takes_encoded(&self) -> bool {
        self.has_h264 && !self.is_raw_only
    }
}

impl Pusher {
    /// Sends to `targets` from the next key frame on. `tell` gets what happens to them.
    ///
    /// # Errors
    /// If an element is missing, or no thread can be started.
    pub fn start(targets: &[Target], tell: impl Fn(&str) + Clone + Send + 'static) -> Result<Self, PushError> {
        targets.iter().try_for_each(Target::check)?;
        let shared = Arc::<Shared>::default();
        let lanes = targets.iter().map(|target| Lane::start(target.clone(), shared.clone(), tell.clone()));
        Ok(Self { lanes: lanes.collect::<Result<_, _>>()?, shared })
    }

    /// Sends a frame of the encoder, if it is its turn.
    pub fn push(&self, frame: &Frame) {
        self.send(frame, false);
    }

    /// Sends frames of the encoder alone, even if the camera has H.264. No frame of the camera leaves from now on, also none that waits.
    pub fn set_raw_only(&self, is_raw_only: bool) {
        self.change(|origin| origin.is_raw_only = is_raw_only);
    }

    /// True while frames are to be encoded.
    pub fn takes_raw(&self) -> bool {
        !self.shared.origin.lock().takes_encoded()
    }

    /// True once after a target began to wait for a key frame.
    pub fn wants_key(&self) -> bool {
        self.shared.wants_key.swap(false, Ordering::Relaxed)
    }

    /// What each target has got.
    pub fn sent(&self) -> impl Iterator<Item = Sent> + '_ {
        self.lanes.iter().map(Lane::sent)
    }

    /// Ends the streams, and waits until that is done, for at most `limit`.
    pub fn finish(&self, limit: Duration) {
        let end = Instant::now() + limit;
        self.lanes.iter().for_each(Lane::end);
        let left = || end.saturating_duration_since(Instant::now());
        self.lanes.iter().for_each(|lane| lane.wait(left()));
    }

    fn send(&self, frame: &Frame, is_camera: bool) {
        // Holding the lock, so that no frame of the camera gets the number of a later generation.
        let origin = self.shared.origin.lock();
        if origin.takes_encoded() == is_camera {
            let generation = self.shared.generation.load(Ordering::Relaxed);
            self.lanes.iter().for_each(|lane| lane.send(generation, frame));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Origin)) {
        let mut origin = self.shared.origin.lock();
        let before = origin.takes_encoded();
        change(&mut origin);
        if origin.takes_encoded() != before {
            self.shared.generation.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Taker for Pusher {
    fn begin(&self, caps: Option<&gst::Caps>) {
        let has_h264 = caps.and_then(|caps| caps.structure(0)).is_some_and(|first| first.name() == "video/x-h264");
        self.change(|origin| origin.has_h264 = has_h264);
    }

    fn take(&self, frame: Frame) {
        self.send(&frame, true);
    }
}

impl fmt::Debug for Pusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pusher").field("sent", &self.sent().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
