// SPDX-License-Identifier: MIT OR Apache-2.0
//! The units of H.264 and H.265 (NAL units) of which a picture is made.

/// H.264 or H.265.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    H264,
    H265,
}

impl Codec {
    /// That of video with these caps.
    pub fn of(caps: &gst::CapsRef) -> Option<Self> {
        match caps.structure(0)?.name().as_str() {
            "video/x-h264" => Some(Self::H264),
            "video/x-h265" => Some(Self::H265),
            _ => None,
        }
    }

    /// The kind of a unit (ITU-T H.264, table 7-1; H.265, table 7-1).
    pub fn kind(self, unit: &[u8]) -> u8 {
        let first = unit.first().copied().unwrap_or_default();
        if self == Self::H265 { first >> 1 & 63 } else { first & 31 }
    }

    /// True for units of this kind that are parts of the picture itself.
    pub fn is_slice(self, kind: u8) -> bool {
        if self == Self::H265 { kind < 32 } else { (1..=5).contains(&kind) }
    }

    /// True if no other picture is decoded with the help of the one with this slice.
    fn is_unreferenced(self, slice: &[u8]) -> bool {
        match self {
            Self::H264 => slice.first().is_some_and(|first| first >> 5 & 3 == 0),
            // Those that end in _N in the table.
            Self::H265 => self.kind(slice) < 16 && self.kind(slice).is_multiple_of(2),
        }
    }
}

/// True if the picture of these bytes, with these caps, helps to decode no other one.
pub(crate) fn is_unreferenced(caps: &gst::CapsRef, bytes: &[u8]) -> bool {
    let Some((codec, fields)) = Codec::of(caps).zip(caps.structure(0)) else { return false };
    let is_slice = |unit: &&[u8]| codec.is_slice(codec.kind(unit));
    let slice = if fields.get::<&str>("stream-format") == Ok("byte-stream") {
        units(bytes).find(is_slice)
    } else {
        let set_up = fields.get::<gst::Buffer>("codec_data").ok();
        let set_up = set_up.as_ref().and_then(|set_up| set_up.map_readable().ok());
        // ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1: how long lengths are.
        let length = set_up.and_then(|set_up| set_up.get(if codec == Codec::H265 { 21 } else { 4 }).copied());
        length.and_then(|length| measured(bytes, usize::from(length & 3) + 1).find(is_slice))
    };
    slice.is_some_and(|slice| codec.is_unreferenced(slice))
}

/// Units with their lengths, of so many bytes, before them.
fn measured(bytes: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (size, units) = rest.split_at_checked(length)?;
        let size = size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        let (unit, next) = units.split_at_checked(size)?;
        rest = next;
        Some(unit)
    })
}

/// The units of a byte stream (ITU-T H.264, annex B), without their start codes and the zeros behind them.
pub(crate) fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let next = after_start_code(unit);
        rest = next;
        let end = next.map_or(unit.len(), |next| unit.len() - next.len() - 3);
        let zeros = unit[..end].iter().rev().take_while(|byte| **byte == 0).count();
        Some(&unit[..end - zeros])
    })
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    bytes.windows(3).position(|window| window == [0, 0, 1]).map(|at| &bytes[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_no_other_one_needs_are_found() {
        gst::init().unwrap();
        let stream = |name: &str| gst::Caps::builder(name).field("stream-format", "byte-stream").build();
        let in_file = |name: &str, set_up: &'static [u8]| {
            gst::Caps::builder(name).field("stream-format", "in-file").field("codec_data", gst::Buffer::from_slice(set_up)).build()
        };
        let (h264, h265) = ("video/x-h264", "video/x-h265");
        // A message, and a slice: of a picture that others need or not, or of an IDR picture.
        for (slice, expected) in [(0x41, false), (0x01, true), (0x65, false)] {
            assert_eq!(is_unreferenced(&stream(h264), &[0, 0, 0, 1, 6, 5, 0, 0, 1, slice, 8]), expected, "{slice}");
            let file = in_file(h264, &[1, 66, 0, 30, 0xff]);
            assert_eq!(is_unreferenced(&file, &[0, 0, 0, 2, 6, 5, 0, 0, 0, 2, slice, 8]), expected, "{slice}");
        }
        // TRAIL_N, TRAIL_R, RASL_N, IDR.
        for (slice, expected) in [(0, true), (1 << 1, false), (8 << 1, true), (20 << 1, false)] {
            assert_eq!(is_unreferenced(&stream(h265), &[0, 0, 1, 0x4e, 1, 5, 0, 0, 1, slice, 1, 8]), expected, "{slice}");
            let mut set_up = [0; 23];
            set_up[21] = 1;
            assert_eq!(is_unreferenced(&in_file(h265, Box::leak(Box::new(set_up))), &[0, 3, slice, 1, 8]), expected, "{slice}");
        }
        assert!(!is_unreferenced(&stream("video/x-vp8"), &[0, 0, 1, 1, 8]) && !is_unreferenced(&stream(h264), &[]));
    }
}
