// SPDX-License-Identifier: MIT OR Apache-2.0
//! What becomes of faces between our elements and GStreamer's own analytics elements. The table in `docs/metadata.md` contains
//! what this test measures; `UPDATE_SURVIVAL=1 cargo test -p emotion-tests --features v1_28 neighbours` rewrites it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord, SearchAge};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use gst::glib;
use gst::prelude::*;
use gst_analytics::prelude::*;
use gst_analytics::{AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsTrackingMtd};
use gstemotion::meta::{read_faces, write_emotions, write_search};
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{Stage, init, play};
use test_support::{our_model, repository};

/// A size that the face network takes as it is.
const FRAME: Size = Size::new(320, 256);
const FRAMES: usize = 6;

/// What is on the frames that enter a line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    /// Four faces with ids and scores, as our elements write them.
    Ours,
    /// Four objects without ids, as a stock detector writes them.
    Objects,
    /// A picture of three average faces, without metadata.
    Picture,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "our faces",
            Self::Objects => "objects of a detector",
            Self::Picture => "a picture",
        }
    }
}

const ROWS: [(Source, &str); 6] = [
    (Source::Picture, "onnxinference ! tensordecodebin ! emotionclassify"),
    (Source::Picture, "onnxinference ! tensordecodebin ! ioutracker ! emotionclassify"),
    (Source::Objects, "ioutracker ! emotionclassify"),
    (Source::Ours, "ioutracker"),
    (Source::Ours, "objectdetectionoverlay"),
    (Source::Ours, "analyticscombiner ! analyticssplitter"),
];

fn scene() -> Scene {
    let still = |x: f32, name| [0.0, 100.0].map(|at_s| Key::new(at_s, (x, 110.0), 90.0, name)).to_vec();
    Scene::new(320, 256).actor(still(60.0, "neutral")).actor(still(160.0, "happiness")).actor(still(260.0, "surprise"))
}

/// Four faces. Some have the ids that are the numbers of other faces' objects.
fn marked() -> Vec<FaceRecord> {
    let face = |id: u32, x: f32, y: f32| FaceRecord {
        id,
        rect_norm: Rect::new(x, y, 0.15, 0.25),
        detection: Some(DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "emotion-face".into(), age: Duration::ZERO }),
        emotion: Some(EmotionResult {
            labels: LabelSet::new(FERPLUS_LABELS),
            scores: Scores::from_probabilities((0..8).map(|n| if n == id { 5.0 } else { 1.0 })),
            label_id: Some(id as usize),
            reason: None,
            smoothed: true,
            age: Duration::ZERO,
        }),
        geometry: None,
        confirmed: true,
    };
    vec![face(4, 0.125, 0.125), face(2, 0.625, 0.125), face(6, 0.125, 0.5), face(3, 0.625, 0.5)]
}

/// The boxes that a line should give.
fn expected(source: Source) -> Vec<Rect> {
    match source {
        Source::Picture => scene().appearances(0.0).iter().map(|shown| shown.face.to_norm(FRAME)).collect(),
        _ => marked().iter().map(|face| face.rect_norm).collect(),
    }
}

fn mark(source: Source, buffer: &mut gst::BufferRef) {
    match source {
        Source::Picture => {}
        Source::Ours => {
            let found: Vec<_> = marked().into_iter().map(|face| FaceRecord { emotion: None, ..face }).collect();
            write_search(buffer, FRAME, &found, SearchAge::Ago(Duration::ZERO));
            write_emotions(buffer, FRAME, &marked());
        }
        Source::Objects => {
            let mut meta = AnalyticsRelationMeta::add(buffer);
            for Rect { x, y, w, h } in expected(source).into_iter().map(|rect| rect.from_norm(FRAME)) {
                let kind = glib::Quark::from_str("face");
                meta.add_od_mtd(kind, x as i32, y as i32, w as i32, h as i32, 0.9).expect("room");
            }
        }
    }
}

/// What is on a frame at the end of a line.
struct Arrived {
    faces: Vec<FaceRecord>,
    objects: usize,
    tracks: usize,
}

impl Arrived {
    fn read(buffer: &gst::BufferRef) -> Self {
        let meta = buffer.meta::<AnalyticsRelationMeta>();
        let (objects, tracks) =
            meta.map_or((0, 0), |meta| (meta.iter::<AnalyticsODMtd>().count(), meta.iter::<AnalyticsTrackingMtd>().count()));
        Self { faces: read_faces(buffer, FRAME), objects, tracks }
    }
}

