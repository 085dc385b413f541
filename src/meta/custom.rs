// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as the custom meta `GstEmotionMeta`, one for each buffer. It is registered without tags, so that elements which
//! change size or format keep it.
//!
//! Fields:
//! - `version` (int)
//! - `width`, `height` (int): size of the frame on which it was written, in pixels
//! - `searched` (uint64): time since the frame that was last searched for faces, in ns; 0 on that frame, [`u64::MAX`] if no
//!   search of this scene has ended yet, absent if the detector is another project's
//! - `misplaced` (string): names of elements before the last analysis whose change of the picture is unknown, separated by commas;
//!   `?` if faces are missing because of that; absent if the boxes are right
//! - `faces`: array of structures `face` with id (int) of the track, region_id (int), x, y, w, h (double, 0..1 of that frame)
//!   and, once the face was classified, the fields of `emotion`; `geometry` (structure) once it was estimated; `confirmed`
//!   (boolean) only if it is false

use std::sync::{Arc, Once};
use std::time::Duration;

use gst::glib;
use gst::meta::CustomMeta;

use super::emotion::{Reader, Writer};
use super::field::Field;
use super::matching::matching_iou;
use super::roi::{CONFIRMED, RegionFaces, is_confirmed};
use super::value::{Plain, text};
use super::{Change, VERSION, geometry, int_id};
use crate::face_geometry::FaceGeometry;
use crate::geometry::{AxisMap, Rect, Size};
use crate::ids::track_id;
use crate::record::{FaceRecord, SearchAge};

/// Name of the meta.
pub const NAME: &str = "GstEmotionMeta";
/// Name of each structure in `faces`.
const FACE: &glib::GStr = glib::gstr!("face");
static VERSION_FIELD: Field = Field::new("version");
static WIDTH: Field = Field::new("width");
static HEIGHT: Field = Field::new("height");
static SEARCHED: Field = Field::new("searched");
static MISPLACED: Field = Field::new("misplaced");
static FACES: Field = Field::new("faces");
static ID: Field = Field::new("id");
static REGION_ID: Field = Field::new("region_id");
static GEOMETRY: Field = Field::new("geometry");
static SIDES: [Field; 4] = [Field::new("x"), Field::new("y"), Field::new("w"), Field::new("h")];

/// Registers the meta with GStreamer, at the first call.
pub fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // Another copy of this library in the process may have registered it.
        if !CustomMeta::is_registered(NAME) {
            CustomMeta::register_simple(NAME);
        }
    });
}

/// The faces in the buffer's `GstEmotionMeta`; empty if there is none.
pub fn read(buffer: &gst::BufferRef) -> Vec<FaceRecord> {
    let mut scores = Reader::default();
    let read =
        |_: &gst::StructureRef, faces: &[glib::SendValue]| structures(faces).filter_map(|face| read_one(face, &mut scores)).collect();
    with_faces(buffer, read).unwrap_or_default()
}

/// True if the buffer has a `GstEmotionMeta`, with or without faces.
pub fn is_on(buffer: &gst::BufferRef) -> bool {
    register();
    CustomMeta::from_buffer(buffer, NAME).is_ok()
}

/// When the frame was last searched, by the buffer's `GstEmotionMeta`.
pub fn searched(buffer: &gst::BufferRef) -> SearchAge {
    register();
    let Ok(meta) = CustomMeta::from_buffer(buffer, NAME) else { return SearchAge::Unknown };
    match SEARCHED.get::<u64>(meta.structure()) {
        None => SearchAge::Unknown,
        Some(u64::MAX) => SearchAge::Never,
        Some(age) => SearchAge::Ago(Duration::from_nanos(age)),
    }
}

/// Where the boxes of a `GstEmotionMeta` come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Size of the frame on which it was written, if it is known.
    pub written_on: Option<Size>,
    /// The field `misplaced`.
    pub misplaced: Option<String>,
}

/// Where the boxes of the buffer's `GstEmotionMeta` come from; none without this metadata.
pub fn origin(buffer: &gst::BufferRef) -> Option<Origin> {
    register();
    let meta = CustomMeta::from_buffer(buffer, NAME).ok()?;
    Some(Origin { written_on: written_on(meta.structure()), misplaced: MISPLACED.get(meta.structure()) })
}

/// Sets the field `misplaced`, in a new `GstEmotionMeta` if the buffer has none.
pub fn mark_misplaced(buffer: &mut gst::BufferRef, names: &str) {
    with_meta(buffer, |structure| MISPLACED.set(structure, text(names)));
}

