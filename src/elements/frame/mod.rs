// SPDX-License-Identifier: MIT OR Apache-2.0
//! GStreamer's video frames as the core's [`FrameView`] and [`Canvas`]. No other module gives pixels to the core.

#![allow(unsafe_code)]

pub(super) mod allocation;
mod planes;

use gst_video::prelude::*;
use gst_video::{
    VideoBufferFlags, VideoColorMatrix, VideoColorRange, VideoCropMeta, VideoFormat, VideoFrameRef, VideoInfo, VideoInterlaceMode,
    VideoMeta, VideoTransferFunction,
};

use crate::draw::{Canvas, PlaneMut};
use crate::error::{Error, Result};
use crate::geometry::Size;
use crate::image::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Transfer};
use planes::PLANES;

/// The pixel formats of the sink pads, the most preferred first.
pub const FORMATS: [VideoFormat; 20] = [
    VideoFormat::Nv12,
    VideoFormat::Nv21,
    VideoFormat::I420,
    VideoFormat::Yv12,
    VideoFormat::Y42b,
    VideoFormat::Y444,
    VideoFormat::Nv16,
    VideoFormat::Yuy2,
    VideoFormat::Uyvy,
    VideoFormat::Gray8,
    VideoFormat::Bgrx,
    VideoFormat::Bgra,
    VideoFormat::Rgbx,
    VideoFormat::Rgba,
    VideoFormat::Xrgb,
    VideoFormat::Argb,
    VideoFormat::Xbgr,
    VideoFormat::Abgr,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
];

/// Caps of any size and rate in [`FORMATS`], in system memory, with or without overlay compositions attached.
pub fn caps() -> gst::Caps {
    let plain = gst_video::VideoCapsBuilder::new().format_list(FORMATS).build();
    let composed = gst_video::VideoCapsBuilder::new()
        .features([gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, gst_video::CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION])
        .format_list(FORMATS)
        .build();
    [plain, composed]
        .into_iter()
        .flat_map(|caps| caps.iter_with_features().map(|(s, f)| (s.to_owned(), f.to_owned())).collect::<Vec<_>>())
        .collect()
}

/// Templates of a sink and a source pad with [`caps`], for in-place elements.
pub fn pad_templates() -> Vec<gst::PadTemplate> {
    let caps = caps();
    [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
        .map(|(name, direction)| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                .unwrap_or_else(|error| unreachable!("the template is valid: {error}"))
        })
        .into()
}

/// The width and height in `info`.
pub fn size(info: &VideoInfo) -> Size {
    Size::new(info.width(), info.height())
}

/// A mapped frame with the description from its caps. The description in `VideoFrameRef` is not used: its size is that of
/// the memory, which may be larger than the picture.
pub struct Mapped<'a, T> {
    frame: VideoFrameRef<T>,
    info: &'a VideoInfo,
}

/// Maps `buffer` for reading. Unlike mapping for writing, this does not copy pixels that other buffers share.
///
/// # Errors
/// [`Error::Buffer`] if the buffer does not match `info`.
pub fn map<'a>(buffer: &'a gst::BufferRef, info: &'a VideoInfo) -> Result<Mapped<'a, &'a gst::BufferRef>> {
    planes::check(buffer, info)?;
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|_| unmappable(buffer.size(), "read", info))?;
    Ok(Mapped { frame, info })
}

/// Maps `buffer` for reading and writing.
///
/// # Errors
/// Those of [`map`].
pub fn map_writable<'a>(buffer: &'a mut gst::BufferRef, info: &'a VideoInfo) -> Result<Mapped<'a, &'a mut gst::BufferRef>> {
    planes::check(buffer, info)?;
    let bytes = buffer.size();
    let frame = VideoFrameRef::from_buffer_ref_writable(buffer, info).map_err(|_| unmappable(bytes, "written", info))?;
    Ok(Mapped { frame, info })
}

fn unmappable(bytes: usize, access: &str, info: &VideoInfo) -> Error {
    Error::Buffer(format!("buffer of {bytes} bytes cannot be {access} as {} {}x{}", info.format(), info.width(), info.height()))
}

/// A new buffer that shares the pixels of `buffer`, with the flags and metadata that describe their layout and no others.
///
/// It holds references to the buffers that own the pixels, so that a pool does not reuse them meanwhile. It holds none to
/// `buffer` itself, as GStreamer's copy does from 1.26 on: then elements downstream could not write metadata to `buffer`.
pub fn share_pixels(buffer: &gst::BufferRef) -> gst::Buffer {
    let mut shared = gst::Buffer::new();
    let writable = shared.make_mut();
    buffer.iter_memories_owned().for_each(|memory| writable.append_memory(memory));
    writable.set_video_flags(buffer.video_flags());
    for meta in buffer.iter_meta::<gst::meta::ParentBufferMeta>() {
        gst::meta::ParentBufferMeta::add(writable, &meta.parent_owned());
    }
    if let Some(meta) = buffer.meta::<VideoMeta>() {
        // This cannot fail: the same values were valid for the same memory before.
        let _ = VideoMeta::add_full(
            writable,
            meta.video_frame_flags(),
            meta.format(),
            meta.width(),
            meta.height(),
            meta.offset(),
            meta.stride(),
        );
    }
    if let Some(meta) = buffer.meta::<VideoCropMeta>() {
        VideoCropMeta::add(writable, meta.rect());
    }
    shared
}

