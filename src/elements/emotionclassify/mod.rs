// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionclassify`: scores the apparent expression of every face on a buffer, whoever put the face there.

mod imp;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element `emotionclassify`.
    pub struct EmotionClassify(ObjectSubclass<imp::EmotionClassify>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "emotionclassify", gst::Rank::NONE, EmotionClassify::static_type())
}
