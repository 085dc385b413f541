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
    /// A stream of another kind, by its address.
    Stream(String),
    /// A camera of libcamera, such as that of a Raspberry Pi, by its name; the first one if that is empty.
    Libcamera(String),
    /// A launch line of GStreamer that ends in video.
    Launch(String),
}

/// Schemes of addresses of network cameras.
const RTSP: [&str; 4] = ["rtsp", "rtsps", "rtspt", "rtspu"];
/// Schemes of the addresses of other streams.
const STREAMS: [&str; 7] = ["http", "https", "rtmp", "rtmps", "srt", "udp", "rtp"];

/// Why a text is no source. No message has a password.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum PlaceError {
    #[error("{0}: not a file")]
    NotAFile(String),
    #[error("{path}: {source}")]
    Unreadable { path: String, source: io::Error },
    /// A user name or password has a character that ends it.
    #[error("expected / ? and # in a user name or password as %2F, %3F and %23, and @ in a path behind a port as %40")]
    Password,
    #[error("expected rtsp://HOST/PATH, found {0}")]
    Address(String),
    #[error(
        "expected an address of rtsp, rtsps, http, https, rtmp, rtmps, srt, udp or rtp, such as rtsp://HOST/PATH or udp://:PORT, found {0}"
    )]
    Stream(String),
    #[error("expected a camera such as /dev/video0, found {0}")]
    Device(String),
    #[error("expected a launch line that ends in video, such as gst:v4l2src ! image/jpeg, found none")]
    Launch,
}

impl Place {
    /// Reads an existing file, a device such as `/dev/video0`, an address such as `rtsp://camera/stream`, `libcamera:`, or a launch line
    /// such as `gst:v4l2src ! image/jpeg`.
    ///
    /// # Errors
    /// If the text is something else.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        if let Some(line) = text.strip_prefix("gst:") {
            return if line.trim().is_empty() { Err(PlaceError::Launch) } else { Ok(Self::Launch(line.trim().to_owned())) };
        }
        if let Some(name) = text.strip_prefix("libcamera:") {
            return Ok(Self::Libcamera(name.to_owned()));
        }
        match text {
            address if RTSP.contains(&scheme(address)) => Self::rtsp(address),
            address if address.contains("://") => Self::stream(address),
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
        if RTSP.contains(&scheme(address)) && is_plain(address) && !host(address).is_empty() {
            Ok(Self::Rtsp(address.to_owned()))
        } else {
            Err(PlaceError::Address(without_credentials(address)))
        }
    }

    /// Reads the address of a stream of another kind.
    fn stream(address: &str) -> Result<Self, PlaceError> {
        if has_split_password(address) {
            return Err(PlaceError::Password);
        }
        let (scheme, host) = (scheme(address), host(address));
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let is_complete = if ["udp", "rtp", "srt"].contains(&scheme) { port.is_some() } else { !host.is_empty() };
        if STREAMS.contains(&scheme) && is_plain(address) && is_complete {
            Ok(Self::Stream(address.to_owned()))
        } else {
            Err(PlaceError::Stream(without_credentials(address)))
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

    /// A name for it: the file's without extension, the device's, the host's, or that of its kind.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.file_stem().map_or_else(|| "File".into(), |stem| stem.to_string_lossy().into_owned()),
            Self::Device(path) => path.file_name().map_or_else(|| "Camera".into(), |name| name.to_string_lossy().into_owned()),
            Self::Rtsp(address) => host(address).to_owned(),
            Self::Stream(address) if host(address).starts_with(':') => format!("{}{}", scheme(address), host(address)),
            Self::Stream(address) => host(address).to_owned(),
            Self::Libcamera(name) if !name.is_empty() => name.clone(),
            Self::Libcamera(_) => "libcamera".into(),
            Self::Launch(_) => "gst".into(),
        }
    }

    /// True for a file, which ends.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// `text` without the user names and passwords of addresses.
    pub fn without_password(&self, text: &str) -> String {
        let text = match self {
            Self::Rtsp(address) | Self::Stream(address) => text.replace(address, &without_credentials(address)),
            _ => text.to_owned(),
        };
        without_credentials(&text)
    }
}

