// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where video comes from, and which inputs a viewer may choose.

use std::io;
use std::path::{Path, PathBuf};

use emotion_supervise::place::Place;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum length of a source's name, in characters.
const MAX_NAME_CHARACTERS: usize = 60;
/// Maximum length of a source's address.
const MAX_ADDRESS_BYTES: usize = 1024;
/// Maximum number of files to choose from.
const MAX_FILES: usize = 200;
/// File extensions of video files.
pub const VIDEO_EXTENSIONS: [&str; 10] = ["avi", "m4v", "mjpeg", "mkv", "mov", "mp4", "mpg", "ogv", "ts", "webm"];

/// Where video comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, played in a loop, or a camera.
    Place(Place),
    /// A browser that sends JPEG pictures.
    Browser,
}

/// The reason for which a text is not an input.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("an address has at most {MAX_ADDRESS_BYTES} bytes")]
    TooLong,
    /// It is neither an existing file nor a device nor an address.
    #[error("{0}")]
    Place(Box<dyn std::error::Error + Send + Sync>),
    #[error("{}: {error}", folder.display())]
    Media { folder: PathBuf, error: io::Error },
    /// Its kind is one that viewers may not choose.
    #[error(
        "expected a file, a camera such as /dev/video0 or an address such as rtsp://HOST/PATH; other sources are given to the program when it starts"
    )]
    NotFromPage,
    #[error("no file {0} in the folder of --media")]
    NotInMedia(String),
}

/// The kinds of [`Input`], as requests spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "SourceKind", description = "Where video comes from: a file, a camera of the server, a network camera, a browser.")]
pub enum Kind {
    /// [`Place::File`].
    File,
    /// [`Place::Device`].
    Camera,
    /// [`Place::Rtsp`].
    Rtsp,
    /// A source that only whoever starts the program can choose: a stream of another kind, or a launch line.
    Stream,
    /// [`Input::Browser`].
    Browser,
}

impl Input {
    /// An input from the command line: any existing file, a device or an address.
    ///
    /// # Errors
    /// If it is neither a file nor a device nor an address.
    pub fn from_argument(argument: &str) -> Result<Self, InputError> {
        Place::parse(argument).map(Self::Place).map_err(|error| InputError::Place(error.into()))
    }

    /// An input from the page. Files must be in the folder `media`.
    ///
    /// # Errors
    /// If the address is of another kind, or the file is elsewhere.
    pub fn from_request(kind: Kind, address: &str, media: &Path) -> Result<Self, InputError> {
        if address.len() > MAX_ADDRESS_BYTES {
            return Err(InputError::TooLong);
        }
        match kind {
            Kind::Browser => Ok(Self::Browser),
            Kind::Stream => Err(InputError::NotFromPage),
            Kind::Rtsp => Place::rtsp(address).map(Self::Place).map_err(|error| InputError::Place(error.into())),
            Kind::Camera => Place::device(address).map(Self::Place).map_err(|error| InputError::Place(error.into())),
            Kind::File => {
                let outside = || InputError::NotInMedia(address.to_owned());
                let unreadable = |error| InputError::Media { folder: media.to_owned(), error };
                let folder = std::fs::canonicalize(media).map_err(unreadable)?;
                let path = std::fs::canonicalize(folder.join(address)).map_err(|_| outside())?;
                if path.starts_with(&folder) && path.is_file() { Ok(Self::Place(Place::File(path))) } else { Err(outside()) }
            }
        }
    }

    /// The default name of a source with this input.
    pub fn name(&self) -> String {
        match self {
            Self::Place(place) => place.name(),
            Self::Browser => "Browser camera".into(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Place(Place::File(_)) => Kind::File,
            Self::Place(Place::Device(_) | Place::Libcamera(_)) => Kind::Camera,
            Self::Place(Place::Rtsp(_)) => Kind::Rtsp,
            Self::Place(Place::Stream(_) | Place::Launch(_)) => Kind::Stream,
            Self::Browser => Kind::Browser,
        }
    }

    /// `text` without the user name and password of this input's address.
    pub fn without_password(&self, text: &str) -> String {
        match self {
            Self::Place(place) => place.without_password(text),
            Self::Browser => text.to_owned(),
        }
    }
}

/// Shortens a name to one line of limited length; `None` if nothing is left.
pub fn clean_name(name: &str) -> Option<String> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARACTERS).collect();
    Some(shown.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The cameras and files that a viewer can choose from.
#[derive(Debug, Default, Serialize)]
pub struct Choices {
    cameras: Vec<String>,
    files: Vec<String>,
}

impl Choices {
    /// Lists the cameras in `/dev` and the videos in the folder `media`, without subfolders.
    pub fn find(media: &Path) -> Self {
        let mut cameras: Vec<String> =
            names(Path::new("/dev")).map(|name| format!("/dev/{name}")).filter(|path| Place::device(path).is_ok()).collect();
        let is_video = |name: &String| {
            let extension = Path::new(name).extension();
            extension.is_some_and(|extension| VIDEO_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
        };
        let mut files: Vec<String> = names(media).filter(is_video).take(MAX_FILES).collect();
        cameras.sort_unstable();
        files.sort_unstable();
        Self { cameras, files }
    }
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_opens_files_of_the_media_folder_only() {
        let folder = std::env::temp_dir().join(format!("emotion-dashboard-input-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("media")).unwrap();
        std::fs::write(folder.join("media/clip.mp4"), b"").unwrap();
        std::fs::write(folder.join("secret.mp4"), b"").unwrap();
        let media = folder.join("media");
        let open = |address: &str| Input::from_request(Kind::File, address, &media);
        assert!(matches!(open("clip.mp4"), Ok(Input::Place(Place::File(path))) if path.ends_with("media/clip.mp4")));
        for outside in ["../secret.mp4", "/etc/passwd", "nothing.mp4", "", "."] {
            assert!(matches!(open(outside), Err(InputError::NotInMedia(_))), "{outside}");
        }
        std::os::unix::fs::symlink(folder.join("secret.mp4"), media.join("link.mp4")).unwrap();
        assert!(open("link.mp4").is_err(), "the link leads out of the folder");
        assert_eq!(Choices::find(&media).files, ["clip.mp4", "link.mp4"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_cameras_and_rtsp_addresses_are_accepted() {
        let of = |kind, address: &str| Input::from_request(kind, address, Path::new("."));
        assert!(of(Kind::Camera, "/dev/video12").is_ok());
        for device in ["/dev/sda", "/dev/video", "/dev/video0/../sda", "video0"] {
            assert!(of(Kind::Camera, device).is_err(), "{device}");
        }
        assert!(of(Kind::Rtsp, "rtsp://camera.example:8554/live").is_ok());
        for address in ["http://camera/", "file:///etc/passwd", "rtsp://", "rtsp://a b/", "rtsp:///path"] {
            assert!(of(Kind::Rtsp, address).is_err(), "{address}");
        }
        assert!(matches!(of(Kind::Rtsp, &format!("rtsp://{}", "a".repeat(2000))), Err(InputError::TooLong)));
    }

    #[test]
    fn names_are_shortened_to_one_line() {
        assert_eq!(clean_name(" Room\n 12 ").as_deref(), Some("Room 12"));
        assert_eq!(clean_name("\t \n"), None);
        assert_eq!(clean_name(&"ü".repeat(99)).map(|name| name.chars().count()), Some(60));
    }
}
