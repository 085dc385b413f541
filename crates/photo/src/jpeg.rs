// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame header of a JPEG picture, which is read before memory is allocated for its pixels, and where the picture ends.

use std::io::{self, BufRead, Seek};

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

/// The frame header; `None` if the file is not a JPEG picture, or ends before its frame header. Then reading goes on behind the header.
pub fn frame_header(file: &mut (impl BufRead + Seek)) -> Option<FrameHeader> {
    (bytes(file).ok()? == [0xff, 0xd8]).then_some(())?;
    loop {
        match marker(file).ok()? {
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => {}
            // A frame header, of any coding process.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return frame(file).ok().filter(|found| found.width > 0 && found.height > 0);
            }
            // Scan data or the end of the image before a frame header.
            0xd9 | 0xda => return None,
            _ => skip_segment(file).ok()?,
        }
    }
}

/// Number of bytes of the picture whose frame header was read. Previews, gain maps and films may follow it (CIPA DC-007, ISO 21496-1).
///
/// # Errors
/// If the file cannot be read, or has no end of the picture.
pub fn length(file: &mut (impl BufRead + Seek)) -> io::Result<u64> {
    let mut next = marker(file)?;
    while next != 0xd9 {
        next = match next {
            0x01 | 0xd0..=0xd7 => marker(file)?,
            0xda => {
                skip_segment(file)?;
                marker_behind_scan(file)?
            }
            _ => {
                skip_segment(file)?;
                marker(file)?
            }
        };
    }
    file.stream_position()
}

fn frame(file: &mut impl BufRead) -> io::Result<FrameHeader> {
    let mut segment = vec![0; segment_length(file)?];
    file.read_exact(&mut segment)?;
    let [bits, h1, h0, w1, w0, components, factors @ ..] = &segment[..] else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let sampling = [0, 1, 2].map(|component| factors.get(3 * component + 1).copied().unwrap_or_default());
    let [height, width] = [[*h1, *h0], [*w1, *w0]].map(u16::from_be_bytes);
    Ok(FrameHeader { width, height, bits: *bits, components: *components, sampling })
}

/// The next marker, without the fill bytes before it.
fn marker(file: &mut impl BufRead) -> io::Result<u8> {
    let [start] = bytes(file)?;
    if start == 0xff { code(file) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn code(file: &mut impl BufRead) -> io::Result<u8> {
    loop {
        let [code] = bytes(file)?;
        if code != 0xff {
            return Ok(code);
        }
    }
}

/// The first marker behind the data of a scan, in which 0xff is followed by 0, or by the number of a restart.
fn marker_behind_scan(file: &mut impl BufRead) -> io::Result<u8> {
    loop {
        file.skip_until(0xff)?;
        let code = code(file)?;
        if !matches!(code, 0 | 0xd0..=0xd7) {
            return Ok(code);
        }
    }
}

/// Number of bytes of the segment that begins here, without those of its length.
fn segment_length(file: &mut impl BufRead) -> io::Result<usize> {
    Ok(usize::from(u16::from_be_bytes(bytes(file)?)).saturating_sub(2))
}

fn skip_segment(file: &mut (impl BufRead + Seek)) -> io::Result<()> {
    let length = segment_length(file)?;
    file.seek_relative(length as i64)
}

fn bytes<const COUNT: usize>(file: &mut impl BufRead) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A comment, then the header of a baseline frame of 640x480 pixels.
    const HEADERS: [u8; 19] = [0xff, 0xd8, 0xff, 0xfe, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 17, 8, 1, 0xe0, 2, 0x80, 3];

    /// The sampling of its components.
    const FACTORS: [u8; 9] = [1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];

    fn frame_header(bytes: &[u8]) -> Option<FrameHeader> {
        super::frame_header(&mut Cursor::new(bytes))
    }

    #[test]
    fn the_size_is_in_the_frame_header() {
        let found = frame_header(&[&HEADERS[..], &FACTORS].concat()).unwrap();
        assert_eq!(found, FrameHeader { width: 640, height: 480, bits: 8, components: 3, sampling: [0x22, 0x11, 0x11] });
        assert!(found.is_ordinary() && FrameHeader { components: 1, sampling: [0x11, 0, 0], ..found }.is_ordinary());
        for other in [FrameHeader { components: 4, ..found }, FrameHeader { sampling: [0x12, 0x11, 0x11], ..found }] {
            assert!(!other.is_ordinary(), "{other:?}");
        }
    }

    #[test]
    fn a_picture_ends_with_its_own_mark() {
        // Two scans with a restart, a table between them, and fill bytes before the end.
        let scans = [0xff, 0xda, 0, 3, 1, 7, 0xff, 0, 0xff, 0xd3, 0xff, 0xc4, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 2, 5, 0xff, 0xff, 0xd9];
        let picture = [&HEADERS[..], &FACTORS, &scans].concat();
        for behind in [&[][..], &picture, b"\0\0\0\x14ftypmp42"] {
            let mut file = Cursor::new([&picture, behind].concat());
            assert!(super::frame_header(&mut file).is_some());
            assert_eq!(length(&mut file).unwrap(), picture.len() as u64);
        }
        for end in HEADERS.len() + FACTORS.len()..picture.len() {
            let mut file = Cursor::new(&picture[..end]);
            assert!(super::frame_header(&mut file).is_some() && length(&mut file).is_err(), "truncated at {end}");
        }
    }

    #[test]
    fn other_bytes_are_not_a_picture() {
        let whole = [&HEADERS[..], &FACTORS].concat();
        for end in 0..whole.len() {
            assert_eq!(frame_header(&whole[..end]), None, "truncated at {end}");
        }
        assert_eq!(frame_header(b"\x89PNG\r\n\x1a\n"), None);
        assert_eq!(frame_header(&[0xff, 0xd8, 0xff, 0xda, 0, 2]), None);
        assert_eq!(frame_header(&[&[0xff, 0xd8][..], &[0xff; 100]].concat()), None);
    }
}
