// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buffers whose metadata describes the layout of the pixels: outside of the memory, cropped, shared with a pool.

use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::image::resample::{Resampler, Samples};
use emotion_core::record::{DetectionInfo, FaceRecord};
use emotion_core::track::scene_cut::CutDetector;
use gst::prelude::*;
use gst_check::Harness;
use gst_video::prelude::*;
use gst_video::{VideoBufferFlags, VideoCropMeta, VideoFormat, VideoFrameFlags, VideoInfo, VideoInterlaceMode, VideoMeta};
use gstemotion::elements::frame;
use gstemotion::meta::write_detections;
use proptest::prelude::*;
use test_support::gstreamer::init;

const VGA: Size = Size::new(640, 480);
/// Number of bytes allocated after the memory of a buffer, so that an overrun fails the test instead of the process.
const SLACK: usize = 1 << 20;

fn info(format: VideoFormat, size: Size) -> VideoInfo {
    init();
    VideoInfo::builder(format, size.width, size.height).fps((30, 1)).build().expect("a valid format and size")
}

/// A face that extends to the bottom right corner of the frame.
fn face() -> FaceRecord {
    let detection = Some(DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "test".into(), age: Duration::ZERO });
    FaceRecord { id: 1, rect_norm: Rect::new(0.4, 0.4, 0.6, 0.6), detection, emotion: None, geometry: None, confirmed: true }
}

/// A grey frame of `info` with a face. Its memory ends after `size` bytes.
fn buffer(info: &VideoInfo, size: usize) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![128_u8; info.size() + SLACK]);
    let writable = buffer.make_mut();
    writable.set_size(size);
    write_detections(writable, Size::new(info.width(), info.height()), &[face()]);
    buffer
}

fn describe(buffer: &mut gst::Buffer, info: &VideoInfo, offsets: &[usize], strides: &[i32]) {
    let (format, width, height) = (info.format(), info.width(), info.height());
    VideoMeta::add_full(buffer.make_mut(), VideoFrameFlags::empty(), format, width, height, offsets, strides).expect("a video meta");
}

fn read(buffer: &gst::BufferRef, info: &VideoInfo) -> Result<(), String> {
    let mapped = frame::map(buffer, info).map_err(|error| error.to_string())?;
    let view = frame::view(&mapped).map_err(|error| error.to_string())?;
    CutDetector::default().observe(&view);
    Ok(())
}

/// An `emotionoverlay` that blurs the faces of frames with `info`.
fn blurring(info: &VideoInfo) -> Harness {
    let mut harness = Harness::new("emotionoverlay");
    harness.element().expect("the element").set_property_from_str("blur-faces", "pixelate");
    let caps = info.to_caps().expect("caps");
    harness.set_src_caps(caps.clone());
    harness.set_sink_caps(caps);
    harness
}

#[test]
fn planes_outside_of_the_memory_are_not_accessed() {
    let info = info(VideoFormat::Nv12, VGA);
    let (stride, luma, all) = (640, 640 * 480, info.size());
    for (what, offsets, strides) in [
        ("the second plane starts too late", [0, luma + 640], [stride, stride]),
        ("the second plane starts after the memory", [0, all + 64], [stride, stride]),
        ("an offset that overflows", [0, usize::MAX - 3], [stride, stride]),
        ("a stride that overruns", [0, luma], [stride, 4 * stride]),
        ("a stride that overflows", [0, luma], [stride, i32::MAX]),
        ("a negative stride", [luma - 640, luma], [-stride, stride]),
        ("planes that overlap", [0, 0], [stride, stride]),
    ] {
        let mut frame = buffer(&info, all);
        describe(&mut frame, &info, &offsets, &strides);
        assert_eq!(read(&frame, &info).is_err(), what != "planes that overlap", "{what}");
        let mut harness = blurring(&info);
        assert_eq!(harness.push(frame), Err(gst::FlowError::Error), "{what}: a frame that cannot be blurred is an error");
        assert_eq!(harness.buffers_in_queue(), 0, "{what}");
    }
}

