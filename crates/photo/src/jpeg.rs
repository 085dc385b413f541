// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame header of a JPEG picture, which is read before memory is allocated for its pixels.

/// What the frame header says (ITU-T T.81, annex B.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Bits of a sample.
    pub bits: u8,
    /// Number of colour components: 1 is grey, 3 is colour, 4 is CMYK.
    pub components: u8,
    /// Horizontal and vertical sampling factor of the first three components, 4 bits each; 0 where there is none.
    pub sampling: [u8; 3],
}

/// Sampling factors of brightness that `jpegdec` knows, where the factors of both colours are 1: 4:4:4, 4:2:2, 4:2:0 and 4:1:1.
const USUAL_SAMPLING: [u8; 4] = [0x11, 0x21, 0x22, 0x41];

impl FrameHeader {
    /// True if GStreamer's `jpegdec` decodes the picture: 8 bits, grey or colour, with a usual sampling.
    pub fn is_ordinary(self) -> bool {
        let [luma, chroma @ ..] = self.sampling;
        let is_grey_or_color = self.components == 1 || self.components == 3 && chroma == [0x11; 2];
        self.bits == 8 && USUAL_SAMPLING.contains(&luma) && is_grey_or_color
    }
}

/// The frame header; `None` if `bytes` is not a JPEG picture, or ends before its frame header.
pub fn frame_header(bytes: &[u8]) -> Option<FrameHeader> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let after = rest.strip_prefix(&[0xff])?;
        let (&marker, after) = after.split_first()?;
        match marker {
            // Fill bytes before a marker.
            0xff => rest = &rest[1..],
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => rest = after,
            // A frame header, of any coding process.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let field = |at: usize| Some(u16::from_be_bytes([*after.get(at)?, *after.get(at + 1)?]));
                let (bits, components) = (*after.get(2)?, *after.get(7)?);
                let count = usize::from(components);
                let factors = |component| if component < count { after.get(9 + 3 * component).copied() } else { None };
                let sampling = [0, 1, 2].map(|component| factors(component).unwrap_or_default());
                let found = FrameHeader { bits, height: field(3)?, width: field(5)?, components, sampling };
                return (found.width > 0 && found.height > 0).then_some(found);
            }
            // Scan data or the end of the image before a frame header.
            0xd9 | 0xda => return None,
            _ => {
                let length = usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?]));
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A comment, then the header of a baseline frame of 640x480 pixels.
    const HEADERS: [u8; 19] = [0xff, 0xd8, 0xff, 0xfe, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 17, 8, 1, 0xe0, 2, 0x80, 3];

    #[test]
    fn the_size_is_in_the_frame_header() {
        let found = frame_header(&[&HEADERS[..], &[1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]].concat()).unwrap();
        assert_eq!(found, FrameHeader { width: 640, height: 480, bits: 8, components: 3, sampling: [0x22, 0x11, 0x11] });
        assert!(found.is_ordinary() && FrameHeader { components: 1, sampling: [0x11, 0, 0], ..found }.is_ordinary());
        for other in [FrameHeader { components: 4, ..found }, FrameHeader { sampling: [0x12, 0x11, 0x11], ..found }] {
            assert!(!other.is_ordinary(), "{other:?}");
        }
    }

    #[test]
    fn other_bytes_are_not_a_picture() {
        for end in 0..HEADERS.len() {
            assert_eq!(frame_header(&HEADERS[..end]), None, "truncated at {end}");
        }
        assert_eq!(frame_header(b"\x89PNG\r\n\x1a\n"), None);
        assert_eq!(frame_header(&[0xff, 0xd8, 0xff, 0xda, 0, 2]), None);
        assert_eq!(frame_header(&[&[0xff, 0xd8][..], &[0xff; 100]].concat()), None);
    }
}
