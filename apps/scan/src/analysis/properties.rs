// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of the elements of a scan that differ from their defaults.

use std::collections::BTreeMap;

use gst::glib;
use gst::prelude::*;

use super::elements;
use crate::error::Error;
use crate::setting::Setting;

/// The properties that differ from their defaults, by the name of the element.
///
/// # Errors
/// If an element is missing, or a setting has a wrong value.
pub fn changed(settings: &[Setting], has_geometry: bool, threads: u32) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
    let networks = elements::networks(settings, has_geometry, threads)?;
    let elements = [&elements::preparation(settings)?, networks.elements()].concat();
    let mut changed = BTreeMap::new();
    for element in elements {
        // What a new element has is its default: some classes state another one in their description.
        let new = element.factory().expect("a factory has made it").create().build()?;
        changed.insert(element.name().to_string(), difference(&element, &new));
    }
    changed.retain(|_, properties| !properties.is_empty());
    Ok(changed)
}

fn difference(element: &gst::Element, new: &gst::Element) -> BTreeMap<String, String> {
    let is_setting =
        |spec: &&glib::ParamSpec| spec.flags().contains(glib::ParamFlags::READWRITE) && !["name", "parent"].contains(&spec.name());
    let specs = element.list_properties();
    let changed = specs.iter().filter(is_setting).filter_map(|spec| {
        let (value, default) = (text(&element.property_value(spec.name())), text(&new.property_value(spec.name())));
        (value != default).then(|| (spec.name().to_owned(), value))
    });
    changed.collect()
}

/// A value as in a launch line.
fn text(value: &glib::Value) -> String {
    if let Ok(text) = value.get::<Option<String>>() {
        return text.unwrap_or_default();
    }
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return value.nick().to_owned();
    }
    // Newer versions of GStreamer print a critical warning when they serialise a structure that is unset.
    if let Ok(None) = value.get::<Option<gst::Structure>>() {
        return String::new();
    }
    value.serialize().map(|text| text.to_string()).unwrap_or_default()
}