#[test]
fn a_video_meta_that_contradicts_the_caps_is_an_error() {
    let caps = info(VideoFormat::Nv12, VGA);
    let big = info(VideoFormat::Nv12, Size::new(1280, 960));
    for (what, given) in [
        ("another format", info(VideoFormat::Gray8, VGA)),
        ("a smaller frame", info(VideoFormat::Nv12, Size::new(320, 240))),
        ("fewer rows", info(VideoFormat::Nv12, Size::new(640, 240))),
    ] {
        let mut frame = buffer(&caps, caps.size());
        let (offsets, strides) = (given.offset().to_vec(), given.stride().to_vec());
        describe(&mut frame, &given, &offsets, &strides);
        let error = read(&frame, &caps).expect_err(what);
        assert!(error.contains("GstVideoMeta"), "{what}: {error}");
    }
    let mut frame = buffer(&big, big.size());
    describe(&mut frame, &big, big.offset(), big.stride());
    let mapped = frame::map(&frame, &caps).expect("padding on the right and below");
    assert_eq!(frame::view(&mapped).map(|view| view.size()).ok(), Some(VGA), "the picture has the size of the caps");
}

#[test]
fn the_last_row_may_end_without_padding() {
    let info = info(VideoFormat::Nv12, VGA);
    // The picture is the right part of one that is 1024 pixels wide.
    let (stride, start) = (1024, 384);
    let chroma = stride * 480 + start;
    let mut frame = buffer(&info, chroma + stride * 239 + 640);
    describe(&mut frame, &info, &[start, chroma], &[1024, 1024]);
    assert_eq!(read(&frame, &info), Ok(()));
    assert_eq!(blurring(&info).push(frame), Ok(gst::FlowSuccess::Ok));
}

/// A frame of 800x600 with a crop meta, and caps of 640x480.
fn cropped(x: u32, y: u32, width: u32, height: u32) -> (gst::Buffer, VideoInfo) {
    let (caps, whole) = (info(VideoFormat::Nv12, VGA), info(VideoFormat::Nv12, Size::new(800, 600)));
    let mut frame = buffer(&whole, whole.size());
    describe(&mut frame, &whole, whole.offset(), whole.stride());
    VideoCropMeta::add(frame.make_mut(), (x, y, width, height));
    (frame, caps)
}

#[test]
fn the_visible_part_of_a_cropped_frame_is_blurred() {
    let (mut frame, caps) = cropped(100, 60, 640, 480);
    // The whole frame is striped, and only the face may lose its stripes.
    {
        let mut map = frame.make_mut().map_writable().expect("system memory");
        map.iter_mut().take(800 * 600).enumerate().for_each(|(n, byte)| *byte = if n % 2 == 0 { 20 } else { 220 });
    }
    let mut harness = blurring(&caps);
    assert_eq!(harness.push(frame), Ok(gst::FlowSuccess::Ok));
    let out = harness.pull().expect("a frame");
    assert_eq!(out.meta::<VideoCropMeta>().map(|crop| crop.rect()), Some((100, 60, 640, 480)), "the crop is forwarded");
    let map = out.map_readable().expect("system memory");
    let striped = |x: usize, y: usize| map[y * 800 + x].abs_diff(map[y * 800 + x + 1]) > 150;
    for (x, y) in [(100, 60), (100 + 200, 60 + 150), (10, 10), (790, 590), (742, 542)] {
        assert!(striped(x, y), "no face at {x}, {y}");
    }
    for (x, y) in [(100 + 448, 60 + 336), (100 + 600, 60 + 440)] {
        assert!(!striped(x, y), "a face at {x}, {y}");
    }
}

#[test]
fn an_unsupported_crop_is_an_error_and_no_unblurred_frame_is_shown() {
    for (what, (frame, caps)) in [
        ("it lies partly outside", cropped(200, 0, 640, 480)),
        ("its end overflows", cropped(u32::MAX, 0, 640, 480)),
        ("it has another size than the caps", cropped(0, 0, 320, 240)),
        ("it starts between two samples", cropped(3, 0, 640, 480)),
    ] {
        let error = read(&frame, &caps).expect_err(what);
        assert!(error.contains("GstVideoCropMeta"), "{what}: {error}");
        let mut harness = blurring(&caps);
        assert_eq!(harness.push(frame), Err(gst::FlowError::Error), "{what}");
        assert_eq!(harness.buffers_in_queue(), 0, "{what}");
    }
}

#[test]
fn shared_pixels_are_not_recycled_while_a_worker_reads_them() {
    init();
    // A pool with a single buffer, which it reuses as soon as the buffer is released.
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(None, 64, 1, 1);
    pool.set_config(config).expect("a configuration");
    pool.set_active(true).expect("a pool");
    let impatient = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
    let parent = pool.acquire_buffer(None).expect("the only buffer");
    // As pipewiresrc does: a new buffer shares the pixels and has the pool's buffer as its parent.
    let mut pushed = gst::Buffer::from_mut_slice(vec![0_u8; 64]);
    gst::meta::ParentBufferMeta::add(pushed.make_mut(), &parent);
    drop(parent);

    let shared = frame::share_pixels(&pushed);
    drop(pushed);
    assert!(pool.acquire_buffer(Some(&impatient)).is_err(), "the source reused pixels that are being read");
    drop(shared);
    assert!(pool.acquire_buffer(Some(&impatient)).is_ok());
    pool.set_active(false).expect("a pool");
}

