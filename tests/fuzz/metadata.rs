// SPDX-License-Identifier: MIT OR Apache-2.0
//! The readers of metadata: regions with params, `GstEmotionMeta` and, if the build supports it, relation metadata, with
//! fields that are missing, of another type, of another length or out of range.

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::FaceRecord;
use emotion_core::scores::LabelSet;
use gst::glib;
use gst::meta::CustomMeta;
use gst_video::VideoRegionOfInterestMeta;
use gstemotion::meta::{custom, read_faces, write_detections, write_emotions, write_geometries};

use crate::complaints;
use crate::input::Input;
use crate::records::record;

/// Maximum error of coordinates that are written and read back, in 0..1 of the frame.
const EXACT: f32 = 1e-5;

/// Records read from any metadata are valid, and written records are read back.
pub fn check(input: &mut Input) {
    complaints::init();
    let frame = if input.one_in(8) { Size::new(input.integer() as u32, input.integer() as u32) } else { Size::new(640, 480) };
    let mut buffer = gst::Buffer::new();
    let writable = buffer.make_mut();
    let regions = add_regions(input, writable);
    if input.flag() {
        add_custom(input, writable);
    }
    #[cfg(feature = "v1_24")]
    if input.flag() {
        relations::add(input, writable);
    }
    let faces = read_faces(writable, frame);
    assert!(faces.len() >= regions, "{} faces of {regions} regions", faces.len());
    faces.iter().for_each(check_face);
    let debug = |faces: &[FaceRecord]| format!("{faces:?}");
    assert_eq!(debug(&read_faces(writable, frame)), debug(&faces), "reading changes nothing");
    // As emotionclassify does, in addition to the existing metadata.
    write_emotions(writable, frame, &faces);
    let again = read_faces(writable, frame);
    assert!(again.len() >= faces.len(), "{again:?} of {faces:?}");
    again.iter().for_each(check_face);

    round_trip(input);
    complaints::none();
}

/// Faces as this plugin finds them, written and read back.
fn round_trip(input: &mut Input) {
    let frame = Size::new(1280, 720);
    let mut faces = input.many(4, record);
    for (index, face) in faces.iter_mut().enumerate() {
        let (x, y) = (index as f32 * 0.25, input.within(0.0, 0.8));
        face.rect_norm = Rect::new(x, y, input.within(0.01, 0.2), input.within(0.01, 0.2));
        face.id = 1 + index as u32;
        // A description with a NUL in its texts is rejected, so no model has such labels.
        if let Some(detection) = &mut face.detection {
            detection.model_name = detection.model_name.replace('\0', "").into();
        }
        if let Some(geometry) = &mut face.geometry {
            let geometry = std::sync::Arc::make_mut(geometry);
            geometry.model_name = geometry.model_name.replace('\0', "").into();
        }
        if let Some(emotion) = &mut face.emotion {
            emotion.labels = LabelSet::new(emotion.labels.as_slice().iter().map(|label| label.replace('\0', "")));
        }
    }
    let mut buffer = gst::Buffer::new();
    let found: Vec<_> = faces.iter().map(|face| FaceRecord { emotion: None, geometry: None, ..face.clone() }).collect();
    write_detections(buffer.make_mut(), frame, &found);
    write_geometries(buffer.make_mut(), frame, &faces);
    write_emotions(buffer.make_mut(), frame, &faces);
    let read = read_faces(&buffer, frame);
    assert_eq!(read.len(), faces.len(), "{read:?} of {faces:?}");
    for (face, read) in faces.iter().zip(&read) {
        assert_eq!((read.id, read.confirmed), (face.id, face.confirmed));
        let near = |a: f32, b: f32, tolerance: f32| (a - b).abs() <= tolerance;
        // A box without the params of a detector is rounded to whole pixels.
        let tolerance = if face.detection.is_some() { EXACT } else { 1.0 / frame.height as f32 };
        let sides = |rect: Rect| [rect.x, rect.y, rect.right(), rect.bottom()];
        let same = sides(face.rect_norm).into_iter().zip(sides(read.rect_norm)).all(|(a, b)| near(a, b, tolerance));
        assert!(same, "{:?} became {:?}", face.rect_norm, read.rect_norm);
        assert_eq!(read.geometry, face.geometry);
        match (&face.emotion, &read.emotion) {
            (Some(written), Some(read)) => {
                assert_eq!((&written.labels, written.label_id, written.smoothed), (&read.labels, read.label_id, read.smoothed));
                let scores = written.scores.as_slice().iter().zip(read.scores.as_slice());
                assert!(scores.clone().all(|(&a, &b)| near(a, b, EXACT)), "{written:?} became {read:?}");
            }
            (written, read) => assert_eq!(written.is_some(), read.is_some(), "{written:?} became {read:?}"),
        }
    }
}

