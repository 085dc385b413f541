// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a video cannot change: its caps, and the parameter sets of H.264 and H.265.

use super::Frame;
use crate::units::{Codec, units};

/// The rate in the caps of raw frames, of which their times are independent.
const NOMINAL_RATE: gst::Fraction = gst::Fraction::new_raw(30, 1);

/// What a video cannot change.
pub(crate) struct Form {
    pub(super) caps: gst::Caps,
    /// Parameter sets of encoded frames, which an MP4 file has once.
    parameters: Vec<u8>,
}

impl Form {
    /// That of a video which begins with `frame`.
    pub(crate) fn of(frame: &Frame) -> Self {
        Self { caps: essential(&frame.caps), parameters: parameters(frame) }
    }

    /// True if `frame` can be in the same video.
    pub(crate) fn goes_on_with(&self, frame: &Frame) -> bool {
        let parameters = parameters(frame);
        essential(&frame.caps) == self.caps && (parameters.is_empty() || parameters == self.parameters)
    }
}

/// What an MP4 file cannot change.
fn essential(caps: &gst::Caps) -> gst::Caps {
    let mut caps = caps.clone();
    if parser(&caps).is_none() {
        caps.make_mut().set("framerate", NOMINAL_RATE);
    } else if let Some(fields) = caps.make_mut().structure_mut(0) {
        let is_kept = |name: &str| ["stream-format", "alignment", "codec_data"].contains(&name);
        fields.filter_map_in_place(|name, value| is_kept(name.as_str()).then_some(value));
    }
    caps
}

/// The parser of video that an MP4 file can have as it is; `None` for other video.
pub(super) fn parser(caps: &gst::Caps) -> Option<&'static str> {
    Some(if Codec::of(caps)? == Codec::H265 { "h265parse" } else { "h264parse" })
}

/// The parameter sets before the first slice of a key frame in a byte stream, which describe the video: one after another, each with its
/// start code. Video in another form has them in its caps.
fn parameters(frame: &Frame) -> Vec<u8> {
    let Some(codec) = Codec::of(&frame.caps) else { return Vec::new() };
    let form = frame.caps.structure(0).and_then(|fields| fields.get::<&str>("stream-format").ok());
    let bytes = frame.buffer.map_readable().ok().filter(|_| frame.is_key() && form == Some("byte-stream"));
    let mut found = Vec::new();
    for unit in bytes.iter().flat_map(|bytes| units(bytes)) {
        let kind = codec.kind(unit);
        if codec.is_slice(kind) {
            break;
        }
        let is_parameter_set = if codec == Codec::H265 { (32..=34).contains(&kind) } else { [7, 8].contains(&kind) };
        if is_parameter_set {
            found.extend([&[0, 0, 1], unit].concat());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_frame(form: &str, bytes: &'static [u8]) -> Vec<u8> {
        gst::init().unwrap();
        let caps = gst::Caps::builder(form).field("stream-format", "byte-stream").build();
        parameters(&Frame { caps, buffer: gst::Buffer::from_slice(bytes), time: gst::ClockTime::ZERO })
    }

    #[test]
    fn parameter_sets_are_found_before_the_first_slice() {
        // A delimiter, two parameter sets, a message, a slice, and what is no parameter set of this frame.
        let h264 = [0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 6, 5, 0, 0, 1, 0x65, 8, 0, 0, 1, 0x67, 9];
        assert_eq!(key_frame("video/x-h264", &*h264.to_vec().leak()), [0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3]);
        let h265 = [0, 0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x42, 1, 8, 0, 0, 1, 0x44, 1, 9, 0, 0, 1, 0x26, 1, 5];
        assert_eq!(key_frame("video/x-h265", &*h265.to_vec().leak()), h265[1..19]);
    }
}
