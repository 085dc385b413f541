// SPDX-License-Identifier: MIT OR Apache-2.0
//! A photo or video that a viewer has sent, in a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use emotion_photo_reader::Reading;
use emotion_photo_reader::format::Recognised;
use emotion_photo_reader::limits::check_within;
use emotion_photo_reader::photo::recognise;
use emotion_scan::findings::Kind;
use gst_app::gst_base;

use crate::sources::input::VIDEO_EXTENSIONS;

/// File extensions of photos. The page shows the first picture of an animation.
const PHOTO_EXTENSIONS: [&str; 13] = ["avif", "bmp", "gif", "heic", "heif", "jpeg", "jpg", "png", "ppm", "tga", "tif", "tiff", "webp"];
/// Maximum size of a photo in pixels. Its pixels are in memory.
pub const MAX_PHOTO_PIXELS: u64 = 60_000_000;
/// Bytes at the start of a file that are examined.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Length of a file's random name, without the extension.
const NAME_LENGTH: usize = 16;

/// The reason for which a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("expected a photo ({}) or a video ({})", PHOTO_EXTENSIONS.join(", "), VIDEO_EXTENSIONS.join(", "))]
    Extension,
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The content has this type, or one that is unknown.
    #[error("expected a video, found {}", .0.as_deref().unwrap_or("an unknown format"))]
    NotAVideo(Option<String>),
    #[error("expected a photo, found another kind of file")]
    NotAPhoto,
    #[error(transparent)]
    Unreadable(#[from] emotion_photo_reader::Error),
}

/// A file from a viewer, deleted when it is dropped. It is locked until then.
#[derive(Debug)]
pub struct Upload {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Upload {
    /// An empty file in `folder`, with a random name and the extension of `name`.
    ///
    /// # Errors
    /// If the extension is that of neither a photo nor a video, or the file cannot be created.
    pub fn create(folder: &Path, name: &Path) -> Result<(File, Self), UploadError> {
        if !is_photo(name) && !has_extension(name, &VIDEO_EXTENSIONS) {
            return Err(UploadError::Extension);
        }
        let extension = name.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Ok(Self::open(folder, &extension)?)
    }

    /// An empty file in `folder`, with a random name and an extension.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn open(folder: &Path, extension: &str) -> io::Result<(File, Self)> {
        fs::create_dir_all(folder)?;
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        let path = folder.join(format!("{:016x}.{extension}", u64::from_ne_bytes(name)));
        let file = File::options().write(true).create_new(true).open(&path)?;
        let upload = Self { path, _file: file.try_clone()? };
        // Both handles share the lock. Some file systems have no locks; nothing is deleted there.
        let _ = file.lock();
        Ok((file, upload))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the file begins like what its extension says.
    ///
    /// # Errors
    /// If it begins otherwise, cannot be read, or is a photo with too many pixels.
    pub fn check(&self) -> Result<(), UploadError> {
        if is_photo(&self.path) { check_photo(&self.path) } else { check_video(&header(&self.path)?) }
    }