/// Properties on which overlay, export and the classifier rely.
fn check_face(face: &FaceRecord) {
    assert!(i32::try_from(face.id).is_ok(), "the id {} does not fit into metadata", face.id);
    let Rect { x, y, w, h } = face.rect_norm;
    assert!([x, y, w, h].iter().all(|side| side.is_finite()), "{face:?}");
    if let Some(detection) = &face.detection {
        assert!(detection.confidence.is_finite(), "{face:?}");
        let points = detection.landmarks_norm.iter().flat_map(|landmarks| landmarks.0);
        assert!(points.into_iter().all(|point| point.x.is_finite() && point.y.is_finite()), "{face:?}");
    }
    if let Some(geometry) = &face.geometry {
        let points = geometry.landmarks_norm.0.into_iter().flat_map(|point| [point.x, point.y]);
        let numbers = points.chain(geometry.pose.to_array()).chain(geometry.blendshapes.0).chain([geometry.trust]);
        assert!(numbers.into_iter().all(f32::is_finite), "{face:?}");
    }
    if let Some(emotion) = &face.emotion {
        let (labels, scores) = (emotion.labels.as_slice(), emotion.scores.as_slice());
        assert!(!labels.is_empty() && labels.len() == scores.len(), "{face:?}");
        assert!(emotion.label_id.is_none_or(|id| id < labels.len()), "{face:?}");
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{face:?}");
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-3, "{face:?}");
    }
}

/// Adds regions, most of them faces, and returns the number of faces.
fn add_regions(input: &mut Input, buffer: &mut gst::BufferRef) -> usize {
    let mut faces = 0;
    for _ in 0..input.below(5) {
        let kind = input.pick(&["face", "face", "face", "car"]);
        faces += usize::from(kind == "face");
        let rect = std::array::from_fn(|_| if input.one_in(4) { input.integer() as u32 } else { input.below(500) as u32 });
        let mut meta = VideoRegionOfInterestMeta::add(buffer, kind, <(u32, u32, u32, u32)>::from(rect));
        meta.set_id(if input.one_in(4) { input.integer() as i32 } else { input.below(4) as i32 });
        for _ in 0..input.below(4) {
            let param = match input.byte() % 4 {
                0 => structure(input, "object_id", &[("id", Kind::Integer)]),
                1 if input.flag() => structure(input, "geometry", &GEOMETRY),
                1 => structure(input, "emotion", &EMOTION),
                2 => structure(input, "detection", &DETECTION),
                _ => structure(input, "label", &[("label", Kind::Text)]),
            };
            meta.add_param(param);
        }
    }
    faces
}

fn add_custom(input: &mut Input, buffer: &mut gst::BufferRef) {
    let mut meta = CustomMeta::add(buffer, custom::NAME).expect("it is registered");
    let fields = structure(
        input,
        "any",
        &[("version", Kind::Integer), ("width", Kind::Integer), ("height", Kind::Integer), ("searched", Kind::Long)],
    );
    let target = meta.mut_structure();
    fields.iter().for_each(|(name, value)| target.set_value(name, value.clone()));
    let fields: Vec<_> = PLACE.into_iter().chain(EMOTION).collect();
    let faces = input.many(4, |input| send(structure(input, "face", &fields)));
    target.set_value("faces", if input.one_in(8) { value(input, Kind::Any) } else { send(gst::Array::new(faces)) });
}

/// The expected type of a field.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Long,
    Number,
    Flag,
    Text,
    Numbers,
    Texts,
    Any,
}

const PLACE: [(&str, Kind); 5] =
    [("id", Kind::Integer), ("x", Kind::Number), ("y", Kind::Number), ("w", Kind::Number), ("h", Kind::Number)];
const EMOTION: [(&str, Kind); 9] = [
    ("label", Kind::Text),
    ("label_id", Kind::Integer),
    ("confidence", Kind::Number),
    ("labels", Kind::Texts),
    ("scores", Kind::Numbers),
    ("smoothed", Kind::Flag),
    ("age", Kind::Long),
    ("baseline", Kind::Number),
    ("version", Kind::Integer),
];
const GEOMETRY: [(&str, Kind); 8] = [
    ("yaw", Kind::Number),
    ("pitch", Kind::Number),
    ("roll", Kind::Number),
    ("landmarks", Kind::Numbers),
    ("blendshapes", Kind::Numbers),
    ("trust", Kind::Number),
    ("age", Kind::Long),
    ("model_name", Kind::Text),
];
const DETECTION: [(&str, Kind); 8] = [
    ("confidence", Kind::Number),
    ("x_min", Kind::Number),
    ("x_max", Kind::Number),
    ("y_min", Kind::Number),
    ("y_max", Kind::Number),
    ("landmarks", Kind::Numbers),
    ("model_name", Kind::Text),
    ("age", Kind::Long),
];

