// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small faces in large frames: along with the whole, reduced frame a tile of it is searched at the frame's own
//! resolution, the next one each time. Tracks keep what was found until its tile's turn comes again.

use super::{DetectOptions, Detection, FaceDetector, TileSchedule, limit};
use crate::error::Result;
use crate::geometry::{Rect, Size};
use crate::image::FrameView;
use crate::statistics::StepTimes;

/// A face with a longer side below this, in pixels of the reduced frame, may be missed there though it is to be seen.
const SURE_SIZE: f32 = 20.0;
/// A face is cut if it is nearer to the edge of a tile than this share of its longer side, or so many pixels.
const MARGIN_SHARE: f32 = 0.05;
const MIN_MARGIN: f32 = 2.0;
/// Networks take sides that are multiples of this, so a tile may as well fill them.
const SIDE_MULTIPLE: u32 = 32;
/// Tiles have sides of at least so many pixels: with smaller ones a round of all of them takes minutes, and their list a
/// lot of memory.
pub const MIN_TILE_SIZE: u32 = 128;
/// Of two boxes that are not one face by their overlap, the smaller is a part of the larger if more of it lies inside.
const PART_SHARE: f32 = 0.5;

/// Which tile is searched when.
#[derive(Clone, Debug, Default)]
struct TilePlan {
    frame: Size,
    tiles: Vec<Rect>,
    next: usize,
    tile_schedule: TileSchedule,
}

impl TilePlan {
    /// Tiles of at most `limit` for frames of a size that are reduced by the factor `scale` when searched as a whole; none
    /// if they are not reduced. A face that may be missed there lies whole in a tile, wherever it is, if that is not smaller
    /// than two such faces.
    fn new(frame: Size, limit: Size, scale: f32) -> Self {
        if scale >= 1.0 || limit.is_empty() {
            return Self { frame, ..Self::default() };
        }
        let small = SURE_SIZE / scale;
        let overlap = (small + 2.0 * margin(small)).ceil() as u32;
        let (columns, rows) = (spans(frame.width, limit.width, overlap), spans(frame.height, limit.height, overlap));
        let place = |&(x, w): &(u32, u32), &(y, h): &(u32, u32)| Rect::new(x as f32, y as f32, w as f32, h as f32);
        let tiles: Vec<_> = rows.iter().flat_map(|row| columns.iter().map(move |column| place(column, row))).collect();
        Self { frame, tile_schedule: TileSchedule { searches: tiles.len() as u32, small_face_px: small }, tiles, next: 0 }
    }

    fn advance(&mut self) -> Option<Rect> {
        let tile = self.tiles.get(self.next).copied();
        self.next = (self.next + 1) % self.tiles.len().max(1);
        tile
    }
}

/// Start and length of as few equal spans of at most `limit` as cover `length` and overlap by `overlap`, or half of them.
fn spans(length: u32, limit: u32, overlap: u32) -> Vec<(u32, u32)> {
    let limit = limit.min(length);
    // Starts are even, so that subsampled chroma is taken as it is; that may take a pixel off on each side.
    let overlap = (overlap + 2).min(limit / 2);
    let last = (length - limit).div_ceil(limit - overlap);
    let side = (length + last * overlap).div_ceil(last + 1).next_multiple_of(SIDE_MULTIPLE).min(limit);
    let even = |index: u32| (length - side) * index / last / 2 * 2;
    (0..last).map(even).chain([length - side]).map(|start| (start, side)).collect()
}

fn margin(longer_side: f32) -> f32 {
    (MARGIN_SHARE * longer_side).max(MIN_MARGIN)
}

/// True if `rect` is not cut by an edge of `tile` beyond which the frame goes on.
fn is_whole(rect: Rect, tile: Rect, frame: Size) -> bool {
    let margin = margin(rect.w.max(rect.h));
    (tile.x <= 0.0 || rect.x >= tile.x + margin)
        && (tile.y <= 0.0 || rect.y >= tile.y + margin)
        && (tile.right() >= frame.width as f32 || rect.right() <= tile.right() - margin)
        && (tile.bottom() >= frame.height as f32 || rect.bottom() <= tile.bottom() - margin)
}

