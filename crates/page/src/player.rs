// SPDX-License-Identifier: MIT OR Apache-2.0
//! The video that the page plays.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Formats that browsers play.
const SUFFIXES: [&str; 5] = ["m4v", "mov", "mp4", "ogv", "webm"];
/// What is not escaped in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The address of `video` relative to `page`; none if browsers do not play it.
pub fn player_address(video: &Path, page: &Path) -> Option<String> {
    let suffix = video.extension().and_then(OsStr::to_str)?.to_lowercase();
    let is_playable = SUFFIXES.contains(&suffix.as_str()) && video.is_file();
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    is_playable.then(|| address(&relative_path(video, folder)))
}

/// The address of a relative path, or of a path on another drive of Windows.
fn address(path: &Path) -> String {
    let drive = match path.components().next() {
        Some(Component::Prefix(drive)) => format!("file:///{}/", drive.as_os_str().to_string_lossy()),
        _ => String::new(),
    };
    let parts = path.components().filter(|part| !matches!(part, Component::Prefix(_) | Component::RootDir));
    let parts: Vec<_> = parts.map(|part| percent_encode(part.as_os_str().as_encoded_bytes(), PLAIN).to_string()).collect();
    drive + &parts.join("/")
}

/// The video beside the file of records, with the same name.
pub(crate) fn beside(records: &Path) -> Option<PathBuf> {
    SUFFIXES.iter().map(|suffix| records.with_extension(suffix)).find(|path| path.is_file())
}

/// The path that leads from `folder` to `path`.
pub fn relative_path(path: &Path, folder: &Path) -> PathBuf {
    let (path, folder) = (normal(path), normal(folder));
    let shared = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// The absolute path without `..`, which need not exist.
fn normal(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
        normal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_relative_to_the_page() {
        for (video, folder, expected) in [
            ("/a/clip.mp4", "/a", "clip.mp4"),
            ("/a/clip.mp4", "/a/pages/../pages/new", "../../clip.mp4"),
            ("/a/b/clip.mp4", "/c", "../a/b/clip.mp4"),
            ("b/clip.mp4", ".", "b/clip.mp4"),
        ] {
            assert_eq!(relative_path(Path::new(video), Path::new(folder)), Path::new(expected));
        }
    }

    #[test]
    fn the_parts_of_an_address_are_separated_by_slashes() {
        assert_eq!(address(&Path::new("..").join("ä b").join("clip.mp4")), "../%C3%A4%20b/clip.mp4");
    }
}
