// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which part of the picture changed since it was last searched. Where nothing changed, a search would find the same faces.
//!
//! The mean brightness of small cells is compared with that of the searched frame. The comparison is with that frame rather than
//! with the previous one, so a slow change is noticed once it adds up. A mean over many pixels has little noise; what remains is
//! measured from frame to frame, and a change has to exceed it clearly.

use crate::geometry::{Point, Rect, Size};
use crate::image::FrameView;
use crate::image::cells::write_means;

/// Side of a cell in the network's input, in pixels. The smallest faces that are found reliably cover several cells.
const CELL_PX: f32 = 8.0;
/// Maximum number of cells along the longer side, so that the cost is bounded for a large input.
const MAX_CELLS: f32 = 120.0;
/// A change of a cell's mean by less than this many grey levels does not count. A face with less contrast is not found.
const MIN_CHANGE: f32 = 1.5;
/// A change has to exceed the standard deviation of the noise by this factor. Of 1,000 cells, one exceeds 5 deviations by chance
/// once in 1,700 frames; the estimate is somewhat low, and bright parts are noisier than others.
const NOISE_FACTOR: f32 = 6.0;
/// Maximum change that is attributed to noise, in grey levels. A stronger one is motion, however much of the picture moves.
const MAX_NOISE_CHANGE: f32 = 6.0;
/// A median of absolute differences times this is the standard deviation of normally distributed ones.
const DEVIATION_OF_MEDIAN: f32 = 1.4826;
/// Share by which the noise estimate rises towards a higher measurement. It falls at once: motion only adds to the differences.
const NOISE_RISE: f32 = 0.05;
/// Distance in the network's input, in pixels, from a change to the edge of the region that is searched because of it. The
/// network needs to see the surroundings of a face.
const MARGIN_PX: f32 = 24.0;
/// If the changed region covers more than this share of the frame, all of it counts as changed. One search of the whole frame is
/// then hardly slower.
const MAX_PART: f32 = 0.5;

/// What changed since the last search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    None,
    /// Only this region, in pixels of the frame. It includes a margin.
    Part(Rect),
    /// Much of the frame, or there is nothing to compare it with.
    All,
}

impl Change {
    /// The change with all those of `rects` that its region touches, so that none is cut. `frame` is the frame's size.
    pub fn including(self, rects: impl Iterator<Item = Rect> + Clone, frame: Size) -> Self {
        let Self::Part(mut region) = self else { return self };
        loop {
            let touched = rects.clone().filter(|rect| region.intersection(*rect).area() > 0.0);
            let union =
                |a: Rect, b: Rect| Rect::from_corners(a.x.min(b.x), a.y.min(b.y), a.right().max(b.right()), a.bottom().max(b.bottom()));
            let grown = touched.fold(region, union).clamp_to(frame);
            if grown == region {
                return Self::of(region, frame);
            }
            region = grown;
        }
    }

    /// A change of `region`.
    fn of(region: Rect, frame: Size) -> Self {
        if region.area() > MAX_PART * frame.rect().area() { Self::All } else { Self::Part(region) }
    }
}

/// Cells of a frame and of the last searched one.
#[derive(Clone, Debug, Default)]
pub struct ChangeMap {
    /// The frame's size.
    size: Size,
    /// Pixels of the frame per pixel of the network's input.
    reduction: f32,
    columns: usize,
    rows: usize,
    /// Means of the current frame, row by row.
    current: Vec<f32>,
    /// Means of the previous frame; empty if there was none.
    previous: Vec<f32>,
    /// Means of the last searched frame; empty if there was none.
    searched: Vec<f32>,
    /// Differences between two successive frames; kept to reuse the allocation.
    differences: Vec<f32>,
    /// Standard deviation of the difference of a cell between two frames of a still scene; `None` before it is known.
    noise: Option<f32>,
}

impl ChangeMap {
    /// Measures the next frame. Searches scale frames by `scale`.
    pub fn observe(&mut self, view: &FrameView, scale: f32) {
        self.prepare(view.size(), 1.0 / scale);
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.resize(self.columns * self.rows, 0.0);
        write_means(view, self.size.rect(), self.columns, &mut self.current);
        self.measure_noise();
    }

