// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a face looks as it did when it was last analysed. The result would then be the same.

use std::ops::Range;

use crate::geometry::Rect;
use crate::image::FrameView;
use crate::image::cells::write_means;

/// Cells per side of a picture. Coarse enough that noise averages out, and fine enough that a mouth that opens changes some.
const CELLS: usize = 12;
/// Mean absolute difference of two pictures, as a share of the contrast, from which they differ. Measured on four clips: the
/// smoothed scores of a classification of only those faces that differ are off by 0.015 in the mean, and 24 to 59 % of the faces
/// are classified.
const MIN_DIFFERENCE: f32 = 0.05;
/// Difference of a single cell, as a share of the contrast, from which the geometry of two faces differs: eyelids are a few cells.
const MIN_CELL_DIFFERENCE: f32 = 0.2;
/// The rows and columns of the cells around the mouth.
const MOUTH_ROWS: Range<usize> = 7..12;
const MOUTH_COLUMNS: Range<usize> = 3..9;
/// Number of those cells.
pub const MOUTH_CELLS: usize = (MOUTH_ROWS.end - MOUTH_ROWS.start) * (MOUTH_COLUMNS.end - MOUTH_COLUMNS.start);
/// Added to the contrast, in grey levels, so that the noise of a flat picture does not count.
const NOISE_CONTRAST: f32 = 4.0;

/// A coarse picture of a face: the mean brightness of its cells, relative to the mean of all. A change of the light alone is no
/// difference.
#[derive(Clone, Debug, PartialEq)]
pub struct FacePicture([f32; CELLS * CELLS]);

impl FacePicture {
    /// The picture of the face in the box `rect`, in pixels of `view`.
    pub fn take(view: &FrameView, rect: Rect) -> Self {
        let mut cells = [0.0; CELLS * CELLS];
        write_means(view, rect, CELLS, &mut cells);
        let mean = mean(cells);
        Self(cells.map(|cell| cell - mean))
    }

    /// True if a face that looked like `other` has to be classified again.
    pub fn differs_from(&self, other: &Self) -> bool {
        let difference = mean(std::array::from_fn(|cell| (self.0[cell] - other.0[cell]).abs()));
        difference > MIN_DIFFERENCE * self.contrast()
    }

    /// True if the geometry of a face that looked like `other` has to be estimated again. A smaller movement, or one of a small part
    /// such as an eyelid, is enough.
    pub fn differs_in_detail_from(&self, other: &Self) -> bool {
        let (contrast, differences) = (self.contrast(), std::array::from_fn(|cell| (self.0[cell] - other.0[cell]).abs()));
        let largest = differences.into_iter().fold(0.0, f32::max);
        largest > MIN_CELL_DIFFERENCE * contrast || mean(differences) > MIN_DIFFERENCE / 2.0 * contrast
    }

    /// The root of the mean square of all cells, in grey levels, with some more for noise; never 0.
    pub fn contrast(&self) -> f32 {
        mean(self.0.map(|cell| cell * cell)).sqrt() + NOISE_CONTRAST
    }

    /// The [`MOUTH_CELLS`] cells around the mouth, in grey levels relative to the mean of the face.
    pub fn mouth(&self) -> impl Iterator<Item = f32> {
        MOUTH_ROWS.flat_map(|row| self.0[row * CELLS..][MOUTH_COLUMNS].iter().copied())
    }

    /// A face with dark and bright stripes, a contrast of about 100 grey levels, and a mouth of one brightness.
    #[cfg(test)]
    pub(crate) fn with_mouth(level: f32) -> Self {
        let is_mouth = |cell: usize| MOUTH_ROWS.contains(&(cell / CELLS)) && MOUTH_COLUMNS.contains(&(cell % CELLS));
        Self(std::array::from_fn(|cell| if is_mouth(cell) { level } else { [-120.0, 120.0][cell % 2] }))
    }
}

fn mean(values: [f32; CELLS * CELLS]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const SIZE: Size = Size::new(200, 160);
    const FACE: Rect = Rect::new(40.0, 30.0, 96.0, 96.0);

    /// The picture of the face in a frame with these pixels.
    fn picture(rect: Rect, value: impl Fn(usize, usize) -> f32) -> FacePicture {
        let width = SIZE.width as usize;
        let data: Vec<u8> = (0..width * SIZE.height as usize).map(|at| value(at % width, at / width) as u8).collect();
        let plane = Plane { data: &data, stride: width };
        FacePicture::take(&FrameView::new(PixelFormat::Gray8, SIZE, &[plane], Colorimetry::default()).unwrap(), rect)
    }

    fn shade(x: usize, y: usize) -> f32 {
        120.0 + 50.0 * (x as f32 / 20.0).sin() * (y as f32 / 15.0).cos()
    }

    #[test]
    fn light_and_noise_are_no_difference() {
        let face = picture(FACE, shade);
        let noise = |x: usize, y: usize| ((x * 31 + y * 17) % 13) as f32 - 6.0;
        assert!(!picture(FACE, |x, y| shade(x, y) + 30.0).differs_from(&face), "more light");
        assert!(!picture(FACE, |x, y| shade(x, y) + noise(x, y)).differs_from(&face), "noise");
        let flat = picture(FACE, |_, _| 20.0);
        assert!(!picture(FACE, |x, y| 20.0 + noise(x, y) / 3.0).differs_from(&flat), "noise without contrast");
    }

    #[test]
    fn a_mouth_that_opens_and_a_face_that_moves_are_differences() {
        let face = picture(FACE, shade);
        let mouth = Rect::new(70.0, 95.0, 36.0, 24.0);
        let is_mouth =
            |x: usize, y: usize| x as f32 > mouth.x && (x as f32) < mouth.right() && y as f32 > mouth.y && (y as f32) < mouth.bottom();
        assert!(picture(FACE, |x, y| if is_mouth(x, y) { 40.0 } else { shade(x, y) }).differs_from(&face));
        assert!(picture(FACE.translated(4.0, 0.0), shade).differs_from(&face));
    }

    #[test]
    fn an_eyelid_is_a_difference_in_detail_and_noise_is_not() {
        let face = picture(FACE, shade);
        let lid = |x: usize, y: usize| (56..72).contains(&x) && (60..68).contains(&y);
        let blink = picture(FACE, |x, y| if lid(x, y) { shade(x, y) - 40.0 } else { shade(x, y) });
        assert!(blink.differs_in_detail_from(&face) && !blink.differs_from(&face));
        let noisy = picture(FACE, |x, y| shade(x, y) + ((x * 31 + y * 17) % 13) as f32 - 6.0);
        assert!(!noisy.differs_in_detail_from(&face));
    }

    #[test]
    fn a_face_outside_of_the_frame_has_an_empty_picture() {
        let nothing = picture(Rect::new(500.0, 0.0, 20.0, 20.0), shade);
        assert_eq!(nothing, picture(Rect::new(f32::NAN, 0.0, 1.0, 1.0), shade));
        assert!(picture(FACE, shade).differs_from(&nothing));
    }
}
