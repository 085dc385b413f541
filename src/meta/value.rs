// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fast construction of values and arrays of values. The metadata of one frame may have thousands.
//!
//! The bindings would check the type of a value in every step, grow an `Array` one value at a time, and copy each string.

#![allow(unsafe_code)]

use std::time::Duration;

use glib::gobject_ffi::{self, GValue, GValue_data};
use glib::prelude::*;
use glib::translate::{IntoGlib, ToGlibPtr, UnsafeFrom};

/// A value that owns no memory, so that a bitwise copy is valid and never has to be freed.
#[derive(Clone, Copy)]
pub(super) struct Plain(GValue);

impl Plain {
    const fn new(kind: glib::ffi::GType, data: GValue_data) -> Self {
        Self(GValue { g_type: kind, data: [data, GValue_data { v_uint64: 0 }] })
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self::new(gobject_ffi::G_TYPE_BOOLEAN, GValue_data { v_int: value.into() })
    }

    pub(super) fn int(value: i32) -> Self {
        Self::new(gobject_ffi::G_TYPE_INT, GValue_data { v_int: value })
    }

    /// A uint64 of nanoseconds.
    pub(super) fn nanoseconds(duration: Duration) -> Self {
        let value = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self::new(gobject_ffi::G_TYPE_UINT64, GValue_data { v_uint64: value })
    }

    pub(super) fn double(value: impl Into<f64>) -> Self {
        Self::new(gobject_ffi::G_TYPE_DOUBLE, GValue_data { v_double: value.into() })
    }

    /// A string, if it is in GLib's string table, which keeps it until the process ends.
    pub(super) fn string(text: &str) -> Option<Self> {
        let known = glib::Quark::try_from_str(text)?;
        let mut value = glib::Value::from_type(glib::Type::STRING).into_raw();
        // SAFETY: `value` is an initialised string value, and the text of a quark is never freed.
        unsafe {
            gobject_ffi::g_value_set_interned_string(&mut value, glib::ffi::g_quark_to_string(known.into_glib()));
        }
        Some(Self(value))
    }
}

impl From<Plain> for glib::SendValue {
    fn from(plain: Plain) -> Self {
        // SAFETY: the value is initialised, and its fundamental type may be sent to other threads. It owns no memory, so
        // unsetting it frees nothing that a copy needs.
        unsafe { Self::unsafe_from(plain.0) }
    }
}

/// The value of a string, which is copied unless it is in GLib's string table.
pub(super) fn text(text: &str) -> glib::SendValue {
    Plain::string(text).map_or_else(|| text.to_send_value(), Into::into)
}

/// A `GstValueArray` of `values`.
pub(super) fn array(values: impl ExactSizeIterator<Item = Plain>) -> glib::SendValue {
    // SAFETY: gst_value_array_init() turns zeroed memory into an initialised array. The appended values own no memory, so the
    // array may take them over.
    unsafe {
        let mut array: GValue = std::mem::zeroed();
        gst::ffi::gst_value_array_init(&mut array, values.len() as u32);
        for mut value in values {
            gst::ffi::gst_value_array_append_and_take_value(&mut array, &mut value.0);
        }
        glib::SendValue::unsafe_from(array)
    }
}

/// The number in `value`, if it is a double.
pub(super) fn double(value: &glib::SendValue) -> Option<f64> {
    // SAFETY: this is the field that a value of this type uses.
    raw(value, gobject_ffi::G_TYPE_DOUBLE).map(|data| unsafe { data.v_double })
}

/// The address of the text in `value`, if it is a string. Two values with the same address have the same text while both
/// exist.
pub(super) fn text_address(value: &glib::SendValue) -> Option<usize> {
    // SAFETY: this is the field that a value of this type uses.
    raw(value, gobject_ffi::G_TYPE_STRING).map(|data| unsafe { data.v_pointer } as usize)
}

/// The data of `value`, if it has the fundamental type `kind`. Comparing the type is faster than asking GLib, as the bindings
/// do.
fn raw(value: &glib::SendValue, kind: glib::ffi::GType) -> Option<GValue_data> {
    let pointer: *const GValue = value.to_glib_none().0;
    // SAFETY: the pointer refers to an initialised value that lives while `value` is borrowed.
    let value = unsafe { &*pointer };
    (value.g_type == kind).then_some(value.data[0])
}
