// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turned and mirrored copies of frames, in which a detector finds faces that it misses otherwise.

use std::f32::consts::FRAC_PI_2;

use super::resample::{Resampler, Samples};
use super::rotate::Rotator;
use super::{Colorimetry, FrameView, PixelFormat, Plane};
use crate::error::Result;
use crate::geometry::{Crop, Point, Rect, Size};

/// The border's value in each component.
const GREY: u8 = 127;

/// How a frame is turned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Turn {
    /// Angle in radians, clockwise in the frame, by which heads are tilted that are upright in the copy.
    pub roll: f32,
    /// True if left and right are swapped, after that.
    pub mirrored: bool,
    /// Longer side of the copy in pixels.
    pub longer_side: u32,
    /// Width of a grey border around the copy, in longer sides of it: a face that the edge of the frame cuts is then one that is covered.
    /// Only without roll.
    pub border: f32,
}

/// The memory of a turned copy. Reuse one for all frames.
#[derive(Debug, Default)]
pub struct TurnedCopy {
    resampler: Resampler,
    rotator: Rotator,
    pixels: Vec<u8>,
    size: Size,
    /// Centre of the frame, and pixels of it for each of the copy.
    center: Point,
    scale: f32,
    turn: Turn,
}

impl TurnedCopy {
    /// Makes the copy of `view`: all of it, in a square unless the roll is a multiple of 90 degrees.
    pub fn take(&mut self, view: &FrameView, turn: Turn) {
        let (frame, longer_side) = (view.size(), turn.longer_side.max(1));
        let turn = Turn { longer_side, ..turn };
        let (width, height) = (frame.width as f32, frame.height as f32);
        let (sin, cos) = (turn.roll.sin().abs(), turn.roll.cos().abs());
        let quarters = quarters(turn.roll);
        let reach = if quarters.is_some() { width.max(height) } else { (width * cos + height * sin).max(width * sin + height * cos) };
        self.scale = reach / longer_side as f32;
        (self.center, self.turn) = (frame.rect().center(), turn);
        let side = |length: f32| ((length / self.scale).round() as u32).clamp(1, longer_side);
        let upright = if quarters.is_some() { Size::new(side(width), side(height)) } else { Size::new(longer_side, longer_side) };
        let places = Places::new(upright, quarters.unwrap_or(0), turn);
        self.size = places.size;
        self.pixels.clear();
        self.pixels.resize(3 * (self.size.width * self.size.height) as usize, GREY);
        let pixels = self.pixels.as_chunks_mut::<3>().0;
        let write = |y: usize, [red, green, blue]: [&[f32]; 3]| {
            let mut at = places.row(y);
            for ((red, green), blue) in red.iter().zip(green).zip(blue) {
                pixels[at] = [red, green, blue].map(|value| (value + 0.5) as u8);
                at = at.wrapping_add_signed(places.right);
            }
        };
        if quarters.is_some() {
            self.resampler.sample(view, frame.rect(), upright, Samples::Rgb, write);
        } else {
            let crop = Crop { center: self.center, side: reach, roll: turn.roll };
            self.rotator.sample(&mut self.resampler, view, crop, upright, Samples::Rgb, write);
        }
    }

    /// The copy, in RGB.
    ///
    /// # Errors
    /// If none was taken.
    pub fn view(&self) -> Result<FrameView<'_>> {
        let plane = Plane { data: &self.pixels, stride: 3 * self.size.width as usize };
        FrameView::new(PixelFormat::Rgb, self.size, &[plane], Colorimetry::default())
    }

    /// The smallest upright box in the frame around a box of the copy.
    pub fn to_frame(&self, rect: Rect) -> Rect {
        let (center, sin, cos) = (rect.center(), self.turn.roll.sin(), self.turn.roll.cos());
        let x = (center.x - self.size.width as f32 / 2.0) * self.scale * if self.turn.mirrored { -1.0 } else { 1.0 };
        let y = (center.y - self.size.height as f32 / 2.0) * self.scale;
        let place = Point::new(self.center.x + x * cos - y * sin, self.center.y + x * sin + y * cos);
        let (w, h) = (rect.w * self.scale, rect.h * self.scale);
        Rect::around(place, w * cos.abs() + h * sin.abs(), w * sin.abs() + h * cos.abs())
    }
}

/// Where the samples of an upright picture are in its copy.
struct Places {
    /// Size of the copy with its border.
    size: Size,
    /// Place of the first sample, and the steps to the next one and to the next row.
    first: isize,
    right: isize,
    down: isize,
}

