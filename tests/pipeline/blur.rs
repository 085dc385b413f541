// SPDX-License-Identifier: MIT OR Apache-2.0
//! Detection of faces that `emotionoverlay` has blurred, with the detectors that found them before.

use std::path::Path;
use std::sync::{Arc, Mutex};

use emotion_core::detector::DEFAULT_CASCADE;
use emotion_core::geometry::{Rect, Size};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoFrame, VideoFrameRef, VideoInfo, VideoRegionOfInterestMeta};
use gstemotion::elements::frame::FORMATS;
use gstemotion::meta::read_faces;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, init, play};
use test_support::{fetched, left_out, repository};

const BLURS: [&str; 2] = ["pixelate", "blur"];

/// A harness of an element that takes frames with `info`.
fn element(launch: &str, info: &VideoInfo) -> Harness {
    init();
    let mut harness = Harness::new_parse(launch);
    let caps = info.to_caps().expect("caps of a valid format");
    harness.set_src_caps(caps);
    harness
}

/// The tested detectors, at their default thresholds.
fn detectors(info: &VideoInfo) -> Vec<(&'static str, Harness)> {
    let mut names = vec!["emotion-face", "centerface"];
    if Path::new(DEFAULT_CASCADE).is_file() {
        names.push("haar");
    } else {
        println!("skipped: no {DEFAULT_CASCADE}");
    }
    names.into_iter().map(|name| (name, element(&format!("emotionfacedetect track=false detector={name}"), info))).collect()
}

/// The pixels without metadata and padding. The layout of a decoder's buffers is only described by their meta.
fn bare(buffer: &gst::Buffer, info: &VideoInfo) -> gst::Buffer {
    let from = VideoFrameRef::from_buffer_ref_readable(buffer, info).expect("the buffer fits");
    let packed = gst::Buffer::with_size(info.size()).expect("memory");
    let mut to = VideoFrame::from_buffer_writable(packed, info).expect("a writable frame");
    from.copy(&mut to.as_mut_video_frame_ref()).expect("frames of one format");
    to.into_buffer()
}

fn faces(buffer: &gst::Buffer, info: &VideoInfo) -> Vec<Rect> {
    read_faces(buffer, Size::new(info.width(), info.height())).into_iter().map(|face| face.rect_norm).collect()
}

/// Number of boxes of `before` that are also in `after`.
fn count_remaining(before: &[Rect], after: &[Rect]) -> usize {
    before.iter().filter(|face| after.iter().any(|again| face.iou(*again) > 0.2)).count()
}

/// Faces of many sizes.
fn scene() -> Scene {
    let still = |x: f32, y: f32, height, expression| [0.0, 1.0].map(|time| Key::new(time, (x, y), height, expression)).into();
    Scene::new(640, 480)
        .actor(still(60.0, 80.0, 60.0, "neutral"))
        .actor(still(160.0, 110.0, 110.0, "happiness"))
        .actor(still(520.0, 150.0, 190.0, "surprise"))
        .actor(still(260.0, 290.0, 300.0, "anger"))
}

#[test]
fn blurred_faces_are_not_detected_in_any_format() {
    if !fetched("centerface") {
        return;
    }
    let rgb = scene().render(0.0);
    for format in FORMATS {
        let (frame, info) = buffer(&rgb, 640, 480, format);
        for (name, mut detector) in detectors(&info) {
            let found = detector.push_and_pull(bare(&frame, &info)).expect("a frame comes out");
            let before = faces(&found, &info);
            assert!(before.len() >= 3, "{format}: {name} finds {before:?} of 4 faces");
            for blur in BLURS {
                let mut overlay = element(&format!("emotionoverlay blur-faces={blur}"), &info);
                let blurred = overlay.push_and_pull(found.copy_deep().expect("memory")).expect("a frame comes out");
                let again = detector.push_and_pull(bare(&blurred, &info)).expect("a frame comes out");
                let after = faces(&again, &info);
                assert_eq!(count_remaining(&before, &after), 0, "{format} {blur}: {name} found {before:?}, and {after:?} again");
            }
        }
    }
}

/// The frames of `source`, a part of a launch line, with their faces, after `emotionoverlay`. `feed` gets the pipeline before
/// it plays.
fn blurred(source: &str, blur: &str, feed: impl FnOnce(&gst::Pipeline)) -> (Vec<gst::Buffer>, VideoInfo) {
    init();
    let line = format!(
        "{source} ! videoconvert ! video/x-raw,format=I420 ! emotionfacedetect track=false ! emotionoverlay blur-faces={blur}
         ! fakesink name=sink"
    );
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    feed(&pipeline);
    let frames = Arc::new(Mutex::new((Vec::new(), None)));
    let seen = frames.clone();
    let pad = pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let mut seen = seen.lock().expect("frames");
        seen.0.push(info.buffer().expect("a buffer").copy_deep().expect("memory"));
        seen.1 = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).unwrap_or_else(|error| panic!("{source}: {error}"));
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    let (frames, info) = std::mem::take(&mut *frames.lock().expect("frames"));
    (frames, info.expect("caps"))
}

