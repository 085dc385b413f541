// SPDX-License-Identifier: MIT OR Apache-2.0
//! The borrowed planes of a frame, for drawing.

use crate::error::Result;
use crate::geometry::Size;
use crate::image::{Colorimetry, FrameView, PixelFormat, Plane};

/// The bytes of one plane and the distance between the starts of its rows.
#[derive(Debug, Default)]
pub struct PlaneMut<'a> {
    /// All rows; the padding after the last one may be missing.
    pub data: &'a mut [u8],
    /// Bytes from the start of one row to the start of the next.
    pub stride: usize,
}

/// A borrowed frame that can be drawn on. Every row of every plane is known to lie inside its slice.
#[derive(Debug)]
pub struct Canvas<'a> {
    pub(super) format: PixelFormat,
    pub(super) size: Size,
    pub(super) planes: [PlaneMut<'a>; 3],
    pub(super) colorimetry: Colorimetry,
}

impl<'a> Canvas<'a> {
    /// Borrows a frame of `size` pixels; planes beyond those of `format` are ignored.
    ///
    /// # Errors
    /// [`crate::error::Error::Image`] if a side is zero or a plane is too small for its rows and stride.
    pub fn new(format: PixelFormat, size: Size, planes: [PlaneMut<'a>; 3], colorimetry: Colorimetry) -> Result<Self> {
        let [a, b, c] = &planes;
        let views = [a, b, c].map(|plane| Plane { data: plane.data, stride: plane.stride });
        FrameView::new(format, size, &views, colorimetry)?;
        Ok(Self { format, size, planes, colorimetry })
    }
}

/// The smallest group of bytes that repeats along the rows of a plane, and the pixels that it covers: of NV12, for
/// example, a byte and a pixel in plane 0, two bytes and 2 x 2 pixels in plane 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub plane: usize,
    pub bytes: usize,
    /// Columns of pixels.
    pub columns: usize,
    /// Rows of pixels.
    pub rows: usize,
    /// The byte that is no colour, such as the alpha of RGBA.
    pub spare: Option<usize>,
}

impl Cell {
    pub(super) fn of(format: PixelFormat, plane: usize) -> Self {
        let components = format.components();
        let own = components.iter().filter(|component| component.plane == plane);
        // The offsets of all four bytes sum to 6.
        let spare = components.iter().all(|component| component.step == 4).then(|| 6 - components.iter().map(|c| c.offset).sum::<usize>());
        own.fold(Self { plane, bytes: 1, columns: 1, rows: 1, spare }, |cell, component| Self {
            bytes: cell.bytes.max(component.step),
            columns: cell.columns.max(component.sub_x as usize),
            rows: cell.rows.max(component.sub_y as usize),
            ..cell
        })
    }
}
