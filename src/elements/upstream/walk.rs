// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way from an element back to the one that wrote the boxes.

use gst::prelude::*;

use super::in_place::keeps_place;
use super::steps::Step;

/// Types of the elements that write a `GstEmotionMeta` of their own, with boxes that they have corrected. These constants are type
/// names, since a factory disappears when another plugin registers an element of the same name.
const ANALYSERS: [&str; 2] = ["GstEmotionClassify", "GstEmotionFaceLandmarks"];
/// Types of this plugin's elements that write boxes, and a `GstEmotionMeta` on every frame.
const DETECTORS: [&str; 3] = ["GstEmotionFaceDetect", "GstEmotionFaceDetectTwin", "GstEmotionFaceTensorDec"];
/// Type of the detector of GStreamer's OpenCV plugin.
const OTHER_DETECTOR: &str = "GstFaceDetect";

/// The way from an element to the one that wrote the boxes, upstream of it.
#[derive(Debug, Default)]
pub struct Walk {
    /// The elements on the way that change the picture's geometry, or may; the nearest first.
    pub steps: Vec<Step>,
    /// Where the way ends.
    pub end: End,
}

/// Where a [`Walk`] ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum End {
    /// At an analyser of this plugin, or at a pad that an application owns.
    #[default]
    Analyser,
    /// At a detector of this plugin.
    Detector,
    /// At another detector.
    OtherDetector,
    /// At an element of this name, which did not write the boxes: a source, or one that joins different ways.
    Lost(String),
}

impl Walk {
    /// Walks upstream from `pad`, a sink pad. The elements named `kept` leave pictures in place.
    pub fn from(pad: &gst::Pad, kept: &[String]) -> Self {
        let mut steps = Vec::new();
        let mut sink = pad.clone();
        while let Some(src) = sink.peer() {
            // A pad without a parent belongs to an application that puts the faces on its buffers.
            let Some(parent) = src.parent() else { break };
            let element = parent.downcast_ref::<gst::Element>().filter(|_| !src.is::<gst::GhostPad>());
            let type_name = element.map_or("", |element| element.type_().name());
            let end = match type_name {
                name if ANALYSERS.contains(&name) => Some(End::Analyser),
                name if DETECTORS.contains(&name) => Some(End::Detector),
                OTHER_DETECTOR => Some(End::OtherDetector),
                _ => None,
            };
            if let Some(end) = end {
                return Self { steps, end };
            }
            let lost = || End::Lost(element.map(|element| element.name().to_string()).unwrap_or_default());
            let is_kept = element.is_none_or(|element| keeps_place(type_name) || kept.iter().any(|name| *name == element.name()));
            let inputs = pictures_into(&src);
            let [input] = inputs.as_slice() else {
                let end = is_kept.then(|| joined(&inputs, kept)).flatten().unwrap_or_else(lost);
                return Self { steps, end };
            };
            if let (Some(element), Some(before)) = (element.filter(|_| !is_kept), input.peer())
                && is_raw(&before)
                && is_raw(&src)
            {
                steps.push(Step::new(element, &before, &src));
            }
            sink = input.clone();
        }
        Self { steps, end: End::Analyser }
    }
}

/// Where all ways into an element end, if none of them changes the picture and all end alike.
fn joined(inputs: &[gst::Pad], kept: &[String]) -> Option<End> {
    let mut walks = inputs.iter().map(|input| Walk::from(input, kept));
    let first = walks.next().filter(|walk| walk.steps.is_empty() && !matches!(walk.end, End::Lost(_)))?;
    walks.all(|walk| walk.steps.is_empty() && walk.end == first.end).then_some(first.end)
}

/// The linked sink pads from which the element makes the pictures at `src`: those with video if there are others beside them.
fn pictures_into(src: &gst::Pad) -> Vec<gst::Pad> {
    let linked: Vec<gst::Pad> = src.iterate_internal_links().into_iter().flatten().filter(gst::Pad::is_linked).collect();
    if linked.len() < 2 {
        return linked;
    }
    linked.into_iter().filter(|pad| pad.peer().is_some_and(|before| has_caps(&before, |name| name.starts_with("video/")))).collect()
}

/// True if the pad has raw video. An element with anything else on one side is a codec, a payloader or the like, which leaves pictures
/// in place. A sink pad has caps only after all elements downstream accepted them, so source pads are asked.
fn is_raw(src: &gst::Pad) -> bool {
    has_caps(src, |name| name == "video/x-raw")
}

fn has_caps(src: &gst::Pad, is_wanted: impl Fn(&str) -> bool) -> bool {
    src.current_caps().is_some_and(|caps| caps.structure(0).is_some_and(|structure| is_wanted(structure.name())))
}
