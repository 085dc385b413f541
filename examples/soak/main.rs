// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs live streams for a long time and prints a report every minute: frames per second, lost frames, latency, how often
//! each face is detected and classified, CPU time, memory, file descriptors and threads.
//!
//! ```text
//! cargo run --release --package emotion-tests --example soak -- minutes=60 streams=3 size=1280x720 faces=2 disturb=true
//! ```
//! `options.rs` lists the options. The faces are average faces that move and change their expressions. Each source produces
//! 30 frames per second, even if the pipeline cannot process them. The elements have their default properties, unless
//! `chain` sets others.

mod footage;
mod options;
mod process;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use emotion_core::geometry::Size;
use footage::Footage;
use options::Options;
use process::{Usage, cpu_time};
use stream::{FaceCounts, Feed, Seen, Stream};
use test_support::gstreamer;

const FRAMES_PER_SECOND: u32 = 30;
const MINUTE: Duration = Duration::from_secs(60);
/// With `disturb`: the index of the stream that is rebuilt every minute, and of the one whose frame size changes.
const REBUILT: usize = 1;
const RESIZED: usize = 2;

fn main() {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("soak: {error}");
        std::process::exit(2)
    });
    gstreamer::init();
    let feeds = feeds(&options);
    println!("soak: {options:?}");
    println!("soak: {} before the streams start", Usage::now());
    let mut streams: Vec<Stream> = feeds.iter().map(|feed| Stream::start(feed.clone(), &options.chain)).collect();

    let (start, mut reported, mut cpu, mut usages) = (Instant::now(), Instant::now(), cpu_time(), Vec::new());
    while start.elapsed() < options.length {
        std::thread::sleep(Duration::from_millis(100));
        streams.iter().for_each(Stream::check);
        let span = reported.elapsed();
        if span < MINUTE && start.elapsed() < options.length {
            continue;
        }
        let usage = Usage::now();
        report(&streams, start.elapsed(), span, cpu_time() - cpu, usage);
        usages.push(usage);
        if options.disturb && streams.len() > REBUILT && start.elapsed() < options.length {
            streams.remove(REBUILT).stop();
            streams.insert(REBUILT, Stream::start(feeds[REBUILT].clone(), &options.chain));
        }
        (cpu, reported) = (cpu_time(), Instant::now());
    }
    for (index, stream) in streams.into_iter().enumerate() {
        for statistics in ["detect", "classify"].iter().filter_map(|name| stream.statistics(name)) {
            println!("soak: stream {index}: {statistics}");
        }
        stream.stop();
    }
    // The first tenth of the run is the warm-up.
    if let (Some(first), Some(last)) = (usages.get(usages.len() / 10), usages.last()) {
        println!("soak: after the warm-up {first}\nsoak: at the end       {last}");
    }
}

/// The frames for each stream.
fn feeds(options: &Options) -> Vec<Arc<Feed>> {
    let footage = Arc::new(Footage::new(options, options.size));
    let halved = Size::new(options.size.width / 2, options.size.height / 2);
    let smaller = options.disturb.then(|| Arc::new(Footage::new(options, halved)));
    let feed = |index: usize| {
        let smaller = smaller.clone().filter(|_| index == RESIZED);
        Arc::new(Feed::new([footage.clone()].into_iter().chain(smaller).collect(), MINUTE))
    };
    (0..options.streams).map(feed).collect()
}

fn report(streams: &[Stream], at: Duration, span: Duration, cpu: Duration, usage: Usage) {
    let cores = cpu.as_secs_f64() / span.as_secs_f64();
    println!("soak: minute {:.1}, {usage}, {cores:.2} cores", at.as_secs_f32() / 60.0);
    for (index, stream) in streams.iter().enumerate() {
        let seen = stream.seen.lock().expect("a log").take();
        let (min_detected, detected) = rates(&seen, |face| face.detected);
        let (min_classified, classified) = rates(&seen, |face| face.classified);
        println!(
            "soak:   stream {index}: {:.2} frames/s, {} lost, {} late, latency {:.0} / {:.0} ms (p50 / p99), {:.1} faces, \
             detected {min_detected:.1} times/s (minimum), {detected:.1} (mean), classified {min_classified:.1}, {classified:.1}",
            seen.frames as f64 / span.as_secs_f64(),
            seen.lost,
            seen.late,
            seen.latency.percentile_us(0.5) as f64 / 1e3,
            seen.latency.percentile_us(0.99) as f64 / 1e3,
            seen.faces as f64 / seen.frames.max(1) as f64,
        );
    }
}

/// The minimum and the mean rate of an event per second and face, over the faces that were present in most frames.
fn rates(seen: &Seen, count: fn(&FaceCounts) -> u64) -> (f64, f64) {
    let steady = seen.by_face.values().filter(|face| face.present * 2 > seen.frames);
    let rates: Vec<f64> = steady.map(|face| (count(face) * u64::from(FRAMES_PER_SECOND)) as f64 / face.present as f64).collect();
    let min = rates.iter().copied().fold(f64::INFINITY, f64::min);
    (min, rates.iter().sum::<f64>() / rates.len().max(1) as f64)
}
