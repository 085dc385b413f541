// SPDX-License-Identifier: MIT OR Apache-2.0
//! What elements between the detector and here did to the picture: cropping, borders, mirroring, rotation.
//!
//! Up to GStreamer 1.26 these elements drop the regions on a buffer, or leave them where they were, but keep
//! `GstEmotionMeta`. Their properties and caps say what they do to the picture, so [`PictureChanges`] finds them upstream and
//! corrects the boxes. From 1.28 on they move regions themselves, so only what `GstEmotionMeta` alone keeps is corrected: landmarks
//! and pose. An element that isn't known to leave pictures in place counts as one that moves them, in a way that is unknown.

use gst::glib::WeakRef;
use gst::prelude::*;

use super::steps::{Pictures, Step};
use super::walk::{End, Walk};
use crate::elements::frame;
use crate::geometry::{AxisMap, Size};
use crate::meta::custom::{self, Origin};
use crate::meta::{self, Change, FacesOnBuffer};
use crate::record::FrameRecord;

/// The first version whose elements move regions themselves; 1.27 was its development series.
const MOVES_REGIONS: (u32, u32) = (1, 27);
/// Stands for an unknown element: metadata was dropped, or faces are missing.
const NAMELESS: &str = "?";

/// The elements between the one that wrote the boxes and a pad that change the picture's geometry.
#[derive(Debug, Default)]
pub struct PictureChanges {
    pad: WeakRef<gst::Pad>,
    walk: Walk,
    /// Names of elements that leave pictures in place.
    kept: Vec<String>,
    /// The pictures around each step, by the present caps and by those before: a queue may hold frames with these.
    pictures: [Option<Vec<Pictures>>; 2],
}

impl PictureChanges {
    /// Walks upstream from `pad`, a sink pad that has received caps.
    pub fn upstream_of(pad: &gst::Pad) -> Self {
        Self::keeping(pad, Vec::new())
    }

    /// [`upstream_of`](Self::upstream_of), where the elements named `kept` leave pictures in place.
    pub fn keeping(pad: &gst::Pad, kept: Vec<String>) -> Self {
        Self { pad: pad.downgrade(), walk: Walk::from(pad, &kept), kept, pictures: [const { None }; 2] }
    }

    /// Names elements that leave pictures in place, as [`keeping`](Self::keeping) does.
    pub fn keep(&mut self, kept: &[String]) {
        if let Some(pad) = self.pad.upgrade().filter(|_| self.kept != kept) {
            *self = Self::keeping(&pad, kept.to_vec());
        }
    }

    /// The faces on a buffer whose picture has `frame` pixels, with their positions in it, when the scene was searched, and which
    /// elements may have misplaced faces. Also returns what happened to the picture since the metadata was written. Faces outside
    /// the picture are left out.
    pub fn read(&mut self, buffer: &gst::BufferRef, frame: Size) -> (FrameRecord, Change) {
        let origin = custom::origin(buffer);
        let change = self.change(origin.as_ref().and_then(|origin| origin.written_on), frame);
        let found = meta::read(buffer, frame, change);
        let misplaced = self.misplaced(origin.as_ref(), change, &found);
        (FrameRecord { faces: found.faces, searched: found.searched, misplaced }, change)
    }

    /// The names in [`FrameRecord::misplaced`].
    fn misplaced(&self, origin: Option<&Origin>, change: Change, found: &FacesOnBuffer) -> Vec<String> {
        let mut names = Vec::new();
        // Without a sign of this plugin, the regions may be those of an element or application behind the steps.
        if origin.is_some() || matches!(self.walk.end, End::Detector | End::OtherDetector) {
            if change == Change::None {
                names = self.open_steps();
            }
            names.extend(self.walk.lost_at().map(String::from));
        }
        let earlier = origin.and_then(|origin| origin.misplaced.as_deref()).unwrap_or_default();
        names.extend(earlier.split(',').filter(|name| !name.is_empty() && !self.kept.iter().any(|kept| kept == name)).map(String::from));
        let is_dropped = names.is_empty() && origin.is_none() && self.walk.end == End::Detector;
        if found.left_out > 0 || is_dropped {
            names.push(NAMELESS.into());
        }
        names
    }

    /// The names of the steps whose change is unknown; of all if that is only so because the caps do not fit the frame.
    fn open_steps(&self) -> Vec<String> {
        let pictures = self.pictures[0].as_deref().unwrap_or_default();
        let is_open = |at: usize, step: &Step| pictures.get(at).is_none_or(|pictures| step.change(pictures).is_none());
        let steps = || self.walk.steps.iter().enumerate().rev();
        let open: Vec<String> = steps().filter(|&(at, step)| is_open(at, step)).filter_map(|(_, step)| step.name()).collect();
        if open.is_empty() { steps().filter_map(|(_, step)| step.name()).collect() } else { open }
    }

    /// What the steps did to a frame of this size, if it is known. The metadata was written on a frame of the size `written_on`.
    fn change(&mut self, written_on: Option<Size>, frame: Size) -> Change {
        if self.walk.steps.is_empty() {
            return Change::None;
        }
        self.refresh();
        let fits = |pictures: &&Vec<Pictures>| {
            let (Some(last), Some(first)) = (pictures.first(), pictures.last()) else { return false };
            frame::size(&last.to) == frame && written_on.is_none_or(|size| frame::size(&first.from) == size)
        };
        let pictures = self.pictures.iter().flatten().find(fits);
        match pictures.and_then(|pictures| self.combined(pictures)) {
            None => Change::None,
            Some(map) if moves_regions() => Change::CustomOnly(map),
            Some(map) => Change::All(map),
        }
    }

    /// Takes over the present caps.
    fn refresh(&mut self) {
        let [known, _] = &self.pictures;
        let old = |at: usize| known.as_ref().and_then(|known| known.get(at));
        let present = self.walk.steps.iter().enumerate().map(|(at, step)| step.pictures(old(at))).collect();
        if self.pictures[0] != present {
            self.pictures = [present, self.pictures[0].take()];
        }
    }

    /// The map from positions 0..1 in the analysed picture to positions 0..1 in this one; none if one of the steps is unknown.
    fn combined(&self, pictures: &[Pictures]) -> Option<AxisMap> {
        let mut changes = self.walk.steps.iter().zip(pictures).rev().map(|(step, pictures)| step.change(pictures));
        let first = changes.next()??;
        changes.try_fold(first, |before, change| Some(before.then(change?)))
    }
}

fn moves_regions() -> bool {
    let (major, minor, ..) = gst::version();
    (major, minor) >= MOVES_REGIONS
}
