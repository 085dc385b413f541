// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the structure of a file says that GStreamer's demuxers do not: whether a recording was cut off, and whether a demuxer
//! reads it wrongly.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Types of boxes with which MP4 and QuickTime files begin.
const FIRST_BOXES: [&[u8; 4]; 6] = [b"ftyp", b"wide", b"mdat", b"moov", b"free", b"skip"];
/// First bytes of a YUV4MPEG2 file, whose first line describes its format.
const Y4M: &[u8] = b"YUV4MPEG2 ";
/// The type of a tag of FLV with a frame.
const FLV_VIDEO: u8 = 9;
/// So many tags at the end of an FLV file may be sound or data.
const MAX_TAGS: usize = 1_000;
/// Maximum length of the first line of a YUV4MPEG2 file that is read.
const Y4M_HEADER: usize = 256;
/// Maximum length of the header of a box, in bytes.
const BOX_HEADER: u64 = 16;

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// An MP4 or QuickTime file ends before the index that a recorder writes last.
    NoIndex,
    /// An MP4 or QuickTime file lacks so many bytes at its end.
    CutOff(u64),
    /// A YUV4MPEG2 file has more than 8 bits for each component, which GStreamer reads as 8 bits.
    DeepY4m,
}

/// The defect of a file, if its first bytes are those of a known structure. An unreadable file has none: opening it says why.
pub fn defect(path: &Path) -> Option<Defect> {
    let mut file = BufReader::with_capacity(Y4M_HEADER, File::open(path).ok()?);
    let length = file.get_ref().metadata().ok()?.len();
    let mut start = Vec::new();
    file.by_ref().take(Y4M_HEADER as u64).read_to_end(&mut start).ok()?;
    if start.starts_with(Y4M) {
        return is_deep(&start).then_some(Defect::DeepY4m);
    }
    let is_mp4 = start.get(4..8).is_some_and(|kind| FIRST_BOXES.iter().any(|first| kind == *first));
    if is_mp4 { defect_of_boxes(&mut file, length).ok().flatten() } else { None }
}

/// True if the first line of a YUV4MPEG2 file names a format with more than 8 bits, such as `C420p10` or `Cmono16`.
fn is_deep(start: &[u8]) -> bool {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut format = line.split(|byte| *byte == b' ').filter_map(|word| word.strip_prefix(b"C"));
    format.next().is_some_and(|format| [&b"9"[..], b"10", b"12", b"14", b"16"].iter().any(|bits| format.ends_with(bits)))
}

/// Follows the boxes of the top level up to the end of the file.
fn defect_of_boxes(mut file: impl Read + Seek, length: u64) -> io::Result<Option<Defect>> {
    let (mut at, mut has_media, mut has_index) = (0_u64, false, false);
    while at < length {
        file.seek(SeekFrom::Start(at))?;
        let mut header = Vec::new();
        file.by_ref().take(BOX_HEADER).read_to_end(&mut header)?;
        let Some((kind, size)) = box_header(&header, length - at) else { break };
        match &kind {
            b"mdat" => has_media = true,
            // Fragments have an index each; pictures such as HEIC have `meta` instead.
            b"moov" | b"moof" | b"meta" => has_index = true,
            _ => {}
        }
        let end = at.saturating_add(size);
        // What is missing of other boxes, such as padding, is not missed.
        if end > length && has_index && [b"mdat", b"moov", b"moof"].contains(&&kind) {
            return Ok(Some(Defect::CutOff(end - length)));
        }
        at = end;
    }
    Ok((at >= length && has_media && !has_index).then_some(Defect::NoIndex))
}

/// Type and size of a box, of which `left` bytes are in the file; `None` if this is no box.
fn box_header(header: &[u8], left: u64) -> Option<([u8; 4], u64)> {
    let (size, rest) = header.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let size = match u32::from_be_bytes(*size) {
        0 => left,
        1 => u64::from_be_bytes(*rest.first_chunk::<8>()?),
        small => u64::from(small),
    };
    let is_box = size >= 8 && kind.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte == 0xa9);
    is_box.then_some((*kind, size))
}

