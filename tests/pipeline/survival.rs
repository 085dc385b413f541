// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much metadata of faces survives the elements that are common between detection and display. The table
//! in `docs/metadata.md` contains what this test measures; `UPDATE_SURVIVAL=1 cargo test -p emotion-tests survival`
//! rewrites it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70, blendshapes};
use emotion_core::geometry::{AxisMap, Point, Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use gstemotion::elements::upstream::picture_changes::PictureChanges;
use gstemotion::meta::{custom, roi, write_detections, write_emotions, write_geometries};
use test_support::gstreamer::{init, play};
use test_support::repository;

const FRAME: Size = Size::new(640, 480);
const FRAMES: usize = 8;

/// One row of the table.
struct Way {
    name: &'static str,
    line: &'static str,
    /// The expected transform of a box, from 0..1 to 0..1.
    moved: fn(Rect) -> Rect,
    /// True if scores must survive.
    promised: bool,
}

const fn promised(name: &'static str, line: &'static str) -> Way {
    Way { name, line, moved: same, promised: true }
}

const fn measured(name: &'static str, line: &'static str, moved: fn(Rect) -> Rect) -> Way {
    Way { name, line, moved, promised: false }
}

const WAYS: &[Way] = &[
    promised("identity", "identity"),
    promised("queue", "queue"),
    promised("tee", "tee ! queue"),
    promised("videoconvert, same format", "videoconvert ! video/x-raw,format=I420"),
    promised("videoconvert, other format", "videoconvert ! video/x-raw,format=BGRx"),
    promised("videoscale", "videoscale ! video/x-raw,width=320,height=240"),
    promised("videoconvertscale", "videoconvertscale ! video/x-raw,width=320,height=240,format=RGB"),
    measured("videoscale, stretched", "videoscale add-borders=false ! video/x-raw,width=480,height=480,pixel-aspect-ratio=1/1", same),
    measured("videoscale, with borders", "videoscale ! video/x-raw,width=480,height=480,pixel-aspect-ratio=1/1", letterboxed),
    measured("videocrop, one side", "videocrop left=64", cut),
    measured("videocrop, in proportion", "videocrop left=64 top=48", cropped),
    measured("aspectratiocrop", "aspectratiocrop aspect-ratio=1/1", squared),
    measured("videobox, adding a border", "videobox left=-64 right=-64", bordered),
    measured("videoflip, mirrored", "videoflip video-direction=horiz", mirrored),
    measured("videoflip, turned", "videoflip video-direction=90r", turned),
    measured("videorate, fewer", "videorate ! video/x-raw,framerate=15/1", same),
    measured("videorate, more", "videorate ! video/x-raw,framerate=60/1", same),
    measured("videobalance", "videobalance saturation=0", same),
    measured("textoverlay", "textoverlay text=hello", same),
    measured("deinterlace", "deinterlace mode=interlaced", same),
    measured("compositor", "compositor", same),
    promised("x264enc, avdec_h264", "x264enc tune=zerolatency speed-preset=ultrafast ! avdec_h264"),
    promised("x264enc with B-frames, h264parse, avdec_h264", "x264enc speed-preset=veryfast ! h264parse ! avdec_h264"),
    promised("openh264enc, avdec_h264", "openh264enc ! avdec_h264"),
    promised("openh264enc, openh264dec", "openh264enc ! h264parse ! openh264dec"),
    promised("vp8enc, vp8dec", "vp8enc deadline=1 ! vp8dec"),
    promised("jpegenc, jpegdec", "jpegenc ! jpegdec"),
    measured("rtpjpegpay, rtpjpegdepay", "jpegenc ! rtpjpegpay ! rtpjpegdepay ! jpegdec", same),
    measured("rtph264pay, rtph264depay", "x264enc tune=zerolatency speed-preset=ultrafast ! rtph264pay ! rtph264depay ! avdec_h264", same),
    measured("rtpvp8pay, rtpvp8depay", "vp8enc deadline=1 ! rtpvp8pay ! rtpvp8depay ! vp8dec", same),
    measured(
        "mp4mux, qtdemux",
        "x264enc tune=zerolatency speed-preset=ultrafast ! h264parse ! mp4mux fragment-duration=100 ! qtdemux ! h264parse ! avdec_h264",
        same,
    ),
    measured(
        "matroskamux, matroskademux",
        "x264enc tune=zerolatency speed-preset=ultrafast ! h264parse ! matroskamux streamable=true ! matroskademux ! h264parse ! avdec_h264",
        same,
    ),
];

fn same(rect: Rect) -> Rect {
    rect
}

fn letterboxed(rect: Rect) -> Rect {
    Rect::new(rect.x, 0.125 + 0.75 * rect.y, rect.w, 0.75 * rect.h)
}

fn cut(rect: Rect) -> Rect {
    rect.translated(-0.1, 0.0).scaled(1.0 / 0.9, 1.0)
}

fn cropped(rect: Rect) -> Rect {
    rect.translated(-0.1, -0.1).scaled(1.0 / 0.9, 1.0 / 0.9)
}

fn squared(rect: Rect) -> Rect {
    rect.translated(-0.125, 0.0).scaled(1.0 / 0.75, 1.0)
}

fn bordered(rect: Rect) -> Rect {
    rect.translated(0.1, 0.0).scaled(1.0 / 1.2, 1.0)
}

fn mirrored(rect: Rect) -> Rect {
    Rect { x: 1.0 - rect.right(), ..rect }
}

fn turned(rect: Rect) -> Rect {
    Rect::new(1.0 - rect.bottom(), rect.x, rect.h, rect.w)
}

/// A geometry around the middle of a box: yaw 30, one eye closed.
fn geometry(rect: Rect) -> FaceGeometry {
    let points = std::array::from_fn(|n| Point::new(rect.x + rect.w * (0.25 + n as f32 / 140.0), rect.y + rect.h * n as f32 / 70.0));
    let mut blendshapes = Blendshapes::default();
    blendshapes.0[blendshapes::index("eyeBlinkLeft").expect("a name")] = 0.75;
    FaceGeometry {
        pose: HeadPose { yaw: 30.0, pitch: 0.0, roll: 0.0 },
        landmarks_norm: Landmarks70(points),
        blendshapes,
        trust: 0.75,
        age: Duration::ZERO,
        model_name: "face-geometry".into(),
    }
}

/// Four faces that no transform of the table moves out of the frame or onto each other. Some have the ids that are the
/// numbers of other faces' objects.
fn faces() -> Vec<FaceRecord> {
    let face = |id: u32, rect_norm: Rect| FaceRecord {
        id,
        rect_norm,
        detection: Some(DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "centerface".into(), age: Duration::ZERO }),
        emotion: Some(EmotionResult {
            labels: LabelSet::new(FERPLUS_LABELS),
            scores: Scores::from_probabilities((0..8).map(|n| if n == id { 5.0 } else { 1.0 })),
            label_id: Some(id as usize),
            reason: None,
            smoothed: true,
            age: Duration::ZERO,
        }),
        geometry: Some(Arc::new(geometry(rect_norm))),
        confirmed: true,
    };
    vec![
        face(4, Rect::new(0.15, 0.2, 0.1, 0.2)),
        face(2, Rect::new(0.6, 0.5, 0.15, 0.25)),
        face(6, Rect::new(0.3, 0.55, 0.1, 0.15)),
        face(3, Rect::new(0.6, 0.15, 0.12, 0.2)),
    ]
}

