// SPDX-License-Identifier: MIT OR Apache-2.0
//! How drawings get onto a buffer: attached as an overlay composition, which an element downstream draws, or blended into
//! the frame.

use std::sync::Arc;

use gst_video::{
    CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION, VideoFormat, VideoFrameFlags, VideoInfo, VideoMeta, VideoOverlayComposition,
    VideoOverlayCompositionMeta, VideoOverlayFormatFlags, VideoOverlayRectangle,
};

use crate::draw::{Canvas, Placed};
use crate::elements::frame;
use crate::error::{Error, Result};

/// The format that `GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB` stands for: words of 32 bits with alpha in the highest byte.
const FORMAT: VideoFormat = if cfg!(target_endian = "little") { VideoFormat::Bgra } else { VideoFormat::Argb };

/// How pictures are put on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Blended into the frame: the caps do not allow compositions, or downstream does not draw them.
    Blend,
    /// The caps allow compositions. Whether downstream draws them is asked when the first buffer arrives, since elements
    /// answer an ALLOCATION query only once they have the caps. BaseTransform sends no such query for elements that always
    /// work in place.
    Undecided,
    /// Attached as a composition.
    Attach,
}

impl Output {
    /// The output for negotiated caps. If the stream may already have compositions, pictures are always added to them.
    pub(super) fn from_caps(incaps: &gst::Caps, outcaps: &gst::Caps) -> Self {
        match (has_compositions(incaps.features(0)), has_compositions(outcaps.features(0))) {
            (true, true) => Self::Attach,
            (false, true) => Self::Undecided,
            _ => Self::Blend,
        }
    }
}

fn has_compositions(features: Option<&gst::CapsFeaturesRef>) -> bool {
    features.is_some_and(|features| features.contains(CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION))
}

/// The caps on the other pad for `caps` on the pad `direction`. The element may add compositions to a stream
/// (`may_attach`) but never removes those that are there.
pub(super) fn transform_caps(direction: gst::PadDirection, caps: &gst::Caps, may_attach: bool) -> gst::Caps {
    let mut transformed = gst::Caps::new_empty();
    let writable = transformed.make_mut();
    for (structure, features) in caps.iter_with_features() {
        let is_composed = has_compositions(Some(features));
        let mut other = features.to_owned();
        // The order matters: the first structure is preferred, which is the one with compositions.
        if direction == gst::PadDirection::Sink && !is_composed && may_attach {
            other.add(CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION);
            writable.append_structure_full(structure.to_owned(), Some(other));
            writable.append_structure_full(structure.to_owned(), Some(features.to_owned()));
        } else {
            writable.append_structure_full(structure.to_owned(), Some(features.to_owned()));
            if direction == gst::PadDirection::Src && is_composed && may_attach {
                other.remove(CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION);
                writable.append_structure_full(structure.to_owned(), Some(other));
            }
        }
    }
    transformed
}

/// Maps `buffer` for writing and lets `paint` change its pixels.
///
/// # Errors
/// [`Error::Buffer`] and [`Error::Image`] if the buffer does not match its caps.
pub(super) fn paint(buffer: &mut gst::BufferRef, info: &VideoInfo, paint: impl FnOnce(&mut Canvas)) -> Result<()> {
    let mut frame = frame::map_writable(buffer, info)?;
    paint(&mut frame::canvas(&mut frame)?);
    Ok(())
}

/// Makes overlay compositions. It keeps the rectangles of the last frame, because sinks cache what they upload or convert
/// for each rectangle.
#[derive(Default)]
pub(super) struct Composer {
    last: Vec<(Placed, VideoOverlayRectangle)>,
}

impl Composer {
    /// Attaches `placed` to the buffer, on top of a composition that it already has.
    ///
    /// # Errors
    /// [`Error::Buffer`] if GStreamer rejects the composition.
    pub(super) fn attach(&mut self, buffer: &mut gst::BufferRef, placed: Vec<Placed>) -> Result<()> {
        let current = placed.into_iter().map(|placed| {
            let rectangle = self.rectangle(&placed)?;
            Ok((placed, rectangle))
        });
        self.last = current.collect::<Result<_>>()?;
        let ours = self.last.iter().map(|(_, rectangle)| rectangle);
        let rejected = |_| Error::Buffer("GStreamer rejected the overlay composition".to_owned());
        if let Some(mut meta) = buffer.meta_mut::<VideoOverlayCompositionMeta>() {
            let theirs: Vec<VideoOverlayRectangle> = meta.overlay_owned().iter().collect();
            meta.set_overlay(&VideoOverlayComposition::new(theirs.iter().chain(ours)).map_err(rejected)?);
        } else {
            VideoOverlayCompositionMeta::add(buffer, &VideoOverlayComposition::new(ours).map_err(rejected)?);
        }
        Ok(())
    }

    /// The rectangle for `placed`: that of the last frame if nothing has changed, or a new one, which shares the pixels if
    /// the picture only moved.
    fn rectangle(&self, placed: &Placed) -> Result<VideoOverlayRectangle> {
        let is_same_picture = |last: &Placed| Arc::ptr_eq(&last.picture, &placed.picture) && last.size == placed.size;
        let mut same_picture = self.last.iter().filter(|(last, _)| is_same_picture(last));
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

/// The visible part of the picture as a buffer in [`FORMAT`].
fn pixels_of(placed: &Placed) -> Result<gst::Buffer> {
    let native_argb = |rgba: &[u8]| {
        let argb = [rgba[3], rgba[0], rgba[1], rgba[2]];
        u32::from_be_bytes(argb).to_ne_bytes()
    };
    let size = placed.size;
    let rows = placed.picture.rgba().chunks_exact(placed.picture.size().width as usize * 4).take(size.height as usize);
    let bytes: Vec<u8> = rows.flat_map(|row| row.chunks_exact(4).take(size.width as usize)).flat_map(native_argb).collect();
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let rejected = |_| Error::Buffer(format!("GStreamer rejected a picture of {}x{} pixels", size.width, size.height));
    let writable = buffer.get_mut().expect("a new buffer has one reference");
    VideoMeta::add(writable, VideoFrameFlags::empty(), FORMAT, size.width, size.height).map_err(rejected)?;
    Ok(buffer)
}
