// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs live streams for a long time and says each minute what a user would notice: frames a second, frames lost, how
//! long frames were held, how often each face is found and classified, CPU time, and whether memory grows.
//!
//! ```text
//! cargo run --release --example soak -- [MINUTES [STREAMS [WIDTHxHEIGHT [FACES [CHAIN [FACE-SIZE or CLIP]]]]]]
//! ```
//! The faces are average faces, as large as the frame has room for or of FACE-SIZE pixels, that move and change their
//! expressions; or those of a clip, to and fro. Frames come at 30 a second, whether the pipeline is ready for them or not.
//! All properties of the elements are the default ones unless CHAIN says otherwise.

#[path = "average_faces.rs"]
#[allow(dead_code)]
mod average_faces;
#[path = "gstreamer.rs"]
#[allow(dead_code)]
mod gstreamer;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use average_faces::{Key, Scene};
use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoFormat;
use gstemotion::scores::FERPLUS_LABELS;
use gstemotion::geometry::Size;
use gstemotion::meta::read_faces;
use gstemotion::statistics::Histogram;

const FRAMES_PER_SECOND: u32 = 30;
/// The scene repeats after so many frames.
const LOOP_FRAMES: u32 = 90;
/// As video sinks have it by default.
const MAX_LATENESS: gst::ClockTime = gst::ClockTime::from_mseconds(20);
const CHAIN: &str = "emotionfacedetect name=detect ! emotionclassify name=classify ! emotionoverlay";

/// Faces in rows and columns, of a height or as there is room, each going to and fro by a sixth of its height and changing
/// its expression.
fn scene(size: Size, faces: usize, height_px: Option<f32>) -> Scene {
    let columns = (1..).find(|columns| columns * columns * 9 >= faces * 16 || *columns == faces).unwrap_or(1);
    let (width, height) = (size.width as f32 / columns as f32, size.height as f32 / faces.div_ceil(columns) as f32);
    let end = LOOP_FRAMES as f32 / FRAMES_PER_SECOND as f32;
    let actor = |index: usize| {
        let (x, y) = ((index % columns) as f32 * width + width / 2.0, (index / columns) as f32 * height + height / 2.0);
        let side = height_px.unwrap_or(0.8 * width.min(height));
        let (here, there) = (FERPLUS_LABELS[index % FERPLUS_LABELS.len()], FERPLUS_LABELS[(index + 1) % FERPLUS_LABELS.len()]);
        let away = (x + side / 6.0, y);
        vec![Key::new(0.0, (x, y), side, here), Key::new(end / 2.0, away, side, there), Key::new(end + 0.1, (x, y), side, here)]
    };
    (0..faces).map(actor).fold(Scene::new(size.width as usize, size.height as usize), Scene::actor)
}

/// The first frames of `clip` and the caps of all, scaled to `size` pixels.
fn decoded(clip: &str, size: Size) -> (Vec<gst::Buffer>, gst::Caps) {
    let Size { width, height } = size;
    let line = format!(
        "filesrc name=file ! decodebin ! videoconvert ! videoscale add-borders=true ! videorate ! \
         video/x-raw,format=NV12,width={width},height={height},framerate={FRAMES_PER_SECOND}/1 ! appsink name=sink sync=false"
    );
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.by_name("file").expect("a source").set_property("location", clip);
    let sink = pipeline.by_name("sink").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok()).expect("a sink");
    pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
    let samples: Vec<_> = std::iter::from_fn(|| sink.pull_sample().ok()).take(LOOP_FRAMES as usize).collect();
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    let caps = samples.first().and_then(|sample| sample.caps_owned()).unwrap_or_else(|| panic!("no video in {clip}"));
    // The source gives each frame its time.
    let untimed = |sample: &gst::Sample| {
        let mut buffer = sample.buffer_owned().expect("a frame");
        buffer.make_mut().set_pts(gst::ClockTime::NONE);
        buffer.make_mut().set_dts(gst::ClockTime::NONE);
        buffer
    };
    // Backwards again, since a cut would end all tracks.
    (samples.iter().chain(samples.iter().rev()).map(untimed).collect(), caps)
}

