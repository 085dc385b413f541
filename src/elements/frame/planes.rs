// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the planes of a picture lie in a buffer. The buffer's metadata is checked against its memory, because GStreamer does
//! not check it when it maps a frame.

use gst_video::{VideoCropMeta, VideoInfo, VideoMeta};

use crate::error::{Error, Result};
use crate::geometry::Size;
use crate::image::PixelFormat;

/// Maximum number of planes of a format.
pub(super) const PLANES: usize = 3;

/// The part of a mapped plane that belongs to the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes from the start of the mapped plane to the first pixel of the picture.
    pub(super) start: usize,
    /// Bytes from there on that may be accessed: all rows, as far as the memory reaches.
    pub(super) length: usize,
    /// Bytes from one row to the next.
    pub(super) stride: usize,
}

/// The extents of the planes of `buffer`. `info` describes the picture, and `format` its pixels.
///
/// # Errors
/// [`Error::Buffer`] for metadata that contradicts `info` or points outside the memory, and for a negative stride.
/// [`crate::image::FrameView::new`] checks whether an extent has all rows.
pub(super) fn extents(buffer: &gst::BufferRef, info: &VideoInfo, format: PixelFormat) -> Result<[Extent; PLANES]> {
    let meta = buffer.meta::<VideoMeta>();
    check(buffer, info)?;
    let (strides, offsets) = meta.as_ref().map_or((info.stride(), info.offset()), |meta| (meta.stride(), meta.offset()));
    let corner = corner(buffer, info)?;
    let mut extents = [Extent::default(); PLANES];
    for (index, extent) in extents.iter_mut().enumerate().take(format.planes()) {
        let (stride, offset) = (strides[index], offsets[index]);
        let stride = usize::try_from(stride).map_err(|_| Error::Buffer(format!("plane {index} has the negative stride {stride}")))?;
        let available = if meta.is_some() { bytes_from(buffer, offset) } else { buffer.size().checked_sub(offset) };
        let outside = || Error::Buffer(format!("plane {index} starts at byte {offset} of a buffer of {} bytes", buffer.size()));
        let available = available.ok_or_else(outside)?;
        let start = offset_of(format, index, corner, stride).ok_or_else(|| misaligned(corner))?;
        let (rows, row_bytes) = format.plane_extent(index, Size::new(info.width(), info.height()));
        let needed = stride.max(row_bytes).saturating_mul(rows);
        *extent = Extent { start, length: available.saturating_sub(start).min(needed), stride };
    }
    Ok(extents)
}

/// Checks that the buffer's `GstVideoMeta` matches `info`. If it does not, GStreamer treats mapping the frame as a
/// programming error and logs a critical warning.
///
/// # Errors
/// [`Error::Buffer`] if they differ.
pub(super) fn check(buffer: &gst::BufferRef, info: &VideoInfo) -> Result<()> {
    let Some(meta) = buffer.meta::<VideoMeta>() else { return Ok(()) };
    let fits = meta.format() == info.format()
        && meta.width() >= info.width()
        && meta.height() >= info.height()
        && meta.n_planes() >= info.n_planes();
    fits.then_some(()).ok_or_else(|| {
        Error::Buffer(format!(
            "GstVideoMeta describes {} {}x{} in {} planes, the caps {} {}x{}",
            meta.format(),
            meta.width(),
            meta.height(),
            meta.n_planes(),
            info.format(),
            info.width(),
            info.height()
        ))
    })
}

/// The left and top edge of the picture in the memory: those of the buffer's `GstVideoCropMeta`, or 0, 0.
fn corner(buffer: &gst::BufferRef, info: &VideoInfo) -> Result<(u32, u32)> {
    let Some((x, y, w, h)) = buffer.meta::<VideoCropMeta>().map(|crop| crop.rect()) else { return Ok((0, 0)) };
    let whole = buffer.meta::<VideoMeta>().map_or((info.width(), info.height()), |meta| (meta.width(), meta.height()));
    let is_inside = |start: u32, length: u32, limit: u32| start.checked_add(length).is_some_and(|end| end <= limit);
    if (w, h) == (info.width(), info.height()) && is_inside(x, w, whole.0) && is_inside(y, h, whole.1) {
        return Ok((x, y));
    }
    Err(Error::Buffer(format!(
        "GstVideoCropMeta is {w}x{h} at {x}, {y} of {}x{}, the caps say {}x{}",
        whole.0,
        whole.1,
        info.width(),
        info.height()
    )))
}

/// Bytes from the start of a plane to the pixel at `corner`; none if that pixel shares its sample with one before it, as in
/// subsampled chroma.
fn offset_of(format: PixelFormat, plane: usize, (x, y): (u32, u32), stride: usize) -> Option<usize> {
    let components = format.components();
    let own = components.iter().filter(|component| component.plane == plane);
    let (columns, rows, bytes) = own.fold((1, 1, 1), |(columns, rows, bytes), component| {
        (component.sub_x.max(columns), component.sub_y.max(rows), component.step.max(bytes))
    });
    let along = (x / columns) as usize * bytes;
    (x % columns == 0 && y % rows == 0).then(|| ((y / rows) as usize).saturating_mul(stride).saturating_add(along))
}

fn misaligned((x, y): (u32, u32)) -> Error {
    Error::Buffer(format!("GstVideoCropMeta starts at {x}, {y}, inside a block of pixels that share a chroma sample"))
}

/// Bytes from `offset` to the end of the memory that contains it. A plane is mapped with this memory only.
fn bytes_from(buffer: &gst::BufferRef, offset: usize) -> Option<usize> {
    let (memories, skip) = buffer.find_memory(offset..offset.checked_add(1)?)?;
    buffer.peek_memory(memories.start).size().checked_sub(skip)
}