    /// What changed since the last searched frame.
    pub fn change(&self) -> Change {
        if !self.is_comparable() {
            return Change::All;
        }
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        for (column, row) in self.changed_cells() {
            (left, right) = (left.min(column), right.max(column + 1));
            (top, bottom) = (top.min(row), bottom.max(row + 1));
        }
        if right == 0 {
            return Change::None;
        }
        let (w, h) = (self.size.width as f32 / self.columns as f32, self.size.height as f32 / self.rows as f32);
        let margin = MARGIN_PX * self.reduction;
        let changed =
            Rect::from_corners(left as f32 * w - margin, top as f32 * h - margin, right as f32 * w + margin, bottom as f32 * h + margin);
        Change::of(changed.clamp_to(self.size), self.size)
    }

    /// True if all that changed lies in `regions`, in pixels of the frame.
    pub fn is_within(&self, regions: &[Rect]) -> bool {
        let (w, h) = (self.size.width as f32 / self.columns as f32, self.size.height as f32 / self.rows as f32);
        let center = |(column, row): (usize, usize)| Point::new((column as f32 + 0.5) * w, (row as f32 + 0.5) * h);
        self.is_comparable() && self.changed_cells().map(center).all(|point| regions.iter().any(|region| region.contains(point)))
    }

    fn is_comparable(&self) -> bool {
        !self.current.is_empty() && self.searched.len() == self.current.len()
    }

    /// Columns and rows of the cells that differ from those of the searched frame.
    fn changed_cells(&self) -> impl Iterator<Item = (usize, usize)> {
        // Before the noise is known, any noise counts as a change.
        let threshold = self.noise.map_or(MIN_CHANGE, |noise| (NOISE_FACTOR * noise).clamp(MIN_CHANGE, MAX_NOISE_CHANGE));
        let is_changed = move |index: usize| (self.current[index] - self.searched[index]).abs() > threshold;
        // A face covers several cells, so a cell without a changed neighbour does not count.
        let has_neighbour = move |index: usize| {
            let (column, last) = (index % self.columns, self.current.len() - 1);
            (column > 0 && is_changed(index - 1))
                || (column + 1 < self.columns && is_changed(index + 1))
                || (index >= self.columns && is_changed(index - self.columns))
                || (index + self.columns <= last && is_changed(index + self.columns))
        };
        (0..self.current.len())
            .filter(move |&index| is_changed(index) && has_neighbour(index))
            .map(|index| (index % self.columns, index / self.columns))
    }

    /// The frame's size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Takes the current frame as the last searched one.
    pub fn mark_searched(&mut self) {
        self.searched.clone_from(&self.current);
    }

    /// Forgets all frames, for example at a scene cut. The noise is that of the camera and stays.
    pub fn reset(&mut self) {
        self.previous.clear();
        self.current.clear();
        self.searched.clear();
    }

    /// Chooses the cells for frames of `size`. Frames of another size cannot be compared.
    fn prepare(&mut self, size: Size, reduction: f32) {
        if (self.size, self.reduction) == (size, reduction) {
            return;
        }
        let cell = (CELL_PX * reduction).max(size.width.max(size.height) as f32 / MAX_CELLS);
        let cells = |side: u32| (side as f32 / cell).ceil().max(1.0) as usize;
        *self = Self { size, reduction, columns: cells(size.width), rows: cells(size.height), ..Self::default() };
    }