/// The frames of `scene` and their caps.
fn rendered(scene: &Scene, size: Size) -> (Vec<gst::Buffer>, gst::Caps) {
    let render =
        |index: u32| gstreamer::buffer(&scene.render(index as f32 / FRAMES_PER_SECOND as f32), size.width, size.height, VideoFormat::Nv12);
    let (frames, infos): (Vec<_>, Vec<_>) = (0..LOOP_FRAMES).map(render).unzip();
    (frames, infos[0].to_caps().expect("caps"))
}

/// What came out of one stream since the last report.
#[derive(Default)]
struct Seen {
    frames: u64,
    /// Frames that went in before one that came out, and did not.
    lost: u64,
    /// Frames that came out so late that a window would not have shown them.
    late: u64,
    faces: u64,
    /// From a frame's way into the pipeline to its arrival at the sink, the sink's own waiting not counted.
    held: Histogram,
    of_face: HashMap<u32, OfFace>,
}

/// Frames on which a face was there, was found, and was classified.
#[derive(Default)]
struct OfFace {
    there: u64,
    found: u64,
    classified: u64,
}

struct Stream {
    pipeline: gst::Pipeline,
    seen: Arc<Mutex<Seen>>,
    feeder: std::thread::JoinHandle<()>,
}

impl Stream {
    fn start(frames: Arc<Vec<gst::Buffer>>, caps: &gst::Caps, size: Size, chain: &str, stop: Arc<AtomicBool>) -> Self {
        let line = format!(
            "appsrc name=source is-live=true format=time do-timestamp=true max-buffers=10 max-bytes=0 max-time=0 leaky-type=upstream ! {chain} ! \
             fakesink name=sink sync=true qos=true"
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        let source = pipeline.by_name("source").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
        source.set_caps(Some(caps));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let log = seen.clone();
        let sink = pipeline.by_name("sink").expect("a sink");
        let pad = sink.static_pad("sink").expect("a pad");
        // Frames are numbered where they go in.
        let next = AtomicU64::new(0);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let (Some(buffer), Some(element)) = (info.buffer(), pad.parent_element()) else { return gst::PadProbeReturn::Ok };
            let mut seen = log.lock().expect("a log");
            seen.frames += 1;
            seen.lost += buffer.offset() - next.swap(buffer.offset() + 1, Ordering::Relaxed);
            if let (Some(now), Some(pts)) = (element.current_running_time(), buffer.pts()) {
                seen.held.record(now.saturating_sub(pts).into());
                let latency = element.downcast_ref::<gst_base::BaseSink>().map_or(gst::ClockTime::ZERO, |sink| sink.latency());
                seen.late += u64::from(now > pts + latency + MAX_LATENESS);
            }
            for face in read_faces(buffer, size) {
                seen.faces += 1;
                let of_face = seen.of_face.entry(face.id).or_default();
                of_face.there += 1;
                of_face.found += u64::from(face.detection.is_some_and(|detection| detection.age.is_zero()));
                of_face.classified += u64::from(face.emotion.is_some_and(|emotion| emotion.age.is_zero() && emotion.label_id.is_some()));
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
        let feeder = std::thread::spawn(move || {
            let start = Instant::now();
            for (index, frame) in (0u32..).zip(frames.iter().cycle()) {
                let due = start + Duration::from_secs(1) * index / FRAMES_PER_SECOND;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let mut numbered = frame.clone();
                numbered.make_mut().set_offset(index.into());
                // A full queue answers with an error; the frame is lost, and is missed at the sink.
                let _ = source.push_buffer(numbered);
            }
        });
        Self { pipeline, seen, feeder }
    }

    /// Ends the program where the stream has failed; has latencies asked for where they changed.
    fn check(&self) {
        let bus = self.pipeline.bus().expect("a bus");
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => panic!("{}: {:?}", error.error(), error.debug()),
                gst::MessageView::Latency(_) => self.pipeline.recalculate_latency().expect("latencies"),
                _ => {}
            }
        }
    }
}

/// Resident memory of this process in MiB.
fn memory_mib() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages: f64 = pages.as_deref().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0.0);
    pages * 4096.0 / (1 << 20) as f64
}