/// The metadata of one buffer.
struct Arrived {
    faces: Vec<FaceRecord>,
    region: bool,
    params: bool,
    custom: bool,
    relations: bool,
}

impl Arrived {
    /// The metadata as read by an element with the sink pad `pad`.
    fn at(pad: &gst::Pad, buffer: &gst::BufferRef, size: Size) -> Self {
        let scored = |read: &[FaceRecord]| read.len() == faces().len() && read.iter().all(|face| face.emotion.is_some());
        let regions = roi::read(buffer, size);
        let region_ids: BTreeSet<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|region| region.id()).collect();
        Self {
            faces: PictureChanges::upstream_of(pad).read(buffer, size).0.faces,
            region: regions.len() == faces().len() && region_ids.len() == faces().len(),
            params: scored(&regions),
            custom: scored(&custom::read(buffer)),
            #[cfg(feature = "v1_24")]
            relations: scored(&gstemotion::meta::analytics::read(buffer, size)),
            #[cfg(not(feature = "v1_24"))]
            relations: false,
        }
    }

    fn face(&self, id: u32) -> Option<&FaceRecord> {
        self.faces.iter().find(|face| face.id == id)
    }
}

/// The first element of `line` that is not installed.
fn missing(line: &str) -> Option<&str> {
    let factories = line.split(" ! ").filter_map(|part| part.split_whitespace().next()).filter(|name| !name.contains('/'));
    factories.into_iter().find(|name| gst::ElementFactory::find(name).is_none())
}