impl Places {
    /// Those of a picture of `upright` size that is turned by a number of right angles.
    fn new(upright: Size, quarters: u32, turn: Turn) -> Self {
        let border = (turn.border * turn.longer_side as f32).round() as u32;
        let Size { width, height } = if quarters.is_multiple_of(2) { upright } else { Size::new(upright.height, upright.width) };
        let size = Size::new(width + 2 * border, height + 2 * border);
        // Columns and rows of the copy for each step.
        let (right, down) = [((1, 0), (0, 1)), ((0, -1), (1, 0)), ((-1, 0), (0, -1)), ((0, 1), (-1, 0))][quarters as usize];
        let [right, down] = [right, down].map(|(x, y): (isize, isize)| (if turn.mirrored { -x } else { x }, y));
        let start = |steps: isize, side: u32| (border + if steps < 0 { side - 1 } else { 0 }) as isize;
        let step = |(x, y): (isize, isize)| x + y * size.width as isize;
        Self { size, first: step((start(right.0 + down.0, width), start(right.1 + down.1, height))), right: step(right), down: step(down) }
    }

    /// Place of the first sample of a row.
    fn row(&self, y: usize) -> usize {
        (self.first + y as isize * self.down) as usize
    }
}

/// The roll as a number of right angles, 0 to 3; `None` if it is no multiple of 90 degrees.
fn quarters(roll: f32) -> Option<u32> {
    let quarters = (roll / FRAC_PI_2).round();
    ((roll - quarters * FRAC_PI_2).abs() < 1e-3).then(|| (quarters as i32).rem_euclid(4) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Size = Size::new(80, 40);
    /// A bright spot on the right, above the middle.
    const SPOT: Rect = Rect::new(60.0, 12.0, 8.0, 8.0);

    /// The box of what is bright in the copy.
    fn bright(copy: &TurnedCopy) -> Rect {
        let width = copy.size.width as usize;
        let places: Vec<(f32, f32)> = (0..copy.pixels.len() / 3)
            .filter(|at| copy.pixels[3 * at] > 128)
            .map(|at| ((at % width) as f32, (at / width) as f32))
            .collect();
        let edge = |of: fn(&(f32, f32)) -> f32, pick: fn(f32, f32) -> f32| places.iter().map(of).reduce(pick).expect("it is there");
        Rect::from_corners(
            edge(|at| at.0, f32::min),
            edge(|at| at.1, f32::min),
            edge(|at| at.0, f32::max) + 1.0,
            edge(|at| at.1, f32::max) + 1.0,
        )
    }

    #[test]
    fn what_is_found_in_a_copy_returns_to_its_place_in_the_frame() {
        let is_bright = |at: u32| SPOT.contains(Point::new((at % FRAME.width) as f32 + 0.5, (at / FRAME.width) as f32 + 0.5));
        let data: Vec<u8> = (0..FRAME.width * FRAME.height).map(|at| if is_bright(at) { 255 } else { 0 }).collect();
        let view = FrameView::new(PixelFormat::Gray8, FRAME, &[Plane { data: &data, stride: 80 }], Colorimetry::default()).unwrap();
        for roll in [0.0f32, 60.0, -60.0, 90.0, -90.0, 180.0, 225.0, 270.0] {
            for (mirrored, longer_side, border) in [(false, 80, 0.0), (true, 80, 0.2), (true, 160, 0.0), (false, 120, 0.1)] {
                let mut copy = TurnedCopy::default();
                copy.take(&view, Turn { roll: roll.to_radians(), mirrored, longer_side, border });
                let found = copy.to_frame(bright(&copy));
                assert!(found.center().distance(SPOT.center()) < 1.0, "{roll} {mirrored} {longer_side}: {found:?}");
                assert!(found.intersection(SPOT).area() > 0.8 * SPOT.area(), "{roll} {mirrored} {longer_side}: {found:?}");
                assert_eq!(copy.view().unwrap().size(), copy.size);
                let sides = [copy.size.width, copy.size.height].map(|side| side - 2 * (border * longer_side as f32).round() as u32);
                let expected = match roll {
                    0.0 | 180.0 => [longer_side, longer_side / 2],
                    90.0 | -90.0 | 270.0 => [longer_side / 2, longer_side],
                    _ => [longer_side; 2],
                };
                assert_eq!(sides, expected, "{roll}");
            }
        }
    }
}
