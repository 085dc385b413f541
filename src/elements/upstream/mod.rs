// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an element finds out about the elements upstream of it.

pub mod detector_watch;
mod in_place;
mod past;
pub mod picture_changes;
mod steps;
mod walk;

use gst::glib;

use super::properties::{When, string};

/// The property `keeps-place`, whose value is a list of names.
pub(super) fn keeps_place(when: When) -> glib::ParamSpec {
    string(
        "keeps-place",
        "Keeps place",
        "Names of elements upstream that leave every part of the picture where it is, separated by commas. An element that this plugin \
         does not know counts as one that moves the picture in an unknown way",
        when,
    )
}

/// The names in a value of `keeps-place`.
pub(super) fn names(text: Option<&str>) -> Vec<String> {
    let names = text.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(String::from).collect()
}