    fn measure_noise(&mut self) {
        if self.previous.len() != self.current.len() {
            return;
        }
        self.differences.clear();
        self.differences.extend(self.current.iter().zip(&self.previous).map(|(a, b)| (a - b).abs()));
        let middle = self.differences.len() / 2;
        let (_, median, _) = self.differences.select_nth_unstable_by(middle, f32::total_cmp);
        let measured = DEVIATION_OF_MEDIAN * *median;
        let last = self.noise.unwrap_or(measured);
        self.noise = Some(measured.min(last + NOISE_RISE * (measured - last)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const SIZE: Size = Size::new(640, 360);
    /// Half of the frame's size is searched, so cells have 16 pixels of the frame.
    const SCALE: f32 = 0.5;

    /// Lets `map` observe a grey picture with these changes: rectangles and grey levels that are added to them.
    fn observe(map: &mut ChangeMap, noise: Option<&mut u64>, changes: &[(Rect, f32)]) {
        let mut data = vec![100u8; (SIZE.width * SIZE.height) as usize];
        for (rect, levels) in changes {
            for y in rect.y as usize..rect.bottom() as usize {
                for x in rect.x as usize..rect.right() as usize {
                    data[y * SIZE.width as usize + x] = (100.0 + levels) as u8;
                }
            }
        }
        if let Some(state) = noise {
            for byte in &mut data {
                // The sum of four random numbers in 0..=7 (xorshift): a standard deviation of 4.6 levels.
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                *byte += (0..4).map(|n| (*state >> (8 + 3 * n) & 7) as u8).sum::<u8>();
            }
        }
        let plane = Plane { data: &data, stride: SIZE.width as usize };
        map.observe(&FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).unwrap(), SCALE);
    }

    /// A map that has searched a grey picture.
    fn searched() -> ChangeMap {
        let mut map = ChangeMap::default();
        observe(&mut map, None, &[]);
        map.mark_searched();
        map
    }

    #[test]
    fn nothing_changes_in_a_still_picture_and_everything_before_the_first_search() {
        let mut map = ChangeMap::default();
        assert_eq!(map.change(), Change::All);
        observe(&mut map, None, &[]);
        assert_eq!(map.change(), Change::All);
        map.mark_searched();
        observe(&mut map, None, &[]);
        assert_eq!(map.change(), Change::None);
        map.reset();
        observe(&mut map, None, &[]);
        assert_eq!(map.change(), Change::All);
    }

    #[test]
    fn the_changed_region_has_a_margin() {
        let mut map = searched();
        observe(&mut map, None, &[(Rect::new(160.0, 160.0, 32.0, 16.0), 20.0)]);
        let Change::Part(part) = map.change() else { panic!("{:?}", map.change()) };
        // 24 pixels of the input are 48 of the frame; rows of cells are 360 / 23 pixels high.
        assert!(part.x == 112.0 && part.w == 128.0, "{part:?}");
        assert!(part.y > 90.0 && part.y < 112.0 && part.bottom() > 224.0 && part.bottom() < 260.0, "{part:?}");
        observe(&mut map, None, &[(Rect::new(0.0, 0.0, 32.0, 32.0), 20.0), (Rect::new(620.0, 300.0, 20.0, 60.0), 20.0)]);
        assert_eq!(map.change(), Change::All, "two corners of the frame");
    }

    #[test]
    fn a_change_of_one_cell_is_none_and_others_lie_within_their_surroundings() {
        let mut map = searched();
        observe(&mut map, None, &[(Rect::new(160.0, 160.0, 8.0, 4.0), 90.0)]);
        assert_eq!(map.change(), Change::None);
        observe(&mut map, None, &[(Rect::new(160.0, 160.0, 48.0, 48.0), 20.0)]);
        assert!(map.is_within(&[Rect::new(150.0, 140.0, 80.0, 90.0)]));
        assert!(!map.is_within(&[Rect::new(180.0, 140.0, 80.0, 90.0)]) && !map.is_within(&[]));
    }

    #[test]
    fn a_slow_change_adds_up() {
        let (mut map, face) = (searched(), Rect::new(160.0, 160.0, 64.0, 64.0));
        let changed = (1..=4).map(|levels| {
            observe(&mut map, None, &[(face, levels as f32)]);
            map.change() != Change::None
        });
        assert_eq!(changed.collect::<Vec<_>>(), [false, true, true, true]);
    }

    #[test]
    fn noise_is_no_change_but_a_face_in_it_is() {
        let (mut map, mut random) = (ChangeMap::default(), 0x9E37_79B9_7F4A_7C15);
        observe(&mut map, Some(&mut random), &[]);
        map.mark_searched();
        for frame in 0..100 {
            observe(&mut map, Some(&mut random), &[]);
            assert_eq!(map.change(), Change::None, "frame {frame}");
            assert!(map.is_within(&[]));
        }
        observe(&mut map, Some(&mut random), &[(Rect::new(160.0, 160.0, 40.0, 40.0), 10.0)]);
        assert!(matches!(map.change(), Change::Part(_)), "{:?}", map.change());
    }

    #[test]
    fn the_part_contains_all_boxes_that_it_touches() {
        let part = Change::Part(Rect::new(100.0, 100.0, 50.0, 50.0));
        let boxes = [Rect::new(140.0, 140.0, 60.0, 60.0), Rect::new(190.0, 190.0, 20.0, 20.0), Rect::new(300.0, 100.0, 50.0, 50.0)];
        assert_eq!(part.including(boxes.into_iter(), SIZE), Change::Part(Rect::new(100.0, 100.0, 110.0, 110.0)));
        assert_eq!(part.including([Rect::new(0.0, 0.0, 600.0, 340.0)].into_iter(), SIZE), Change::All);
        for change in [Change::None, Change::All] {
            assert_eq!(change.including(boxes.into_iter(), SIZE), change);
        }
    }
}
