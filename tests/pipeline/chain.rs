// SPDX-License-Identifier: MIT OR Apache-2.0
//! A chain of the three elements: all formats and sizes, a rendered clip, and real clips if there are any.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_core::geometry::Size;
use emotion_core::record::{FaceRecord, SearchAge};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoFormat;
use gstemotion::elements::frame::FORMATS;
use gstemotion::meta::{custom, read_faces};
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, frame_at, init, play, run};
use test_support::{repository, runtime_fetched, three_faces};

const CHAIN: &str = "emotionfacedetect ! emotionclassify ! emotionoverlay";

/// The second of two equal frames that the chain has processed. The second search confirms the faces of a live stream.
fn processed(frame: &gst::Buffer, info: &gst_video::VideoInfo) -> gst::Buffer {
    init();
    let mut harness = Harness::new_parse(CHAIN);
    for element in ["emotionfacedetect", "emotionclassify"] {
        harness.find_element(element).expect("an element").set_property("motion-gate", false);
    }
    harness.set_src_caps(info.to_caps().expect("caps"));
    let frames = [0, 1].map(|index| harness.push_and_pull(frame_at(frame, index)).expect("a frame"));
    let [_, second] = frames;
    second
}

fn pixels(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().expect("system memory").to_vec()
}

#[test]
fn every_format_gets_faces_labels_and_drawings() {
    if !runtime_fetched() {
        return;
    }
    for format in FORMATS {
        let (frame, info) = buffer(&three_faces().render(0.0), 640, 480, format);
        let out = processed(&frame, &info);
        let faces = read_faces(&out, Size::new(640, 480));
        let mut labels: Vec<_> = faces.iter().map(|face| face.emotion.as_ref().map_or("", |emotion| emotion.label())).collect();
        labels.sort_unstable();
        assert_eq!(labels, ["happiness", "neutral", "surprise"], "{format:?}");
        let changed = pixels(&out).iter().zip(pixels(&frame)).filter(|(out, before)| **out != *before).count();
        assert!(changed > 1_000, "{format:?}: {changed} bytes are drawn on");
    }
}

#[test]
fn frames_of_every_size_are_searched_and_pass_unchanged_without_faces() {
    if !runtime_fetched() {
        return;
    }
    let sizes = |format| [(1, 1), (17, 33), (641, 479)].map(|size| (format, size));
    for (format, (width, height)) in FORMATS.into_iter().flat_map(sizes).chain([(VideoFormat::Nv12, (3840, 2160))]) {
        let (frame, info) = buffer(&vec![90; (width * height * 3) as usize], width, height, format);
        let out = processed(&frame, &info);
        assert_eq!(custom::searched(&out), SearchAge::Ago(Duration::ZERO), "{format:?} {width}x{height}");
        assert!(read_faces(&out, Size::new(width, height)).is_empty(), "{format:?} {width}x{height}: a face in uniform grey");
        assert!(pixels(&out) == pixels(&frame), "{format:?} {width}x{height}: drawn without a face");
    }
}

#[test]
fn unknown_caps_fields_pass_through() {
    if !runtime_fetched() {
        return;
    }
    let caps = "video/x-raw,format=I420,width=64,height=48,framerate=30/1,made-up=yes";
    run(&format!("videotestsrc num-buffers=2 ! video/x-raw,width=64,height=48 ! capssetter caps=\"{caps}\" replace=true ! {CHAIN} ! {caps} ! fakesink"))
        .expect("caps with a field of somebody's own");
}

/// The faces of each frame of a clip.
fn faces_of(clip: &Path) -> Vec<Vec<FaceRecord>> {
    faces_from(&format!("filesrc location={} ! decodebin", clip.display()), |_| {})
}

