// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time of each step of a frame, on one thread, compared with a baseline.
//!
//! `cargo bench -p emotion-benches --bench hot_path`
//!
//! - frame to tensor, against fast_image_resize (the same filter) and OpenCV (`blobFromImage` without its mean and scale:
//!   resize, to float, one plane for each channel; `INTER_LINEAR` reads four pixels and aliases, `INTER_AREA` reads all)
//! - a detector and the classifier, against a bare call of ONNX Runtime with a prepared tensor
//!
//! The rows of a table take turns, and the minimum CPU time of many rounds counts, so that other load of the machine hardly
//! matters. Each frame is written again just before it is measured, as in a stream.

use std::hint::black_box;
use std::time::{Duration, Instant};

use emotion_core::crops::framing::CropFace;
use emotion_core::detector::network::{Family, NetworkDetector};
use emotion_core::detector::{DetectOptions, FaceDetector};
use emotion_core::expression::classifier::Classifier;
use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::image::letterbox::Letterbox;
use emotion_core::image::tensor::{InputFormat, Preprocessor};
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::ModelFile;
use emotion_core::model::runtime::{Network, Provider, RunOptions};
use emotion_core::model::search_path::SearchPath;
use emotion_core::scores::FERPLUS_LABELS;
use fast_image_resize as fir;
use opencv::core::{CV_8UC3, CV_32F, Mat, Size as CvSize, Vector};
use opencv::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use test_support::average_faces::{Key, Scene};

const SIZES: [(&str, Size); 4] = [
    ("640x480", Size::new(640, 480)),
    ("1280x720", Size::new(1280, 720)),
    ("1920x1080", Size::new(1920, 1080)),
    ("3840x2160", Size::new(3840, 2160)),
];
/// Longer side of a detector's input.
const DETECT_SIZE: u32 = 320;
/// In pixels.
const LARGEST_FACE: f32 = 300.0;
/// Multiply-adds of the networks for a picture of 320x256 and for a face, counted in their graphs.
const EMOTION_FACE: f64 = 104.6e6;
const CENTERFACE: f64 = 493.7e6;
const EXPRESSION: f64 = 78.2e6;
const ONE_THREAD: RunOptions = RunOptions { threads: 1, provider: Provider::Cpu };

/// The name of a row, and a function that returns the CPU time of what the row measures.
type Row<'a> = (String, Box<dyn FnMut() -> Duration + 'a>);

/// The minimum time of each row in milliseconds; rows take turns for the time `budget`.
fn least(budget: Duration, rows: &mut [Row]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; rows.len()];
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 3 || start.elapsed() < budget {
        for ((_, row), best) in rows.iter_mut().zip(&mut best) {
            *best = best.min(row().as_secs_f64() * 1e3);
        }
        rounds += 1;
    }
    best
}

/// The CPU time that `run` takes.
fn timed(run: impl FnOnce()) -> Duration {
    let start = cpu_time();
    run();
    cpu_time() - start
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a clock that counts up")
}

/// Prints the rows, each with its ratio to the one that `against` names for it.
fn print(title: &str, rows: &[Row], times: &[f64], against: impl Fn(usize) -> usize) {
    println!("\n{title}\n");
    for (row, ((name, _), time)) in rows.iter().zip(times).enumerate() {
        println!("  {name:<44} {time:8.3} ms {:7.2}", time / times[against(row)]);
    }
}

/// Peak multiply-adds per second of one core.
fn peak() -> f64 {
    // Twelve registers: fewer would wait for each other, and AVX2 has sixteen.
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        return peak_with::<192>();
    }
    peak_with::<96>()
}

/// Multiply-adds per second on this number of sums.
fn peak_with<const SUMS: usize>() -> f64 {
    const ROUNDS: usize = 1_000_000;
    #[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
    fn multiply_add<const SUMS: usize>(x: f32, y: f32) -> [f32; SUMS] {
        let mut sums = [0.0f32; SUMS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = sum.mul_add(x, y);
            }
        }
        sums
    }
    let sums = || _ = black_box(multiply_add::<SUMS>(black_box(0.5), black_box(0.25)));
    let mut rows: [Row; 1] = [("peak".into(), Box::new(move || timed(sums)))];
    (ROUNDS * SUMS) as f64 / (least(Duration::from_millis(500), &mut rows)[0] / 1e3)
}