/// Moves what a tile showed to what the whole frame did. Of one face the more confident detection stays; of a face and a
/// part of it that of the whole frame, unless that is of a `small` face, of which the tile shows more.
fn merge(whole: &mut Vec<Detection>, of_tile: &mut Vec<Detection>, iou_threshold: f32, small: f32) {
    let same = |a: Rect, b: Rect| a.iou(b) > iou_threshold;
    let part = |a: Rect, b: Rect| a.intersection(b).area() > PART_SHARE * a.area().min(b.area());
    of_tile.retain(|found| {
        let beaten_by = |other: &Detection| match same(found.rect, other.rect) {
            true => found.confidence < other.confidence,
            false => part(found.rect, other.rect) && other.rect.w.max(other.rect.h) >= small,
        };
        !whole.iter().any(beaten_by)
    });
    whole.retain(|other| !of_tile.iter().any(|found| same(found.rect, other.rect) || part(found.rect, other.rect)));
    whole.append(of_tile);
}

/// A detector that searches a tile along with each whole frame, in turn.
pub struct TiledDetector {
    detector: Box<dyn FaceDetector>,
    tile_size: u32,
    plan: TilePlan,
    of_tile: Vec<Detection>,
    step_times: Option<StepTimes>,
}

impl TiledDetector {
    /// Lets `detector` search tiles with sides of at most `tile_size` pixels, or of the size that it is made for, but of
    /// [`MIN_TILE_SIZE`] at least. There are none of frames that it does not reduce.
    pub fn new(detector: Box<dyn FaceDetector>, tile_size: u32) -> Self {
        Self { detector, tile_size, plan: TilePlan::default(), of_tile: Vec::new(), step_times: None }
    }

    fn plan_for(&mut self, frame: Size) -> &mut TilePlan {
        if self.plan.frame != frame {
            let own = self.detector.input_size().unwrap_or(Size::new(u32::MAX, u32::MAX));
            let limit = |own: u32| self.tile_size.min(own).max(MIN_TILE_SIZE);
            self.plan = TilePlan::new(frame, Size::new(limit(own.width), limit(own.height)), self.detector.scale(frame));
        }
        &mut self.plan
    }
}

impl FaceDetector for TiledDetector {
    fn name(&self) -> &str {
        self.detector.name()
    }

    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.detector.detect(view, options, detections)?;
        self.step_times = self.detector.step_times();
        let frame = view.size();
        let Some(tile) = self.plan_for(frame).advance() else { return Ok(()) };
        self.detector.detect_region(view, tile, options, &mut self.of_tile)?;
        self.of_tile.retain(|found| is_whole(found.rect, tile, frame));
        merge(detections, &mut self.of_tile, options.iou_threshold, self.plan.tile_schedule.small_face_px);
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
    fn every_tile_has_its_turn() {
        let mut plan = TilePlan::new(HD, square(640), 1.0 / 6.0);
        let turns: Vec<_> = (0..8).map(|_| plan.advance().expect("a tile")).collect();
        assert_eq!(plan.tile_schedule, TileSchedule { searches: 8, small_face_px: 120.0 }, "four columns and two rows");
        assert_eq!((turns[0], turns[7]), (Rect::new(0.0, 0.0, 608.0, 608.0), Rect::new(1312.0, 472.0, 608.0, 608.0)));
        assert_eq!(plan.advance(), Some(turns[0]), "and again");
    }

    #[test]
    fn there_are_no_tiles_where_they_would_show_no_more() {
        for (frame, limit, scale) in [(HD, square(640), 1.0), (HD, square(640), 2.0), (HD, square(0), 0.1)] {
            let mut plan = TilePlan::new(frame, limit, scale);
            assert_eq!((plan.advance(), plan.tile_schedule), (None, TileSchedule::default()));
        }
        assert_eq!(TilePlan::new(HD, square(4000), 0.5).tiles, [HD.rect()], "one that is larger than the frame shows all of it");
    }

    #[test]
    fn a_face_is_cut_by_inner_edges_only() {
        let tile = Rect::new(0.0, 472.0, 608.0, 608.0);
        let whole = |x, y, side| is_whole(Rect::new(x, y, side, side), tile, HD);
        assert!(whole(100.0, 500.0, 12.0) && whole(-3.0, 1075.0, 12.0), "beyond the frame's edge nobody sees more");
        assert!(!whole(595.0, 500.0, 12.0) && !whole(100.0, 473.0, 12.0), "too near to the right and to the upper edge");
        assert!(!whole(100.0, 475.0, 100.0), "what is larger has to keep away further");
    }