/// What is on each frame at the end of `elements`.
fn travel(source: Source, elements: &str, picture: &Path) -> Vec<Arrived> {
    let model = format!("onnxinference model-file={}", our_model("face").display());
    let elements = elements.replace("onnxinference", &model).replace("objectdetectionoverlay", "videoconvert ! objectdetectionoverlay");
    let line = format!(
        "filesrc location={} blocksize={} ! rawvideoparse format=rgb width={} height={} framerate=30/1 ! identity name=mark ! {elements} \
         ! fakesink name=end",
        picture.display(),
        FRAME.width * FRAME.height * 3,
        FRAME.width,
        FRAME.height
    );
    let pipeline = gst::parse::launch(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let pad = |element: &str, pad: &str| pipeline.by_name(element).and_then(|element| element.static_pad(pad)).expect("a pad");
    pad("mark", "src").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        mark(source, info.buffer_mut().expect("a buffer").make_mut());
        gst::PadProbeReturn::Ok
    });
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let seen = arrived.clone();
    pad("end", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        seen.lock().expect("no panic").push(Arrived::read(info.buffer().expect("a buffer")));
        gst::PadProbeReturn::Ok
    });
    let played = play(&pipeline);
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    played.unwrap_or_else(|error| panic!("{line}: {error}"));
    std::mem::take(&mut *arrived.lock().expect("no panic"))
}

/// The cells of a row: boxes, ids, scores, and the numbers of objects and of tracks on a frame.
fn cells(source: Source, frames: &[Arrived]) -> [String; 4] {
    let boxes = expected(source);
    let face = |faces: &[FaceRecord], rect: Rect| faces.iter().find(|face| face.rect_norm.iou(rect) > 0.6).cloned();
    let matched: Option<Vec<Vec<FaceRecord>>> = frames
        .iter()
        .filter(|arrived| arrived.faces.len() == boxes.len())
        .map(|arrived| boxes.iter().map(|rect| face(&arrived.faces, *rect)).collect())
        .collect();
    let Some(matched) = matched.filter(|matched| matched.len() == FRAMES) else {
        return ["**wrong**", "–", "–", "–"].map(String::from);
    };
    let ids = |faces: &[FaceRecord]| faces.iter().map(|face| face.id).collect::<Vec<_>>();
    let first = ids(&matched[0]);
    let is_constant = matched.iter().all(|faces| ids(faces) == first) && !first.contains(&0);
    let is_ours = source == Source::Ours && first == ids(&marked());
    let labels =
        |faces: &[FaceRecord]| faces.iter().map(|face| face.emotion.as_ref().map(|emotion| emotion.label().to_owned())).collect::<Vec<_>>();
    let scored = matched.iter().all(|faces| labels(faces).iter().all(Option::is_some));
    let labels_survive = source != Source::Ours || matched.iter().all(|faces| labels(faces) == labels(&marked()));
    let counts: BTreeSet<_> = frames.iter().map(|arrived| format!("{}, {}", arrived.objects, arrived.tracks)).collect();
    let counts = counts.into_iter().collect::<Vec<_>>().join("; ");
    [
        "right",
        match (is_constant, is_ours) {
            (true, true) => "ours",
            (true, false) => "constant",
            (false, _) => "**change**",
        },
        if scored && labels_survive { "yes" } else { "–" },
        &counts,
    ]
    .map(String::from)
}

const HEAD: &str = "| on the frame | elements | boxes | ids | scores | objects, tracks |\n|---|---|---|---|---|---|\n";
const MARKS: [&str; 2] = ["<!-- neighbours 1.28 -->\n", "<!-- end of neighbours -->"];

#[test]
fn faces_pass_gstreamers_own_elements_as_documented() {
    init();
    if gst::version() >= (1, 29, 0, 0) || gst::version() < (1, 28, 0, 0) || !test_support::runtime_fetched() {
        test_support::left_out::note("the table is for GStreamer 1.28");
        return;
    }
    let stage = Stage::new("neighbours");
    let picture = stage.path().join("faces.rgb");
    std::fs::write(&picture, scene().render(0.0).repeat(FRAMES)).expect("the file can be written");
    let mut table = String::from(HEAD);
    for (source, elements) in ROWS {
        let missing = elements.split(" ! ").find(|name| gst::ElementFactory::find(name).is_none());
        let cells = match missing {
            Some(missing) => {
                test_support::left_out::note(format!("no element {missing}"));
                ["not measured", "", "", ""].map(String::from)
            }
            None => cells(source, &travel(source, elements, &picture)),
        };
        table += &format!("| {} | `{elements}` | {} |\n", source.name(), cells.join(" | "));
    }
    println!("{table}");
    let file = repository().join("docs/metadata.md");
    let page = std::fs::read_to_string(&file).expect("the page on metadata");
    let [start, end] = MARKS;
    let (before, rest) = page.split_once(start).expect("the start of the table");
    let (known, after) = rest.split_once(end).expect("the end of the table");
    if std::env::var_os("UPDATE_SURVIVAL").is_some() {
        std::fs::write(&file, [before, start, &table, end, after].concat()).expect("the page can be written");
    } else {
        assert_eq!(known, table, "the table differs; UPDATE_SURVIVAL=1 rewrites it");
    }
}
