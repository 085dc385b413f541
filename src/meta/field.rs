// SPDX-License-Identifier: MIT OR Apache-2.0
//! Field names of structures. Each is looked up in GLib's string table once, rather than for every face.

use std::sync::OnceLock;

use gst::glib;

/// The name of a field.
pub(super) struct Field {
    name: &'static str,
    quark: OnceLock<glib::Quark>,
}

impl Field {
    /// The field `name`.
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, quark: OnceLock::new() }
    }

    fn quark(&self) -> glib::Quark {
        *self.quark.get_or_init(|| glib::Quark::from_str(self.name))
    }

    /// The field's value in `structure`; none if the field is absent or has another type.
    // The replacement of the deprecated functions exists from GStreamer 1.26 on. With older versions the bindings implement it
    // by a look-up in each call.
    #[allow(deprecated)]
    pub(super) fn get<'a, T: glib::value::FromValue<'a>>(&self, structure: &'a gst::StructureRef) -> Option<T> {
        structure.value_by_quark(self.quark()).ok()?.get().ok()
    }

    /// The field's double as a float; none for NaN, infinities and values out of the range of a float.
    pub(super) fn number(&self, structure: &gst::StructureRef) -> Option<f32> {
        self.get::<f64>(structure).map(|value| value as f32).filter(|value| value.is_finite())
    }

    /// Sets the field in `structure`.
    #[allow(deprecated)]
    pub(super) fn set(&self, structure: &mut gst::StructureRef, value: impl Into<glib::SendValue>) {
        structure.set_value_by_quark(self.quark(), value.into());
    }
}
