// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small faces in large frames.
//!
//! A network that searches a reduced frame misses small faces. A [`TiledDetector`] therefore runs twice per search: on the
//! whole frame, reduced, and on one tile of it at the frame's own resolution. Each search takes the next tile. The tracker
//! keeps a small face until its tile is searched again (see [`TileSchedule`]).

use super::{DetectOptions, Detection, FaceDetector, TileSchedule, limit};
use crate::error::Result;
use crate::geometry::{Rect, Size};
use crate::image::FrameView;
use crate::statistics::StepTimes;

/// Faces with a longer side of at least this many pixels in the network's input are found reliably.
const RELIABLE_SIZE_PX: f32 = 20.0;
/// Minimum distance of a whole face from an inner edge of its tile, as a share of the face's longer side and in pixels. A face
/// that is closer to the edge may be cut.
const MARGIN_SHARE: f32 = 0.05;
const MIN_MARGIN_PX: f32 = 2.0;
/// Sides of the network's input are multiples of this. Tiles of such sides need no padding.
const SIDE_MULTIPLE: u32 = 32;
/// Minimum side of a tile, in pixels. With smaller tiles a round takes minutes and their list needs a lot of memory.
pub const MIN_TILE_SIZE: u32 = 128;
/// A box is part of another one if more than this share of the smaller box lies inside the larger.
const PART_SHARE: f32 = 0.5;

/// The tiles of a frame, and which one is searched next.
#[derive(Clone, Debug, Default)]
struct TilePlan {
    frame: Size,
    tiles: Vec<Rect>,
    next: usize,
    tile_schedule: TileSchedule,
}

impl TilePlan {
    /// Tiles of at most `max_tile` for frames that are searched as a whole after scaling by `scale`. The list is empty if `scale`
    /// does not reduce the frame. Each face that may be missed on the reduced frame lies whole inside a tile, unless the tiles
    /// are too small to overlap by such a face.
    fn new(frame: Size, max_tile: Size, scale: f32) -> Self {
        if scale >= 1.0 || max_tile.is_empty() {
            return Self { frame, ..Self::default() };
        }
        let small_face_px = RELIABLE_SIZE_PX / scale;
        // A small face fits into the overlap with its margins, so it lies whole in one of two adjacent tiles.
        let overlap = (small_face_px + 2.0 * margin(small_face_px)).ceil() as u32;
        let (columns, rows) = (spans(frame.width, max_tile.width, overlap), spans(frame.height, max_tile.height, overlap));
        let tile = |&(x, w): &(u32, u32), &(y, h): &(u32, u32)| Rect::new(x as f32, y as f32, w as f32, h as f32);
        let tiles: Vec<_> = rows.iter().flat_map(|row| columns.iter().map(move |column| tile(column, row))).collect();
        Self { frame, tile_schedule: TileSchedule { searches: tiles.len() as u32, small_face_px }, tiles, next: 0 }
    }

    /// Returns the next tile, in a cycle.
    fn advance(&mut self) -> Option<Rect> {
        let tile = self.tiles.get(self.next).copied();
        self.next = (self.next + 1) % self.tiles.len().max(1);
        tile
    }
}

/// Start and length of the smallest number of equal spans of at most `max_span` that cover `length` and overlap by `overlap`,
/// but at most by half of `max_span`.
pub fn spans(length: u32, max_span: u32, overlap: u32) -> Vec<(u32, u32)> {
    let max_span = max_span.min(length);
    // Even starts keep subsampled chroma aligned. Rounding a start down may take a pixel from each overlap, hence the 2.
    let overlap = (overlap + 2).min(max_span / 2);
    // `last` is the index of the last span: one more span is needed for each `max_span - overlap` beyond the first.
    let last = (length - max_span).div_ceil(max_span - overlap);
    let side = (length + last * overlap).div_ceil(last + 1).next_multiple_of(SIDE_MULTIPLE).min(max_span);
    let even_start = |index: u32| (length - side) * index / last / 2 * 2;
    (0..last).map(even_start).chain([length - side]).map(|start| (start, side)).collect()
}

/// Minimum distance in pixels of a whole face from an inner edge of its tile.
fn margin(longer_side: f32) -> f32 {
    (MARGIN_SHARE * longer_side).max(MIN_MARGIN_PX)
}