/// Gives the faces of regions that lost their params the track ids that the buffer's `GstEmotionMeta` has for these regions.
pub(super) fn resolve(buffer: &gst::BufferRef, regions: &mut RegionFaces) {
    let RegionFaces { faces, unresolved } = regions;
    if unresolved.iter().all(Option::is_none) {
        return;
    }
    with_faces(buffer, |_, entries| {
        for (expected, entry) in structures(entries).enumerate() {
            let Some(region_id) = REGION_ID.get::<i32>(entry) else { continue };
            if let Some(index) = position(unresolved, expected, |unresolved| *unresolved == Some(region_id)) {
                unresolved[index] = None;
                faces[index].id = id(entry);
            }
        }
    });
}

/// Adds scores from the buffer's `GstEmotionMeta` to those of `faces` that have none, and adds the faces that are missing.
/// Faces are matched by id, or by position if the meta has no id for them. `locate` maps a box of the meta to this picture,
/// given the size of the frame on which the meta was written; none if the position is unknown, empty if it is outside. `change` maps
/// geometries. Returns the number of faces that were left out, because their position is unknown.
pub(super) fn join(
    buffer: &gst::BufferRef,
    frame: Size,
    faces: &mut Vec<FaceRecord>,
    scores: &mut Reader,
    change: Change,
    locate: impl Fn(Option<Size>, Rect) -> Option<Rect>,
) -> usize {
    let left_out = with_faces(buffer, |structure, entries| {
        let mut left_out = 0;
        let written_on = written_on(structure);
        // Scaling may have rounded the region to the pixels of either size.
        let coarser = written_on.map_or(frame, |size| Size::new(size.width.min(frame.width), size.height.min(frame.height)));
        for (index, entry) in structures(entries).enumerate() {
            let id = id(entry);
            let located = || rect(entry).and_then(|rect| locate(written_on, rect));
            // The position is only needed without an id, or if the face is missing.
            let (known, rect) = match id {
                0 => {
                    let rect = located();
                    let is_same = |face: &FaceRecord| rect.is_some_and(|rect| matching_iou(face.rect_norm, rect, coarser).is_some());
                    (position(faces, index, is_same), rect)
                }
                id => (position(faces, index, |face| face.id == id), None),
            };
            if let Some(known) = known {
                let face = &mut faces[known];
                face.confirmed &= is_confirmed(entry);
                if face.emotion.is_none() {
                    face.emotion = scores.fields(entry);
                }
                if face.geometry.is_none() {
                    face.geometry = read_geometry(entry, scores).and_then(|found| placed(found, entry, face.rect_norm, coarser, change));
                }
            } else if let Some(rect_norm) = rect.or_else(located) {
                if !rect_norm.is_valid() {
                    continue;
                }
                let (emotion, confirmed) = (scores.fields(entry), is_confirmed(entry));
                let geometry = read_geometry(entry, scores).and_then(|found| placed(found, entry, rect_norm, coarser, change));
                faces.push(FaceRecord { id, rect_norm, detection: None, emotion, geometry, confirmed });
            } else {
                left_out += 1;
            }
        }
        left_out
    });
    left_out.unwrap_or_default()
}

/// The geometry of an entry where the face is now, in the box `rect_norm`. None if the box was moved and it is unknown how: the
/// landmarks would be those of another place.
fn placed(
    found: Arc<FaceGeometry>,
    entry: &gst::StructureRef,
    rect_norm: Rect,
    coarser: Size,
    change: Change,
) -> Option<Arc<FaceGeometry>> {
    match change {
        Change::All(AxisMap::IDENTITY) | Change::CustomOnly(AxisMap::IDENTITY) => Some(found),
        Change::All(change) | Change::CustomOnly(change) => Some(Arc::new(found.moved(change))),
        Change::None => rect(entry).and_then(|old| matching_iou(rect_norm, old, coarser)).map(|_| found),
    }
}

/// The position of the face that matches. It is usually `expected`, since the meta lists faces in the order of their regions.
fn position<T>(faces: &[T], expected: usize, matches: impl Fn(&T) -> bool) -> Option<usize> {
    let is_expected = faces.get(expected).is_some_and(&matches);
    if is_expected { Some(expected) } else { faces.iter().position(matches) }
}

/// Leaves boxes where they are, if `frame` has the proportions of the frame on which the meta was written. If not, an
/// element cropped the picture: such elements drop regions but keep this meta, and a misplaced box is worse than none.
pub(super) fn unless_cropped(frame: Size) -> impl Fn(Option<Size>, Rect) -> Option<Rect> {
    move |written_on, rect_norm| written_on.is_none_or(|size| same_proportions(size, frame)).then_some(rect_norm)
}

/// Replaces the faces in the buffer's `GstEmotionMeta`. The field `searched` is kept. `region_ids` are the ids of the faces'
/// regions; faces beyond them have no region.
pub fn write(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], region_ids: &[i32]) {
    set(buffer, frame, faces, region_ids, None);
}

