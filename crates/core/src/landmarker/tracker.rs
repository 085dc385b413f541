// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps the geometry of all faces of a stream: ids, schedule, estimates and smoothing.
//!
//! A [`GeometryTracker`] is the [`FaceMemory`] of a [`Landmarker`](super::estimator::Landmarker).

use std::sync::Arc;
use std::time::Duration;

use super::estimator::Estimate;
use super::rest::RestingShapes;
use super::smoothing::smooth;
use crate::crops::face_change::FacePicture;
use crate::crops::results::{Batch, FaceMemory, FaceResults, Pictures, Selection};
use crate::face_geometry::FaceGeometry;
use crate::geometry::{Point, Rect, Size};
use crate::image::FrameView;
use crate::record::FaceRecord;

/// How the geometry of faces is estimated. May differ from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeometryOptions {
    /// Which faces are estimated. Those that are too small have no geometry.
    pub selection: Selection,
    /// Half-life of the smoothing of a still face; zero switches smoothing off.
    pub half_life: Duration,
}

/// The geometry of a face, in pixels of the frame, and the box that it belongs to.
#[derive(Clone, Copy)]
struct Placed {
    estimate: Estimate,
    rect: Rect,
}

impl Placed {
    /// The geometry after the box has become `rect`, in a frame of this size.
    fn at(self, rect: Rect, frame: Size) -> Self {
        let x = Axis { old: (self.rect.x, self.rect.right()), new: (rect.x, rect.right()), end: frame.width as f32 };
        let y = Axis { old: (self.rect.y, self.rect.bottom()), new: (rect.y, rect.bottom()), end: frame.height as f32 };
        // A face does not change its proportions, so one axis tells the scale of the other.
        let (sx, sy) = (x.scale().or(y.scale()).unwrap_or(1.0), y.scale().or(x.scale()).unwrap_or(1.0));
        let moved = |point: Point| Point::new(x.moved(point.x, sx), y.moved(point.y, sy));
        Self { estimate: Estimate { landmarks: self.estimate.landmarks.map(moved), ..self.estimate }, rect }
    }
}

/// One side of a box, from start to end, before and after it moved. A box is cut at the edges of the frame, from 0 to `end`.
#[derive(Clone, Copy)]
struct Axis {
    old: (f32, f32),
    new: (f32, f32),
    end: f32,
}

impl Axis {
    /// Distance from the edge below which a side may be cut, in pixels.
    const MARGIN: f32 = 0.5;

    /// True if neither box is cut at its start, or at its end.
    fn are_whole(self) -> (bool, bool) {
        let (start, end) = (self.old.0.min(self.new.0), self.old.1.max(self.new.1));
        (start > Self::MARGIN, end < self.end - Self::MARGIN)
    }

    /// The factor by which the box has grown; none if one of the two is cut.
    fn scale(self) -> Option<f32> {
        let scale = (self.new.1 - self.new.0) / (self.old.1 - self.old.0).max(f32::EPSILON);
        (self.are_whole() == (true, true)).then_some(scale)
    }

    /// Where a position in the old box is in the new one. A side that is cut says nothing of how far the face has moved.
    fn moved(self, at: f32, scale: f32) -> f32 {
        let (old, new) = match self.are_whole() {
            (true, _) => (self.old.0, self.new.0),
            (false, true) => (self.old.1, self.new.1),
            (false, false) => ((self.old.0 + self.old.1) / 2.0, (self.new.0 + self.new.1) / 2.0),
        };
        new + scale * (at - old)
    }
}

/// What is kept of a face.
pub struct Tracked {
    /// As estimated.
    raw: Placed,
    smoothed: Placed,
    /// Time of the frame on which it was smoothed last.
    smoothed_at: Duration,
    /// The face at rest, if blendshapes are relative to it.
    resting: Option<RestingShapes>,
}

impl Tracked {
    fn update(&mut self, raw: Placed, half_life: Duration, has_baseline: bool, now: Duration) {
        let elapsed = now.saturating_sub(self.smoothed_at);
        self.smoothed = Placed { estimate: smooth(&self.smoothed.estimate, &raw.estimate, elapsed, half_life), rect: raw.rect };
        self.smoothed_at = self.smoothed_at.max(now);
        self.resting = has_baseline.then(|| self.resting.take().unwrap_or_else(|| RestingShapes::new(now)));
        if let Some(resting) = &mut self.resting {
            resting.observe(&self.smoothed.estimate.blendshapes, now);
        }
    }
}

