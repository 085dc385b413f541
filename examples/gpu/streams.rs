// SPDX-License-Identifier: MIT OR Apache-2.0
//! Streams in one process: each frame is searched, its faces are refined, estimated and scored.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use emotion_core::crops::framing::CropFace;
use emotion_core::detector::network::NetworkDetector;
use emotion_core::detector::{DetectOptions, FaceDetector};
use emotion_core::error::Result;
use emotion_core::expression::classifier::Classifier;
use emotion_core::landmarker::estimator::Landmarker;
use emotion_core::model::embedded::{EXPRESSION, FACE, GEOMETRY};
use emotion_core::model::runtime::{Execution, RunOptions};
use emotion_core::model::{ModelFile, search_path::SearchPath};
use serde_json::json;

use crate::picture::{Picture, SIZE};
use crate::{Options, cpu_time, percentile};

/// Window in which streams are joined, in milliseconds.
const WINDOW_MS: u64 = 4;
/// Frames per second of a live stream.
const LIVE: f64 = 30.0;

/// What runs where.
struct Place {
    name: &'static str,
    search: Execution,
    faces: Execution,
}

/// Measures all numbers of streams and faces, first as fast as possible, then at the rate of live streams.
pub fn measure(options: &Options) -> Result<()> {
    let one_thread = Execution::from(RunOptions { threads: 1, ..RunOptions::default() });
    let (cpu, alone, joined) = (Execution::default(), options.gpu(0), options.gpu(WINDOW_MS));
    let place = |name, search: &Execution, faces: &Execution| Place { name, search: search.clone(), faces: faces.clone() };
    let places = [
        place("cpu, threads=1", &one_thread, &one_thread),
        place("gpu, batch-window", &joined, &joined),
        place("search cpu, faces gpu, batch-window", &one_thread, &joined),
        place("cpu", &cpu, &cpu),
        place("gpu", &alone, &alone),
        place("search gpu, faces cpu, batch-window", &joined, &one_thread),
    ];
    // WebGPU's shaders live as long as any of its sessions.
    let _keeper = Stream::load(&places[4])?;
    let (streams, faces) = (options.streams.iter().max(), options.faces.iter().max());
    if let (Some(&streams), Some(&faces)) = (streams, faces) {
        let played = play_all(&places[1], streams, faces, None, options.each * 2, options.each)?;
        options.write(&json!({ "warm_up": played.times_ms.len(), "ms_max": played.times_ms.last() }));
    }
    for (rate, places) in [(Some(LIVE), &places[..4]), (None, &places[..])] {
        for (&faces, &streams) in options.faces.iter().flat_map(|faces| options.streams.iter().map(move |streams| (faces, streams))) {
            for place in places {
                if options.is_over() {
                    return Ok(());
                }
                if let Err(error) = measure_case(options, place, streams, faces, rate) {
                    options.write(&json!({ "place": place.name, "streams": streams, "faces": faces, "error": error.to_string() }));
                }
            }
        }
    }
    Ok(())
}

/// The networks of a stream.
struct Stream {
    detector: NetworkDetector,
    landmarker: Landmarker,
    classifier: Classifier,
}

impl Stream {
    fn load(place: &Place) -> Result<Self> {
        let search = SearchPath::from_env(None);
        let model = |kind| ModelFile::default_of(kind, &search, place.faces.is_on_cpu());
        Ok(Self {
            detector: NetworkDetector::load(ModelFile::named(FACE, &search)?, None, 320, &search, place.search.clone())?,
            landmarker: Landmarker::load(model(GEOMETRY)?, &search, place.faces.clone())?,
            classifier: Classifier::load(model(EXPRESSION)?, &search, place.faces.clone())?,
        })
    }

