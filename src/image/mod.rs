// SPDX-License-Identifier: MIT OR Apache-2.0
//! Borrowed views of video frames, and sampling straight from their planes.
//!
//! A frame is never converted as a whole. Each of its three components (Y, U, V or R, G, B) is described as "every
//! `step`-th byte of plane `plane`, from `offset` on, at `1 / sub` of the resolution"; [`resample`] reads any format
//! through that description alone, and [`convert`] turns the few samples that come out into luma or RGB.

pub mod convert;
pub mod letterbox;
mod sparse;
pub mod resample;
pub mod rotate;
mod rows;
mod taps;
pub mod tensor;

use crate::error::{Error, Result};
use crate::geometry::Size;

/// How pixels lie in memory. Formats with alpha are read as their `x` relatives: alpha takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Luma plane, then interleaved U V at half resolution.
    Nv12,
    /// Luma plane, then interleaved V U at half resolution.
    Nv21,
    /// Planes Y, U, V; chroma at half resolution.
    I420,
    /// Planes Y, V, U; chroma at half resolution.
    Yv12,
    /// Packed Y U Y V, chroma at half horizontal resolution.
    Yuy2,
    /// Packed U Y V Y, chroma at half horizontal resolution.
    Uyvy,
    /// One luma plane.
    Gray8,
    /// Packed R G B.
    Rgb,
    /// Packed B G R.
    Bgr,
    /// Packed R G B and an unused byte (or alpha).
    Rgbx,
    /// Packed B G R and an unused byte (or alpha).
    Bgrx,
    /// An unused byte (or alpha), then R G B.
    Xrgb,
    /// An unused byte (or alpha), then B G R.
    Xbgr,
}

/// Where one component of a picture lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    pub plane: usize,
    /// Byte offset of the first sample in a row.
    pub offset: usize,
    /// Bytes from one sample to the next in a row.
    pub step: usize,
    /// Horizontal and vertical subsampling, 1 or 2.
    pub sub_x: u32,
    pub sub_y: u32,
}

const fn component(plane: usize, offset: usize, step: usize, sub_x: u32, sub_y: u32) -> Component {
    Component { plane, offset, step, sub_x, sub_y }
}

impl PixelFormat {
    /// Every format, in the order of preference of the documentation.
    pub const ALL: [Self; 13] = [
        Self::Nv12,
        Self::Nv21,
        Self::I420,
        Self::Yv12,
        Self::Yuy2,
        Self::Uyvy,
        Self::Gray8,
        Self::Rgb,
        Self::Bgr,
        Self::Rgbx,
        Self::Bgrx,
        Self::Xrgb,
        Self::Xbgr,
    ];

    /// The name by which GStreamer's caps know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nv12 => "NV12",
            Self::Nv21 => "NV21",
            Self::I420 => "I420",
            Self::Yv12 => "YV12",
            Self::Yuy2 => "YUY2",
            Self::Uyvy => "UYVY",
            Self::Gray8 => "GRAY8",
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
            Self::Rgbx => "RGBx",
            Self::Bgrx => "BGRx",
            Self::Xrgb => "xRGB",
            Self::Xbgr => "xBGR",
        }
    }

    /// Number of planes, 1 to 3.
    pub const fn planes(self) -> usize {
        match self {
            Self::Nv12 | Self::Nv21 => 2,
            Self::I420 | Self::Yv12 => 3,
            _ => 1,
        }
    }

    /// True if the components are Y, U, V; false for R, G, B and for grey.
    pub const fn is_yuv(self) -> bool {
        matches!(self, Self::Nv12 | Self::Nv21 | Self::I420 | Self::Yv12 | Self::Yuy2 | Self::Uyvy)
    }

    /// Y, U, V or R, G, B; grey has the same component three times.
    pub(crate) const fn components(self) -> [Component; 3] {
        match self {
            Self::Nv12 => [component(0, 0, 1, 1, 1), component(1, 0, 2, 2, 2), component(1, 1, 2, 2, 2)],
            Self::Nv21 => [component(0, 0, 1, 1, 1), component(1, 1, 2, 2, 2), component(1, 0, 2, 2, 2)],
            Self::I420 => [component(0, 0, 1, 1, 1), component(1, 0, 1, 2, 2), component(2, 0, 1, 2, 2)],
            Self::Yv12 => [component(0, 0, 1, 1, 1), component(2, 0, 1, 2, 2), component(1, 0, 1, 2, 2)],
            Self::Yuy2 => [component(0, 0, 2, 1, 1), component(0, 1, 4, 2, 1), component(0, 3, 4, 2, 1)],
            Self::Uyvy => [component(0, 1, 2, 1, 1), component(0, 0, 4, 2, 1), component(0, 2, 4, 2, 1)],
            Self::Gray8 => [component(0, 0, 1, 1, 1); 3],
            Self::Rgb => packed(3, [0, 1, 2]),
            Self::Bgr => packed(3, [2, 1, 0]),
            Self::Rgbx => packed(4, [0, 1, 2]),
            Self::Bgrx => packed(4, [2, 1, 0]),
            Self::Xrgb => packed(4, [1, 2, 3]),
            Self::Xbgr => packed(4, [3, 2, 1]),
        }
    }

    /// Rows of a plane, and bytes that carry pixels in each, for a picture of `size`.
    pub fn plane_extent(self, plane: usize, size: Size) -> (usize, usize) {
        self.components()
            .iter()
            .filter(|c| c.plane == plane)
            .map(|c| {
                let columns = size.width.div_ceil(c.sub_x) as usize;
                (size.height.div_ceil(c.sub_y) as usize, columns.saturating_sub(1) * c.step + c.offset + 1)
            })
            .fold((0, 0), |(rows, bytes), (r, b)| (rows.max(r), bytes.max(b)))
    }
}

