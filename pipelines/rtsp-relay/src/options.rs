// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::secret;

/// What `--help` prints.
pub const USAGE: &str = "\
Usage: emotion-rtsp-relay [OPTIONS] rtsp://CAMERA

Serves a camera's RTSP stream again with faces and their apparent expressions: drawn in the picture (stream 0,
H.264) and as records (stream 1, NDJSON in application/x-gst).

      --listen ADDRESS:PORT  address of the server [127.0.0.1:8554]
      --token SECRET         secret that clients need, at least 16 characters; required unless the address is a
                             loopback address. Clients open rtsp://viewer:SECRET@ADDRESS:PORT/PATH.
                             Prefer the environment variable EMOTION_RELAY_TOKEN
      --path PATH            path of the stream [/faces]
      --size WIDTHxHEIGHT    size of the served picture [1280x720]
      --latency MS           length of the camera's jitter buffer [200]
      --protocol tcp|udp     protocol to the camera [tcp]
      --stall SECONDS        time without a frame before the relay reconnects [5]
  -h, --help                 print this help";

/// The protocol of the camera's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Interleaved with the RTSP connection.
    Tcp,
    /// RTP datagrams.
    Udp,
}

/// The options of the relay.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Address of the camera, `rtsp://` or `rtsps://`.
    pub camera: String,
    /// Address of the server.
    pub listen: SocketAddr,
    /// Secret that clients need.
    pub token: Option<String>,
    /// Path of the served stream, with a leading slash.
    pub path: String,
    /// Width and height of the served picture.
    pub size: (u32, u32),
    /// Length of the camera's jitter buffer.
    pub latency: Duration,
    /// Protocol of the camera's stream.
    pub protocol: Protocol,
    /// Time without a frame before the relay reconnects.
    pub stall: Duration,
}

impl Options {
    /// Reads the arguments of this process. Returns none if they ask for help.
    pub fn from_env() -> Result<Option<Self>, lexopt::Error> {
        Self::parse(std::env::args_os().skip(1))
    }

    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// If an argument is unknown, invalid or missing.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, lexopt::Error> {
        let mut camera = None;
        let mut options = Self {
            camera: String::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8554)),
            token: std::env::var("EMOTION_RELAY_TOKEN").ok().filter(|token| !token.is_empty()),
            path: "/faces".into(),
            size: (1280, 720),
            latency: Duration::from_millis(200),
            protocol: Protocol::Tcp,
            stall: Duration::from_secs(5),
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Long("listen") => options.listen = parser.value()?.parse()?,
                Long("token") => options.token = Some(parser.value()?.string()?),
                Long("path") => options.path = parser.value()?.parse_with(path)?,
                Long("size") => options.size = parser.value()?.parse_with(size)?,
                Long("latency") => options.latency = Duration::from_millis(parser.value()?.parse::<u32>()?.into()),
                Long("protocol") => options.protocol = parser.value()?.parse_with(protocol)?,
                Long("stall") => options.stall = parser.value()?.parse_with(stall)?,
                Value(address) if camera.is_none() => camera = Some(address.parse_with(address_of)?),
                other => return Err(other.unexpected()),
            }
        }
        options.camera = camera.ok_or("the camera's address is missing")?;
        secret::check(options.listen, options.token.as_deref())?;
        Ok(Some(options))
    }
}

fn address_of(text: &str) -> Result<String, String> {
    let known = ["rtsp://", "rtsps://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    known.then(|| text.to_string()).ok_or_else(|| format!("\"{text}\" is not an rtsp:// or rtsps:// address"))
}

fn path(text: &str) -> Result<String, String> {
    (text.len() > 1 && text.starts_with('/')).then(|| text.to_string()).ok_or_else(|| "a path starts with a slash".into())
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    // Even numbers, because the encoder subsamples the colours.
    sides
        .filter(|&(width, height)| [width, height].iter().all(|side| (16..=8192).contains(side) && side % 2 == 0))
        .ok_or_else(|| format!("\"{text}\" is not WIDTHxHEIGHT with even numbers from 16 to 8192"))
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        _ => Err(format!("\"{text}\" is neither tcp nor udp")),
    }
}

fn stall(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.5..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("\"{text}\" is not a number of seconds from 0.5 to 3600"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_option_of_the_help() {
        let manual = include_str!("../emotion-rtsp-relay.1");
        let options = USAGE.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        for option in options.map(|option| option.trim_end_matches([',', '.', ';'])) {
            assert!(manual.contains(&format!("Fl -{option}")), "--{option} is missing");
        }
    }

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_camera_is_required() {
        let options = parse("rtsp://camera/stream").unwrap().unwrap();
        assert_eq!(options.camera, "rtsp://camera/stream");
        assert_eq!(options.listen.to_string(), "127.0.0.1:8554", "other machines cannot connect by default");
        assert_eq!(parse("--help"), Ok(None));
        let shared = parse("rtsp://camera/stream --listen 0.0.0.0:8554 --token 0123456789abcdef").unwrap().unwrap();
        assert_eq!(shared.token.as_deref(), Some("0123456789abcdef"));
    }

    #[test]
    fn errors_name_the_problem() {
        for (line, expected) in [
            ("", "address is missing"),
            ("camera.mp4", "camera.mp4"),
            ("rtsp://a rtsp://b", "rtsp://b"),
            ("rtsp://a --size 641x480", "641x480"),
            ("rtsp://a --size 640", "640"),
            ("rtsp://a --protocol sctp", "sctp"),
            ("rtsp://a --stall 0", "seconds"),
            ("rtsp://a --path faces", "slash"),
            ("rtsp://a --listen 8554", "8554"),
            ("rtsp://a --listen 0.0.0.0:8554", "--token"),
            ("rtsp://a --listen [::]:8554 --token short", "16 characters"),
            ("rtsp://a --token 0123456789abcde@", "letters"),
            ("rtsp://a --wat", "wat"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