/// True if no inner edge of `tile` cuts `rect`. An edge that is also an edge of the frame is not an inner edge.
fn is_whole(rect: Rect, tile: Rect, frame: Size) -> bool {
    let margin = margin(rect.w.max(rect.h));
    (tile.x <= 0.0 || rect.x >= tile.x + margin)
        && (tile.y <= 0.0 || rect.y >= tile.y + margin)
        && (tile.right() >= frame.width as f32 || rect.right() <= tile.right() - margin)
        && (tile.bottom() >= frame.height as f32 || rect.bottom() <= tile.bottom() - margin)
}

/// Moves the detections of a tile to those of the whole frame. If both contain the same face, the more confident detection
/// remains. If one box is part of the other, the detection of the whole frame remains; but if that face is smaller than
/// `small_face_px`, the detection of the tile remains, because the tile shows more detail.
fn merge(in_frame: &mut Vec<Detection>, in_tile: &mut Vec<Detection>, iou_threshold: f32, small_face_px: f32) {
    let is_same = |a: Rect, b: Rect| a.iou(b) > iou_threshold;
    let is_part = |a: Rect, b: Rect| a.intersection(b).area() > PART_SHARE * a.area().min(b.area());
    in_tile.retain(|found| {
        let replaces_found = |other: &Detection| match is_same(found.rect, other.rect) {
            true => found.confidence < other.confidence,
            false => is_part(found.rect, other.rect) && other.rect.w.max(other.rect.h) >= small_face_px,
        };
        !in_frame.iter().any(replaces_found)
    });
    in_frame.retain(|other| !in_tile.iter().any(|found| is_same(found.rect, other.rect) || is_part(found.rect, other.rect)));
    in_frame.append(in_tile);
}

/// A detector that searches each frame as a whole and, in addition, one tile of it.
pub struct TiledDetector {
    detector: Box<dyn FaceDetector>,
    tile_size: u32,
    plan: TilePlan,
    /// Detections in the current tile; kept to reuse the allocation.
    in_tile: Vec<Detection>,
    step_times: Option<StepTimes>,
}

impl TiledDetector {
    /// Wraps `detector`. Tiles are at most `tile_size` pixels wide and high, and no larger than the detector's input if that is
    /// fixed, but at least [`MIN_TILE_SIZE`]. Frames that the detector does not reduce have no tiles.
    pub fn new(detector: Box<dyn FaceDetector>, tile_size: u32) -> Self {
        Self { detector, tile_size, plan: TilePlan::default(), in_tile: Vec::new(), step_times: None }
    }

    /// The plan for frames of this size; starts over if the size has changed.
    fn plan_for(&mut self, frame: Size) -> &mut TilePlan {
        if self.plan.frame != frame {
            let input = self.detector.input_size().unwrap_or(Size::new(u32::MAX, u32::MAX));
            let max_side = |input: u32| self.tile_size.min(input).max(MIN_TILE_SIZE);
            self.plan = TilePlan::new(frame, Size::new(max_side(input.width), max_side(input.height)), self.detector.scale(frame));
        }
        &mut self.plan
    }
}

impl FaceDetector for TiledDetector {
    fn name(&self) -> &str {
        self.detector.name()
    }

    fn sha256(&self) -> String {
        self.detector.sha256()
    }