/// The faces of each frame of `source`, which is a part of a launch line. `feed` gets the pipeline before it plays.
fn faces_from(source: &str, feed: impl FnOnce(&gst::Pipeline)) -> Vec<Vec<FaceRecord>> {
    init();
    let line = format!("{source} ! emotionfacedetect ! emotionclassify ! fakesink name=sink");
    let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    feed(&pipeline);
    let frames = Arc::new(Mutex::new(Vec::new()));
    let seen = frames.clone();
    let pad = pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = gst_video::VideoInfo::from_caps(&pad.current_caps().expect("caps")).expect("video caps");
        let buffer = info.buffer().expect("a buffer");
        seen.lock().expect("frames").push(read_faces(buffer, Size::new(video.width(), video.height())));
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).unwrap_or_else(|error| panic!("{source}: {error}"));
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    let frames = frames.lock().expect("frames").clone();
    assert!(!frames.is_empty());
    frames
}

/// Two shots of two seconds at 25 frames a second: a person who walks out of the picture, then two others elsewhere.
fn two_shots() -> Vec<gst::Buffer> {
    let person = |from: f32, to: f32, label| {
        let key = |at, x| Key::new(at, (x, 120.0), 110.0, label);
        vec![key(0.0, from), key(1.0, from), key(1.6, to), key(9.0, to)]
    };
    let shots = [
        Scene::new(320, 240).actor(person(150.0, 420.0, "neutral")),
        Scene::new(320, 240)
            .background([40.0, 44.0, 52.0], [22.0, 24.0, 30.0])
            .actor(person(80.0, 80.0, "happiness"))
            .actor(person(240.0, 240.0, "surprise")),
    ];
    let frames = (0..100_usize).map(|index| {
        let rgb = shots[index / 50].render((index % 50) as f32 / 25.0);
        let (mut frame, _) = buffer(&rgb, 320, 240, VideoFormat::Rgb);
        frame.make_mut().set_pts(gst::ClockTime::from_mseconds(40 * index as u64));
        frame
    });
    frames.collect()
}

#[test]
fn a_clip_is_reported_as_it_was_drawn() {
    if !runtime_fetched() {
        return;
    }
    let frames = faces_from("appsrc name=source format=time", |pipeline| {
        let source = pipeline.by_name("source").and_then(|source| source.downcast::<gst_app::AppSrc>().ok()).expect("a source");
        let caps = "video/x-raw,format=RGB,width=320,height=240,framerate=25/1".parse::<gst::Caps>().expect("caps");
        source.set_caps(Some(&caps));
        for frame in two_shots() {
            source.push_buffer(frame).expect("a frame");
        }
        source.end_of_stream().expect("an end");
    });
    let ids = |range: std::ops::Range<usize>| -> BTreeSet<u32> { frames[range].iter().flatten().map(|face| face.id).collect() };
    let counts: Vec<usize> = frames.iter().map(Vec::len).collect();
    assert!(counts[..25].iter().all(|count| *count == 1), "one person: {counts:?}");
    assert!(counts[43..50].iter().all(|count| *count == 0), "the person has left: {counts:?}");
    assert!(counts[50..].iter().all(|count| *count == 2), "two other people: {counts:?}");
    assert_eq!((ids(0..50).len(), ids(50..100).len()), (1, 2));
    assert!(ids(0..50).is_disjoint(&ids(50..100)), "ids end at the cut");
    let labels = |at: usize| -> BTreeSet<&str> { frames[at].iter().filter_map(|face| Some(face.emotion.as_ref()?.label())).collect() };
    assert_eq!((labels(24), labels(99)), (BTreeSet::from(["neutral"]), BTreeSet::from(["happiness", "surprise"])));
}

/// A clip of real people. They are not part of the repository.
fn clip(name: &str) -> Option<PathBuf> {
    let path = repository().join("../shared/media").join(name);
    if !path.is_file() {
        test_support::left_out::note(format!("no {}", path.display()));
        return None;
    }
    runtime_fetched().then_some(path)
}