/// The bytes and the stride of each plane of a frame, and a copy of them to write the frame again.
struct Frame {
    format: PixelFormat,
    size: Size,
    planes: Vec<(Vec<u8>, usize)>,
    copy: Vec<(Vec<u8>, usize)>,
}

impl Frame {
    fn new(format: PixelFormat, size: Size, planes: Vec<(Vec<u8>, usize)>) -> Self {
        Self { format, size, copy: planes.clone(), planes }
    }

    /// A frame with a synthetic pattern that is not uniform.
    fn noise(format: PixelFormat, size: Size) -> Self {
        let plane = |plane| {
            let (rows, bytes) = format.plane_extent(plane, size);
            let stride = bytes.next_multiple_of(4);
            ((0..rows * stride).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect(), stride)
        };
        Self::new(format, size, (0..format.planes()).map(plane).collect())
    }

    /// Writes all bytes again, so that they are as near to the processor as those of a new frame.
    fn write_again(&mut self) {
        self.planes.iter_mut().zip(&self.copy).for_each(|((data, _), (copy, _))| data.copy_from_slice(copy));
    }

    fn view(&self) -> FrameView<'_> {
        let planes: Vec<_> = self.planes.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
        FrameView::new(self.format, self.size, &planes, Colorimetry::default()).expect("a whole frame")
    }
}

/// The detector's input for a frame of `size`.
fn reduced(size: Size) -> Size {
    let side = |length: u32| (length * DETECT_SIZE + size.width / 2) / size.width;
    Size::new(side(size.width), side(size.height))
}

fn frame_to_tensor(name: &str, size: Size) {
    let target = reduced(size);
    let format = InputFormat::default();
    let mut rows: Vec<Row> = Vec::new();
    for pixels in [PixelFormat::Rgb, PixelFormat::Bgrx, PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Yuy2] {
        let mut frame = Frame::noise(pixels, size);
        let mut preprocessor = Preprocessor::quick();
        let mut tensor = vec![0.0; format.shape(1, target).iter().product()];
        rows.push((
            format!("{} to RGB tensor", pixels.name()),
            Box::new(move || {
                frame.write_again();
                timed(|| preprocessor.write(&frame.view(), size.rect(), target, &format, target, black_box(&mut tensor)))
            }),
        ));
    }
    let mut resizer = fir::Resizer::new();
    let rgb = Frame::noise(PixelFormat::Rgb, size).planes.remove(0).0;
    let mut source = fir::images::Image::from_vec_u8(size.width, size.height, rgb.clone(), fir::PixelType::U8x3).expect("a picture");
    let mut small = fir::images::Image::new(target.width, target.height, fir::PixelType::U8x3);
    let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear));
    let mut planar = vec![0.0f32; (target.width * target.height * 3) as usize];
    let pixels = rgb.clone();
    rows.push((
        "fast_image_resize, RGB to RGB tensor".into(),
        Box::new(move || {
            source.buffer_mut().copy_from_slice(&pixels);
            timed(|| {
                resizer.resize(&source, &mut small, &options).expect("a picture");
                let pixels = small.buffer().len() / 3;
                let (red, rest) = planar.split_at_mut(pixels);
                let (green, blue) = rest.split_at_mut(pixels);
                for (((rgb, r), g), b) in small.buffer().chunks_exact(3).zip(red).zip(green).zip(blue) {
                    (*r, *g, *b) = (f32::from(rgb[0]), f32::from(rgb[1]), f32::from(rgb[2]));
                }
                black_box(&planar);
            })
        }),
    ));
    for (label, interpolation) in [("INTER_AREA", opencv::imgproc::INTER_AREA), ("INTER_LINEAR", opencv::imgproc::INTER_LINEAR)] {
        let mut source = Mat::new_rows_cols_with_default(size.height as i32, size.width as i32, CV_8UC3, 0.0.into()).expect("a picture");
        let rgb = rgb.clone();
        let (mut small, mut float, mut planes) = (Mat::default(), Mat::default(), Vector::<Mat>::new());
        let wanted = CvSize::new(target.width as i32, target.height as i32);
        rows.push((
            format!("OpenCV {label}, RGB to RGB tensor"),
            Box::new(move || {
                source.data_bytes_mut().expect("bytes").copy_from_slice(&rgb);
                timed(|| {
                    opencv::imgproc::resize(&source, &mut small, wanted, 0.0, 0.0, interpolation).expect("a picture");
                    small.convert_to(&mut float, CV_32F, 1.0, 0.0).expect("a picture");
                    opencv::core::split(&float, &mut planes).expect("planes");
                    black_box(&planes);
                })
            }),
        ));
    }
    let times = least(Duration::from_secs(3), &mut rows);
    print(&format!("{name} to {}x{}", target.width, target.height), &rows, &times, |_| 0);
}

