// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements that find faces, estimate their geometry and score their expressions:
//! `emotionfacedetect ! facelandmarks ! emotionclassify`.

use clap::ValueEnum;
pub use emotion_core::choices::{Baseline, Prior, Recall};
use gst::glib;
use gst::prelude::*;
use thiserror::Error;

use crate::setting::{self, Fault, Setting, SettingError};

/// An element: its name in the pipeline, by which settings call it, and its factory.
pub type Named = (&'static str, &'static str);

/// Finds faces. Under the name `facedetect`, GStreamer may pick the element of its OpenCV plugin.
pub const DETECTOR: Named = ("facedetect", "emotionfacedetect");
/// Estimates the geometry of faces.
pub const GEOMETRY: Named = ("facelandmarks", "facelandmarks");
/// Scores expressions.
pub const CLASSIFIER: Named = ("emotionclassify", "emotionclassify");

/// The most frames from one search for faces to the next that a switch sets.
pub const MAX_INTERVAL: u32 = 300;

/// The setting of [`CLASSIFIER`] for faces whose expressions are as frequent as `prior` says.
pub fn prior(prior: Prior) -> Setting {
    Setting::new(CLASSIFIER.0, "prior", name_of(&prior))
}

/// The setting of all elements that have it.
pub fn baseline(baseline: Baseline) -> Setting {
    Setting::new("*", "baseline", name_of(&baseline))
}

/// The setting of [`DETECTOR`].
pub fn recall(recall: Recall) -> Setting {
    Setting::new(DETECTOR.0, "recall", name_of(&recall))
}

/// The name of a value on a command line, which properties of elements and settings have, too.
pub fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Why there is no chain.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum ChainError {
    #[error("{factory}: {source}; install GStreamer's base and good plugins")]
    Missing { factory: &'static str, source: glib::BoolError },
    #[error(transparent)]
    Setting(#[from] SettingError),
}

/// The elements, in their order.
#[derive(Clone, Debug)]
pub struct Chain(Vec<gst::Element>);

impl Chain {
    /// The elements with `settings`, not started. Settings of other elements are skipped.
    ///
    /// # Errors
    /// If an element is missing or does not take a setting.
    pub fn new(has_geometry: bool, settings: &[Setting]) -> Result<Self, ChainError> {
        let named = [DETECTOR, GEOMETRY, CLASSIFIER].into_iter().filter(|named| has_geometry || *named != GEOMETRY);
        let chain = Self(named.map(make).collect::<Result<_, _>>()?);
        chain.apply(settings)?;
        Ok(chain)
    }

    /// Applies `settings`.
    ///
    /// # Errors
    /// If an element does not take one.
    pub fn apply(&self, settings: &[Setting]) -> Result<(), SettingError> {
        setting::apply(settings, &self.0)
    }

    /// Takes face `id` as it looks now for what it is at rest, or with `is_reset` forgets that.
    pub fn calibrate(&self, id: u32, is_reset: bool) {
        let signal = if is_reset { "reset-baseline" } else { "calibrate" };
        self.0[1..].iter().for_each(|element| element.emit_by_name(signal, &[&id]));
    }

    /// Adds the elements to `pipeline`, linked between `before` and `after`.
    ///
    /// # Errors
    /// If they cannot be linked.
    pub fn link(&self, pipeline: &gst::Pipeline, before: &gst::Element, after: &gst::Element) -> Result<(), glib::BoolError> {
        pipeline.add_many(&self.0)?;
        gst::Element::link_many([before].into_iter().chain(&self.0).chain([after]))
    }

    /// All elements.
    pub fn elements(&self) -> &[gst::Element] {
        &self.0
    }

    /// [`DETECTOR`].
    pub fn detector(&self) -> &gst::Element {
        &self.0[0]
    }

    /// [`GEOMETRY`], if it is there.
    pub fn geometry(&self) -> Option<&gst::Element> {
        self.0[1..self.0.len() - 1].first()
    }

    /// [`CLASSIFIER`].
    pub fn classifier(&self) -> &gst::Element {
        &self.0[self.0.len() - 1]
    }
}

/// A new element.
///
/// # Errors
/// If it is missing.
pub fn make((name, factory): Named) -> Result<gst::Element, ChainError> {
    gst::ElementFactory::make(factory).name(name).build().map_err(|source| ChainError::Missing { factory, source })
}

/// Checks that each setting names a property of one of `elements`. `known` are the elements that there may be.
///
/// # Errors
/// If one does not.
pub fn check(settings: &[Setting], elements: &[gst::Element], known: &[Named]) -> Result<(), SettingError> {
    for setting in settings {
        let is_meant = |&(name, factory): &Named| ["*", name, factory].contains(&setting.element.as_str());
        if !known.iter().any(is_meant) {
            let known = known.iter().map(|(name, _)| *name).collect();
            return Err(setting.is_wrong(Fault::Element(known, setting.element.clone())));
        }
        if is_meant(&GEOMETRY) && setting.element != "*" && elements.iter().all(|element| element.name() != GEOMETRY.0) {
            return Err(setting.is_wrong(Fault::NoGeometry));
        }
        if !elements.iter().any(|element| setting.concerns(element)) {
            return Err(setting.is_wrong(Fault::Property(setting.element.clone(), setting.property.clone())));
        }
    }
    Ok(())
}
