// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entries of the first directory of a TIFF file (TIFF 6.0, section 2): the size of a picture that only FFmpeg decodes, whether
//! FFmpeg would take its floating-point samples for integers, and whether the picture is the preview of raw data.

use std::io::{Read, Seek, SeekFrom};

/// The number behind the order of bytes; that of files with 64-bit places is another one.
const VERSION: u16 = 42;
/// Maximum number of entries that are read.
const MAX_ENTRIES: u16 = 1024;
/// Bytes of an entry: tag, type, number of values, and the value or its place.
const ENTRY_BYTES: usize = 12;
/// Type of an entry with 16-bit values.
const SHORT: u16 = 3;

const NEW_SUBFILE_TYPE: u16 = 254;
const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const SAMPLE_FORMAT: u16 = 339;
const DNG_VERSION: u16 = 50706;
/// Bit of `NEW_SUBFILE_TYPE`: the picture is a smaller version of another one in the file.
const REDUCED: u32 = 1;
/// Value of `SAMPLE_FORMAT`: IEEE floating point.
const FLOAT: u32 = 3;

/// What the first directory says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Set if samples are floating-point numbers.
    pub is_float: bool,
    /// Set if the picture is the preview of a camera's raw data.
    pub is_preview: bool,
}

/// The first directory; `None` if it cannot be read.
pub fn directory(mut file: impl Read + Seek) -> Option<Directory> {
    let mut header = [0; 8];
    file.rewind().ok()?;
    file.read_exact(&mut header).ok()?;
    let order = Order { is_big: header.starts_with(b"MM") };
    (order.short(&header[2..])? == VERSION).then_some(())?;
    file.seek(SeekFrom::Start(order.long(&header[4..])?.into())).ok()?;
    let mut count = [0; 2];
    file.read_exact(&mut count).ok()?;
    let mut entries = vec![0; usize::from(order.short(&count)?.min(MAX_ENTRIES)) * ENTRY_BYTES];
    file.read_exact(&mut entries).ok()?;
    let mut found = Directory::default();
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        match order.short(entry)? {
            SAMPLE_FORMAT => found.is_float = order.first_short(entry, &mut file) == Some(FLOAT),
            tag => found.take(tag, order.value(entry)?),
        }
    }
    Some(found)
}

impl Directory {
    fn take(&mut self, tag: u16, value: u32) {
        match tag {
            IMAGE_WIDTH => self.width = value,
            IMAGE_LENGTH => self.height = value,
            NEW_SUBFILE_TYPE => self.is_preview |= value & REDUCED != 0,
            DNG_VERSION => self.is_preview = true,
            _ => {}
        }
    }
}

/// The order of bytes in the file.
#[derive(Clone, Copy, Debug)]
struct Order {
    is_big: bool,
}

impl Order {
    fn short(self, bytes: &[u8]) -> Option<u16> {
        let bytes = bytes.get(..2)?.try_into().ok()?;
        Some(if self.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(self, bytes: &[u8]) -> Option<u32> {
        let bytes = bytes.get(..4)?.try_into().ok()?;
        Some(if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// The first value of an entry, if it is a number that is stored in the entry.
    fn value(self, entry: &[u8]) -> Option<u32> {
        if self.short(&entry[2..])? == SHORT { self.short(&entry[8..]).map(u32::from) } else { self.long(&entry[8..]) }
    }

    /// The first of 16-bit values, which are in the entry if there are at most two: not those of the three samples of a pixel.
    fn first_short(self, entry: &[u8], mut file: impl Read + Seek) -> Option<u32> {
        if self.long(&entry[4..])? <= 2 {
            return self.value(entry);
        }
        let mut first = [0; 2];
        file.seek(SeekFrom::Start(self.long(&entry[8..])?.into())).ok()?;
        file.read_exact(&mut first).ok()?;
        self.short(&first).map(u32::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A file whose directory has these tags, with 32-bit values.
    fn file(entries: &[(u16, u32)]) -> Cursor<Vec<u8>> {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, value) in entries {
            bytes.extend([&tag.to_le_bytes()[..], &4_u16.to_le_bytes(), &1_u32.to_le_bytes(), &value.to_le_bytes()].concat());
        }
        Cursor::new(bytes)
    }

    #[test]
    fn the_size_and_previews_are_in_the_first_directory() {
        let photo = directory(file(&[(IMAGE_WIDTH, 640), (IMAGE_LENGTH, 480), (NEW_SUBFILE_TYPE, 0)])).unwrap();
        assert_eq!(photo, Directory { width: 640, height: 480, ..Directory::default() });
        assert!(directory(file(&[(NEW_SUBFILE_TYPE, 1)])).unwrap().is_preview, "the preview of a NEF file");
        assert!(directory(file(&[(DNG_VERSION, 0x104)])).unwrap().is_preview);
        assert!(directory(file(&[(SAMPLE_FORMAT, FLOAT)])).unwrap().is_float);
        // 16-bit values in the other order of bytes.
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\0\0\x03\0\0\0\x01\x02\x80\0\0";
        assert_eq!(directory(Cursor::new(big)).unwrap().width, 640);
    }

    #[test]
    fn the_format_of_three_samples_is_outside_the_directory() {
        let mut colour = file(&[(SAMPLE_FORMAT, 26)]).into_inner();
        colour[12..18].copy_from_slice(b"\x03\0\x03\0\0\0");
        for (format, is_float) in [(b"\x03\0", true), (b"\x01\0", false)] {
            assert_eq!(directory(Cursor::new([&colour[..22], &[0; 4], format].concat())).unwrap().is_float, is_float);
        }
    }

    #[test]
    fn a_cut_file_has_no_directory() {
        let whole = file(&[(IMAGE_WIDTH, 640)]).into_inner();
        for end in 0..whole.len() {
            assert_eq!(directory(Cursor::new(&whole[..end])), None, "cut at {end}");
        }
    }
}
