// SPDX-License-Identifier: MIT OR Apache-2.0
//! What elements between the detector and here did to the picture: cropping, borders, mirroring, rotation.
//!
//! Up to GStreamer 1.26 these elements drop the regions on a buffer, or leave them where they were, but keep
//! `GstEmotionMeta`. Their properties and caps say what they do to the picture, so [`PictureChanges`] finds them upstream and
//! corrects the boxes. From 1.28 on they move regions themselves, so only what `GstEmotionMeta` alone keeps is corrected: landmarks
//! and pose.

use gst::prelude::*;
use gst_video::{VideoInfo, VideoOrientationMethod};

use crate::geometry::{AxisMap, Size};
use crate::meta::{self, Change};
use crate::record::{FaceRecord, FrameRecord};

/// The first version whose elements move regions themselves; 1.27 was its development series.
const MOVES_REGIONS: (u32, u32) = (1, 27);
/// Types of the elements that write a `GstEmotionMeta` of their own, with boxes that they have corrected. These constants are type
/// names, since a factory disappears when another plugin registers an element of the same name.
const ANALYSERS: [&str; 2] = ["GstEmotionClassify", "GstEmotionFaceLandmarks"];
/// Types of the elements that write boxes.
const DETECTORS: [&str; 3] = ["GstEmotionFaceDetect", "GstEmotionFaceDetectTwin", "GstFaceDetect"];

/// The elements between the one that wrote the boxes and a pad that change the picture's geometry, the nearest first.
#[derive(Debug, Default)]
pub struct PictureChanges {
    steps: Vec<Step>,
    /// True if they move regions themselves.
    moves_regions: bool,
}

/// One of these elements. Its properties are read for each frame, since most may change while playing.
#[derive(Debug)]
struct Step {
    element: gst::glib::WeakRef<gst::Element>,
    kind: Kind,
    from: VideoInfo,
    to: VideoInfo,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Flip,
    Crop,
    /// Crops by positive numbers and adds borders by negative ones.
    Box,
    Scale,
}

impl PictureChanges {
    /// Walks upstream from `pad`, a sink pad that has received caps. Nothing is found, and boxes are taken as they are, unless
    /// a single path leads to a detector or to another analyser.
    pub fn upstream_of(pad: &gst::Pad) -> Self {
        let (major, minor, ..) = gst::version();
        let moves_regions = (major, minor) >= MOVES_REGIONS;
        let mut steps = Vec::new();
        let mut sink = pad.clone();
        let mut detected = None;
        while let Some(src) = sink.peer() {
            let element = src.parent_element();
            let name = element.as_ref().map_or("", |element| element.type_().name());
            if ANALYSERS.contains(&name) {
                return Self { steps, moves_regions };
            }
            if DETECTORS.contains(&name) && detected.is_none() {
                detected = Some(steps.len());
            }
            // A ghost pad leads into its bin, where the walk continues; a pad without a parent ends it.
            if src.parent().is_none() {
                break;
            }
            let inputs: Vec<gst::Pad> = src.iterate_internal_links().into_iter().flatten().collect();
            let [input] = inputs.as_slice() else { break };
            if let (Some(element), Some(kind)) = (&element, Kind::of(name)) {
                match (input.peer().and_then(|before| info(&before)), info(&src)) {
                    (Some(from), Some(to)) => steps.push(Step { element: element.downgrade(), kind, from, to }),
                    _ => return Self::default(),
                }
            }
            sink = input.clone();
        }
        steps.truncate(detected.unwrap_or(0));
        Self { steps, moves_regions }
    }

    /// Names of the elements whose change of the picture cannot be determined, in the order of the stream; empty if they move
    /// regions themselves.
    pub fn undetermined(&self) -> Vec<String> {
        let undetermined = self.steps.iter().rev().filter(|step| !self.moves_regions && step.change().is_none());
        undetermined.filter_map(|step| Some(step.element.upgrade()?.name().to_string())).collect()
    }

    /// All faces on a buffer whose picture has `frame` pixels, with their positions in it. Faces outside it are left out.
    pub fn read_faces(&self, buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
        self.read(buffer, frame).faces
    }

