// SPDX-License-Identifier: MIT OR Apache-2.0
//! A client that plays what a camera's program serves by RTSP, and connects again when it ends.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_app::AppSink;

/// Time until a client that ended connects again.
const RETRY: Duration = Duration::from_secs(1);
/// Without pictures for so long, a client connects again.
const STALL: Duration = Duration::from_secs(5);

/// A client that plays until it is dropped.
pub struct Viewer {
    /// When packets arrived, in seconds from the start.
    pub seen: Arc<Mutex<Vec<f64>>>,
    is_ended: Arc<AtomicBool>,
}

impl Viewer {
    /// Plays `address` by `protocol`.
    pub fn start(protocol: &'static str, address: String, start: Instant) -> Self {
        let viewer = Self { seen: Arc::default(), is_ended: Arc::default() };
        let (seen, is_ended) = (viewer.seen.clone(), viewer.is_ended.clone());
        std::thread::spawn(move || {
            while !is_ended.load(SeqCst) {
                play(protocol, &address, start, &seen, &is_ended);
                std::thread::sleep(RETRY);
            }
        });
        viewer
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.is_ended.store(true, SeqCst);
    }
}

fn play(protocol: &str, address: &str, start: Instant, seen: &Mutex<Vec<f64>>, is_ended: &AtomicBool) {
    let (pipeline, end) = (gst::Pipeline::new(), AppSink::builder().sync(false).build());
    let source = gst::ElementFactory::make("rtspsrc").property("location", address).property_from_str("protocols", protocol);
    let source = source.build().expect("an rtspsrc");
    pipeline.add_many([&source, end.upcast_ref()]).expect("a new pipeline");
    source.connect("select-stream", false, |arguments| {
        let caps = arguments[2].get::<gst::Caps>().ok()?;
        Some((caps.structure(0)?.get::<&str>("media").ok() == Some("video")).to_value())
    });
    let sink = end.static_pad("sink").expect("a pad");
    source.connect_pad_added(move |_, pad| {
        let _ = pad.link(&sink);
    });
    let _ = pipeline.set_state(gst::State::Playing);
    let (bus, mut last) = (pipeline.bus().expect("a bus"), Instant::now());
    while !is_ended.load(SeqCst) && last.elapsed() < STALL && !end.is_eos() && bus.pop_filtered(&[gst::MessageType::Error]).is_none() {
        if end.try_pull_sample(gst::ClockTime::from_mseconds(100)).is_some() {
            last = Instant::now();
            seen.lock().expect("no panic").push(start.elapsed().as_secs_f64());
        }
    }
    let _ = pipeline.set_state(gst::State::Null);
}
