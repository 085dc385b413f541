// SPDX-License-Identifier: MIT OR Apache-2.0
//! Field names of structures, each looked up in GLib's table of strings once and not again for every face.

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

    /// The field's value in `structure`; none if it has no such field, or one of another type.
    // What replaces quarks is there from 1.26 on; before, the bindings turn it into a look-up for each call.
    #[allow(deprecated)]
    pub(super) fn get<'a, T: glib::value::FromValue<'a>>(&self, structure: &'a gst::StructureRef) -> Option<T> {
        structure.value_by_quark(self.quark()).ok()?.get().ok()
    }

    /// The double in `structure` as a float; none for NaN, infinities and doubles that no float can hold.
    pub(super) fn number(&self, structure: &gst::StructureRef) -> Option<f32> {
        self.get::<f64>(structure).map(|value| value as f32).filter(|value| value.is_finite())
    }

    /// Sets the field of `structure`.
    #[allow(deprecated)]
    pub(super) fn set(&self, structure: &mut gst::StructureRef, value: impl Into<glib::SendValue>) {
        structure.set_value_by_quark(self.quark(), value.into());
    }
}
