// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses of sources.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Where video comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// A Video4Linux device.
    Device(PathBuf),
    /// A network camera, by its address.
    Rtsp(String),
}

/// Why a text is no source. No message has a password.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The path of something else than a file.
    #[error("{0}: not a file")]
    NotAFile(String),
    /// The file cannot be opened.
    #[error("{path}: {source}")]
    Unreadable {
        /// The path.
        path: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A user name or password has a character that ends it.
    #[error("expected / ? and # in a user name or password as %2F, %3F and %23, and @ in a path behind a port as %40")]
    Password,
    /// Not the address of a network camera.
    #[error("expected rtsp://HOST/PATH, found {0}")]
    Address(String),
    /// Not a device for video.
    #[error("expected a camera such as /dev/video0, found {0}")]
    Device(String),
}

impl Place {
    /// Reads an existing file, a device such as `/dev/video0`, or an address such as `rtsp://camera/stream`.
    ///
    /// # Errors
    /// If the text is something else.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        match text {
            address if address.contains("://") => Self::rtsp(address),
            device if device.starts_with("/dev/") => Self::device(device),
            path => match std::fs::canonicalize(path) {
                Ok(path) if path.is_file() => Ok(Self::File(path)),
                Ok(_) => Err(PlaceError::NotAFile(path.to_owned())),
                Err(source) => Err(PlaceError::Unreadable { path: path.to_owned(), source }),
            },
        }
    }

    /// Reads the address of a network camera.
    ///
    /// # Errors
    /// If the address has another form.
    pub fn rtsp(address: &str) -> Result<Self, PlaceError> {
        if has_split_password(address) {
            return Err(PlaceError::Password);
        }
        let known = ["rtsp://", "rtsps://", "rtspt://", "rtspu://"].iter().any(|scheme| address.starts_with(scheme));
        let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
        if known && plain && !host(address).is_empty() {
            Ok(Self::Rtsp(address.to_owned()))
        } else {
            let shown = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
            Err(PlaceError::Address(shown.to_owned()))
        }
    }

    /// Reads the path of a device.
    ///
    /// # Errors
    /// If the path is another one.
    pub fn device(path: &str) -> Result<Self, PlaceError> {
        match path.strip_prefix("/dev/video") {
            Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::Device(path.into())),
            _ => Err(PlaceError::Device(path.to_owned())),
        }
    }

    /// A name for it: the file's without extension, the device's, or the host's.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.file_stem().map_or_else(|| "File".into(), |stem| stem.to_string_lossy().into_owned()),
            Self::Device(path) => path.file_name().map_or_else(|| "Camera".into(), |name| name.to_string_lossy().into_owned()),
            Self::Rtsp(address) => host(address).to_owned(),
        }
    }

    /// `text` without the user name and password of this address.
    pub fn without_password(&self, text: &str) -> String {
        let Self::Rtsp(address) = self else { return text.to_owned() };
        match authority(address).rsplit_once('@') {
            Some((credentials, _)) => text.replace(&format!("{credentials}@"), ""),
            None => text.to_owned(),
        }
    }
}

/// The part between the scheme and the path.
fn authority(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// True if the host may end within a password: a colon precedes its end, and an `@` follows. A path with `@` behind a port looks the
/// same, and is refused for that reason.
fn has_split_password(address: &str) -> bool {
    let authority = authority(address);
    let has_colon = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    address.contains('@') && !authority.contains('@') && has_colon
}

fn host(address: &str) -> &str {
    authority(address).rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_part_of_an_error() {
        for text in [
            "rtsp://user:s3/cret@h/live",
            "rtsp://user:s3?cret@h/",
            "rtsp://user:s3#cret@h/",
            "rtsp://s3:12345/67@h/",
            "rtsp://[::1]:554/s3@1",
            "http://user:s3cret@h/",
            "rtsp://user:s3cret@/x",
        ] {
            let error = Place::parse(text).unwrap_err().to_string();
            assert!(!error.contains("s3") && !error.contains("cret"), "{error}");
        }
        for text in ["rtsp://h/user@1", "rtsp://h:554/user%401", "rtsp://[::1]/user@1", "rtsp://user:s3%2Fcret@h:554/live"] {
            assert!(Place::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_form_of_an_address_gives_its_kind() {
        assert_eq!(Place::parse("/dev/video12").unwrap(), Place::Device("/dev/video12".into()));
        let address = "rtsp://camera.example:8554/live";
        assert_eq!(Place::parse(address).unwrap(), Place::Rtsp(address.into()));
        let file = Place::parse(concat!(env!("CARGO_MANIFEST_DIR"), "/src/place.rs")).unwrap();
        assert_eq!(file.name(), "place");
        for wrong in ["/dev/sda", "/dev/video", "/dev/video0/../sda", "http://camera/", "file:///etc/passwd", "rtsp://", "rtsp://a b/", "/"]
        {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Place::parse("missing.mp4").unwrap_err().to_string().starts_with("missing.mp4: "));
    }

    #[test]
    fn passwords_are_removed() {
        let place = Place::Rtsp("rtsp://user:p@ss@camera/live".into());
        assert_eq!(place.name(), "camera");
        assert_eq!(place.without_password("no answer from rtsp://user:p@ss@camera/live"), "no answer from rtsp://camera/live");
    }
}