/// The faces of a stream and their geometry. See the [module](self).
pub struct GeometryTracker {
    model_name: Arc<str>,
    results: FaceResults<Tracked>,
    /// Size of the frames, in whose pixels the geometry is.
    size: Size,
    has_baseline: bool,
}

impl GeometryTracker {
    /// A tracker for the model of this name, before the first frame.
    pub fn new(model_name: Arc<str>) -> Self {
        Self { model_name, results: FaceResults::default(), size: Size::default(), has_baseline: false }
    }

    /// Makes the blendshapes of mouth and brows relative to the face at rest, or not, as in the beginning.
    pub fn set_baseline(&mut self, has_baseline: bool) {
        self.has_baseline = has_baseline;
    }
}

impl FaceMemory for GeometryTracker {
    type Output = Estimate;
    type Kept = Tracked;
    type Options = GeometryOptions;

    fn results(&mut self) -> &mut FaceResults<Tracked> {
        &mut self.results
    }

    fn choose(&mut self, view: &FrameView, faces: &mut [FaceRecord], options: &GeometryOptions, now: Duration) -> Batch {
        if std::mem::replace(&mut self.size, view.size()) != view.size() {
            self.results.clear();
        }
        let pictures = Pictures { always: false, differ: FacePicture::differs_in_detail_from };
        let batch = self.results.choose(view, faces, &options.selection, pictures, now);
        for face in faces.iter().filter(|face| batch.unchanged.contains(&face.id)) {
            if let Some(tracked) = self.results.get_mut(face.id).map(|latest| &mut latest.result) {
                let raw = tracked.raw.at(face.rect_norm.from_norm(view.size()), view.size());
                tracked.update(raw, options.half_life, self.has_baseline, now);
            }
        }
        batch
    }

    fn store(&mut self, batch: &Batch, estimates: Vec<Estimate>, duration: Duration, options: &GeometryOptions) {
        let (size, has_baseline) = (self.size, self.has_baseline);
        self.results.store(batch, estimates, duration, |analysed, estimate| {
            let raw = Placed { estimate, rect: analysed.face.rect_norm.from_norm(size) };
            let known = analysed.last.map(|last| (last.result.smoothed, last.result.smoothed_at));
            let (smoothed, smoothed_at) = known.unwrap_or((raw, analysed.time));
            let resting = analysed.last.and_then(|last| last.result.resting.clone());
            let mut tracked = Tracked { raw, smoothed, smoothed_at, resting };
            tracked.update(raw, options.half_life, has_baseline, analysed.time);
            tracked
        });
    }

    fn calibrate(&mut self, id: u32) {
        if let Some(Tracked { smoothed, resting: Some(resting), .. }) = self.results.get_mut(id).map(|latest| &mut latest.result) {
            resting.calibrate(&smoothed.estimate.blendshapes);
        }
    }

    fn reset_baseline(&mut self, id: u32) {
        if let Some(latest) = self.results.get_mut(id) {
            latest.result.resting = None;
        }
    }

