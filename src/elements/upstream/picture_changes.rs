// SPDX-License-Identifier: MIT OR Apache-2.0
//! What elements between the detector and here did to the picture: cropping, borders, mirroring, rotation.
//!
//! Up to GStreamer 1.26 these elements drop the regions on a buffer, or leave them where they were, but keep
//! `GstEmotionMeta`. Their properties and caps say what they do to the picture, so [`PictureChanges`] finds them upstream and
//! corrects the boxes. From 1.28 on they move regions themselves, so only what `GstEmotionMeta` alone keeps is corrected: landmarks
//! and pose. An element that isn't known to leave pictures in place counts as one that moves them, in a way that is unknown.

use gst::glib::WeakRef;
use gst::prelude::*;

use super::past::Past;
use super::steps::Did;
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
    /// Names of elements that leave pictures in place.
    kept: Vec<String>,
    /// The steps of the way upstream, the nearest first.
    steps: Vec<Past>,
    end: End,
}

impl PictureChanges {
    /// Walks upstream from `pad`, a sink pad that has received caps.
    pub fn upstream_of(pad: &gst::Pad) -> Self {
        let mut changes = Self::default();
        changes.walk(pad);
        changes
    }

    /// Nothing, before the first [`walk`](Self::walk). The elements named `kept` leave pictures in place.
    pub fn keeping(kept: Vec<String>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Walks upstream from `pad` again, where new caps have come. What elements did before is remembered.
    pub fn walk(&mut self, pad: &gst::Pad) {
        let Walk { steps, end } = Walk::from(pad, &self.kept);
        let mut known = std::mem::take(&mut self.steps);
        let past = |step| match known.iter().position(|past| past.is_of(&step)) {
            Some(at) => known.swap_remove(at),
            None => Past::new(step),
        };
        self.steps = steps.into_iter().map(past).collect();
        (self.pad, self.end) = (pad.downgrade(), end);
    }

    /// Takes the elements named `kept` as ones that leave pictures in place.
    pub fn keep(&mut self, kept: &[String]) {
        if self.kept != kept {
            self.kept = kept.to_vec();
            if let Some(pad) = self.pad.upgrade() {
                self.walk(&pad);
            }
        }
    }

    /// The faces on a buffer whose picture has `frame` pixels, with their positions in it, when the scene was searched, and which
    /// elements may have misplaced faces. Also returns what happened to the picture since the metadata was written. Faces outside
    /// the picture are left out.
    pub fn read(&mut self, buffer: &gst::BufferRef, frame: Size) -> (FrameRecord, Change) {
        let origin = custom::origin(buffer);
        let did = self.did(buffer.pts(), origin.as_ref().and_then(|origin| origin.written_on), frame);
        let change = match combined(&did) {
            None => Change::None,
            Some(map) if moves_regions() => Change::CustomOnly(map),
            Some(map) => Change::All(map),
        };
        let found = meta::read(buffer, frame, change);
        let misplaced = self.misplaced(origin.as_ref(), &did, change, &found);
        (FrameRecord { faces: found.faces, searched: found.searched, misplaced }, change)
    }

    /// The names in [`FrameRecord::misplaced`].
    fn misplaced(&self, origin: Option<&Origin>, did: &[Option<Did>], change: Change, found: &FacesOnBuffer) -> Vec<String> {
        let mut names = Vec::new();
        // Without a sign of this plugin, the regions may be those of an element or application behind the steps.
        if origin.is_some() || matches!(self.end, End::Detector | End::OtherDetector) {
            if change == Change::None {
                names = self.open_steps(did);
            }
            if let End::Lost(name) = &self.end {
                names.push(name.clone());
            }
        }
        let earlier = origin.and_then(|origin| origin.misplaced.as_deref()).unwrap_or_default();
        names.extend(earlier.split(',').filter(|name| !name.is_empty() && !self.kept.iter().any(|kept| kept == name)).map(String::from));
        let is_dropped = names.is_empty() && origin.is_none() && self.end == End::Detector;
        if found.left_out > 0 || is_dropped {
            names.push(NAMELESS.into());
        }
        names
    }

    /// The names of the steps whose change is unknown; of all if that is only so because the caps do not fit the frame.
    fn open_steps(&self, did: &[Option<Did>]) -> Vec<String> {
        let is_open = |did: &Option<Did>| did.as_ref().is_none_or(|did| did.change.is_none());
        let is_one_open = did.iter().any(is_open);
        let steps = self.steps.iter().zip(did).rev();
        steps.filter(|(_, did)| !is_one_open || is_open(did)).filter_map(|(step, _)| step.name()).collect()
    }

    /// What each step did to a frame of this time and size, whose metadata was written on a frame of the size `written_on`. Elements in
    /// between may have changed times: then the last change counts, if it fits.
    fn did(&self, pts: Option<gst::ClockTime>, written_on: Option<Size>, frame: Size) -> Vec<Option<Did>> {
        let fits = |did: &Vec<Option<Did>>| {
            let (Some(Some(last)), Some(Some(first))) = (did.first(), did.last()) else { return false };
            frame::size(&last.to) == frame && written_on.is_none_or(|size| frame::size(&first.from) == size)
        };
        let then: Vec<_> = self.steps.iter().map(|step| step.at(pts)).collect();
        if fits(&then) {
            return then;
        }
        let last: Vec<_> = self.steps.iter().map(Past::last).collect();
        if fits(&last) { last } else { vec![None; then.len()] }
    }
}

/// The map from positions 0..1 in the analysed picture to positions 0..1 in this one; none if one of the steps is unknown.
fn combined(did: &[Option<Did>]) -> Option<AxisMap> {
    let mut changes = did.iter().rev().map(|did| did.as_ref()?.change);
    let first = changes.next()??;
    changes.try_fold(first, |before, change| Some(before.then(change?)))
}

fn moves_regions() -> bool {
    let (major, minor, ..) = gst::version();
    (major, minor) >= MOVES_REGIONS
}