/// CPU time of this process so far, all threads together.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).filter(|text| !text.is_empty()).cloned().unwrap_or(default.into());
    let minutes: f32 = argument(0, "60").parse().expect("minutes");
    let streams: usize = argument(1, "1").parse().expect("a number of streams");
    let size = argument(2, "1280x720");
    let (width, height) = size.split_once('x').expect("a size as in 1280x720");
    let size = Size::new(width.parse().expect("a width"), height.parse().expect("a height"));
    let faces: usize = argument(3, "2").parse().expect("a number of faces");
    let chain = argument(4, CHAIN);
    let source = argument(5, "");

    gstreamer::init();
    let ((frames, caps), what) = match source.parse::<f32>() {
        Err(_) if !source.is_empty() => (decoded(&source, size), source),
        height_px => (rendered(&scene(size, faces, height_px.ok()), size), format!("{faces} faces")),
    };
    let (frames, stop) = (Arc::new(frames), Arc::new(AtomicBool::new(false)));
    println!("soak: {streams} x {}x{} at {FRAMES_PER_SECOND}/s, {what}, {minutes} minutes: {chain}", size.width, size.height);
    println!("soak: {:.1} MiB with nothing but the frames", memory_mib());
    let running: Vec<_> = (0..streams).map(|_| Stream::start(frames.clone(), &caps, size, &chain, stop.clone())).collect();

    let (start, mut reported, mut cpu, mut sizes) = (Instant::now(), Instant::now(), cpu_time(), BTreeMap::new());
    let length = Duration::from_secs_f32(60.0 * minutes);
    while start.elapsed() < length {
        std::thread::sleep(Duration::from_millis(100));
        running.iter().for_each(Stream::check);
        let span = reported.elapsed();
        if span >= Duration::from_secs(60) || start.elapsed() >= length {
            report(&running, start.elapsed(), span, cpu_time() - cpu);
            cpu = cpu_time();
            sizes.insert(start.elapsed(), memory_mib());
            reported = Instant::now();
        }
    }
    stop.store(true, Ordering::Relaxed);
    for (index, stream) in running.into_iter().enumerate() {
        stream.feeder.join().expect("a feeder ends");
        for name in ["detect", "classify"] {
            let stats = stream.pipeline.by_name(name).map(|element| element.property::<gst::Structure>("stats"));
            stats.iter().for_each(|stats| println!("soak: stream {index}: {stats}"));
        }
        stream.pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    }
    // The first tenth is the time to warm up.
    let warm = sizes.iter().find(|(at, _)| **at >= length / 10);
    if let (Some((_, first)), Some((_, last))) = (warm, sizes.last_key_value()) {
        println!("soak: memory from {first:.1} to {last:.1} MiB after the warm-up: {:+.1}", last - first);
    }
}

fn report(running: &[Stream], at: Duration, span: Duration, cpu: Duration) {
    let cores = cpu.as_secs_f64() / span.as_secs_f64();
    println!("soak: minute {:.1}, memory {:.1} MiB, {cores:.2} cores at work", at.as_secs_f32() / 60.0, memory_mib());
    for (index, stream) in running.iter().enumerate() {
        let seen = std::mem::take(&mut *stream.seen.lock().expect("a log"));
        // Faces that were there for most of the time; what flickers has no rate.
        let steady: Vec<_> = seen.of_face.values().filter(|face| face.there * 2 > seen.frames).collect();
        let rate = |count: fn(&OfFace) -> u64| {
            let rates: Vec<f64> =
                steady.iter().map(|face| (count(face) * u64::from(FRAMES_PER_SECOND)) as f64 / face.there as f64).collect();
            let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
            (least, rates.iter().sum::<f64>() / rates.len().max(1) as f64)
        };
        let ((least_found, found), (least_classified, classified)) = (rate(|face| face.found), rate(|face| face.classified));
        println!(
            "soak:   stream {index}: {:.2} frames/s, {} lost, {} too late to be shown, held {:.0} / {:.0} ms (p50 / p99), {:.1} faces, \
             {} of them steady, found {least_found:.1} times/s at least and {found:.1} on average, classified {least_classified:.1} and {classified:.1}",
            seen.frames as f64 / span.as_secs_f64(),
            seen.lost,
            seen.late,
            seen.held.percentile_us(0.5) as f64 / 1e3,
            seen.held.percentile_us(0.99) as f64 / 1e3,
            seen.faces as f64 / seen.frames.max(1) as f64,
            steady.len()
        );
    }
}