    /// A face that is too small keeps the geometry that it came with.
    fn complete(&self, faces: &mut [FaceRecord], size: Size, options: &GeometryOptions, now: Duration) {
        for face in faces {
            let latest = self.results.get(face.id).filter(|_| options.selection.is_large_enough(face, size));
            let Some(latest) = latest else { continue };
            let estimate = latest.result.smoothed.at(face.rect_norm.from_norm(size), size).estimate;
            let resting = latest.result.resting.as_ref();
            face.geometry = Some(Arc::new(FaceGeometry {
                pose: estimate.pose,
                landmarks_norm: estimate.landmarks.to_norm(size),
                blendshapes: resting.map_or(estimate.blendshapes, |resting| resting.relative(&estimate.blendshapes)),
                trust: estimate.trust,
                age: now.saturating_sub(latest.time),
                model_name: self.model_name.clone(),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face_geometry::{Blendshapes, HeadPose, Landmarks70};
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const SIZE: Size = Size::new(320, 240);
    const EVERY_FRAME: GeometryOptions = GeometryOptions {
        selection: Selection { interval_frames: 1, budget: 16, min_face_size: 16.0, motion_gate: None, time_budget: None },
        half_life: Duration::ZERO,
    };

    /// One face of track 3 at `rect`, on a grey frame with stripes of this width; it is estimated with a nose in the middle
    /// of the box, unless it is gated.
    fn frame(tracker: &mut GeometryTracker, rect: Rect, stripes: usize, options: &GeometryOptions, time_ms: u64) -> (FaceRecord, usize) {
        let rect_norm = rect.to_norm(SIZE);
        let mut faces = [FaceRecord { id: 3, rect_norm, detection: None, emotion: None, geometry: None, confirmed: true }];
        let pixels: Vec<u8> = (0..SIZE.width as usize * SIZE.height as usize).map(|at| (at / stripes % 2 * 100) as u8).collect();
        let planes = [Plane { data: &pixels, stride: SIZE.width as usize }];
        let view = FrameView::new(PixelFormat::Gray8, SIZE, &planes, Colorimetry::default()).expect("a view");
        let now = Duration::from_millis(time_ms);
        let batch = tracker.choose(&view, &mut faces, options, now);
        let estimate = Estimate {
            landmarks: Landmarks70([rect.center(); 70]),
            pose: HeadPose { yaw: 20.0, pitch: 0.0, roll: 0.0 },
            blendshapes: Blendshapes::default(),
            trust: 0.75,
        };
        tracker.store(&batch, vec![estimate; batch.faces.len()], Duration::ZERO, options);
        tracker.complete(&mut faces, SIZE, options, now);
        let [face] = faces;
        (face, batch.faces.len())
    }

    fn nose_px(face: &FaceRecord) -> Point {
        face.geometry.as_ref().expect("a geometry").landmarks_norm.from_norm(SIZE).0[30]
    }

    #[test]
    fn a_face_that_is_not_estimated_again_takes_its_landmarks_along() {
        let mut tracker = GeometryTracker::new("test".into());
        let seldom = GeometryOptions { selection: Selection { interval_frames: 10, ..EVERY_FRAME.selection }, ..EVERY_FRAME };
        let (_, estimated) = frame(&mut tracker, Rect::new(40.0, 40.0, 60.0, 80.0), 16, &seldom, 0);
        assert_eq!(estimated, 1);
        let (face, estimated) = frame(&mut tracker, Rect::new(100.0, 60.0, 30.0, 40.0), 16, &seldom, 40);
        assert_eq!(estimated, 0);
        assert!(nose_px(&face).distance(Point::new(115.0, 80.0)) < 1e-2, "{:?}", nose_px(&face));
        let geometry = face.geometry.expect("a geometry");
        assert_eq!((geometry.age, geometry.pose.yaw, &*geometry.model_name), (Duration::from_millis(40), 20.0, "test"));
    }

    #[test]
    fn a_box_that_the_edge_cuts_does_not_squeeze_the_landmarks() {
        let mut tracker = GeometryTracker::new("test".into());
        let seldom = GeometryOptions { selection: Selection { interval_frames: 10, ..EVERY_FRAME.selection }, ..EVERY_FRAME };
        frame(&mut tracker, Rect::new(40.0, 40.0, 60.0, 80.0), 16, &seldom, 0);
        // The face moves out at the left, grows by a quarter, and half of it is left.
        let (face, _) = frame(&mut tracker, Rect::new(0.0, 60.0, 37.5, 100.0), 16, &seldom, 40);
        assert!(nose_px(&face).distance(Point::new(0.0, 110.0)) < 1e-2, "{:?}", nose_px(&face));
        // The same at the bottom.
        let (face, _) = frame(&mut tracker, Rect::new(100.0, 200.0, 60.0, 40.0), 16, &seldom, 80);
        assert!(nose_px(&face).distance(Point::new(130.0, 240.0)) < 1e-2, "{:?}", nose_px(&face));
    }

    #[test]
    fn an_unchanged_face_is_estimated_once_in_an_idle_interval() {
        let mut tracker = GeometryTracker::new("test".into());
        let gate = Some(Duration::from_millis(200));
        let gated = GeometryOptions { selection: Selection { motion_gate: gate, ..EVERY_FRAME.selection }, ..EVERY_FRAME };
        let rect = Rect::new(40.0, 40.0, 60.0, 80.0);
        let estimated = [(0, 16), (40, 16), (80, 50), (120, 50), (320, 50)].map(|(time_ms, stripes)| {
            let (face, estimated) = frame(&mut tracker, rect, stripes, &gated, time_ms);
            assert!(nose_px(&face).distance(rect.center()) < 1e-2);
            estimated
        });
        assert_eq!(estimated, [1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_small_face_has_no_geometry() {
        let mut tracker = GeometryTracker::new("test".into());
        let (face, estimated) = frame(&mut tracker, Rect::new(40.0, 40.0, 15.0, 20.0), 16, &EVERY_FRAME, 0);
        assert_eq!((face.geometry, estimated), (None, 0));
    }
}
