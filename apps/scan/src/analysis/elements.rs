// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements that analyse frames, with the properties that `--set` gives them.

use gst::glib;
use gst::prelude::*;

use crate::error::Error;
use crate::setting::Setting;
use crate::turn::Direction;

/// The elements that bring frames into shape, and the names by which `--set` calls them.
const PREPARATION: [(&str, &str); 2] = [("videoflip", "videoflip"), ("videoconvert", "videoconvert")];
/// The elements that run networks, and their names. The second one is there if the geometry of faces is asked for.
const NETWORKS: [(&str, &str); 3] = [DETECTOR, GEOMETRY, CLASSIFIER];
const DETECTOR: (&str, &str) = ("facedetect", "emotionfacedetect");
const GEOMETRY: (&str, &str) = ("facelandmarks", "facelandmarks");
const CLASSIFIER: (&str, &str) = ("emotionclassify", "emotionclassify");
/// All faces are scored, since no stream is waiting. This is the maximum that `facedetect` reports.
const MAX_FACES: u32 = 1_000;

/// Checks that each setting names a property and has a value for it.
///
/// # Errors
/// If one does not, or an element is missing.
pub fn check(settings: &[Setting], has_geometry: bool) -> Result<(), Error> {
    let elements = [preparation(settings)?, networks(settings, has_geometry, 1)?].concat();
    settings.iter().try_for_each(|setting| {
        if !has_geometry && setting.element == GEOMETRY.0 {
            return Err(Error::NoGeometry(setting.clone()));
        }
        let is_known = !targets(setting, &elements)?.is_empty();
        is_known.then_some(()).ok_or_else(|| Error::UnknownProperty(setting.clone()))
    })
}

/// `videoconvert`, `videoflip` and `videoconvert`, not started.
///
/// # Errors
/// If an element is missing, or a setting has a wrong value.
pub fn preparation(settings: &[Setting]) -> Result<Vec<gst::Element>, Error> {
    // `videoflip` does not take all formats of decoders, such as Y42B.
    let input = make("inputconvert", "videoconvert")?;
    let elements = [vec![input], make_all(&PREPARATION)?].concat();
    elements[1].set_property_from_str("video-direction", "auto");
    apply(settings, &elements)?;
    Ok(elements)
}

/// The element that turns upright frames, not started; none if they are searched as they are stored.
///
/// # Errors
/// If it is missing.
pub fn turn(direction: Direction) -> Result<Option<gst::Element>, Error> {
    if direction == Direction::Stored {
        return Ok(None);
    }
    // This name is none of `--set`.
    let element = make("turn", "videoflip")?;
    element.set_property_from_str("video-direction", direction.video_direction());
    Ok(Some(element))
}

/// `facedetect`, with `has_geometry` also `facelandmarks`, and `emotionclassify`, not started. Each network uses `threads` threads
/// unless `settings` say otherwise.
///
/// # Errors
/// Those of [`preparation`].
pub fn networks(settings: &[Setting], has_geometry: bool, threads: u32) -> Result<Vec<gst::Element>, Error> {
    let elements = if has_geometry { make_all(&NETWORKS)? } else { make_all(&[DETECTOR, CLASSIFIER])? };
    elements.iter().for_each(|element| element.set_property("threads", threads));
    for element in &elements[1..] {
        element.set_property("max-faces-per-frame", MAX_FACES);
        // The default model depends on the processor, and the machines of a cluster may differ.
        let model = if element.name() == GEOMETRY.0 { "face-geometry" } else { "expression" };
        element.set_property("model-file", model);
    }
    apply(settings, &elements)?;
    Ok(elements)
}

fn make_all(elements: &[(&str, &'static str)]) -> Result<Vec<gst::Element>, Error> {
    elements.iter().map(|(name, factory)| make(name, factory)).collect()
}

fn make(name: &str, factory: &'static str) -> Result<gst::Element, Error> {
    gst::ElementFactory::make(factory).name(name).build().map_err(|source| Error::MissingElement { factory, source })
}

/// Sets the properties that `settings` give to one of `elements`.
fn apply(settings: &[Setting], elements: &[gst::Element]) -> Result<(), Error> {
    for setting in settings {
        for (element, spec) in targets(setting, elements)? {
            element.set_property_from_value(&setting.property, &value(setting, &spec)?);
        }
    }
    Ok(())
}

/// The elements that `setting` means and that have its property.
fn targets<'a>(setting: &Setting, elements: &'a [gst::Element]) -> Result<Vec<(&'a gst::Element, glib::ParamSpec)>, Error> {
    let all = || PREPARATION.iter().chain(&NETWORKS);
    let is_meant = |(name, factory): &(&str, &str)| ["*", name, factory].contains(&setting.element.as_str());
    if !all().any(is_meant) {
        return Err(Error::UnknownElement { setting: setting.clone(), known: all().map(|(name, _)| *name).collect() });
    }
    let meant = elements.iter().filter(|element| all().any(|names| is_meant(names) && element.name() == names.0));
    let with_property = meant.filter_map(|element| Some((element, element.find_property(&setting.property)?)));
    Ok(with_property.filter(|(_, spec)| spec.flags().contains(glib::ParamFlags::WRITABLE)).collect())
}

/// The value of `setting` for a property.
fn value(setting: &Setting, spec: &glib::ParamSpec) -> Result<glib::Value, Error> {
    let expected = spec.value_type();
    let value = glib::Value::deserialize(&setting.value, expected);
    let value = value.map_err(|_| Error::ValueType { setting: setting.clone(), expected })?;
    if is_in_range(spec, &value) { Ok(value) } else { Err(Error::ValueRange(setting.clone())) }
}

/// True if the number is in the range of the property. GObject would ignore any other.
fn is_in_range(spec: &glib::ParamSpec, value: &glib::Value) -> bool {
    macro_rules! in_range {
        ($($kind:ty: $number:ty),*) => {
            true $(&& match (spec.downcast_ref::<$kind>(), value.get::<$number>()) {
                (Some(spec), Ok(number)) => (spec.minimum()..=spec.maximum()).contains(&number),
                _ => true,
            })*
        };
    }
    in_range!(
        glib::ParamSpecInt: i32, glib::ParamSpecUInt: u32, glib::ParamSpecInt64: i64, glib::ParamSpecUInt64: u64,
        glib::ParamSpecFloat: f32, glib::ParamSpecDouble: f64
    )
}
