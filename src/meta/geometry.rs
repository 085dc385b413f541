// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structure `geometry` of a face, a param of its region and a field of its entry in `GstEmotionMeta`: yaw, pitch, roll
//! (double, degrees), landmarks (array of 140 doubles 0..1: x, y of each), blendshapes (array of 52 doubles 0..1), trust
//! (double 0..1), age (uint64, ns), model_name (string), version (int).

use std::sync::Arc;
use std::time::Duration;

use gst::glib;

use super::VERSION;
use super::emotion::{Reader, Writer};
use super::field::Field;
use super::value::{Plain, array, double};
use crate::face_geometry::blendshapes::COUNT;
use crate::face_geometry::{Blendshapes, FaceGeometry, HeadPose, LANDMARKS, Landmarks70};
use crate::geometry::Point;

/// Name of the structure and of the field that holds it.
pub(super) const NAME: &glib::GStr = glib::gstr!("geometry");

static ANGLES: [Field; 3] = [Field::new("yaw"), Field::new("pitch"), Field::new("roll")];
static POINTS: Field = Field::new("landmarks");
static BLENDSHAPES: Field = Field::new("blendshapes");
static TRUST: Field = Field::new("trust");
static AGE: Field = Field::new("age");
static MODEL_NAME: Field = Field::new("model_name");
static VERSION_FIELD: Field = Field::new("version");

/// The structure of a face's geometry.
pub(super) fn structure(geometry: &FaceGeometry, writer: &mut Writer) -> gst::Structure {
    let mut structure = gst::Structure::new_empty_from_static(NAME);
    set_fields(&mut structure, geometry, writer);
    structure
}

/// Sets the fields of `geometry` on `structure`.
pub(super) fn set_fields(structure: &mut gst::StructureRef, geometry: &FaceGeometry, writer: &mut Writer) {
    ANGLES.iter().zip(geometry.pose.to_array()).for_each(|(field, angle)| field.set(structure, Plain::double(angle)));
    let coordinates: [f32; 2 * LANDMARKS] = std::array::from_fn(|n| {
        let point = geometry.landmarks_norm.0[n / 2];
        if n % 2 == 0 { point.x } else { point.y }
    });
    POINTS.set(structure, array(coordinates.into_iter().map(Plain::double)));
    BLENDSHAPES.set(structure, array(geometry.blendshapes.0.into_iter().map(Plain::double)));
    TRUST.set(structure, Plain::double(geometry.trust));
    AGE.set(structure, Plain::nanoseconds(geometry.age));
    MODEL_NAME.set(structure, writer.name(&geometry.model_name));
    VERSION_FIELD.set(structure, Plain::int(VERSION));
}

/// Reads what [`structure`] wrote; none if a number is missing or not finite.
pub(super) fn read(structure: &gst::StructureRef, reader: &mut Reader) -> Option<Arc<FaceGeometry>> {
    let angle = |index: usize| ANGLES[index].number(structure);
    let coordinates: [f32; 2 * LANDMARKS] = numbers(structure, &POINTS)?;
    Some(Arc::new(FaceGeometry {
        pose: HeadPose { yaw: angle(0)?, pitch: angle(1)?, roll: angle(2)? },
        landmarks_norm: Landmarks70(std::array::from_fn(|index| Point::new(coordinates[2 * index], coordinates[2 * index + 1]))),
        blendshapes: Blendshapes(numbers::<COUNT>(structure, &BLENDSHAPES)?),
        trust: TRUST.number(structure)?,
        age: Duration::from_nanos(AGE.get(structure).unwrap_or(0)),
        model_name: reader.name(&MODEL_NAME, structure),
    }))
}

/// The numbers of an array of exactly `N` doubles.
fn numbers<const N: usize>(structure: &gst::StructureRef, field: &Field) -> Option<[f32; N]> {
    let values = field.get::<gst::ArrayRef>(structure)?;
    let mut numbers = [0.0; N];
    if values.len() != N {
        return None;
    }
    for (number, value) in numbers.iter_mut().zip(values.iter()) {
        *number = Some(double(value)? as f32).filter(|number| number.is_finite())?;
    }
    Some(numbers)
}
