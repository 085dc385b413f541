// SPDX-License-Identifier: MIT OR Apache-2.0
//! A picture as a frame of GStreamer.

use gst::glib;

use crate::photo::{Facts, Timed};
use crate::picture::Picture;

/// The frame of a picture, with its time and how long it is shown. `rate` is the mean number of frames in a second of an animation;
/// a photo has none. Without a rate, parsers after an encoder lose how long the last picture is shown.
///
/// # Errors
/// If GStreamer cannot describe a frame of this size.
pub fn sample(timed: Timed, rate: Option<gst::Fraction>) -> Result<gst::Sample, glib::BoolError> {
    let (start, duration) = (timed.start, timed.duration);
    let info = info(&timed.picture, rate)?;
    let mut buffer = buffer(timed.picture, &info)?;
    let shown = buffer.make_mut();
    shown.set_pts(gst::ClockTime::try_from(start).ok());
    shown.set_duration(duration.and_then(|duration| gst::ClockTime::try_from(duration).ok()));
    Ok(gst::Sample::builder().buffer(&buffer).caps(&info.to_caps()?).build())
}

/// The mean number of frames in a second of an animation; `None` for a photo.
pub fn rate(facts: &Facts) -> Option<gst::Fraction> {
    let milliseconds = i32::try_from(facts.length()?.as_millis()).ok().filter(|length| *length > 0)?;
    let frames = i32::try_from(facts.durations.len()).ok()?.checked_mul(1000)?;
    Some(gst::Fraction::new(frames, milliseconds))
}

/// The caps of a picture.
fn info(picture: &Picture, rate: Option<gst::Fraction>) -> Result<gst_video::VideoInfo, glib::BoolError> {
    let format = if picture.channels == 1 { gst_video::VideoFormat::Gray8 } else { gst_video::VideoFormat::Rgb };
    let frames = gst_video::VideoInfo::builder(format, picture.width, picture.height).fps(rate.unwrap_or(gst::Fraction::new(0, 1)));
    frames.build().map_err(|_| glib::bool_error!("no frame has {} x {} pixels", picture.width, picture.height))
}

/// The pixels without a copy. Their rows have no padding, which the metadata says.
fn buffer(picture: Picture, info: &gst_video::VideoInfo) -> Result<gst::Buffer, glib::BoolError> {
    let stride = picture.width * picture.channels;
    let stride = i32::try_from(stride).map_err(|_| glib::bool_error!("rows of {stride} bytes are too long"))?;
    let mut buffer = gst::Buffer::from_mut_slice(picture.pixels);
    let (flags, size) = (gst_video::VideoFrameFlags::empty(), (picture.width, picture.height));
    gst_video::VideoMeta::add_full(buffer.make_mut(), flags, info.format(), size.0, size.1, &[0], &[stride])?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use gst_video::VideoFrameExt;

    #[test]
    fn a_frame_has_the_rows_of_the_picture() {
        gst::init().unwrap();
        // Rows of GStreamer's own would be padded to 8 bytes.
        let picture = Picture { width: 2, height: 2, channels: 3, pixels: (1..=12).collect() };
        let shown = Duration::from_millis(40);
        let sample = sample(Timed { picture, start: shown, duration: Some(shown) }, None).unwrap();
        let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
        assert_eq!((frame.plane_stride()[0], frame.plane_data(0).unwrap()[6]), (6, 7));
        let (pts, duration) = (sample.buffer().unwrap().pts(), sample.buffer().unwrap().duration());
        assert_eq!((pts, duration), (Some(gst::ClockTime::from_mseconds(40)), Some(gst::ClockTime::from_mseconds(40))));
    }
}