/// Time of the last frame of an FLV file; `None` for other files. A tag ends with its length, so they are followed from the end.
pub fn last_frame_of_flv(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut read = |at: u64, bytes: &mut [u8]| {
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(bytes).ok()
    };
    let mut start = [0; 3];
    read(0, &mut start)?;
    let mut end = (start == *b"FLV").then(|| path.metadata().ok())??.len();
    for _ in 0..MAX_TAGS {
        let mut length = [0; 4];
        read(end.checked_sub(4)?, &mut length)?;
        end = (end - 4).checked_sub(u64::from(u32::from_be_bytes(length)))?;
        let mut tag = [0; 8];
        read(end, &mut tag)?;
        let [kind, _, _, _, high, middle, low, highest] = tag;
        if kind == FLV_VIDEO {
            return Some(u64::from(u32::from_be_bytes([highest, high, middle, low])) * 1_000_000);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(boxes: &[(&[u8; 4], u32)]) -> Vec<u8> {
        let one = |&(kind, size): &(&[u8; 4], u32)| [&size.to_be_bytes()[..], kind, &vec![7; size.saturating_sub(8) as usize]].concat();
        boxes.iter().flat_map(one).collect()
    }

    fn found(bytes: &[u8]) -> Option<Defect> {
        defect_of_boxes(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_recording_without_an_index_is_told_from_one_with_it() {
        let whole = file(&[(b"ftyp", 16), (b"mdat", 100), (b"moov", 40)]);
        assert_eq!(found(&whole), None);
        assert_eq!(found(&whole[..116]), Some(Defect::NoIndex), "cut before the index");
        assert_eq!(found(&whole[..70]), Some(Defect::NoIndex), "cut within the media");
        assert_eq!(found(&whole[..130]), Some(Defect::CutOff(26)), "cut within the index");
        let open = [file(&[(b"ftyp", 16)]), b"\0\0\0\0mdat".to_vec(), vec![1; 50]].concat();
        assert_eq!(found(&open), Some(Defect::NoIndex), "a size of 0 reaches to the end");
    }

    #[test]
    fn a_file_with_its_index_first_lacks_bytes() {
        let whole = file(&[(b"ftyp", 16), (b"moov", 40), (b"mdat", 100)]);
        assert_eq!((found(&whole), found(&whole[..100])), (None, Some(Defect::CutOff(56))));
        let fragmented = file(&[(b"ftyp", 16), (b"moov", 40), (b"moof", 20), (b"mdat", 60)]);
        assert_eq!((found(&fragmented), found(&fragmented[..130])), (None, Some(Defect::CutOff(6))));
    }

    #[test]
    fn other_contents_have_no_defect() {
        assert_eq!(found(&file(&[(b"ftyp", 16), (b"meta", 40), (b"mdat", 100)])), None, "a picture");
        let padded = file(&[(b"ftyp", 16), (b"moov", 40), (b"mdat", 100), (b"free", 50)]);
        assert_eq!(found(&padded[..180]), None, "padding is cut off");
        assert_eq!(found(b"\0\0\0\x10ftypisom\0\0\0\0 and no box"), None);
        assert_eq!(found(&file(&[(b"wide", 8), (b"mdat", 16)])[..10]), None, "no media at all");
    }

    #[test]
    fn bits_of_raw_video_are_read_from_its_first_line() {
        let is_deep = |format: &str| is_deep(format!("YUV4MPEG2 W64 H48 F25:1 {format} A1:1\nFRAME\n").as_bytes());
        assert!(is_deep("C420p10") && is_deep("C444p12 XYSCSS=444P12") && is_deep("Cmono16"));
        assert!(!is_deep("C420jpeg") && !is_deep("C422") && !is_deep("Cmono") && !is_deep("Ip"));
    }
}