const fn packed(step: usize, rgb: [usize; 3]) -> [Component; 3] {
    [component(0, rgb[0], step, 1, 1), component(0, rgb[1], step, 1, 1), component(0, rgb[2], step, 1, 1)]
}

/// Which numbers stand for black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// 0 is black, 255 is white.
    #[default]
    Full,
    /// 16 is black, 235 is white, chroma spans 16..240 ("video" or "studio" range).
    Limited,
}

/// How Y, U, V follow from R, G, B: the weights of red and blue in luma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601.
    #[default]
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

impl Matrix {
    /// The weights of red and blue, Kr and Kb.
    pub const fn red_blue(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}

/// Range and matrix of a picture; RGB formats use the range only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colorimetry {
    /// Range of the samples.
    pub range: Range,
    /// Matrix of Y, U and V.
    pub matrix: Matrix,
}

/// The bytes of one plane and the distance between the starts of its rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    /// All rows; the last one need not be padded to `stride`.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A video frame, borrowed and checked: every row of every plane is inside its slice.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    format: PixelFormat,
    size: Size,
    planes: [Plane<'a>; 3],
    colorimetry: Colorimetry,
}

impl<'a> FrameView<'a> {
    /// Borrows a frame of `size` pixels from the first [`PixelFormat::planes`] entries of `planes`.
    ///
    /// # Errors
    /// [`Error::Image`] if a side is zero, a plane is missing, or a plane is too small for its rows and stride.
    pub fn new(format: PixelFormat, size: Size, planes: &[Plane<'a>], colorimetry: Colorimetry) -> Result<Self> {
        let mut kept = [Plane::default(); 3];
        for (index, slot) in kept.iter_mut().enumerate().take(format.planes()) {
            let plane = planes.get(index).copied().unwrap_or_default();
            let (rows, row_bytes) = format.plane_extent(index, size);
            let expected = plane.stride.max(row_bytes).saturating_mul(rows.saturating_sub(1)).saturating_add(row_bytes);
            let too_small = plane.data.len() < expected || (rows > 1 && plane.stride < row_bytes);
            if size.is_empty() || too_small {
                return Err(Error::Image { format: format.name(), size, plane: index, expected, found: plane.data.len() });
            }
            *slot = plane;
        }
        Ok(Self { format, size, planes: kept, colorimetry })
    }

    /// How the pixels lie.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Range and matrix.
    pub fn colorimetry(&self) -> Colorimetry {
        self.colorimetry
    }

    /// The bytes of row `y` of `plane` that carry pixels.
    pub(crate) fn row(&self, plane: usize, y: usize, bytes: std::ops::Range<usize>) -> &'a [u8] {
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
    fn truncated_planes_are_refused_with_numbers() {
        let data = vec![0; 4 * 3];
        assert!(view(PixelFormat::Gray8, Size::new(4, 3), &data, 4).is_ok());
        let error = view(PixelFormat::Gray8, Size::new(4, 4), &data, 4).unwrap_err();
        assert_eq!(error.to_string(), "GRAY8 picture of 4x4: plane 0 needs 16 bytes, has 12");
    }

    #[test]
    fn a_stride_shorter_than_a_row_is_refused() {
        assert!(view(PixelFormat::Gray8, Size::new(8, 2), &[0; 64], 4).is_err());
        assert!(view(PixelFormat::Gray8, Size::new(8, 1), &[0; 8], 0).is_ok(), "one row needs no stride");
    }

    #[test]
    fn an_empty_picture_is_refused() {
        assert!(view(PixelFormat::Rgb, Size::new(0, 2), &[0; 64], 4).is_err());
        assert!(FrameView::new(PixelFormat::I420, Size::new(2, 2), &[], Colorimetry::default()).is_err());
    }
}