/// [`write()`], which also sets when the frame was last searched.
pub fn write_search(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], region_ids: &[i32], searched: SearchAge) {
    let age = match searched {
        SearchAge::Unknown => None,
        // Saturates to `u64::MAX` nanoseconds.
        SearchAge::Never => Some(Duration::MAX),
        SearchAge::Ago(age) => Some(age),
    };
    set(buffer, frame, faces, region_ids, age);
    with_meta(buffer, |structure| structure.remove_field("misplaced"));
}

fn set(buffer: &mut gst::BufferRef, frame: Size, faces: &[FaceRecord], region_ids: &[i32], searched: Option<Duration>) {
    with_meta(buffer, |structure| {
        let mut scores = Writer::default();
        VERSION_FIELD.set(structure, Plain::int(VERSION));
        WIDTH.set(structure, Plain::int(i32::try_from(frame.width).unwrap_or(i32::MAX)));
        HEIGHT.set(structure, Plain::int(i32::try_from(frame.height).unwrap_or(i32::MAX)));
        if let Some(age) = searched {
            SEARCHED.set(structure, Plain::nanoseconds(age));
        }
        let region_ids = region_ids.iter().copied().map(Some).chain(std::iter::repeat(None));
        let faces = gst::Array::new(faces.iter().zip(region_ids).map(|(face, region_id)| face_structure(face, region_id, &mut scores)));
        FACES.set(structure, glib::SendValue::from_owned(faces));
    });
}

/// Calls `f` with the structure of the buffer's meta, which is added if there is none.
fn with_meta(buffer: &mut gst::BufferRef, f: impl FnOnce(&mut gst::StructureRef)) {
    register();
    if CustomMeta::from_buffer(buffer, NAME).is_err() && CustomMeta::add(buffer, NAME).is_err() {
        return;
    }
    if let Ok(mut meta) = CustomMeta::from_mut_buffer(buffer, NAME) {
        f(meta.mut_structure());
    }
}

/// Calls `f` with the structure of the buffer's meta and the faces in it; none if there is no meta.
fn with_faces<R>(buffer: &gst::BufferRef, f: impl FnOnce(&gst::StructureRef, &[glib::SendValue]) -> R) -> Option<R> {
    register();
    let meta = CustomMeta::from_buffer(buffer, NAME).ok()?;
    let structure = meta.structure();
    Some(f(structure, FACES.get::<gst::ArrayRef>(structure)?.as_slice()))
}

fn structures(values: &[glib::SendValue]) -> impl Iterator<Item = &gst::StructureRef> {
    values.iter().filter_map(|value| value.get().ok())
}

/// Size of the frame on which the meta was written, if it is known.
fn written_on(structure: &gst::StructureRef) -> Option<Size> {
    let side = |field: &Field| field.get::<i32>(structure).and_then(|side| u32::try_from(side).ok());
    Some(Size::new(side(&WIDTH)?, side(&HEIGHT)?))
}

fn same_proportions(a: Size, b: Size) -> bool {
    let scale = b.width as f32 / a.width.max(1) as f32;
    // Each height may be rounded by half a pixel, and the first one is scaled; twice that is allowed.
    (a.height as f32 * scale - b.height as f32).abs() <= 1.0 + scale
}

fn face_structure(face: &FaceRecord, region_id: Option<i32>, scores: &mut Writer) -> gst::Structure {
    let Rect { x, y, w, h } = face.rect_norm;
    let mut structure = gst::Structure::new_empty_from_static(FACE);
    ID.set(&mut structure, Plain::int(int_id(face.id)));
    if let Some(region_id) = region_id {
        REGION_ID.set(&mut structure, Plain::int(region_id));
    }
    SIDES.iter().zip([x, y, w, h]).for_each(|(field, value)| field.set(&mut structure, Plain::double(value)));
    if !face.confirmed {
        CONFIRMED.set(&mut structure, Plain::boolean(false));
    }
    if let Some(found) = &face.geometry {
        GEOMETRY.set(&mut structure, glib::SendValue::from_owned(geometry::structure(found, scores)));
    }
    if let Some(result) = &face.emotion {
        scores.set_fields(&mut structure, result);
    }
    structure
}

fn read_geometry(face: &gst::StructureRef, reader: &mut Reader) -> Option<Arc<FaceGeometry>> {
    geometry::read(GEOMETRY.get::<&gst::StructureRef>(face)?, reader)
}

fn id(face: &gst::StructureRef) -> u32 {
    ID.get::<i32>(face).map_or(0, track_id)
}

fn rect(face: &gst::StructureRef) -> Option<Rect> {
    let side = |index: usize| SIDES[index].number(face);
    Some(Rect::new(side(0)?, side(1)?, side(2)?, side(3)?))
}

fn read_one(face: &gst::StructureRef, scores: &mut Reader) -> Option<FaceRecord> {
    Some(FaceRecord {
        id: id(face),
        rect_norm: rect(face)?,
        detection: None,
        emotion: scores.fields(face),
        geometry: read_geometry(face, scores),
        confirmed: is_confirmed(face),
    })
}
