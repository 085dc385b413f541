// SPDX-License-Identifier: MIT OR Apache-2.0
//! Onto buffers: faces blurred in the frame; pictures attached as an overlay composition, or blended into the frame.

use std::sync::Arc;

use gst_video::{
    VideoFormat, VideoFrameFlags, VideoInfo, VideoMeta, VideoOverlayComposition, VideoOverlayCompositionMeta, VideoOverlayFormatFlags,
    VideoOverlayRectangle,
};

use crate::draw::{Canvas, Placed};
use crate::elements::frame;
use crate::error::{Error, Result};

/// What `GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB` stands for: a word of 32 bits with alpha in the highest byte.
const FORMAT: VideoFormat = if cfg!(target_endian = "little") { VideoFormat::Bgra } else { VideoFormat::Argb };

/// Maps the buffer and changes its own planes.
///
/// # Errors
/// [`Error::Config`] and [`Error::Image`] if the buffer does not hold what its caps promise.
pub(super) fn paint(buffer: &mut gst::BufferRef, info: &VideoInfo, paint: impl FnOnce(&mut Canvas)) -> Result<()> {
    let mut frame = frame::map_writable(buffer, info)?;
    paint(&mut frame::canvas(&mut frame)?);
    Ok(())
}

/// Makes overlay compositions and keeps the last one, since sinks keep what they made of each rectangle.
#[derive(Default)]
pub(super) struct Composer {
    last: Vec<(Placed, VideoOverlayRectangle)>,
}

impl Composer {
    /// Attaches `placed` to the buffer, over a composition that is there already.
    ///
    /// # Errors
    /// [`Error::Config`] if GStreamer refuses.
    pub(super) fn attach(&mut self, buffer: &mut gst::BufferRef, placed: Vec<Placed>) -> Result<()> {
        let current = placed.into_iter().map(|placed| {
            let rectangle = self.rectangle(&placed)?;
            Ok((placed, rectangle))
        });
        self.last = current.collect::<Result<_>>()?;
        let ours = self.last.iter().map(|(_, rectangle)| rectangle);
        let refused = |_| Error::Config("the overlay composition was refused".to_owned());
        if let Some(mut meta) = buffer.meta_mut::<VideoOverlayCompositionMeta>() {
            let theirs: Vec<VideoOverlayRectangle> = meta.overlay_owned().iter().collect();
            meta.set_overlay(&VideoOverlayComposition::new(theirs.iter().chain(ours)).map_err(refused)?);
        } else {
            VideoOverlayCompositionMeta::add(buffer, &VideoOverlayComposition::new(ours).map_err(refused)?);
        }
        Ok(())
    }

    /// The last frame's rectangle if it shows the same at the same place; a picture that moved keeps its pixels.
    fn rectangle(&self, placed: &Placed) -> Result<VideoOverlayRectangle> {
        let same = |last: &Placed| Arc::ptr_eq(&last.picture, &placed.picture) && last.size == placed.size;
        let mut same_picture = self.last.iter().filter(|(last, _)| same(last));
        if let Some((_, rectangle)) = same_picture.clone().find(|(last, _)| (last.x, last.y) == (placed.x, placed.y)) {
            return Ok(rectangle.clone());
        }
        let flags = VideoOverlayFormatFlags::PREMULTIPLIED_ALPHA;
        let pixels = same_picture.next().map(|(_, rectangle)| Ok(rectangle.pixels_unscaled_raw(flags)));
        let pixels = pixels.unwrap_or_else(|| pixels_of(placed))?;
        let size = placed.size;
        Ok(VideoOverlayRectangle::new_raw(&pixels, placed.x, placed.y, size.width, size.height, flags))
    }
}

/// The part of the picture that is shown, as GStreamer wants it.
fn pixels_of(placed: &Placed) -> Result<gst::Buffer> {
    let order = |pixel: &[u8]| {
        let argb = [pixel[3], pixel[0], pixel[1], pixel[2]];
        u32::from_be_bytes(argb).to_ne_bytes()
    };
    let size = placed.size;
    let rows = placed.picture.rgba().chunks_exact(placed.picture.size().width as usize * 4).take(size.height as usize);
    let bytes: Vec<u8> = rows.flat_map(|row| row.chunks_exact(4).take(size.width as usize)).flat_map(order).collect();
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let refused = |_| Error::Config(format!("a picture of {}x{} was refused", size.width, size.height));
    let writable = buffer.get_mut().expect("the buffer is new");
    VideoMeta::add(writable, VideoFrameFlags::empty(), FORMAT, size.width, size.height).map_err(refused)?;
    Ok(buffer)
}
