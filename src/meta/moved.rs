// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where faces are once the picture was cropped, bordered, mirrored or turned.
//!
//! Up to GStreamer 1.26 the elements that do so drop the regions on a buffer, or leave them where they were, but keep
//! `GstEmotionMeta`. What they do to the picture is in their properties and caps, so [`Moved`] looks for them upstream
//! and puts the boxes right. From 1.28 on regions move along with the picture, and there is nothing to do.

use gst::prelude::*;
use gst_video::{VideoInfo, VideoOrientationMethod};

use super::{custom, emotion, roi};
use crate::geometry::{AxisMap, Rect, Size};
use crate::record::{FaceRecord, FrameRecord};

/// The first version whose elements move boxes themselves; 1.27 was its development series.
const MOVES_BOXES: (u32, u32) = (1, 27);
/// The types of the elements that add what nobody has moved yet. The first adds a meta of its own, so what lies before is
/// settled. Types, since the factory of an element is gone once another plugin has registered one of its name.
const CLASSIFIER: &str = "GstEmotionClassify";
const DETECTORS: [&str; 3] = ["GstEmotionFaceDetect", "GstEmotionFaceDetectTwin", "GstFaceDetect"];
/// All of the picture, in 0..1 of it.
const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);

/// The elements between the one that marked faces and a pad that change where things are in the picture.
#[derive(Debug, Default)]
pub struct Moved {
    steps: Vec<Step>,
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
    /// Crops too, by numbers that are negative where it adds a border.
    Box,
    Scale,
}

impl Moved {
    /// Looks upstream of `pad`, a sink pad that caps have come to. Nothing is found, and boxes are taken as they are, if the
    /// stream does not come from a detector or classifier by a single way.
    pub fn before(pad: &gst::Pad) -> Self {
        let (major, minor, ..) = gst::version();
        if (major, minor) >= MOVES_BOXES {
            return Self::default();
        }
        let mut steps = Vec::new();
        let mut sink = pad.clone();
        let mut detected = None;
        while let Some(src) = sink.peer() {
            let element = src.parent_element();
            let name = element.as_ref().map_or("", |element| element.type_().name());
            if name == CLASSIFIER {
                return Self { steps };
            }
            if DETECTORS.contains(&name) && detected.is_none() {
                detected = Some(steps.len());
            }
            // A ghost pad leads into its bin, where the walk goes on; a pad of nobody leads nowhere.
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
        Self { steps }
    }

    /// Names of the elements that may move the picture and do not say how, the first of the stream first.
    pub fn undecided(&self) -> Vec<String> {
        let undecided = self.steps.iter().rev().filter(|step| step.change().is_none());
        undecided.filter_map(|step| Some(step.element.upgrade()?.name().to_string())).collect()
    }

    /// All faces on a frame of `frame` pixels, as [`super::read_faces`] has them, but where they are in the picture now.
    /// Those outside of it are left out.
    pub fn read_faces(&self, buffer: &gst::BufferRef, frame: Size) -> Vec<FaceRecord> {
        self.read(buffer, frame).faces
    }

    /// [`read_faces`](Self::read_faces), when the frame was searched, and whether all faces are where they should be.
    pub fn read(&self, buffer: &gst::BufferRef, frame: Size) -> FrameRecord {
        let change = self.change();
        let mut scores = emotion::Reader::default();
        let mut faces = roi::read_with(buffer, frame, &mut scores);
        #[cfg(feature = "v1_24")]
        super::analytics::join(buffer, frame, &mut faces);
        let joined = match change {
            None => custom::join(buffer, frame, &mut faces, &mut scores, custom::unmoved(frame)),
            Some(change) => {
                faces.iter_mut().for_each(|face| move_face(face, change));
                custom::join(buffer, frame, &mut faces, &mut scores, |_, rect_norm| Some(change.rect(rect_norm)))
            }
        };
        if change.is_some() {
            faces.retain_mut(|face| {
                face.rect_norm = face.rect_norm.intersection(WHOLE);
                face.rect_norm.is_valid()
            });
        }
        // An element that does not say what it does may have moved what no region shows.
        let undecided = change.is_none() && !self.steps.is_empty();
        let misplaced = joined.left_out > 0 || (undecided && joined.added > 0);
        FrameRecord { faces, searched: custom::searched(buffer), misplaced }
    }

    /// What all of them do, from 0..1 of the picture that was marked to 0..1 of this one; none if that is nothing or one
    /// does not say.
    fn change(&self) -> Option<AxisMap> {
        let mut steps = self.steps.iter().rev();
        let first = steps.next()?.change()?;
        steps.try_fold(first, |before, step| Some(before.then(step.change()?)))
    }
}

fn move_face(face: &mut FaceRecord, change: AxisMap) {
    face.rect_norm = change.rect(face.rect_norm);
    if let Some(landmarks) = face.detection.as_mut().and_then(|detection| detection.landmarks_norm.as_mut()) {
        *landmarks = landmarks.map(|point| change.point(point));
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

    /// A picture of which `start` tells how many pixels are cut off on the left and at the top, given the names of the
    /// properties of both sides and how many go together.
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

/// The format that a source pad has sent on, if it is raw video. A sink pad has it only once all that follows has taken
/// it.
fn info(pad: &gst::Pad) -> Option<VideoInfo> {
    VideoInfo::from_caps(pad.current_caps()?.as_ref()).ok()
}

/// Where `videoflip` puts the picture; none if it decides by the stream.
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

/// Where `videoscale` puts the picture if it adds borders to keep its proportions.
fn letterbox(from: &VideoInfo, to: &VideoInfo) -> AxisMap {
    let aspect = |info: &VideoInfo| {
        let par = info.par();
        f64::from(info.width()) * f64::from(par.numer()) / (f64::from(info.height()) * f64::from(par.denom()))
    };
    // Over 1: borders left and right; under 1: above and below.
    let excess = aspect(to) / aspect(from);
    let filled = |side: u32, share: f64| ((f64::from(side) * share).floor() / f64::from(side)) as f32;
    let (w, h) = (filled(to.width(), (1.0 / excess).min(1.0)), filled(to.height(), excess.min(1.0)));
    AxisMap { swap: false, scale: (w, h), offset: ((1.0 - w) / 2.0, (1.0 - h) / 2.0) }
}