#[test]
fn a_worker_reads_the_part_that_the_crop_describes() {
    let (mut frame, caps) = cropped(100, 60, 640, 480);
    let seen = |buffer: &gst::BufferRef| {
        let mapped = frame::map(buffer, &caps).expect("a frame");
        let mut samples = CutDetector::default();
        samples.observe(&frame::view(&mapped).expect("a view"));
        format!("{samples:?}")
    };
    let grey = seen(&frame);
    frame.make_mut().map_writable().expect("system memory").iter_mut().enumerate().for_each(|(n, byte)| *byte = (n % 251) as u8);
    assert_eq!(seen(&frame::share_pixels(&frame)), seen(&frame));
    assert_ne!(seen(&frame), grey);
}

/// Mean luma of a frame.
fn luma(buffer: &gst::BufferRef, info: &VideoInfo) -> f32 {
    let mapped = frame::map(buffer, info).expect("a frame");
    let (view, mut mean) = (frame::view(&mapped).expect("a view"), 0.0);
    Resampler::new().sample(&view, view.size().rect(), Size::new(1, 1), Samples::Luma, |_, rows| mean = rows[0][0]);
    mean
}

#[test]
fn one_field_of_an_interlaced_frame_is_read_by_a_worker_too() {
    let fields = |odd: u8| (0..VGA.height).flat_map(|y| vec![if y % 2 == 0 { 200 } else { odd }; VGA.width as usize]).collect::<Vec<u8>>();
    let plain = info(VideoFormat::Gray8, VGA);
    let (bright, both) = (luma(&gst::Buffer::from_slice(fields(200)), &plain), luma(&gst::Buffer::from_slice(fields(100)), &plain));
    assert!(both < bright - 40.0, "{both}, {bright}");
    for (mode, flags, expected) in [
        (VideoInterlaceMode::Progressive, VideoBufferFlags::empty(), both),
        (VideoInterlaceMode::Interleaved, VideoBufferFlags::empty(), bright),
        (VideoInterlaceMode::Mixed, VideoBufferFlags::empty(), both),
        (VideoInterlaceMode::Mixed, VideoBufferFlags::INTERLACED, bright),
    ] {
        let caps = VideoInfo::builder(VideoFormat::Gray8, VGA.width, VGA.height).interlace_mode(mode).build().expect("a mode");
        let mut frame = gst::Buffer::from_slice(fields(100));
        frame.make_mut().set_video_flags(flags);
        assert_eq!((luma(&frame, &caps), luma(&frame::share_pixels(&frame), &caps)), (expected, expected), "{mode:?} {flags:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_video_meta_leads_outside_of_the_memory(
        format in prop::sample::select(frame::FORMATS.to_vec()),
        (width, height) in (1_u32..80, 1_u32..80),
        size in 0_usize..30_000,
        offsets in prop::array::uniform3(prop_oneof![0_usize..30_000, any::<usize>()]),
        strides in prop::array::uniform3(prop_oneof![0_i32..400, any::<i32>()]),
        crop in prop::option::of((0_u32..40, 0_u32..40)),
    ) {
        let caps = info(format, Size::new(width, height));
        let (x, y) = crop.unwrap_or_default();
        let whole = info(format, Size::new(width + x, height + y));
        let planes = whole.n_planes() as usize;
        // The memory ends with its allocation, so that a heap checker detects an overrun.
        let mut frame = gst::Buffer::from_mut_slice(vec![128_u8; size]);
        describe(&mut frame, &whole, &offsets[..planes], &strides[..planes]);
        if crop.is_some() {
            VideoCropMeta::add(frame.make_mut(), (x, y, width, height));
        }
        let readable = read(&frame, &caps).is_ok();
        let drawn = frame::map_writable(frame.make_mut(), &caps).and_then(|mut mapped| {
            frame::canvas(&mut mapped).map(|mut canvas| canvas.blur(Rect::new(0.0, 0.0, 80.0, 80.0), emotion_core::choices::Blur::Pixelate))
        });
        prop_assert!(readable || drawn.is_err(), "a frame that cannot be read cannot be drawn on");
    }
}
