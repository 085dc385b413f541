// SPDX-License-Identifier: MIT OR Apache-2.0
//! A checked view of a video frame whose planes are borrowed.

use super::{Colorimetry, PixelFormat};
use crate::error::{Error, Result};
use crate::geometry::{Rect, Size};

/// The bytes of one plane and the distance between the starts of its rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    /// All rows; the padding after the last one may be missing.
    pub data: &'a [u8],
    /// Bytes from the start of one row to the start of the next.
    pub stride: usize,
}

/// Aspect ratios of a pixel beyond this factor are taken for mistakes.
const MAX_ASPECT: f32 = 4.0;

/// A borrowed video frame. Every row of every plane is known to lie inside its slice.
///
/// Positions in a frame are those of the picture as it is seen, with square pixels: a frame of 720x576 whose pixels are wider than high
/// has the size 1024x576. What samples it finds the stored columns.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    format: PixelFormat,
    /// Columns and rows in memory.
    stored: Size,
    /// Width and height as seen.
    size: Size,
    planes: [Plane<'a>; 3],
    colorimetry: Colorimetry,
    is_interlaced: bool,
}

impl<'a> FrameView<'a> {
    /// Borrows a frame of `size` pixels from the first [`PixelFormat::planes`] entries of `planes`.
    ///
    /// # Errors
    /// [`Error::Image`] if a side is zero, a plane is missing, or a plane is too small for its rows and stride.
    pub fn new(format: PixelFormat, size: Size, planes: &[Plane<'a>], colorimetry: Colorimetry) -> Result<Self> {
        let mut checked = [Plane::default(); 3];
        for (index, slot) in checked.iter_mut().enumerate().take(format.planes()) {
            let plane = planes.get(index).copied().unwrap_or_default();
            let (rows, row_bytes) = format.plane_extent(index, size);
            let expected = plane.stride.max(row_bytes).saturating_mul(rows.saturating_sub(1)).saturating_add(row_bytes);
            let too_small = plane.data.len() < expected || (rows > 1 && plane.stride < row_bytes);
            if size.is_empty() || too_small {
                return Err(Error::Image { format: format.name(), size, plane: index, expected, found: plane.data.len() });
            }
            *slot = plane;
        }
        Ok(Self { format, stored: size, size, planes: checked, colorimetry, is_interlaced: false })
    }

    /// The same frame as one of two fields. Each row of the bottom field is replaced by the one above, of the top field: what
    /// moves would be there twice otherwise, since the fields show different moments.
    pub fn interlaced(self, is_interlaced: bool) -> Self {
        Self { is_interlaced, ..self }
    }

    /// The same frame with pixels that are `aspect` times as wide as high. A factor of more than 4, or less than a quarter, is ignored.
    pub fn with_pixel_aspect(self, aspect: f32) -> Self {
        let width = (self.stored.width as f32 * aspect).round();
        let is_plausible = (1.0 / MAX_ASPECT..=MAX_ASPECT).contains(&aspect) && width >= 1.0;
        Self { size: if is_plausible { Size::new(width as u32, self.stored.height) } else { self.stored }, ..self }
    }

    /// Pixel format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width and height in square pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Columns and rows in memory.
    pub(crate) fn stored_size(&self) -> Size {
        self.stored
    }

    /// A region of the frame in stored columns and rows.
    pub(crate) fn stored_rect(&self, rect: Rect) -> Rect {
        if self.size == self.stored { rect } else { rect.scaled(self.stored.width as f32 / self.size.width as f32, 1.0) }
    }

    /// Range, matrix and dynamic range.
    pub fn colorimetry(&self) -> Colorimetry {
        self.colorimetry
    }

    /// The given bytes of row `y` of `plane`, or of the row of the top field that takes its place.
    pub(crate) fn row(&self, plane: usize, y: usize, bytes: std::ops::Range<usize>) -> &'a [u8] {
        let y = if self.is_interlaced { y & !1 } else { y };
        let start = y * self.planes[plane].stride;
        &self.planes[plane].data[start + bytes.start..start + bytes.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(format: PixelFormat, size: Size, data: &[u8], stride: usize) -> Result<FrameView<'_>> {
        FrameView::new(format, size, &[Plane { data, stride }; 3], Colorimetry::default())
    }

    #[test]
    fn plane_extents_of_odd_sizes() {
        let size = Size::new(17, 33);
        assert_eq!(PixelFormat::Nv12.plane_extent(0, size), (33, 17));
        assert_eq!(PixelFormat::Nv12.plane_extent(1, size), (17, 18), "nine pairs of U and V");
        assert_eq!(PixelFormat::I420.plane_extent(2, size), (17, 9));
        assert_eq!(PixelFormat::Yuy2.plane_extent(0, size), (33, 36), "the last pair carries its V");
        assert_eq!(PixelFormat::Bgrx.plane_extent(0, size), (33, 67), "the unused byte of the last pixel may be missing");
    }

    #[test]
    fn an_interlaced_frame_has_the_rows_of_its_top_field() {
        let data: Vec<u8> = (0..10).collect();
        let frame = view(PixelFormat::Gray8, Size::new(2, 5), &data, 2).unwrap();
        let rows = |frame: FrameView| (0..5).map(|y| frame.row(0, y, 0..1)[0]).collect::<Vec<u8>>();
        assert_eq!((rows(frame), rows(frame.interlaced(true))), (vec![0, 2, 4, 6, 8], vec![0, 0, 4, 4, 8]));
    }

    #[test]
    fn a_frame_has_the_size_as_seen() {
        let data = vec![0; 720 * 576];
        let frame = view(PixelFormat::Gray8, Size::new(720, 576), &data, 720).unwrap();
        let wide = frame.with_pixel_aspect(64.0 / 45.0);
        assert_eq!((wide.size(), wide.stored_size()), (Size::new(1024, 576), Size::new(720, 576)));
        assert_eq!(wide.stored_rect(Rect::new(512.0, 100.0, 256.0, 256.0)), Rect::new(360.0, 100.0, 180.0, 256.0));
        for mistake in [0.0, 1e9, f32::NAN, -1.0] {
            assert_eq!(frame.with_pixel_aspect(mistake).size(), frame.size());
        }
    }

    #[test]
    fn a_truncated_plane_is_an_error_with_both_lengths() {
        let data = vec![0; 4 * 3];
        assert!(view(PixelFormat::Gray8, Size::new(4, 3), &data, 4).is_ok());
        let error = view(PixelFormat::Gray8, Size::new(4, 4), &data, 4).unwrap_err();
        assert_eq!(error.to_string(), "GRAY8 picture of 4x4: plane 0 needs 16 bytes, has 12");
    }

    #[test]
    fn a_stride_shorter_than_a_row_is_an_error() {
        assert!(view(PixelFormat::Gray8, Size::new(8, 2), &[0; 64], 4).is_err());
        assert!(view(PixelFormat::Gray8, Size::new(8, 1), &[0; 8], 0).is_ok(), "one row needs no stride");
    }

    #[test]
    fn an_empty_picture_is_an_error() {
        assert!(view(PixelFormat::Rgb, Size::new(0, 2), &[0; 64], 4).is_err());
        assert!(FrameView::new(PixelFormat::I420, Size::new(2, 2), &[], Colorimetry::default()).is_err());
    }
}
