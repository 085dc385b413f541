// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses of sources.

use std::path::PathBuf;

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

impl Place {
    /// Reads an existing file, a device such as `/dev/video0`, or an address such as `rtsp://camera/stream`.
    ///
    /// # Errors
    /// A message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            address if address.contains("://") => Self::rtsp(address),
            device if device.starts_with("/dev/") => Self::device(device),
            path => match std::fs::canonicalize(path) {
                Ok(path) if path.is_file() => Ok(Self::File(path)),
                Ok(_) => Err(format!("{path}: not a file")),
                Err(error) => Err(format!("{path}: {error}")),
            },
        }
    }

    /// Reads the address of a network camera.
    ///
    /// # Errors
    /// A message for the user.
    pub fn rtsp(address: &str) -> Result<Self, String> {
        if has_split_password(address) {
            return Err("expected / ? and # in a user name or password as %2F, %3F and %23".into());
        }
        let known = ["rtsp://", "rtsps://", "rtspt://", "rtspu://"].iter().any(|scheme| address.starts_with(scheme));
        let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
        if known && plain && !host(address).is_empty() {
            Ok(Self::Rtsp(address.to_owned()))
        } else {
            let shown = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
            Err(format!("expected rtsp://HOST/PATH, found {shown}"))
        }
    }

    /// Reads the path of a device.
    ///
    /// # Errors
    /// A message for the user.
    pub fn device(path: &str) -> Result<Self, String> {
        match path.strip_prefix("/dev/video") {
            Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::Device(path.into())),
            _ => Err(format!("expected a camera such as /dev/video0, found {path}")),
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

/// True if the host seems to end within a password: what follows the colon is not a port, and an `@` follows later.
fn has_split_password(address: &str) -> bool {
    let authority = authority(address);
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    address.contains('@') && !authority.contains('@') && !is_port
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
            "http://user:s3cret@h/",
            "rtsp://user:s3cret@/x",
        ] {
            let error = Place::parse(text).unwrap_err();
            assert!(!error.contains("s3") && !error.contains("cret"), "{error}");
        }
        for text in ["rtsp://h:554/user@1", "rtsp://[::1]/user@1", "rtsp://[::1]:554/user@1", "rtsp://user:s3%2Fcret@h:554/live"] {
            assert!(Place::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_form_of_an_address_gives_its_kind() {
        assert_eq!(Place::parse("/dev/video12"), Ok(Place::Device("/dev/video12".into())));
        assert_eq!(Place::parse("rtsp://camera.example:8554/live"), Ok(Place::Rtsp("rtsp://camera.example:8554/live".into())));
        let file = Place::parse(concat!(env!("CARGO_MANIFEST_DIR"), "/src/place.rs")).unwrap();
        assert_eq!(file.name(), "place");
        for wrong in ["/dev/sda", "/dev/video", "/dev/video0/../sda", "http://camera/", "file:///etc/passwd", "rtsp://", "rtsp://a b/", "/"]
        {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Place::parse("missing.mp4").unwrap_err().starts_with("missing.mp4: "));
    }

    #[test]
    fn passwords_are_removed() {
        let place = Place::Rtsp("rtsp://user:p@ss@camera/live".into());
        assert_eq!(place.name(), "camera");
        assert_eq!(place.without_password("no answer from rtsp://user:p@ss@camera/live"), "no answer from rtsp://camera/live");
    }
}