/// Rows of average faces, some of them rotated, with their landmarks.
fn faces(columns: usize, rows: usize, size: Size) -> (Frame, Vec<(Rect, Landmarks5)>) {
    let mut scene = Scene::new(size.width as usize, size.height as usize);
    let (step_x, step_y) = (size.width as f32 / columns as f32, size.height as f32 / rows as f32);
    for i in 0..columns * rows {
        let center = (((i % columns) as f32 + 0.5) * step_x, ((i / columns) as f32 + 0.5) * step_y);
        let height = (step_y.min(step_x) * 0.9).min(LARGEST_FACE);
        scene = scene.actor([0.0, 1.0].map(|time| Key::new(time, center, height, FERPLUS_LABELS[i % 8])).into());
    }
    let found = scene.appearances(0.5).into_iter().map(|shown| (shown.face, landmarks(shown.face, 0.2))).collect();
    let rgb = scene.render(0.5);
    (Frame::new(PixelFormat::Rgb, size, vec![(rgb, size.width as usize * 3)]), found)
}

/// The landmarks of a face with this box and the rotation `roll`.
fn landmarks(face: Rect, roll: f32) -> Landmarks5 {
    let (sin, cos) = roll.sin_cos();
    Landmarks5([(-0.2, -0.15), (0.2, -0.15), (0.0, 0.05), (-0.15, 0.25), (0.15, 0.25)].map(|(x, y)| {
        let center = face.center();
        Point::new(center.x + (x * cos - y * sin) * face.h, center.y + (x * sin + y * cos) * face.h)
    }))
}

fn detector(search: &SearchPath, model: &ModelFile, multiply_adds: f64, peak: f64) {
    let format = InputFormat::default();
    let mut rows: Vec<Row> = Vec::new();
    for (name, size) in SIZES {
        let (mut frame, _) = faces(3, 2, size);
        let letterbox = Letterbox::new(size, DETECT_SIZE, 32);
        let (content, input) = (letterbox.content, letterbox.input);
        let network = free_network(model, search);
        let write = |picture: &mut [f32]| Preprocessor::default().write(&frame.view(), size.rect(), content, &format, input, picture);
        network.run(format.shape(1, input), write, |_| Ok(())).expect("a run");
        rows.push((
            format!("ONNX Runtime alone, {}x{}", input.width, input.height),
            Box::new(move || timed(|| _ = black_box(network.run(format.shape(1, input), |_| (), |_| Ok(())).expect("a run")))),
        ));
        let mut detector = NetworkDetector::load(model.clone(), None, DETECT_SIZE, search, ONE_THREAD).expect("a detector");
        let mut found = Vec::new();
        detector.detect(&frame.view(), &DetectOptions::default(), &mut found).expect("faces");
        rows.push((
            format!("detect, RGB {name}, {} faces", found.len()),
            Box::new(move || {
                frame.write_again();
                timed(|| detector.detect(&frame.view(), &DetectOptions::default(), black_box(&mut found)).expect("faces"))
            }),
        ));
    }
    let times = least(Duration::from_secs(8), &mut rows);
    print(&model.path.display().to_string(), &rows, &times, |row| row - row % 2);
    println!("  at the machine's peak the network would take {:.2} ms for 320x256", multiply_adds / peak * 1e3);
}