/// Asserts that the detectors find at most one in thirty of the faces on `frames` again.
fn assert_hidden(what: &str, frames: &[gst::Buffer], info: &VideoInfo) {
    let before: usize = frames.iter().map(|frame| faces(frame, info).len()).sum();
    assert!(before >= 10, "{what}: {before} faces");
    for (name, mut detector) in detectors(info) {
        let again = |frame| {
            let out = detector.push_and_pull(bare(frame, info)).expect("a frame comes out");
            count_remaining(&faces(frame, info), &faces(&out, info))
        };
        let after: usize = frames.iter().map(again).sum();
        println!("{what}: {name} finds {after} of {before} faces again");
        // CenterFace occasionally detects the outline of a head above shoulders, without anything of the face.
        assert!(after * 30 <= before, "{what}: {name} finds {after} of {before} faces again");
    }
}

/// Two people who walk past each other, one of them towards the camera, in a frame every 0.4 s.
fn passers_by() -> Vec<gst::Buffer> {
    let scene = Scene::new(640, 480)
        .actor(vec![Key::new(0.0, (570.0, 130.0), 70.0, "surprise"), Key::new(4.0, (80.0, 150.0), 120.0, "anger")])
        .actor(vec![Key::new(0.0, (100.0, 330.0), 90.0, "neutral"), Key::new(4.0, (500.0, 290.0), 240.0, "happiness")]);
    let frames = (0..10).map(|index| {
        let (mut frame, _) = buffer(&scene.render(0.4 * index as f32), 640, 480, VideoFormat::Rgb);
        frame.make_mut().set_pts(gst::ClockTime::from_mseconds(400 * index));
        frame
    });
    frames.collect()
}

#[test]
fn blurred_people_are_not_detected() {
    if !fetched("centerface") {
        return;
    }
    for blur in BLURS {
        let (frames, info) = blurred("appsrc name=source format=time", blur, |pipeline| {
            let source = pipeline.by_name("source").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
            let caps = "video/x-raw,format=RGB,width=640,height=480,framerate=5/2".parse::<gst::Caps>().expect("caps");
            source.set_caps(Some(&caps));
            for frame in passers_by() {
                source.push_buffer(frame).expect("a frame");
            }
            source.end_of_stream().expect("an end");
        });
        assert_eq!((frames.len(), info.format()), (10, VideoFormat::I420));
        assert_hidden(blur, &frames, &info);
    }
}

/// Real people have hair, hands and shoulders, and bad light. Their clips are not part of the repository.
#[test]
fn blurred_people_of_real_clips_are_not_detected() {
    for clip in ["crying-to-laughing.mp4", "several-faces.mp4"].map(|name| repository().join("../shared/media").join(name)) {
        if !clip.is_file() {
            left_out::note(format!("no {}", clip.display()));
            continue;
        }
        if !fetched("centerface") {
            return;
        }
        let sampled = format!("filesrc location={} ! decodebin ! videorate drop-only=true ! video/x-raw,framerate=2/1", clip.display());
        for blur in BLURS {
            let (frames, info) = blurred(&sampled, blur, |_| {});
            assert_hidden(&format!("{} {blur}", clip.display()), &frames, &info);
        }
    }
}

#[test]
fn a_region_far_larger_than_the_frame_hides_the_whole_frame() {
    let stripes: Vec<u8> = (0..640 * 480).flat_map(|pixel| if pixel % 2 == 0 { [40; 3] } else { [210; 3] }).collect();
    for blur in BLURS {
        let (mut frame, info) = buffer(&stripes, 640, 480, VideoFormat::Gray8);
        // A width and height of -1, stored as unsigned numbers.
        VideoRegionOfInterestMeta::add(frame.make_mut(), "face", (2, 2, u32::MAX, u32::MAX));
        let mut overlay = element(&format!("emotionoverlay draw-boxes=false blur-faces={blur}"), &info);
        let hidden = overlay.push_and_pull(frame).expect("a frame comes out");
        let pixels = hidden.map_readable().expect("system memory");
        assert!(pixels.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 8), "{blur}: stripes are still visible");
    }
}
