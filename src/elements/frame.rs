// SPDX-License-Identifier: MIT OR Apache-2.0
//! From GStreamer's video frames to [`FrameView`]: the only bridge between its pixels and the core.

use std::ops::Deref;

use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef, VideoInfo, VideoMeta};

use crate::error::{Error, Result};
use crate::geometry::Size;
use crate::image::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range};

/// The formats of the sink pads, most preferred first.
pub const FORMATS: [VideoFormat; 17] = [
    VideoFormat::Nv12,
    VideoFormat::Nv21,
    VideoFormat::I420,
    VideoFormat::Yv12,
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

/// A sink and a source pad of [`caps`], for elements that hand frames on as they are.
pub fn pad_templates() -> Vec<gst::PadTemplate> {
    let caps = caps();
    [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
        .map(|(name, direction)| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                .unwrap_or_else(|error| unreachable!("a plain template: {error}"))
        })
        .into()
}

/// Width and height of `info`.
pub fn size(info: &VideoInfo) -> Size {
    Size::new(info.width(), info.height())
}

/// Maps `buffer` for reading, which leaves pixels that others share where they are.
///
/// # Errors
/// [`Error::Config`] if the buffer does not hold what `info` promises.
pub fn map<'a>(buffer: &'a gst::BufferRef, info: &VideoInfo) -> Result<VideoFrameRef<&'a gst::BufferRef>> {
    let unreadable = |_| {
        Error::Config(format!("buffer of {} bytes cannot be read as {} {}x{}", buffer.size(), info.format(), info.width(), info.height()))
    };
    VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(unreadable)
}

/// Another buffer with the pixels of `buffer` and nothing else. GStreamer's own copy of a pool's buffer holds on to that
/// buffer from 1.26 on, so that nobody could write metadata on it meanwhile.
pub fn share_pixels(buffer: &gst::BufferRef) -> gst::Buffer {
    let mut shared = gst::Buffer::new();
    let writable = shared.make_mut();
    buffer.iter_memories_owned().for_each(|memory| writable.append_memory(memory));
    if let Some(meta) = buffer.meta::<VideoMeta>() {
        // What described these planes once does so again.
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
    shared
}

/// Borrows the planes of a mapped frame.
///
/// # Errors
/// [`Error::Config`] for a format outside [`FORMATS`] or rows that go upwards, [`Error::Image`] for planes that are too
/// small.
pub fn view<'a, T: Deref<Target = gst::BufferRef>>(frame: &'a VideoFrameRef<T>) -> Result<FrameView<'a>>
where
    VideoFrameRef<T>: VideoFrameExt,
{
    let info = frame.info();
    let format = pixel_format(info.format()).ok_or_else(|| Error::Config(format!("unsupported pixel format {}", info.format())))?;
    let mut planes = [Plane::default(); 3];
    for (index, plane) in planes.iter_mut().enumerate().take(format.planes()) {
        let stride = frame.plane_stride()[index];
        let stride = usize::try_from(stride).map_err(|_| Error::Config(format!("plane {index} has the negative stride {stride}")))?;
        let data = frame.plane_data(index as u32).unwrap_or_default();
        *plane = Plane { data, stride };
    }
    FrameView::new(format, size(info), &planes, colorimetry(info))
}

fn pixel_format(format: VideoFormat) -> Option<PixelFormat> {
    Some(match format {
        VideoFormat::Nv12 => PixelFormat::Nv12,
        VideoFormat::Nv21 => PixelFormat::Nv21,
        VideoFormat::I420 => PixelFormat::I420,
        VideoFormat::Yv12 => PixelFormat::Yv12,
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
    let given = info.colorimetry();
    Colorimetry {
        range: if given.range() == VideoColorRange::Range16_235 { Range::Limited } else { Range::Full },
        matrix: match given.matrix() {
            VideoColorMatrix::Bt709 => Matrix::Bt709,
            VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            _ => Matrix::Bt601,
        },
    }
}