    /// [`read_faces`](Self::read_faces), when the scene was searched, and whether faces may be missing or misplaced.
    pub fn read(&self, buffer: &gst::BufferRef, frame: Size) -> FrameRecord {
        let change = match self.change() {
            None => Change::None,
            Some(change) if self.moves_regions => Change::CustomOnly(change),
            Some(change) => Change::All(change),
        };
        let meta::FacesOnBuffer { faces, searched, without_region, left_out } = meta::read(buffer, frame, change);
        // An undetermined element may have moved the faces that have no region.
        let is_undetermined = change == Change::None && !self.moves_regions && !self.steps.is_empty();
        FrameRecord { faces, searched, misplaced: left_out > 0 || (is_undetermined && without_region > 0) }
    }

    /// The combined change, from positions 0..1 in the analysed picture to positions 0..1 in this one; none if no element
    /// changes it or one of them is undetermined.
    fn change(&self) -> Option<AxisMap> {
        let mut steps = self.steps.iter().rev();
        let first = steps.next()?.change()?;
        steps.try_fold(first, |before, step| Some(before.then(step.change()?)))
    }
}

impl Kind {
    fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "GstVideoFlip" => Self::Flip,
            "GstVideoCrop" => Self::Crop,
            "GstVideoBox" => Self::Box,
            "GstVideoScale" | "GstVideoConvertScale" => Self::Scale,
            _ => return None,
        })
    }
}

impl Step {
    fn change(&self) -> Option<AxisMap> {
        let element = self.element.upgrade()?;
        match self.kind {
            Kind::Flip => oriented(element.property("video-direction")),
            Kind::Crop => Some(self.cut(|start, end, all| match (element.property(start), element.property(end)) {
                (-1, -1) => all / 2,
                (-1, end) => all - end,
                (start, _) => start,
            })),
            Kind::Box if element.property("autocrop") => None,
            Kind::Box => Some(self.cut(|start, _, _| element.property(start))),
            Kind::Scale if element.property("add-borders") => Some(letterbox(&self.from, &self.to)),
            Kind::Scale => Some(AxisMap::IDENTITY),
        }
    }

    /// A crop. `start` gives the pixels cut off at the left or top, from the names of the properties of both sides and the
    /// pixels cut off in all.
    fn cut(&self, start: impl Fn(&str, &str, i32) -> i32) -> AxisMap {
        let axis = |from: u32, to: u32, sides: (&str, &str)| {
            let (from, to) = (from as f32, to as f32);
            (from / to, -(start(sides.0, sides.1, (from - to) as i32) as f32) / to)
        };
        let (w, x) = axis(self.from.width(), self.to.width(), ("left", "right"));
        let (h, y) = axis(self.from.height(), self.to.height(), ("top", "bottom"));
        AxisMap { swap: false, scale: (w, h), offset: (x, y) }
    }
}

/// The caps of a source pad, if they are raw video. A sink pad has them only after all elements downstream accepted them.
fn info(pad: &gst::Pad) -> Option<VideoInfo> {
    VideoInfo::from_caps(pad.current_caps()?.as_ref()).ok()
}

/// The change made by `videoflip`; none if it follows the stream's orientation tag.
fn oriented(method: VideoOrientationMethod) -> Option<AxisMap> {
    use VideoOrientationMethod as Method;
    let (swap, mirror_x, mirror_y) = match method {
        Method::Identity => (false, false, false),
        Method::_90r => (true, true, false),
        Method::_180 => (false, true, true),
        Method::_90l => (true, false, true),
        Method::Horiz => (false, true, false),
        Method::Vert => (false, false, true),
        Method::UlLr => (true, false, false),
        Method::UrLl => (true, true, true),
        _ => return None,
    };
    let (sign, start) = (|mirror| if mirror { -1.0 } else { 1.0 }, |mirror| if mirror { 1.0 } else { 0.0 });
    Some(AxisMap { swap, scale: (sign(mirror_x), sign(mirror_y)), offset: (start(mirror_x), start(mirror_y)) })
}

/// The change made by `videoscale` if it adds borders to keep the proportions.
fn letterbox(from: &VideoInfo, to: &VideoInfo) -> AxisMap {
    let aspect = |info: &VideoInfo| {
        let par = info.par();
        f64::from(info.width()) * f64::from(par.numer()) / (f64::from(info.height()) * f64::from(par.denom()))
    };
    // Above 1, borders are on the left and right; below 1, at the top and bottom.
    let excess = aspect(to) / aspect(from);
    let filled = |side: u32, share: f64| ((f64::from(side) * share).floor() / f64::from(side)) as f32;
    let (w, h) = (filled(to.width(), (1.0 / excess).min(1.0)), filled(to.height(), excess.min(1.0)));
    AxisMap { swap: false, scale: (w, h), offset: ((1.0 - w) / 2.0, (1.0 - h) / 2.0) }
}