/// A structure with most of its fields, most of them of the right type.
fn structure(input: &mut Input, name: &str, fields: &[(&str, Kind)]) -> gst::Structure {
    let mut structure = gst::Structure::new_empty(name);
    let length = [2, 10, 8, 3][input.below(4)];
    for &(name, kind) in fields {
        match input.byte() % 16 {
            0 => {}
            1 => structure.set_value(name, value(input, Kind::Any)),
            _ => {
                let array = |input: &mut Input, kind| send(gst::Array::new((0..length).map(|_| value(input, kind)).collect::<Vec<_>>()));
                let value = match kind {
                    Kind::Numbers => array(input, Kind::Number),
                    Kind::Texts => array(input, Kind::Text),
                    kind => value(input, kind),
                };
                structure.set_value(name, value);
            }
        }
    }
    structure
}

fn value(input: &mut Input, kind: Kind) -> glib::SendValue {
    match kind {
        Kind::Integer => send(input.integer() as i32),
        Kind::Long => send(input.integer()),
        Kind::Number => send(if input.one_in(16) { f64::from_bits(input.integer()) } else { f64::from(input.float()) }),
        Kind::Flag => send(input.flag()),
        Kind::Text => send(text(input)),
        Kind::Numbers | Kind::Texts | Kind::Any => match input.byte() % 10 {
            0 => send(input.integer() as u32),
            1 => send(input.integer() as i64),
            2 => send(input.float()),
            3 => send(gst::List::new(input.many(3, |input| value(input, Kind::Number)))),
            4 => send(gst::Array::new(input.many(3, |input| value(input, Kind::Text)))),
            5 => send(gst::Array::new(input.many(3, |input| value(input, Kind::Integer)))),
            6 => send(gst::Structure::new_empty("face")),
            7 => send(None::<String>),
            8 => send(gst::Fraction::new(1, 3)),
            _ => value(input, Kind::Integer),
        },
    }
}

/// Text that a GObject value can hold.
fn text(input: &mut Input) -> String {
    input.text().replace('\0', "")
}

fn send(value: impl Into<glib::Value> + Send + 'static + glib::value::ToValue) -> glib::SendValue {
    glib::SendValue::from_owned(value)
}

#[cfg(feature = "v1_24")]
mod relations {
    use gst::glib::Quark;
    use gst_analytics::prelude::*;
    use gst_analytics::{AnalyticsRelationMeta, RelTypes};

    use crate::input::Input;

    const KINDS: [RelTypes; 4] = [RelTypes::CONTAIN, RelTypes::RELATE_TO, RelTypes::IS_PART_OF, RelTypes::NONE];

    /// Adds objects, tracks and classes, related in any way.
    pub fn add(input: &mut Input, buffer: &mut gst::BufferRef) {
        let mut meta = AnalyticsRelationMeta::add(buffer);
        let quark = |input: &mut Input, names: &[&'static str]| Quark::from_str(input.pick(names));
        let labels = ["happiness", "neutral", "a", "unknown"];
        let mut known = Vec::new();
        for _ in 0..input.below(10) {
            let added = match input.byte() % 5 {
                0 | 1 => {
                    let kind = quark(input, &["face", "face", "car"]);
                    let [x, y, w, h] =
                        std::array::from_fn(|_| if input.one_in(4) { input.integer() as i32 } else { input.below(500) as i32 });
                    meta.add_od_mtd(kind, x, y, w, h, input.float()).map(|object| object.id())
                }
                2 => meta.add_tracking_mtd(input.integer(), gst::ClockTime::ZERO).map(|track| track.id()),
                3 => meta.add_one_cls_mtd(input.float(), quark(input, &labels)).map(|class| class.id()),
                _ => {
                    let (scores, names): (Vec<_>, Vec<_>) = (0..1 + input.below(4)).map(|_| (input.float(), quark(input, &labels))).unzip();
                    meta.add_cls_mtd(&scores, &names).map(|classes| classes.id())
                }
            };
            known.extend(added);
        }
        for _ in 0..if known.len() > 1 { input.below(10) } else { 0 } {
            let (from, to) = (input.pick(&known), input.pick(&known));
            if from != to {
                let _ = meta.set_relation(input.pick(&KINDS) | input.pick(&KINDS), from, to);
            }
        }
    }
}