    /// Checks that a file whose extension says nothing begins like a picture or a video of some kind: what GStreamer would make of
    /// others may be a playlist.
    ///
    /// # Errors
    /// If it begins otherwise, or cannot be read.
    pub fn check_kind(&self, kind: Kind) -> Result<(), UploadError> {
        if recognise(&self.path)? != Recognised::Other {
            return Ok(());
        }
        let header = header(&self.path)?;
        match kind {
            Kind::Video => check_video(&header),
            _ if kind_of(&header).is_some_and(|name| name.starts_with("image/") && !name.starts_with("image/svg")) => Ok(()),
            _ => Err(UploadError::NotAPhoto),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Deletes the files in `folder` that a process left there because it was killed. Those of a running process are locked.
pub fn remove_leftovers(folder: &Path) {
    let is_upload = |path: &Path| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        stem.len() == NAME_LENGTH && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let paths = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for path in paths.filter(|path| is_upload(path)) {
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(path);
        }
    }
}

/// True if the name is that of a photo.
pub fn is_photo(path: &Path) -> bool {
    has_extension(path, &PHOTO_EXTENSIONS)
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    path.extension().is_some_and(|extension| known.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The first bytes of a file.
fn header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(MAX_HEADER_BYTES).read_to_end(&mut header)?;
    Ok(header)
}

/// Refuses what GStreamer, which will decode it, does not take for a video: it could be a playlist, by which a decoder reads
/// other files and addresses.
fn check_video(header: &[u8]) -> Result<(), UploadError> {
    let name = kind_of(header);
    match name.as_deref() {
        Some("application/ogg" | "image/jpeg") => Ok(()),
        Some(name) if name.starts_with("video/") => Ok(()),
        _ => Err(UploadError::NotAVideo(name)),
    }
}

/// The media type of contents that begin like this.
fn kind_of(header: &[u8]) -> Option<String> {
    let found = gst_base::type_find_helper_for_data(gst::Object::NONE, header);
    found.ok().and_then(|(caps, _)| Some(caps.structure(0)?.name().to_string()))
}

/// Reads the size of a photo before memory is allocated for its pixels.
fn check_photo(path: &Path) -> Result<(), UploadError> {
    let (width, height) = match Reading::of(path)? {
        Reading::Photo(photo) => photo.facts().size,
        Reading::Stream(stream) => stream.size.filter(|_| stream.format.is_some()).ok_or(UploadError::NotAPhoto)?,
    };
    Ok(check_within(width, height, MAX_PHOTO_PIXELS).map_err(emotion_photo_reader::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use emotion_photo_reader::Format;
    use std::io::Write;

    #[test]
    fn the_size_of_a_photo_is_checked_before_it_is_decoded() {
        let folder = std::env::temp_dir().join(format!("emotion-dashboard-sizes-{}", std::process::id()));
        let check = |bytes: &[u8]| {
            let (file, upload) = Upload::create(&folder, Path::new("photo.jpg")).unwrap();
            (&file).write_all(bytes).unwrap();
            upload.check()
        };
        // The start of an image and its frame header, with 5000 rows.
        let header = |width: u16| {
            [&[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0x13, 0x88][..], &width.to_be_bytes(), &[3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]].concat()
        };
        assert!(matches!(check(b""), Err(UploadError::NotAPhoto)), "an empty file");
        assert!(matches!(check(b"text"), Err(UploadError::NotAPhoto)));
        assert!(check(&header(5000)).is_ok());
        let too_large = check(&header(50_000)).unwrap_err();
        assert_eq!(too_large.to_string(), "expected a photo of at most 60 megapixels, found 50000 x 5000 pixels");
        let damaged = check(b"\x89PNG\r\n\x1a\n").unwrap_err();
        assert!(
            matches!(damaged, UploadError::Unreadable(emotion_photo_reader::Error::Damaged { format: Format::Png, .. })),
            "{damaged:?}"
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn playlists_are_not_videos() {
        gst::init().unwrap();
        let hls = |comment: &str| format!("#EXTM3U\n#{comment}\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1/a.ts\n");
        let dash = "<?xml version=\"1.0\"?>\r\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\">";
        let smooth = "<?xml version=\"1.0\"?>\n<SmoothStreamingMedia MajorVersion=\"2\">";
        let (session, list) = ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=a\r\n", "file:///etc/passwd\n");
        for text in ["", &hls(""), &hls("\u{1}"), &hls("\0"), dash, smooth, session, list, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"] {
            assert!(matches!(check_video(text.as_bytes()), Err(UploadError::NotAVideo(_))), "{text}");
        }
        assert!(check_video(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41").is_ok());
    }

    #[test]
    fn a_file_is_deleted_with_its_source() {
        let (_, upload) = Upload::create(&std::env::temp_dir().join("emotion-dashboard-upload"), Path::new("photo.PNG")).unwrap();
        let path = upload.path.clone();
        assert!(path.exists());
        drop(upload);
        assert!(!path.exists());
    }

    #[test]
    fn files_of_a_process_that_was_killed_are_deleted() {
        let folder = std::env::temp_dir().join(format!("emotion-dashboard-leftovers-{}", std::process::id()));
        let (file, upload) = Upload::create(&folder, Path::new("clip.mp4")).unwrap();
        drop(file);
        let (left, other) = (folder.join("0123456789abcdef.mp4"), folder.join("holiday.mp4"));
        [&left, &other].iter().for_each(|path| fs::write(path, b"video").unwrap());
        remove_leftovers(&folder);
        assert!(!left.exists() && other.exists(), "only a file with the name of an upload");
        assert!(upload.path.exists(), "it is in use");
        drop(upload);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn photos_are_known_by_their_extension() {
        assert!(is_photo(Path::new("a/b.JPG")) && is_photo(Path::new("IMG_0001.HEIC")));
        assert!(!is_photo(Path::new("b.mp4")) && !is_photo(Path::new("jpg")));
    }
}