/// The part before `://`.
pub(crate) fn scheme(address: &str) -> &str {
    address.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// True without white space and control characters.
pub(crate) fn is_plain(address: &str) -> bool {
    !address.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Parts of the names of parameters whose values are secret.
const SECRET: [&str; 7] = ["pass", "pwd", "token", "key", "secret", "auth", "sig"];

/// `text` with the addresses in it without user names and passwords, also those in queries.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_end = |c: char| c.is_whitespace() || "\"'<>".contains(c);
        let (address, rest) = part.split_at(part.find(is_end).unwrap_or(part.len()));
        let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
        let start = authority(path).rfind('@').map_or(0, |at| at + 1);
        let query = query.map(|query| format!("?{}", query.split('&').map(without_secret).collect::<Vec<_>>().join("&")));
        shown += &format!("://{}{}{rest}", &path[start..], query.unwrap_or_default());
    }
    shown
}

/// A parameter of a query without its value, if that is secret.
fn without_secret(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if SECRET.iter().any(|part| name.to_ascii_lowercase().contains(part)) => format!("{name}=..."),
        _ => parameter.to_owned(),
    }
}

/// The part between the scheme and the path.
pub(crate) fn authority(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// True if the host may end within a password: a colon precedes its end, and an `@` follows. A path with `@` behind a port looks the
/// same, and is refused for that reason.
pub(crate) fn has_split_password(address: &str) -> bool {
    let authority = authority(address);
    let has_colon = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    address.contains('@') && !authority.contains('@') && has_colon
}

/// The host, with its port.
pub(crate) fn host(address: &str) -> &str {
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
            "ftp://user:s3cret@h/",
            "rtsp://user:s3cret@/x",
            "srt://h?passphrase=s3cret",
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
        for wrong in ["/dev/sda", "/dev/video", "/dev/video0/../sda", "file:///etc/passwd", "rtsp://", "rtsp://a b/", "/"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Place::parse("missing.mp4").unwrap_err().to_string().starts_with("missing.mp4: "));
    }

    #[test]
    fn streams_of_other_kinds_have_names_without_secrets() {
        for (text, name) in [
            ("http://user:pass@camera/video.mjpg?key=1", "camera"),
            ("https://host/live/index.m3u8", "host"),
            ("rtmp://host:1935/live/door", "host:1935"),
            ("srt://host:9000?passphrase=0123456789", "host:9000"),
            ("srt://:9000?mode=listener", "srt:9000"),
            ("udp://:5000", "udp:5000"),
            ("udp://239.1.2.3:5000", "239.1.2.3:5000"),
            ("rtp://@:5004", "rtp:5004"),
        ] {
            assert_eq!(Place::parse(text).unwrap().name(), name, "{text}");
        }
        for wrong in
            ["udp://", "udp://host", "srt://host", "rtp://:x", "http://", "http:///path", "http://a b/", "ftp://host/", "gst:", "gst: "]
        {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Place::parse("libcamera:").unwrap(), Place::Libcamera(String::new()));
        assert_eq!(Place::parse("gst: videotestsrc ").unwrap(), Place::Launch("videotestsrc".into()));
    }

    #[test]
    fn passwords_are_removed() {
        let hidden =
            Place::Launch(String::new()).without_password("no \"http://u:p@h:80/x?pwd=s3\", srt://h:1?passphrase=s3&mode=caller and a://b");
        assert_eq!(hidden, "no \"http://h:80/x?pwd=...\", srt://h:1?passphrase=...&mode=caller and a://b");
        let dahua = Place::Rtsp("rtsp://u:p@h/realmonitor?channel=1&subtype=0".into());
        assert_eq!(dahua.without_password("rtsp://u:p@h/realmonitor?channel=1&subtype=0"), "rtsp://h/realmonitor?channel=1&subtype=0");
        let place = Place::Rtsp("rtsp://user:p@ss@camera/live".into());
        assert_eq!(place.name(), "camera");
        assert_eq!(place.without_password("no answer from rtsp://user:p@ss@camera/live"), "no answer from rtsp://camera/live");
    }
}