    #[test]
    fn a_face_that_both_saw_is_one() {
        let merged = |whole: &[Detection], of_tile: &[Detection]| {
            let (mut whole, mut of_tile) = (whole.to_vec(), of_tile.to_vec());
            merge(&mut whole, &mut of_tile, 0.3, 120.0);
            whole
        };
        let (large, small) = (face(0.0, 0.0, 200.0, 0.8), face(300.0, 0.0, 30.0, 0.6));
        let sharper = face(2.0, 0.0, 200.0, 0.9);
        assert_eq!(merged(&[large.clone(), small.clone()], std::slice::from_ref(&sharper)), [small.clone(), sharper], "the surer one");
        assert_eq!(merged(std::slice::from_ref(&large), &[face(1.0, 0.0, 199.0, 0.7)]), std::slice::from_ref(&large));
        let (cut, inside) = (face(0.0, 0.0, 90.0, 0.95), face(310.0, 5.0, 12.0, 0.5));
        assert_eq!(
            merged(&[large.clone(), small], &[cut, inside.clone()]),
            [large, inside],
            "a part of a large face, and a small one in a blur"
        );
        let apart = [face(0.0, 0.0, 12.0, 0.9), face(12.0, 0.0, 12.0, 0.9)];
        assert_eq!(merged(&apart[..1], &apart[1..]), apart, "neighbours stay two");
    }

    /// Finds one face, wherever it looks: `side` pixels in the middle of what it is shown.
    struct Middle {
        side: f32,
        regions: std::sync::Arc<std::sync::Mutex<Vec<Rect>>>,
        input: Option<Size>,
    }

    impl FaceDetector for Middle {
        fn name(&self) -> &str {
            "middle"
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
    fn tiles_are_no_smaller_than_the_least() {
        for (tile_size, searches) in [(1, 29 * 16), (127, 29 * 16), (128, 29 * 16), (640, 8)] {
            let mut detector = TiledDetector::new(Box::new(Middle { side: 12.0, regions: Default::default(), input: None }), tile_size);
            detector.plan_for(HD);
            assert_eq!(detector.tile_schedule().searches, searches, "{tile_size}");
        }
        let tiny = Some(Size::new(2, 1));
        let mut detector = TiledDetector::new(Box::new(Middle { side: 12.0, regions: Default::default(), input: tiny }), 640);
        detector.plan_for(HD);
        assert_eq!(detector.tile_schedule().searches, 29 * 16, "whatever the detector is made for");
    }

    #[test]
    fn tiles_follow_the_frames_size_and_that_of_the_network() {
        let regions = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut detector =
            TiledDetector::new(Box::new(Middle { side: 12.0, regions: regions.clone(), input: Some(Size::new(320, 240)) }), 640);
        let mut found = Vec::new();
        for size in [Size::new(640, 480), Size::new(640, 480), Size::new(320, 240), Size::new(640, 480)] {
            let pixels = vec![0; (size.width * size.height) as usize];
            let plane = crate::image::Plane { data: &pixels, stride: size.width as usize };
            let view = FrameView::new(crate::image::PixelFormat::Gray8, size, &[plane], Default::default()).unwrap();
            detector.detect(&view, &DetectOptions::default(), &mut found).unwrap();
            assert_eq!(found.len(), if size.width == 640 { 2 } else { 1 }, "that of the whole and that of the tile");
        }
        let tile = |x: f32, y: f32| Rect::new(x, y, 256.0, 192.0); // of equal ones at most 320 x 240, with an overlap for faces of 40
        let whole = |width: u32, height: u32| Size::new(width, height).rect();
        let expected =
            [whole(640, 480), tile(0.0, 0.0), whole(640, 480), tile(192.0, 0.0), whole(320, 240), whole(640, 480), tile(0.0, 0.0)];
        assert_eq!(*regions.lock().unwrap(), expected);
    }

    proptest! {
        #[test]
        fn every_small_face_lies_whole_in_a_tile(
            width in 64u32..4000, height in 64u32..3000, limit in 64u32..1500, scale in 0.05f32..0.99,
            x in 0.0f32..1.0, y in 0.0f32..1.0, share in 0.01f32..1.0
        ) {
            let frame = Size::new(width, height);
            let plan = TilePlan::new(frame, square(limit), scale);
            let smallest = plan.tiles.iter().map(|tile| tile.w.min(tile.h)).fold(f32::INFINITY, f32::min);
            let side = share * plan.tile_schedule.small_face_px.min(smallest * 0.4);
            let face = Rect::new(x * (width as f32 - side), y * (height as f32 - side), side, side);
            prop_assert!(plan.tiles.iter().all(|tile| tile.w <= limit as f32 && tile.h <= limit as f32));
            prop_assert!(plan.tiles.iter().all(|tile| tile.clamp_to(frame) == *tile), "{:?}", plan.tiles);
            let holds = |tile: Rect| tile.intersection(face).area() > 0.99 * face.area() && is_whole(face, tile, frame);
            prop_assert!(plan.tiles.iter().any(|&tile| holds(tile)), "{face:?} {:?}", plan.tiles);
        }
    }
}
