// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the size of a JPEG picture before memory is allocated for its pixels.

/// Width and height in pixels; `None` if `bytes` is not a JPEG picture. Only headers are read (ITU-T T.81, annex B).
pub fn size(bytes: &[u8]) -> Option<(u16, u16)> {
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
                return Some((field(5)?, field(3)?)).filter(|&(width, height)| width > 0 && height > 0);
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
        assert_eq!(size(&HEADERS), Some((640, 480)));
    }

    #[test]
    fn other_bytes_are_not_a_picture() {
        for end in 0..HEADERS.len() - 1 {
            assert_eq!(size(&HEADERS[..end]), None, "truncated at {end}");
        }
        assert_eq!(size(b"\x89PNG\r\n\x1a\n"), None);
        assert_eq!(size(&[0xff, 0xd8, 0xff, 0xda, 0, 2]), None);
        assert_eq!(size(&[&[0xff, 0xd8][..], &[0xff; 100]].concat()), None);
    }
}
