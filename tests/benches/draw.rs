// SPDX-License-Identifier: MIT OR Apache-2.0
//! Time for one frame of the overlay with five faces, after warm-up.
//!
//! `cargo bench -p emotion-benches --bench draw`
//!
//! - `steady`: boxes and scores of the previous frame, so that all pictures are cached
//! - `moving`: boxes move and change size, percentages and bars change with every frame
//! - `gstreamer`: the pictures of `steady`, blended by `GstVideoOverlayComposition`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use emotion_core::draw::{Canvas, Painter, Placed, PlaneMut, Style};
use emotion_core::geometry::{Rect, Size};
use emotion_core::image::{Colorimetry, PixelFormat};
use emotion_core::record::{EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst_video::{VideoFormat, VideoFrameFlags, VideoFrameRef, VideoInfo, VideoMeta, VideoOverlayFormatFlags, VideoOverlayRectangle};

const SIZES: [(&str, Size); 3] = [("vga", Size::new(640, 480)), ("1080p", Size::new(1920, 1080)), ("2160p", Size::new(3840, 2160))];
const FORMATS: [(PixelFormat, VideoFormat); 3] =
    [(PixelFormat::I420, VideoFormat::I420), (PixelFormat::Nv12, VideoFormat::Nv12), (PixelFormat::Bgrx, VideoFormat::Bgrx)];

/// Five faces a fifth of the frame high; `step` moves them and changes their scores.
fn faces(step: u32) -> Vec<FaceRecord> {
    let labels = LabelSet::new(FERPLUS_LABELS);
    let phase = step as f32 * 0.37;
    (0..5)
        .map(|i| {
            let (column, row) = (i % 3, i / 3);
            let wave = (phase + i as f32).sin();
            let (x, y) = (0.04 + 0.33 * column as f32 + 0.005 * wave, 0.15 + 0.45 * row as f32);
            let scores = (0..8).map(|class| if class == i + 1 { 4.0 + wave } else { 0.5 + 0.4 * (phase * 0.7 + class as f32).cos() });
            let scores = Scores::from_probabilities(scores);
            let label_id = Some(scores.top().0);
            let emotion =
                Some(EmotionResult { labels: labels.clone(), scores, label_id, reason: None, smoothed: true, age: Duration::ZERO });
            let rect_norm = Rect::new(x, y, 0.13 + 0.002 * wave, 0.22 + 0.004 * wave);
            FaceRecord { id: i as u32 + 1, rect_norm, detection: None, emotion, geometry: None, confirmed: true }
        })
        .collect()
}

/// The bytes of a frame that is not uniform, and the layout of its planes.
struct Frame {
    info: VideoInfo,
    bytes: Vec<u8>,
}

impl Frame {
    fn new(format: VideoFormat, size: Size) -> Self {
        let info = VideoInfo::builder(format, size.width, size.height).build().expect("a valid format and size");
        let bytes = (0..info.size()).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect();
        Self { info, bytes }
    }

    fn blend(&mut self, format: PixelFormat, size: Size, placed: &[Placed]) {
        let (offsets, strides) = (self.info.offset().to_vec(), self.info.stride().to_vec());
        let mut rest = self.bytes.as_mut_slice();
        let mut planes = [PlaneMut::default(), PlaneMut::default(), PlaneMut::default()];
        for (index, plane) in planes.iter_mut().enumerate().take(offsets.len()) {
            let end = offsets.get(index + 1).map_or(rest.len(), |next| next - offsets[index]);
            let (data, tail) = std::mem::take(&mut rest).split_at_mut(end);
            *plane = PlaneMut { data, stride: strides[index] as usize };
            rest = tail;
        }
        let mut canvas = Canvas::new(format, size, planes, Colorimetry::default()).expect("the planes fit");
        placed.iter().for_each(|placed| canvas.blend(placed));
    }
}

fn rectangle(placed: &Placed) -> VideoOverlayRectangle {
    let Size { width, height } = placed.picture.size();
    let bgra: Vec<u8> = placed.picture.rgba().chunks(4).flat_map(|p| [p[2], p[1], p[0], p[3]]).collect();
    let mut buffer = gst::Buffer::from_mut_slice(bgra);
    let writable = buffer.get_mut().expect("the buffer is new");
    VideoMeta::add(writable, VideoFrameFlags::empty(), VideoFormat::Bgra, width, height).expect("a valid format");
    VideoOverlayRectangle::new_raw(&buffer, placed.x, placed.y, width, height, VideoOverlayFormatFlags::PREMULTIPLIED_ALPHA)
}

fn draw(criterion: &mut Criterion) {
    gst::init().expect("GStreamer starts");
    for (name, size) in SIZES {
        let mut group = criterion.benchmark_group(format!("draw/{name}"));
        group.throughput(Throughput::Elements(1));
        for (format, video_format) in FORMATS {
            let mut frame = Frame::new(video_format, size);
            let mut painter = Painter::new(Style::default());
            let still = faces(0);
            group.bench_function(BenchmarkId::new("steady", format.name()), |bencher| {
                bencher.iter(|| {
                    let placed = painter.draw(black_box(&still), None, size);
                    frame.blend(format, size, &placed);
                });
            });
            let (mut step, frames) = (0, (0..4096).map(faces).collect::<Vec<_>>());
            group.bench_function(BenchmarkId::new("moving", format.name()), |bencher| {
                bencher.iter(|| {
                    step = (step + 1) % frames.len();
                    let placed = painter.draw(black_box(&frames[step]), None, size);
                    frame.blend(format, size, &placed);
                });
            });
            let rectangles: Vec<_> = painter.draw(&still, None, size).iter().map(rectangle).collect();
            let composition = gst_video::VideoOverlayComposition::new(&rectangles).expect("a composition");
            let mut buffer = gst::Buffer::from_mut_slice(std::mem::take(&mut frame.bytes));
            group.bench_function(BenchmarkId::new("gstreamer", format.name()), |bencher| {
                bencher.iter(|| {
                    let writable = buffer.get_mut().expect("the buffer is new");
                    let mut frame = VideoFrameRef::from_buffer_ref_writable(writable, &frame.info).expect("the buffer fits");
                    composition.blend(&mut frame).expect("GStreamer blends");
                });
            });
        }
    }
}

criterion_group!(benches, draw);
criterion_main!(benches);