    /// Number of faces on a frame, after all networks.
    fn frame(&mut self, picture: &Picture) -> Result<usize> {
        let view = picture.view()?;
        let options = DetectOptions { score_threshold: self.detector.score_threshold(), ..DetectOptions::default() };
        let mut found = Vec::new();
        self.detector.detect(&view, &options, &mut found)?;
        let face = |rect, landmarks| CropFace { rect, detector: Some(self.detector.name()), landmarks };
        let faces: Vec<CropFace> = found.iter().map(|found| face(found.rect, found.landmarks)).collect();
        if !faces.is_empty() {
            self.landmarker.estimate(&view, &faces)?;
            self.classifier.classify(&view, &faces)?;
        }
        Ok(faces.len())
    }
}

/// What a stream has done.
#[derive(Default)]
struct Done {
    times_ms: Vec<f64>,
    faces: usize,
    late: usize,
    /// CPU time of the process.
    cpu: Duration,
}

fn measure_case(options: &Options, place: &Place, count: usize, faces: usize, rate: Option<f64>) -> Result<()> {
    let length = options.each;
    let Done { times_ms, faces: found, late, cpu } = play_all(place, count, faces, rate, length / 2, length)?;
    let frames = times_ms.len().max(1) as f64;
    options.write(&json!({
        "place": place.name, "streams": count, "faces": faces, "rate": rate, "size": [SIZE.width, SIZE.height],
        "frames_per_second": (times_ms.len() as f64 / length.as_secs_f64()).round(), "ms": percentile(&times_ms, 0.5),
        "ms_p95": percentile(&times_ms, 0.95), "cpu_ms_per_frame": cpu.as_secs_f64() * 1e3 / frames,
        "cores": cpu.as_secs_f64() / length.as_secs_f64(), "late": late, "faces_per_frame": found as f64 / frames,
    }));
    Ok(())
}

/// Plays `count` streams at the same time. What begins in the warm-up is not counted.
fn play_all(place: &Place, count: usize, faces: usize, rate: Option<f64>, warm_up: Duration, length: Duration) -> Result<Done> {
    let picture = Picture::with_faces(faces);
    let mut streams = (0..count).map(|_| Stream::load(place)).collect::<Result<Vec<_>>>()?;
    streams.iter_mut().take(1).try_for_each(|stream| stream.frame(&picture).map(|_| ()))?;
    let barrier = Barrier::new(count + 1);
    std::thread::scope(|scope| {
        let play = |(index, mut stream): (usize, Stream)| {
            let (barrier, picture) = (&barrier, &picture);
            let offset = rate.map_or(0.0, |rate| index as f64 / count as f64 / rate);
            scope.spawn(move || {
                barrier.wait();
                let start = Instant::now() + Duration::from_secs_f64(offset);
                play(&mut stream, picture, start, warm_up, length, rate)
            })
        };
        let threads: Vec<_> = streams.drain(..).enumerate().map(play).collect();
        barrier.wait();
        std::thread::sleep(warm_up);
        let before = cpu_time();
        std::thread::sleep(length);
        let mut all = Done { cpu: cpu_time() - before, ..Done::default() };
        for thread in threads {
            let done = thread.join().expect("no panic")?;
            all.times_ms.extend(done.times_ms);
            (all.faces, all.late) = (all.faces + done.faces, all.late + done.late);
        }
        all.times_ms.sort_by(f64::total_cmp);
        Ok(all)
    })
}

/// Plays frames until the end. Those that begin in the warm-up are not counted. A frame whose successor is already due is late
/// and left out, as in a live stream.
fn play(stream: &mut Stream, picture: &Picture, start: Instant, warm_up: Duration, length: Duration, rate: Option<f64>) -> Result<Done> {
    let mut done = Done::default();
    let mut due = start;
    loop {
        let now = Instant::now();
        if let Some(rate) = rate {
            let step = Duration::from_secs_f64(1.0 / rate);
            while due + step < now {
                due += step;
                done.late += usize::from(due > start + warm_up);
            }
            std::thread::sleep(due.saturating_duration_since(now));
        } else {
            due = now;
        }
        if due > start + warm_up + length {
            return Ok(done);
        }
        let faces = stream.frame(picture)?;
        if due > start + warm_up {
            done.times_ms.push(due.elapsed().as_secs_f64() * 1e3);
            done.faces += faces;
        }
        due += rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
    }
}
