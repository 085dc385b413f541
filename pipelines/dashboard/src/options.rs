// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the command line says.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::input::Input;
use crate::secret;

/// What `--help` prints.
pub const HELP: &str = "\
Faces and their apparent expression, live on a page.

usage: emotion-dashboard [OPTION]... [SOURCE]...

A SOURCE is a video file (it is played in a loop), a camera such as /dev/video0, or rtsp://ADDRESS.

  --listen ADDRESS:PORT  where to serve the page                [127.0.0.1:8765]
  --token SECRET         what viewers must know, 16 characters or more; needed to listen on any but a loopback address.
                         Better in the environment, as EMOTION_DASHBOARD_TOKEN
  --host NAME            a host name by which the page may be asked for, besides localhost and addresses
  --media FOLDER         whose files may be opened from the page [the present one]
  --data FOLDER          where records are kept                  [~/.local/state/gst-emotion/dashboard]
  --record-size MIB      most that each record of a source takes on disk, the oldest goes first [256]
  --max-sources N        most sources at once                    [32]
  --labels MAP           words for the pictures: happiness=glücklich,anger=Ärger
  --help                 this text
";

/// What is asked for.
#[derive(Debug)]
pub enum Command {
    /// The help text.
    Help,
    /// The page.
    Serve(Options),
}

/// How the page is served.
#[derive(Debug)]
pub struct Options {
    /// Where the page is served.
    pub listen: SocketAddr,
    /// What viewers must know.
    pub token: Option<String>,
    /// Names by which the page may be asked for.
    pub hosts: Vec<String>,
    /// The folder whose files may be opened from the page.
    pub media: PathBuf,
    /// The folder of records.
    pub data: PathBuf,
    /// Most bytes of one record.
    pub record_bytes: u64,
    /// Most sources at once.
    pub max_sources: usize,
    /// Words for labels, as `emotionoverlay` takes them.
    pub labels: String,
    /// Sources to begin with.
    pub inputs: Vec<Input>,
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        let mut options = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8765)),
            token: std::env::var("EMOTION_DASHBOARD_TOKEN").ok().filter(|token| !token.is_empty()),
            hosts: Vec::new(),
            media: PathBuf::from("."),
            data: state_folder(),
            record_bytes: 256 << 20,
            max_sources: 32,
            labels: String::new(),
            inputs: Vec::new(),
        };
        match options.read(lexopt::Parser::from_args(arguments)) {
            Ok(true) => options.checked().map(Command::Serve),
            Ok(false) => Ok(Command::Help),
            Err(error) => Err(format!("{error}; --help tells what there is")),
        }
    }

    /// False if only help is asked for.
    fn read(&mut self, mut parser: lexopt::Parser) -> Result<bool, lexopt::Error> {
        while let Some(argument) = parser.next()? {
            match argument {
                Long("listen") => self.listen = parser.value()?.parse()?,
                Long("token") => self.token = Some(parser.value()?.string()?),
                Long("host") => self.hosts.push(parser.value()?.string()?.to_ascii_lowercase()),
                Long("media") => self.media = parser.value()?.into(),
                Long("data") => self.data = parser.value()?.into(),
                Long("record-size") => self.record_bytes = parser.value()?.parse::<u32>().map(|mib| u64::from(mib.max(1)) << 20)?,
                Long("max-sources") => self.max_sources = parser.value()?.parse()?,
                Long("labels") => self.labels = parser.value()?.string()?,
                Long("help") | Short('h') => return Ok(false),
                Value(source) => self.inputs.push(Input::from_argument(&source.string()?)?),
                other => return Err(other.unexpected()),
            }
        }
        Ok(true)
    }

    fn checked(self) -> Result<Self, String> {
        secret::check(self.listen, self.token.as_deref()).map(|()| self)
    }
}

/// Where programs keep what they did (XDG Base Directory Specification).
fn state_folder() -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(std::env::temp_dir, |home| PathBuf::from(home).join(".local/state"));
    let folder = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.unwrap_or_else(home).join("gst-emotion/dashboard")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match parse(line) {
            Ok(Command::Serve(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn without_arguments_only_this_machine_is_served() {
        assert!(options("").listen.ip().is_loopback());
        assert!(matches!(parse("--help"), Ok(Command::Help)));
    }

    #[test]
    fn other_addresses_need_a_secret_of_some_length() {
        assert!(parse("--listen 0.0.0.0:80").unwrap_err().contains("--token"));
        assert!(parse("--listen 0.0.0.0:80 --token short").unwrap_err().contains("16 characters"));
        assert!(parse("--token 0123456789abcde;").unwrap_err().contains("letters"));
        assert_eq!(options("--listen [::]:80 --token 0123456789abcdef").token.as_deref(), Some("0123456789abcdef"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(parse("--lisen 127.0.0.1:1").unwrap_err().contains("--lisen"));
        assert!(parse("--listen nowhere").unwrap_err().contains("nowhere"));
        assert!(parse("rtsp://").unwrap_err().contains("rtsp://"));
    }

    #[test]
    fn sources_are_told_apart_by_their_form() {
        let inputs = options("/dev/video3 rtsp://camera/1").inputs;
        assert_eq!(inputs, [Input::Camera("/dev/video3".into()), Input::Rtsp("rtsp://camera/1".into())]);
    }
}