fn pad(pipeline: &gst::Pipeline, element: &str, pad: &str) -> gst::Pad {
    pipeline.by_name(element).and_then(|element| element.static_pad(pad)).expect("a pad")
}

/// A pipeline whose element `mark` puts [`faces`] on every frame.
fn marking(line: &str) -> gst::Pipeline {
    init();
    let pipeline = gst::parse::launch(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    pad(&pipeline, "mark", "src").add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let buffer = info.buffer_mut().expect("a buffer").make_mut();
        let found: Vec<_> = faces().into_iter().map(|face| FaceRecord { emotion: None, geometry: None, ..face }).collect();
        write_detections(buffer, FRAME, &found);
        write_geometries(buffer, FRAME, &faces());
        write_emotions(buffer, FRAME, &faces());
        gst::PadProbeReturn::Ok
    });
    pipeline
}

/// The faces of each buffer at the end of `way`.
fn travel(way: &Way) -> Vec<Arrived> {
    let Size { width, height } = FRAME;
    let caps = format!("video/x-raw,format=I420,width={width},height={height},framerate=30/1");
    let line = format!("videotestsrc num-buffers={FRAMES} ! {caps} ! emotionclassify name=mark ! {} ! fakesink name=end", way.line);
    let pipeline = marking(&line);
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let seen = arrived.clone();
    pad(&pipeline, "end", "sink").add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = gst_video::VideoInfo::from_caps(&pad.current_caps().expect("caps")).expect("video caps");
        let size = Size::new(video.width(), video.height());
        seen.lock().expect("buffers").push(Arrived::at(pad, info.buffer().expect("a buffer"), size));
        gst::PadProbeReturn::Ok
    });
    play(&pipeline).unwrap_or_else(|error| panic!("{line}: {error}"));
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    let arrived = std::mem::take(&mut *arrived.lock().expect("buffers"));
    assert!(!arrived.is_empty(), "{line}: nothing came out");
    arrived
}

/// How often something arrived, in words; `lost` is the word for never.
fn share(arrived: &[Arrived], all: &str, lost: &str, there: impl Fn(&Arrived) -> bool) -> String {
    match arrived.iter().filter(|buffer| there(buffer)).count() {
        0 => lost.into(),
        count if count == arrived.len() => all.into(),
        count => format!("{count} of {}", arrived.len()),
    }
}

/// True if `check` holds for each sent face and the arrived face with its id.
fn each_face(check: impl Fn(&FaceRecord, &FaceRecord) -> bool) -> impl Fn(&Arrived) -> bool {
    move |buffer| faces().iter().all(|sent| buffer.face(sent.id).is_some_and(|found| check(found, sent)))
}

