// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a file has that its copy does not: everything that may tell who or where.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::options::Sound;
use super::reading::Others;
use crate::findings::Kind;

/// Tags that say how a file is encoded, and nothing about what it shows.
const TECHNICAL: [&str; 11] = [
    "audio-codec",
    "bitrate",
    "codec",
    "container-format",
    "encoder-version",
    "maximum-bitrate",
    "minimum-bitrate",
    "nominal-bitrate",
    "subtitle-codec",
    "has-crc",
    "video-codec",
];
/// What is in photos besides the picture, by the bytes with which it begins.
const MARKS: [(&[u8], &str); 13] = [
    (b"Exif\0\0", "Exif"),
    (b"eXIf", "Exif"),
    (b"GPSLatitude", "GPS"),
    (b"http://ns.adobe.com/xap/1.0/", "XMP"),
    (b"http://ns.adobe.com/xmp/extension/", "XMP"),
    (b"Photoshop 3.0\0", "IPTC"),
    (b"MPF\0", "further pictures"),
    (b"hdrgm:", "gain map"),
    (b"MotionPhoto", "film of a motion photo"),
    (b"tEXt", "text"),
    (b"iTXt", "text"),
    (b"zTXt", "text"),
    (b"ICC_PROFILE\0", "colour profile"),
];
/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// What the copy of `input` does not have.
pub(super) fn of(input: &Path, kind: Kind, sound: Sound, others: &Others) -> Vec<String> {
    let mut left_out = if kind == Kind::Photo { marks(input) } else { streams(&others.streams, sound) };
    let tags = others.tags.iter().filter(|name| !TECHNICAL.contains(&name.as_str()));
    left_out.extend(tags.map(|name| format!("tag {name}")));
    left_out
}

/// The streams besides the video, and its sound unless that is dropped.
fn streams(streams: &[String], sound: Sound) -> Vec<String> {
    let mut copied = vec!["video/"];
    copied.extend((sound == Sound::Keep).then_some("audio/"));
    let is_other = |stream: &&String| match copied.iter().position(|start| stream.starts_with(start)) {
        Some(first) => {
            copied.remove(first);
            false
        }
        None => true,
    };
    streams.iter().filter(is_other).map(|stream| format!("stream {stream}")).collect()
}

/// What is in a photo besides the picture.
fn marks(input: &Path) -> Vec<String> {
    let Ok(file) = File::open(input) else { return Vec::new() };
    let (mut reader, mut bytes, mut found) = (BufReader::with_capacity(BLOCK, file), Vec::new(), Vec::<String>::new());
    let longest = MARKS.iter().map(|(mark, _)| mark.len()).max().unwrap_or_default();
    while reader.by_ref().take(BLOCK as u64).read_to_end(&mut bytes).is_ok_and(|read| read > 0) {
        for (mark, name) in MARKS {
            if !found.iter().any(|known| known == name) && bytes.windows(mark.len()).any(|window| window == mark) {
                found.push(name.to_owned());
            }
        }
        bytes.drain(..bytes.len().saturating_sub(longest));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_besides_one_video_and_one_sound_are_left_out() {
        let found = ["video/x-raw", "audio/mpeg", "video/x-raw", "text/x-raw", "audio/mpeg"].map(str::to_owned);
        let others = ["stream video/x-raw", "stream text/x-raw", "stream audio/mpeg"];
        assert_eq!(streams(&found, Sound::Keep), others);
        assert_eq!(streams(&found, Sound::Drop).len(), 4);
    }

    #[test]
    fn marks_are_found_across_blocks() {
        let path = std::env::temp_dir().join(format!("emotion-scan-marks-{}.jpg", std::process::id()));
        let mut bytes = vec![0; BLOCK - 3];
        bytes.extend(b"Exif\0\0 and MPF\0");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(marks(&path), ["Exif", "further pictures"]);
        std::fs::remove_file(path).unwrap();
    }
}