    fn description_sha256(&self) -> String {
        self.detector.description_sha256()
    }

    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.detector.detect(view, options, detections)?;
        self.step_times = self.detector.step_times();
        let frame = view.size();
        let Some(tile) = self.plan_for(frame).advance() else { return Ok(()) };
        self.detector.detect_region(view, tile, options, &mut self.in_tile)?;
        // A cut face lies whole inside a neighbouring tile.
        self.in_tile.retain(|found| is_whole(found.rect, tile, frame));
        merge(detections, &mut self.in_tile, options.iou_threshold, self.plan.tile_schedule.small_face_px);
        detections.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
        limit(detections, options);
        if let (Some(sum), Some(times)) = (&mut self.step_times, self.detector.step_times()) {
            *sum += times;
        }
        Ok(())
    }

    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.detector.detect_region(view, region, options, detections)?;
        self.step_times = self.detector.step_times();
        Ok(())
    }

    fn scale(&self, frame: Size) -> f32 {
        self.detector.scale(frame)
    }

    fn input_size(&self) -> Option<Size> {
        self.detector.input_size()
    }

    fn tile_schedule(&self) -> TileSchedule {
        self.plan.tile_schedule
    }

    fn step_times(&self) -> Option<StepTimes> {
        self.step_times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use proptest::prelude::*;

    const HD: Size = Size::new(1920, 1080);

    fn square(side: u32) -> Size {
        Size::new(side, side)
    }

    fn face(x: f32, y: f32, side: f32, confidence: f32) -> Detection {
        Detection { rect: Rect::new(x, y, side, side), confidence, landmarks: None }
    }

    #[test]
    fn tiles_are_searched_in_a_cycle() {
        let mut plan = TilePlan::new(HD, square(640), 1.0 / 6.0);
        let tiles: Vec<_> = (0..8).map(|_| plan.advance().expect("a tile")).collect();
        assert_eq!(plan.tile_schedule, TileSchedule { searches: 8, small_face_px: 120.0 }, "four columns and two rows");
        assert_eq!((tiles[0], tiles[7]), (Rect::new(0.0, 0.0, 608.0, 608.0), Rect::new(1312.0, 472.0, 608.0, 608.0)));
        assert_eq!(plan.advance(), Some(tiles[0]), "a new round");
    }

    #[test]
    fn frames_that_are_not_reduced_have_no_tiles() {
        for (frame, max_tile, scale) in [(HD, square(640), 1.0), (HD, square(640), 2.0), (HD, square(0), 0.1)] {
            let mut plan = TilePlan::new(frame, max_tile, scale);
            assert_eq!((plan.advance(), plan.tile_schedule), (None, TileSchedule::default()));
        }
        assert_eq!(TilePlan::new(HD, square(4000), 0.5).tiles, [HD.rect()], "a tile larger than the frame covers all of it");
    }

    #[test]
    fn only_inner_edges_cut_a_face() {
        let tile = Rect::new(0.0, 472.0, 608.0, 608.0);
        let whole = |x, y, side| is_whole(Rect::new(x, y, side, side), tile, HD);
        assert!(whole(100.0, 500.0, 12.0) && whole(-3.0, 1075.0, 12.0), "at an edge of the frame");
        assert!(!whole(595.0, 500.0, 12.0) && !whole(100.0, 473.0, 12.0), "too close to the right and the upper edge");
        assert!(!whole(100.0, 475.0, 100.0), "a larger face needs a larger margin");
    }

    #[test]
    fn detections_of_frame_and_tile_are_merged() {
        let merged = |in_frame: &[Detection], in_tile: &[Detection]| {
            let (mut in_frame, mut in_tile) = (in_frame.to_vec(), in_tile.to_vec());
            merge(&mut in_frame, &mut in_tile, 0.3, 120.0);
            in_frame
        };
        let (large, small) = (face(0.0, 0.0, 200.0, 0.8), face(300.0, 0.0, 30.0, 0.6));
        let sharper = face(2.0, 0.0, 200.0, 0.9);
        assert_eq!(
            merged(&[large.clone(), small.clone()], std::slice::from_ref(&sharper)),
            [small.clone(), sharper],
            "the more confident one remains"
        );
        assert_eq!(merged(std::slice::from_ref(&large), &[face(1.0, 0.0, 199.0, 0.7)]), std::slice::from_ref(&large));
        let (cut, inside) = (face(0.0, 0.0, 90.0, 0.95), face(310.0, 5.0, 12.0, 0.5));
        assert_eq!(
            merged(&[large.clone(), small], &[cut, inside.clone()]),
            [large, inside],
            "a part of a large face is dropped, a small face replaces the coarser box around it"
        );
        let apart = [face(0.0, 0.0, 12.0, 0.9), face(12.0, 0.0, 12.0, 0.9)];
        assert_eq!(merged(&apart[..1], &apart[1..]), apart, "neighbours remain two faces");
    }

    /// A detector that finds one face of `side` pixels in the centre of each region.
    struct CentreDetector {
        side: f32,
        regions: std::sync::Arc<std::sync::Mutex<Vec<Rect>>>,
        input: Option<Size>,
    }

    impl FaceDetector for CentreDetector {
        fn name(&self) -> &str {
            "centre"
        }

        fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
            self.detect_region(view, view.size().rect(), options, detections)
        }

        fn detect_region(&mut self, _: &FrameView, region: Rect, _: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
            self.regions.lock().unwrap().push(region);
            detections.clear();
            let Point { x, y } = region.center();
            detections.push(face(x - self.side / 2.0, y - self.side / 2.0, self.side, 0.9));
            Ok(())
        }

        fn scale(&self, frame: Size) -> f32 {
            320.0 / frame.width as f32
        }

        fn input_size(&self) -> Option<Size> {
            self.input
        }
    }

    #[test]
    fn tiles_have_a_minimum_size() {
        for (tile_size, searches) in [(1, 29 * 16), (127, 29 * 16), (128, 29 * 16), (640, 8)] {
            let mut detector =
                TiledDetector::new(Box::new(CentreDetector { side: 12.0, regions: Default::default(), input: None }), tile_size);
            detector.plan_for(HD);
            assert_eq!(detector.tile_schedule().searches, searches, "{tile_size}");
        }
        let tiny_input = Some(Size::new(2, 1));
        let mut detector = TiledDetector::new(Box::new(CentreDetector { side: 12.0, regions: Default::default(), input: tiny_input }), 640);
        detector.plan_for(HD);
        assert_eq!(detector.tile_schedule().searches, 29 * 16, "even if the input of the detector is smaller");
    }

    #[test]
    fn tiles_follow_the_size_of_frame_and_input() {
        let regions = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut detector =
            TiledDetector::new(Box::new(CentreDetector { side: 12.0, regions: regions.clone(), input: Some(Size::new(320, 240)) }), 640);
        let mut found = Vec::new();
        for size in [Size::new(640, 480), Size::new(640, 480), Size::new(320, 240), Size::new(640, 480)] {
            let pixels = vec![0; (size.width * size.height) as usize];
            let plane = crate::image::Plane { data: &pixels, stride: size.width as usize };
            let view = FrameView::new(crate::image::PixelFormat::Gray8, size, &[plane], Default::default()).unwrap();
            detector.detect(&view, &DetectOptions::default(), &mut found).unwrap();
            assert_eq!(found.len(), if size.width == 640 { 2 } else { 1 }, "one in the frame and one in the tile");
        }
        // The smallest equal tiles of at most 320 x 240 that overlap by a face of 40 pixels.
        let tile = |x: f32, y: f32| Rect::new(x, y, 256.0, 192.0);
        let whole = |width: u32, height: u32| Size::new(width, height).rect();
        let expected =
            [whole(640, 480), tile(0.0, 0.0), whole(640, 480), tile(192.0, 0.0), whole(320, 240), whole(640, 480), tile(0.0, 0.0)];
        assert_eq!(*regions.lock().unwrap(), expected);
    }

    proptest! {
        #[test]
        fn each_small_face_lies_whole_inside_a_tile(
            width in 64u32..4000, height in 64u32..3000, max_side in 64u32..1500, scale in 0.05f32..0.99,
            x in 0.0f32..1.0, y in 0.0f32..1.0, share in 0.01f32..1.0
        ) {
            let frame = Size::new(width, height);
            let plan = TilePlan::new(frame, square(max_side), scale);
            let smallest = plan.tiles.iter().map(|tile| tile.w.min(tile.h)).fold(f32::INFINITY, f32::min);
            let side = share * plan.tile_schedule.small_face_px.min(smallest * 0.4);
            let face = Rect::new(x * (width as f32 - side), y * (height as f32 - side), side, side);
            prop_assert!(plan.tiles.iter().all(|tile| tile.w <= max_side as f32 && tile.h <= max_side as f32));
            prop_assert!(plan.tiles.iter().all(|tile| tile.clamp_to(frame) == *tile), "{:?}", plan.tiles);
            let contains_face = |tile: Rect| tile.intersection(face).area() > 0.99 * face.area() && is_whole(face, tile, frame);
            prop_assert!(plan.tiles.iter().any(|&tile| contains_face(tile)), "{face:?} {:?}", plan.tiles);
        }
    }
}