/// The row of `way`, and whether all scores arrived.
fn row(way: &Way) -> (String, bool) {
    let arrived = travel(way);
    let right = |found: &FaceRecord, sent: &FaceRecord| found.rect_norm.iou((way.moved)(sent.rect_norm)) > 0.8;
    let scores = |found: &FaceRecord, sent: &FaceRecord| {
        let label = |face: &FaceRecord| face.emotion.as_ref().map(|emotion| (emotion.label().to_string(), emotion.labels.clone()));
        label(found).is_some() && label(found) == label(sent)
    };
    let box_lost = if arrived.iter().all(|buffer| buffer.faces.is_empty()) { "lost" } else { "**wrong**" };
    let cells = [
        share(&arrived, "right", box_lost, each_face(right)),
        share(&arrived, "kept", "lost", each_face(|_, _| true)),
        share(&arrived, "kept", "lost", each_face(scores)),
        share(&arrived, "yes", "–", |buffer| buffer.region),
        share(&arrived, "yes", "–", |buffer| buffer.params),
        share(&arrived, "yes", "–", |buffer| buffer.custom),
        share(&arrived, "yes", "–", |buffer| buffer.relations),
    ];
    (format!("| {} | {} |", way.name, cells.join(" | ")), cells[2] == "kept")
}

const HEAD: &str =
    "| after | box | id | scores | region | its params | GstEmotionMeta | relation meta |\n|---|---|---|---|---|---|---|---|\n";

/// The text between the markers of `version`, and the text before and after it.
fn table_of<'a>(readme: &'a str, version: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mark = format!("<!-- survival {version} -->\n");
    let (before, rest) = readme.split_at(readme.find(&mark)? + mark.len());
    let (table, after) = rest.split_at(rest.find("<!-- end -->")?);
    Some((before, table, after))
}

#[test]
fn faces_survive_as_documented() {
    init();
    let (major, minor, ..) = gst::version();
    let version = format!("{major}.{minor}");
    let file = repository().join("docs/metadata.md");
    let readme = std::fs::read_to_string(&file).expect("the page on metadata");
    let (before, known, after) = table_of(&readme, &version).unwrap_or(("", "", ""));
    let mut table = String::from(HEAD);
    let mut lost = Vec::new();
    for way in WAYS {
        if let Some(element) = missing(way.line) {
            println!("skipped: {}: no element {element}", way.name);
            // Rows measured elsewhere are kept.
            known.lines().filter(|line| line.starts_with(&format!("| {} |", way.name))).for_each(|line| {
                let _ = writeln!(table, "{line}");
            });
            continue;
        }
        let (row, scores) = row(way);
        let _ = writeln!(table, "{row}");
        if way.promised && !scores {
            lost.push(way.name);
        }
    }
    println!("GStreamer {}, relation meta {}\n\n{table}", gst::version_string(), if cfg!(feature = "v1_24") { "on" } else { "off" });
    assert!(lost.is_empty(), "scores lost: {lost:?}");
    if before.is_empty() {
        println!("skipped: the page has no table of {version}");
    } else if std::env::var_os("UPDATE_SURVIVAL").is_some() {
        std::fs::write(&file, [before, &table, after].concat()).expect("the page can be written");
    } else if minor >= 24 && !cfg!(feature = "v1_24") {
        println!("skipped: the table of {version} is with the relation meta");
    } else {
        assert_eq!(known, table, "the table differs; UPDATE_SURVIVAL=1 rewrites it");
    }
}

