// SPDX-License-Identifier: MIT OR Apache-2.0
//! Elements that change the geometry of a picture, and the change that each of them makes.

use gst::glib::WeakRef;
use gst::prelude::*;
use gst_video::{VideoInfo, VideoOrientationMethod};

use crate::geometry::AxisMap;

/// An element that changes the picture's geometry, or may.
#[derive(Debug, PartialEq)]
pub struct Step {
    element: WeakRef<gst::Element>,
    kind: Kind,
    /// The source pads whose caps are those of the picture before and after.
    pads: [WeakRef<gst::Pad>; 2],
}

/// What a [`Step`] did to a frame.
#[derive(Clone, Debug)]
pub struct Did {
    caps: [gst::Caps; 2],
    /// The picture before the element.
    pub from: VideoInfo,
    /// The picture after it.
    pub to: VideoInfo,
    /// The change in 0..1 of the pictures; none if it is unknown.
    pub change: Option<AxisMap>,
}

impl PartialEq for Did {
    fn eq(&self, other: &Self) -> bool {
        self.has(&other.caps) && self.change == other.change
    }
}

impl Did {
    fn has(&self, caps: &[gst::Caps; 2]) -> bool {
        self.caps.iter().zip(caps).all(|(a, b)| a.as_ptr() == b.as_ptr())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Flip,
    Crop,
    /// Crops by positive numbers and adds borders by negative ones.
    Box,
    Scale,
    /// It isn't known what the element does.
    Unknown,
}

impl Kind {
    fn of(type_name: &str) -> Self {
        match type_name {
            "GstVideoFlip" => Self::Flip,
            "GstVideoCrop" => Self::Crop,
            "GstVideoBox" => Self::Box,
            "GstVideoScale" | "GstVideoConvertScale" => Self::Scale,
            _ => Self::Unknown,
        }
    }
}

impl Step {
    /// The step of `element`, between the source pad `before` it and its own source pad `after`.
    pub fn new(element: &gst::Element, before: &gst::Pad, after: &gst::Pad) -> Self {
        let kind = Kind::of(element.type_().name());
        Self { element: element.downgrade(), kind, pads: [before.downgrade(), after.downgrade()] }
    }

    /// The name of the element; none if it no longer exists.
    pub fn name(&self) -> Option<String> {
        Some(self.element.upgrade()?.name().to_string())
    }

    /// The source pad of the element.
    pub fn after(&self) -> WeakRef<gst::Pad> {
        self.pads[1].clone()
    }

    /// What the element does by its present caps and properties, of which most may change while playing. `before` is what it did to
    /// another frame. None without raw caps.
    pub fn does(&self, before: Option<&Did>) -> Option<Did> {
        let pad_caps = |pad: &WeakRef<gst::Pad>| pad.upgrade()?.current_caps();
        let caps = [pad_caps(&self.pads[0])?, pad_caps(&self.pads[1])?];
        let (from, to) = match before.filter(|before| before.has(&caps)) {
            Some(before) => (before.from.clone(), before.to.clone()),
            None => (VideoInfo::from_caps(&caps[0]).ok()?, VideoInfo::from_caps(&caps[1]).ok()?),
        };
        Some(Did { change: self.change(&from, &to), from, to, caps })
    }

    /// The change that the element makes by its present properties.
    fn change(&self, from: &VideoInfo, to: &VideoInfo) -> Option<AxisMap> {
        let element = self.element.upgrade()?;
        match self.kind {
            Kind::Flip => oriented(element.property("video-direction")),
            Kind::Crop => Some(cut(from, to, |start, end, all| match (element.property(start), element.property(end)) {
                (-1, -1) => all / 2,
                (-1, end) => all - end,
                (start, _) => start,
            })),
            Kind::Box if element.property("autocrop") => None,
            Kind::Box => Some(cut(from, to, |start, _, _| element.property(start))),
            Kind::Scale if element.property("add-borders") => Some(letterbox(from, to)),
            Kind::Scale => Some(AxisMap::IDENTITY),
            Kind::Unknown => None,
        }
    }
}

/// A crop. `start` gives the pixels cut off at the left or top, from the names of the properties of both sides and the pixels cut
/// off in all.
fn cut(from: &VideoInfo, to: &VideoInfo, start: impl Fn(&str, &str, i32) -> i32) -> AxisMap {
    let axis = |from: u32, to: u32, sides: (&str, &str)| {
        let (from, to) = (from as f32, to as f32);
        (from / to, -(start(sides.0, sides.1, (from - to) as i32) as f32) / to)
    };
    let (w, x) = axis(from.width(), to.width(), ("left", "right"));
    let (h, y) = axis(from.height(), to.height(), ("top", "bottom"));
    AxisMap { swap: false, scale: (w, h), offset: (x, y) }
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