/// Borrows the planes of a mapped frame for reading; if it has a `GstVideoCropMeta`, the part inside the crop.
///
/// # Errors
/// [`Error::Buffer`] for a format outside [`FORMATS`], a negative stride, and metadata that contradicts the caps or points
/// outside the memory; [`Error::Image`] for planes that are too small.
pub fn view<'a>(Mapped { frame, info }: &'a Mapped<&gst::BufferRef>) -> Result<FrameView<'a>> {
    let format = supported(info)?;
    let extents = planes::extents(frame.buffer(), info, format)?;
    let mut planes = [Plane::default(); PLANES];
    for (index, plane) in planes.iter_mut().enumerate().take(format.planes()) {
        let planes::Extent { start, length, stride } = extents[index];
        // SAFETY: the plane stays mapped while the frame is borrowed, and `extents` checked that this many bytes are in its
        // memory.
        let data = unsafe { std::slice::from_raw_parts(first_byte(frame, index).wrapping_add(start), length) };
        *plane = Plane { data, stride };
    }
    let frame_view = FrameView::new(format, size(info), &planes, colorimetry(info))?;
    let aspect = info.par();
    let frame_view = frame_view.with_pixel_aspect(aspect.numer() as f32 / aspect.denom() as f32);
    Ok(frame_view.interlaced(is_interlaced(frame.buffer(), info)))
}

/// True if the two fields of `buffer` show different moments.
fn is_interlaced(buffer: &gst::BufferRef, info: &VideoInfo) -> bool {
    match info.interlace_mode() {
        VideoInterlaceMode::Interleaved => true,
        VideoInterlaceMode::Mixed => buffer.video_flags().contains(VideoBufferFlags::INTERLACED),
        _ => false,
    }
}

/// Borrows the planes of a mapped frame for drawing; see [`view`].
///
/// # Errors
/// Those of [`view`].
pub fn canvas<'a>(Mapped { frame, info }: &'a mut Mapped<&mut gst::BufferRef>) -> Result<Canvas<'a>> {
    let format = supported(info)?;
    let extents = planes::extents(frame.buffer(), info, format)?;
    let starts: [*mut u8; PLANES] = std::array::from_fn(|index| first_byte(frame, index).wrapping_add(extents[index].start));
    let mut planes = [(); PLANES].map(|()| PlaneMut::default());
    for (index, plane) in planes.iter_mut().enumerate().take(format.planes()) {
        // The padding of a plane may reach into the next one, but mutable slices must not overlap.
        let next = starts[..format.planes()].iter().enumerate().filter(|(other, start)| (**start, *other) > (starts[index], index));
        let until_next = next.map(|(_, start)| start.addr() - starts[index].addr()).min().unwrap_or(usize::MAX);
        let planes::Extent { length, stride, .. } = extents[index];
        // SAFETY: the plane stays mapped for writing while the frame is borrowed, `extents` checked that this many bytes are
        // in its memory, and none of them belongs to another plane.
        let data = unsafe { std::slice::from_raw_parts_mut(starts[index], length.min(until_next)) };
        *plane = PlaneMut { data, stride };
    }
    Canvas::new(format, size(info), planes, colorimetry(info))
}

/// The address at which a plane is mapped.
fn first_byte(frame: &impl VideoFrameExt, plane: usize) -> *mut u8 {
    // SAFETY: the frame is mapped, and its planes are a plain array.
    unsafe { (*frame.as_ptr()).data[plane].cast() }
}

fn supported(info: &VideoInfo) -> Result<PixelFormat> {
    pixel_format(info.format()).ok_or_else(|| Error::Buffer(format!("unsupported pixel format {}", info.format())))
}

fn pixel_format(format: VideoFormat) -> Option<PixelFormat> {
    Some(match format {
        VideoFormat::Nv12 => PixelFormat::Nv12,
        VideoFormat::Nv21 => PixelFormat::Nv21,
        VideoFormat::I420 => PixelFormat::I420,
        VideoFormat::Yv12 => PixelFormat::Yv12,
        VideoFormat::Y42b => PixelFormat::Y42b,
        VideoFormat::Y444 => PixelFormat::Y444,
        VideoFormat::Nv16 => PixelFormat::Nv16,
        VideoFormat::Yuy2 => PixelFormat::Yuy2,
        VideoFormat::Uyvy => PixelFormat::Uyvy,
        VideoFormat::Gray8 => PixelFormat::Gray8,
        VideoFormat::Rgb => PixelFormat::Rgb,
        VideoFormat::Bgr => PixelFormat::Bgr,
        VideoFormat::Rgbx | VideoFormat::Rgba => PixelFormat::Rgbx,
        VideoFormat::Bgrx | VideoFormat::Bgra => PixelFormat::Bgrx,
        VideoFormat::Xrgb | VideoFormat::Argb => PixelFormat::Xrgb,
        VideoFormat::Xbgr | VideoFormat::Abgr => PixelFormat::Xbgr,
        _ => return None,
    })
}

fn colorimetry(info: &VideoInfo) -> Colorimetry {
    let colorimetry = info.colorimetry();
    Colorimetry {
        range: if colorimetry.range() == VideoColorRange::Range16_235 { Range::Limited } else { Range::Full },
        matrix: match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => Matrix::Bt709,
            VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            _ => Matrix::Bt601,
        },
        transfer: match colorimetry.transfer() {
            VideoTransferFunction::Smpte2084 => Transfer::Pq,
            VideoTransferFunction::AribStdB67 => Transfer::Hlg,
            _ => Transfer::Sdr,
        },
    }
}
