// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pixel formats: where each component of a pixel lies in memory.

use crate::geometry::Size;

/// Pixel layout in memory. Formats with alpha are read as their `x` counterparts, so alpha is ignored.
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
    /// Planes Y, U, V; chroma at half horizontal resolution.
    Y42b,
    /// Planes Y, U, V; chroma at full resolution.
    Y444,
    /// Luma plane, then interleaved U V at half horizontal resolution.
    Nv16,
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

/// Where the samples of one component lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Index of the plane.
    pub plane: usize,
    /// Byte offset of the first sample in a row.
    pub offset: usize,
    /// Bytes from one sample to the next in a row.
    pub step: usize,
    /// Horizontal subsampling, 1 or 2.
    pub sub_x: u32,
    /// Vertical subsampling, 1 or 2.
    pub sub_y: u32,
}

const fn component(plane: usize, offset: usize, step: usize, sub_x: u32, sub_y: u32) -> Component {
    Component { plane, offset, step, sub_x, sub_y }
}

impl PixelFormat {
    /// Every format, in the documented order of preference.
    pub const ALL: [Self; 16] = [
        Self::Nv12,
        Self::Nv21,
        Self::I420,
        Self::Yv12,
        Self::Y42b,
        Self::Y444,
        Self::Nv16,
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

    /// The format's name in GStreamer caps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nv12 => "NV12",
            Self::Nv21 => "NV21",
            Self::I420 => "I420",
            Self::Yv12 => "YV12",
            Self::Y42b => "Y42B",
            Self::Y444 => "Y444",
            Self::Nv16 => "NV16",
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
            Self::Nv12 | Self::Nv21 | Self::Nv16 => 2,
            Self::I420 | Self::Yv12 | Self::Y42b | Self::Y444 => 3,
            _ => 1,
        }
    }

    /// True if the components are Y, U, V; false for R, G, B and for greyscale.
    pub const fn is_yuv(self) -> bool {
        self.planes() > 1 || matches!(self, Self::Yuy2 | Self::Uyvy)
    }

    /// Y, U, V or R, G, B; greyscale has the same component three times.
    pub const fn components(self) -> [Component; 3] {
        match self {
            Self::Nv12 => [component(0, 0, 1, 1, 1), component(1, 0, 2, 2, 2), component(1, 1, 2, 2, 2)],
            Self::Nv21 => [component(0, 0, 1, 1, 1), component(1, 1, 2, 2, 2), component(1, 0, 2, 2, 2)],
            Self::I420 => [component(0, 0, 1, 1, 1), component(1, 0, 1, 2, 2), component(2, 0, 1, 2, 2)],
            Self::Yv12 => [component(0, 0, 1, 1, 1), component(2, 0, 1, 2, 2), component(1, 0, 1, 2, 2)],
            Self::Y42b => [component(0, 0, 1, 1, 1), component(1, 0, 1, 2, 1), component(2, 0, 1, 2, 1)],
            Self::Y444 => [component(0, 0, 1, 1, 1), component(1, 0, 1, 1, 1), component(2, 0, 1, 1, 1)],
            Self::Nv16 => [component(0, 0, 1, 1, 1), component(1, 0, 2, 2, 1), component(1, 1, 2, 2, 1)],
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

    /// Number of rows of a plane, and of bytes in a row up to its last sample, for a picture of `size`. Padding does not
    /// count, and neither does an unused byte after the last component of the last pixel.
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