/// The network of a detector, for pictures of any size.
fn free_network(model: &ModelFile, search: &SearchPath) -> Network {
    let name = Network::load(model, search, ONE_THREAD).expect("a network").inputs()[0].name.clone();
    let bytes = emotion_core::model::onnx::free_size(&model.bytes, &name).expect("an ONNX file").into();
    Network::load(&ModelFile { bytes, ..model.clone() }, search, ONE_THREAD).expect("a network")
}

fn classifier(search: &SearchPath, peak: f64) {
    let mut rows: Vec<Row> = Vec::new();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/expression/model.onnx");
    let model = ModelFile::open(model.as_ref()).expect("our own model");
    let format = model.description.as_ref().expect("a description").input.format();
    let mut counts = Vec::new();
    for (columns, lines) in [(1, 1), (5, 1), (5, 5), (10, 5)] {
        let (frame, found) = faces(columns, lines, SIZES[2].1);
        let count = found.len();
        let network = Network::load(&model, search, ONE_THREAD).expect("a network");
        let shape = format.shape(count, Size::new(48, 48));
        network.run(shape, |faces| faces.fill(0.5), |_| Ok(())).expect("a run");
        let run = move || timed(|| _ = black_box(network.run(shape, |_| (), |_| Ok(())).expect("a run")));
        rows.push((format!("ONNX Runtime alone, {count} faces"), Box::new(run)));
        for turned in [false, true] {
            let (mut frame, found) = (Frame::new(frame.format, frame.size, frame.planes.clone()), found.clone());
            let mut classifier = Classifier::load(model.clone(), search, ONE_THREAD).expect("a classifier");
            rows.push((
                format!("classify, {count} faces, {}", if turned { "turned" } else { "upright" }),
                Box::new(move || {
                    let faces: Vec<_> = found
                        .iter()
                        .map(|(rect, marks)| CropFace { rect: *rect, detector: Some("centerface"), landmarks: turned.then_some(*marks) })
                        .collect();
                    frame.write_again();
                    timed(|| _ = black_box(classifier.classify(&frame.view(), &faces).expect("scores")))
                }),
            ));
        }
        counts.extend([count; 3]);
    }
    let times = least(Duration::from_secs(8), &mut rows);
    println!("\nfaces in 1920x1080, RGB\n");
    for (((name, _), time), (index, count)) in rows.iter().zip(&times).zip(counts.iter().enumerate()) {
        println!("  {name:<44} {time:8.3} ms {:8.3} a face {:7.2}", time / *count as f64, time / times[index - index % 3]);
    }
    println!("  at the machine's peak the network would take {:.2} ms a face", EXPRESSION / peak * 1e3);
}

fn main() {
    opencv::core::set_num_threads(1).expect("OpenCV");
    let peak = peak();
    println!("peak of one core: {:.0} G multiply-adds a second in f32", peak / 1e9);
    for (name, size) in SIZES {
        frame_to_tensor(name, size);
    }
    let search = SearchPath::from_env(None);
    let centerface = search.model("centerface", "centerface.onnx").and_then(|path| ModelFile::open(&path));
    for (model, multiply_adds) in [(Family::EmotionFace.default_model(&search), EMOTION_FACE), (centerface, CENTERFACE)] {
        match search.runtime_library().and(model) {
            Ok(model) => detector(&search, &model, multiply_adds, peak),
            Err(error) => println!("\ndetector: skipped: {error}"),
        }
    }
    match search.runtime_library() {
        Ok(_) => classifier(&search, peak),
        Err(error) => println!("\nclassifier: skipped: {error}"),
    }
}