#[test]
fn a_clip_without_faces_has_none() {
    let Some(clip) = clip("no-face.mp4") else { return };
    let with_faces = faces_of(&clip).iter().filter(|faces| !faces.is_empty()).count();
    assert_eq!(with_faces, 0);
}

#[test]
fn a_face_that_leaves_is_dropped() {
    let Some(clip) = clip("face-leaves.mov") else { return };
    let frames = faces_of(&clip);
    let last = frames.iter().rposition(|faces| !faces.is_empty()).expect("a face");
    assert!((60..=74).contains(&last), "the last face is on frame {last}");
    assert!(frames[..60].iter().all(|faces| faces.len() == 1), "one face until then");
}

/// Four shots: a singer and a pianist; the singer from the side in front of a dark audience; the singer; a row of the audience.
#[test]
fn ids_end_at_scene_cuts() {
    let Some(clip) = clip("several-faces.mp4") else { return };
    let frames = faces_of(&clip);
    let ids = |range: std::ops::Range<usize>| frames[range].iter().flatten().map(|face| face.id).collect::<BTreeSet<_>>();
    let shots = [0..20, 20..82, 82..211, 211..frames.len()].map(ids);
    println!("{shots:?}");
    // In the second shot, nine people of the audience are more or less visible, mostly in the dark.
    for (ids, people) in shots.iter().zip([2, 10, 1, 5]) {
        assert!(ids.len() <= people + 1, "{people} people, ids {ids:?}");
    }
    for (index, shot) in shots.iter().enumerate() {
        for other in &shots[index + 1..] {
            assert!(shot.is_disjoint(other), "{shots:?}");
        }
    }
}

#[test]
fn sadness_is_reported_before_happiness() {
    let Some(clip) = clip("crying-to-laughing.mp4") else { return };
    let frames = faces_of(&clip);
    let labels: Vec<_> = frames
        .iter()
        .map(|faces| faces.first().and_then(|face| face.emotion.as_ref()).map_or("", |emotion| emotion.label()).to_string())
        .collect();
    // Changes of the top score, compared with changes of the reported label.
    let top = |face: &FaceRecord| face.emotion.as_ref().map(|emotion| emotion.scores.top().0);
    let shown = |face: &FaceRecord| face.emotion.as_ref().and_then(|emotion| emotion.label_id);
    let seconds = frames.len() as f32 / 24.0;
    let [flicker, steady] = [top as fn(&FaceRecord) -> Option<usize>, shown].map(|label| {
        let labels: Vec<_> = frames.iter().filter_map(|faces| faces.first().and_then(label)).collect();
        labels.windows(2).filter(|pair| pair[0] != pair[1]).count()
    });
    println!("label changes per second: {:.2} by the top score, {:.2} shown", flicker as f32 / seconds, steady as f32 / seconds);
    assert!(steady <= flicker && steady as f32 / seconds <= 3.0, "{steady} changes, {flicker} of the top score");
    let share = |part: &[String], label: &str| part.iter().filter(|given| *given == label).count() as f32 / part.len() as f32;
    // In between she looks up with her mouth open behind a hand: neither sad nor happy, and too ambiguous for a label of its own.
    let between = &labels[165..225];
    let allowed = ["neutral", "surprise", "unknown"];
    assert!(between.iter().all(|label| allowed.contains(&label.as_str())), "between crying and laughing: {between:?}");
    // She cries in the first third and laughs in the last half.
    let (crying, laughing) = (&labels[72..140], &labels[labels.len() / 2 + 12..]);
    assert!(share(crying, "sadness") > 0.8, "sadness on {:.2} of the crying", share(crying, "sadness"));
    assert!(share(laughing, "happiness") > 0.9, "happiness on {:.2} of the laughing", share(laughing, "happiness"));
    let ids: BTreeSet<_> = frames.iter().flatten().map(|face| face.id).collect();
    assert_eq!(ids.len(), 1, "one woman, one id");
}
