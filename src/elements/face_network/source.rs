// SPDX-License-Identifier: MIT OR Apache-2.0
//! The faces that other elements put on a buffer, for elements that run a network on each of them.

use std::time::Duration;

use gst_base::prelude::*;

use super::{FaceAnalysis, FaceNetwork, Task};
use crate::crops::results::Selection;
use crate::elements::analyser::stream::since;
use crate::elements::analyser::{Analysis, Frame};
use crate::elements::upstream::detector_watch::DetectorWatch;
use crate::elements::upstream::picture_changes::PictureChanges;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::meta;
use crate::record::{FaceRecord, FrameRecord};
use crate::track::scene_cut::CutDetector;

/// The faces of a stream, as they arrive.
pub struct FaceSource {
    /// The category of the element's log lines.
    category: gst::DebugCategory,
    cuts: CutDetector,
    /// What elements after the detector did to the picture.
    picture_changes: PictureChanges,
    detector_watch: DetectorWatch,
    /// Set once the log names the element that finds the faces.
    is_logged: bool,
    /// Set once the log names elements whose change of the picture is unknown.
    is_reported: bool,
    /// Time of the last frame with an inference.
    last_inference: Duration,
}

impl FaceSource {
    /// The faces of a stream before its first frame.
    pub fn new(category: gst::DebugCategory) -> Self {
        let (cuts, picture_changes, detector_watch) = Default::default();
        Self { category, cuts, picture_changes, detector_watch, is_logged: false, is_reported: false, last_inference: Duration::ZERO }
    }

    /// Takes new caps of `element`. `is_resized` says whether the frame's size differs from that of the previous caps.
    pub fn set_caps(&mut self, element: &gst_base::BaseTransform, is_resized: bool) {
        if is_resized {
            self.cuts.reset();
        }
        self.picture_changes.walk(element.sink_pad());
    }

    /// The next frame does not follow the previous one.
    pub fn restart(&mut self) {
        self.cuts.reset();
    }

    /// The faces on `buffer`. If elements have moved the picture, moves all metadata to where it is now, or marks it as misplaced.
    /// Logs once which element finds the faces, and warns once if none seems to.
    pub fn read(&mut self, buffer: &mut gst::BufferRef, size: Size, element: &gst_base::BaseTransform) -> Vec<FaceRecord> {
        let (FrameRecord { faces, misplaced, .. }, change) = self.picture_changes.read(buffer, size);
        meta::settle(buffer, size, &faces, change);
        if !misplaced.is_empty() {
            self.report(&misplaced, element);
            meta::custom::mark_misplaced(buffer, &misplaced.join(","));
        }
        if let Some(face) = faces.first().filter(|_| !self.is_logged) {
            let source = face.detection.as_ref().map_or("an element that does not give its name", |detection| &*detection.model_name);
            gst::info!(self.category, obj = element, "analysing faces found by {source}");
            self.is_logged = true;
        }
        if let Some(warning) = self.detector_watch.observe(buffer) {
            gst::element_warning!(element, gst::StreamError::Failed, ("{warning}"));
        }
        faces
    }

    /// Warns once about elements of these names.
    fn report(&mut self, misplaced: &[String], element: &gst_base::BaseTransform) {
        if !std::mem::replace(&mut self.is_reported, true) {
            let names = misplaced.join(", ");
            gst::warning!(
                self.category,
                obj = element,
                "it is unknown whether {names} moved the picture, so faces may be lost or misplaced: move it before the detector"
            );
        }
    }

    /// True if the frame `view` belongs to another scene than the previous one, and that matters: faces without an id are tracked
    /// by this element, and a scene cut ends their tracks.
    pub fn is_cut(&mut self, faces: &[FaceRecord], view: &FrameView, element: &gst_base::BaseTransform) -> bool {
        let is_cut = faces.iter().any(|face| face.id == 0) && self.cuts.observe(view);
        if is_cut {
            gst::debug!(self.category, obj = element, "scene cut");
        }
        is_cut
    }

    /// Lowers the budget of `selection` to what a late stream has time for; true if that leaves out faces.
    pub fn limit<A: Analysis>(&self, selection: &mut Selection, faces: usize, frame: &Frame<A>) -> bool {
        let wanted = selection.budget.min(faces);
        selection.budget = frame.lateness.affordable(frame.times.running_time, wanted, since(self.last_inference, frame.now));
        let is_late = selection.budget < wanted;
        if is_late {
            gst::trace!(self.category, obj = frame.element, "the stream is late: {} of {wanted} faces on this frame", selection.budget);
        }
        is_late
    }

    /// Runs `task` on the frame `view` of `buffer`, unless it has no faces, and counts what happens. Returns a task that this one
    /// replaces; it will not be done.
    pub fn submit<N: FaceNetwork>(
        &mut self,
        buffer: &gst::BufferRef,
        view: &FrameView,
        frame: &mut Frame<FaceAnalysis<N>>,
        task: Task<N>,
        is_late: bool,
    ) -> Option<Task<N>> {
        let is_gated = task.batch.unchanged() > 0;
        if task.batch.is_empty() {
            let mut statistics = frame.statistics();
            statistics.skipped += 1;
            statistics.late += u64::from(is_late);
            statistics.unchanged += u64::from(is_gated);
            return None;
        }
        self.last_inference = frame.now;
        frame.statistics().partial += u64::from(is_gated);
        let replaced = frame.engine.submit(buffer, frame.info, view, task);
        frame.statistics().skipped += u64::from(replaced.is_some());
        replaced
    }
}