/// Wherever a box is right, landmarks, pose and blendshapes are, too. The changes are those of [`WAYS`]: a mirror exchanges left and
/// right, a quarter turn clockwise turns a face that looks to the right of the picture downwards.
#[test]
fn the_geometry_of_a_face_goes_where_its_box_goes() {
    let mirror = AxisMap { scale: (-1.0, 1.0), offset: (1.0, 0.0), ..AxisMap::IDENTITY };
    let quarter = AxisMap { swap: true, ..mirror };
    let crop = AxisMap { scale: (1.0 / 0.9, 1.0 / 0.9), offset: (-0.1 / 0.9, -0.1 / 0.9), ..AxisMap::IDENTITY };
    let letterbox = AxisMap { scale: (1.0, 0.75), offset: (0.0, 0.125), ..AxisMap::IDENTITY };
    for way in WAYS.iter().filter(|way| missing(way.line).is_none()) {
        let change = match way.name {
            "videoflip, mirrored" => mirror,
            "videoflip, turned" => quarter,
            "videocrop, in proportion" => crop,
            "videoscale, with borders" => letterbox,
            _ if way.promised => AxisMap::IDENTITY,
            _ => continue,
        };
        for (sent, buffer) in travel(way).iter().flat_map(|buffer| faces().into_iter().map(move |sent| (sent, buffer))) {
            let found = buffer.face(sent.id).and_then(|face| face.geometry.as_deref());
            let found = found.unwrap_or_else(|| panic!("{}: face {} has no geometry", way.name, sent.id));
            let expected = geometry(sent.rect_norm).moved(change);
            let farthest = found.landmarks_norm.0.iter().zip(expected.landmarks_norm.0).map(|(a, b)| a.distance(b)).fold(0.0, f32::max);
            assert!(farthest < 1e-3, "{}: landmarks are up to {farthest} of the frame away", way.name);
            let turned = found.pose.to_array().into_iter().zip(expected.pose.to_array()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(turned < 1e-2, "{}: {:?} instead of {:?}", way.name, found.pose, expected.pose);
            assert_eq!(found.blendshapes, expected.blendshapes, "{}", way.name);
        }
    }
}

#[test]
fn overlay_and_export_follow_transforms_of_the_picture() {
    let Size { width, height } = FRAME;
    let caps = format!("video/x-raw,format=GRAY8,width={width},height={height},framerate=30/1");
    // A quarter turn and a crop: the bottom left corner moves to the top left, and 120 columns are cut off.
    let pipeline = marking(&format!(
        "videotestsrc pattern=black num-buffers=1 ! {caps} ! emotionclassify name=mark ! videoflip video-direction=90r \
         ! videocrop left=120 ! tee name=t ! queue ! emotionoverlay draw-labels=false draw-emoji=false draw-ids=false draw-scores=false \
         ! fakesink name=drawn t. ! queue ! emotionexport ! fakesink name=text"
    ));
    let note = |element: &str| {
        let contents = Arc::new(Mutex::new(Vec::new()));
        let seen = contents.clone();
        pad(&pipeline, element, "sink").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let map = info.buffer().expect("a buffer").map_readable().expect("a readable buffer");
            seen.lock().expect("bytes").extend_from_slice(&map);
            gst::PadProbeReturn::Ok
        });
        contents
    };
    let (drawn, text) = (note("drawn"), note("text"));
    play(&pipeline).expect("the pipeline plays");
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");

    let (width, height) = (height as usize - 120, width as usize);
    let text = String::from_utf8(text.lock().expect("bytes").clone()).expect("text");
    let drawn = drawn.lock().expect("bytes");
    for sent in faces() {
        let expected = turned(sent.rect_norm).translated(-0.25, 0.0).scaled(1.0 / 0.75, 1.0).intersection(Rect::new(0.0, 0.0, 1.0, 1.0));
        let record = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let record = record.into_iter().find(|record| record["id"] == sent.id).expect("a record of each face");
        let side = |name: &str| record["box"][name].as_f64().expect("a number") as f32;
        let exported = Rect::new(side("x"), side("y"), side("w"), side("h"));
        assert!(exported.iou(expected) > 0.95, "exported {exported:?}, not {expected:?}");
        let middle = |rect: Rect| ((rect.x + rect.w / 2.0) * width as f32, rect.y * height as f32);
        let (x, y) = middle(expected);
        let lit = (y as usize - 4..y as usize + 5).any(|row| drawn[row * width + x as usize] > 60);
        assert!(lit, "no line of a box at {x:.0}, {y:.0}");
    }
}
