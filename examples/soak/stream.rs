// SPDX-License-Identifier: MIT OR Apache-2.0
//! A live pipeline, the thread that feeds it, and counts of its output.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use emotion_core::geometry::Size;
use emotion_core::statistics::Histogram;
use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoInfo;
use gstemotion::meta::read_faces;

use crate::FRAMES_PER_SECOND;
use crate::footage::Footage;

/// The default of video sinks.
const MAX_LATENESS: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// Counts of one stream's output since the last report.
#[derive(Default)]
pub struct Seen {
    pub frames: u64,
    /// Frames that did not arrive, although a later one did.
    pub lost: u64,
    /// Frames that arrived too late for a video sink to show them.
    pub late: u64,
    pub faces: u64,
    /// Time from the source to the sink, without the sink's wait for the clock.
    pub latency: Histogram,
    pub by_face: HashMap<u32, FaceCounts>,
    /// Number of the next frame.
    next: u64,
}

/// Numbers of frames in which a face was present, detected and classified.
#[derive(Default)]
pub struct FaceCounts {
    pub present: u64,
    pub detected: u64,
    pub classified: u64,
}

impl Seen {
    /// Returns the counts and resets them.
    pub fn take(&mut self) -> Self {
        let next = self.next;
        std::mem::replace(self, Self { next, ..Self::default() })
    }

    fn observe(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        self.frames += 1;
        self.lost += buffer.offset() - self.next;
        self.next = buffer.offset() + 1;
        let sink = pad.parent_element().and_then(|sink| sink.downcast::<gst_base::BaseSink>().ok());
        if let Some((sink, pts)) = sink.zip(buffer.pts())
            && let Some(now) = sink.current_running_time()
        {
            self.latency.record(now.saturating_sub(pts).into());
            self.late += u64::from(now > pts + sink.latency() + MAX_LATENESS);
        }
        let info = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
        let size = info.map_or(Size::default(), |info| Size::new(info.width(), info.height()));
        for face in read_faces(buffer, size) {
            self.faces += 1;
            let counts = self.by_face.entry(face.id).or_default();
            counts.present += 1;
            counts.detected += u64::from(face.detection.is_some_and(|detection| detection.age.is_zero()));
            // The scores of a face that is too small to be classified are uniform.
            let is_scored = |scores: &[f32]| scores.iter().any(|score| score * scores.len() as f32 > 1.01);
            counts.classified +=
                u64::from(face.emotion.is_some_and(|emotion| emotion.age.is_zero() && is_scored(emotion.scores.as_slice())));
        }
    }
}

/// Plays one or more footages in turn.
pub struct Feed {
    footages: Vec<Arc<Footage>>,
    /// How long each footage plays.
    turn_length: Duration,
}

impl Feed {
    /// Plays `footages` in turn, each for `turn_length`.
    pub fn new(footages: Vec<Arc<Footage>>, turn_length: Duration) -> Self {
        Self { footages, turn_length }
    }

    fn run(&self, source: &gst_app::AppSrc, stop: &AtomicBool) {
        let start = Instant::now();
        let mut shown = None;
        for index in 0u32.. {
            let elapsed = Duration::from_secs(1) * index / FRAMES_PER_SECOND;
            std::thread::sleep((start + elapsed).saturating_duration_since(Instant::now()));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let turn = (elapsed.as_secs_f64() / self.turn_length.as_secs_f64()) as usize % self.footages.len();
            let footage = &self.footages[turn];
            if shown.replace(turn) != Some(turn) {
                source.set_caps(Some(&footage.caps));
            }
            let mut numbered = footage.frames[index as usize % footage.frames.len()].clone();
            numbered.make_mut().set_offset(index.into());
            // Fails if the queue is full; the sink counts the frame as lost.
            let _ = source.push_buffer(numbered);
        }
    }
}

/// A pipeline that plays a feed.
pub struct Stream {
    pipeline: gst::Pipeline,
    pub seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    feeder: std::thread::JoinHandle<()>,
}

impl Stream {
    /// Builds the pipeline and starts it.
    pub fn start(feed: Arc<Feed>, chain: &str) -> Self {
        let line = format!(
            "appsrc name=source is-live=true format=time do-timestamp=true max-buffers=10 max-bytes=0 max-time=0 leaky-type=upstream ! {chain} ! \
             fakesink name=sink sync=true qos=true"
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        let source = pipeline.by_name("source").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
        let pad = pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
        let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let log = seen.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                log.lock().expect("a log").observe(pad, buffer);
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
        let stopped = stop.clone();
        let feeder = std::thread::spawn(move || feed.run(&source, &stopped));
        Self { pipeline, seen, stop, feeder }
    }

    /// Panics if the stream has failed. Recalculates the pipeline's latency if an element changed its own.
    pub fn check(&self) {
        let bus = self.pipeline.bus().expect("a bus");
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => panic!("{}: {:?}", error.error(), error.debug()),
                gst::MessageView::Latency(_) => self.pipeline.recalculate_latency().expect("latencies"),
                _ => {}
            }
        }
    }

    /// The statistics of the element `name`.
    pub fn statistics(&self, name: &str) -> Option<gst::Structure> {
        self.pipeline.by_name(name).map(|element| element.property("stats"))
    }

    /// Stops the feeder and the pipeline.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.feeder.join().expect("a feeder ends");
        self.pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    }
}
