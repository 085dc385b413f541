// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use emotion_publish::Location;
use emotion_supervise::secret;
use lexopt::prelude::*;

use crate::configuration::Configuration;
use crate::sources::input::Input;

/// What `--help` prints.
pub const HELP: &str = "\
Shows faces and their apparent expressions live on a web page.

Usage: emotion-dashboard [OPTION]... [SOURCE]...

A SOURCE is a video file (plays in a loop), a camera such as /dev/video0, rtsp://ADDRESS, or the cameras that publish to a
broker, such as mqtt://broker/emotion/+, in which + stands for any name.

  --config FILE          configuration in TOML: sources, secrets of brokers, alerts
  --listen ADDRESS:PORT  address of the page [127.0.0.1:8765]
  --token SECRET         secret that viewers need, at least 16 characters; required unless the address is a loopback
                         address. Prefer the environment variable EMOTION_DASHBOARD_TOKEN
  --host NAME            additional host name of the page, besides localhost and IP addresses; may be repeated
  --media FOLDER         folder whose files can be opened from the page [current folder]
  --data FOLDER          folder for records [~/.local/state/gst-emotion/dashboard]
  --record-size MIB      maximum size of each record on disk; the oldest lines are deleted [256]
  --max-sources N        maximum number of sources [32]
  --upload-size MIB      maximum size of a photo or video that viewers drop onto the page; 0 allows none [256]
  --labels MAP           text of labels in the pictures, such as happiness=glücklich,anger=Ärger
  -h, --help             print this help
";

/// What the program is to do.
#[derive(Debug)]
pub enum Command {
    /// Print the help text.
    Help,
    /// Serve the page.
    Serve(Box<Options>),
}

/// The options of a server.
#[derive(Debug)]
pub struct Options {
    /// Address of the page.
    pub listen: SocketAddr,
    /// Secret that viewers need.
    pub token: Option<String>,
    /// Additional host names of the page, in lower case.
    pub hosts: Vec<String>,
    /// Folder whose files can be opened from the page.
    pub media: PathBuf,
    /// Folder for records.
    pub data: PathBuf,
    /// Maximum size of one record.
    pub record_bytes: u64,
    /// Maximum number of sources.
    pub max_sources: usize,
    /// Text of labels, in the format of the `labels` property of `emotionoverlay`.
    pub labels: String,
    /// Maximum size of a file from a viewer; 0 allows none.
    pub upload_bytes: u64,
    /// Sources to start with.
    pub inputs: Vec<Input>,
    /// Brokers whose cameras are shown.
    pub brokers: Vec<Location>,
    /// What the configuration file says, without its sources.
    pub configuration: Configuration,
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// A message for the user.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        let mut options = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8765)),
            token: std::env::var("EMOTION_DASHBOARD_TOKEN").ok().filter(|token| !token.is_empty()),
            hosts: Vec::new(),
            media: PathBuf::from("."),
            data: user_folder("XDG_STATE_HOME", ".local/state").join("gst-emotion/dashboard"),
            record_bytes: 256 << 20,
            max_sources: 32,
            labels: String::new(),
            upload_bytes: 256 << 20,
            inputs: Vec::new(),
            brokers: Vec::new(),
            configuration: Configuration::default(),
        };
        match options.read(lexopt::Parser::from_args(arguments)) {
            Ok(true) => options.checked().map(|options| Command::Serve(Box::new(options))),
            Ok(false) => Ok(Command::Help),
            Err(error) => Err(format!("{error}; see --help")),
        }
    }

    /// Returns false if the arguments ask for help.
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
                Long("upload-size") => self.upload_bytes = parser.value()?.parse::<u32>().map(|mib| u64::from(mib) << 20)?,
                Long("config") => {
                    let path = PathBuf::from(parser.value()?);
                    self.configuration = Configuration::read(&path).map_err(|error| error.to_string())?;
                    for source in std::mem::take(&mut self.configuration.sources) {
                        self.add(&source)?;
                    }
                }
                Value(source) => self.add(&source.string()?)?,
                other => return Err(other.unexpected()),
            }
        }
        Ok(true)
    }

    fn add(&mut self, source: &str) -> Result<(), String> {
        if source.starts_with("mqtt://") || source.starts_with("mqtts://") {
            self.brokers.push(Location::parse_filter(source).map_err(|error| error.to_string())?);
        } else {
            self.inputs.push(Input::from_argument(source).map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, String> {
        secret::check(self.listen, self.token.as_deref(), "--token").map(|()| self).map_err(|error| error.to_string())
    }
}

/// The user's folder that an environment variable names, or else a folder of the home (XDG Base Directory Specification).
fn user_folder(variable: &str, default: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(std::env::temp_dir, |home| PathBuf::from(home).join(default));
    let folder = std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.unwrap_or_else(home)
}

#[cfg(test)]
mod tests {
    use emotion_supervise::place::Place;

    use super::*;

    #[test]
    fn the_manual_has_every_option_of_the_help() {
        let manual = include_str!("../../../packaging/man/emotion-dashboard.1");
        let options = HELP.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        for option in options.map(|option| option.trim_end_matches([',', '.', ';'])) {
            assert!(manual.contains(&format!("Fl -{option}")), "--{option} is missing");
        }
    }

    fn parse(line: &str) -> Result<Command, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match parse(line) {
            Ok(Command::Serve(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn by_default_only_this_machine_is_served() {
        assert!(options("").listen.ip().is_loopback());
        assert!(matches!(parse("--help"), Ok(Command::Help)));
    }

    #[test]
    fn other_addresses_need_a_secret() {
        assert!(parse("--listen 0.0.0.0:80").unwrap_err().contains("--token"));
        assert!(parse("--listen 0.0.0.0:80 --token short").unwrap_err().contains("16 characters"));
        assert!(parse("--token 0123456789abcde;").unwrap_err().contains("letters"));
        assert_eq!(options("--listen [::]:80 --token 0123456789abcdef").token.as_deref(), Some("0123456789abcdef"));
    }

    #[test]
    fn errors_name_the_argument() {
        assert!(parse("--lisen 127.0.0.1:1").unwrap_err().contains("--lisen"));
        assert!(parse("--listen nowhere").unwrap_err().contains("nowhere"));
        assert!(parse("rtsp://").unwrap_err().contains("rtsp://"));
    }

    #[test]
    fn the_form_of_a_source_gives_its_kind() {
        let inputs = options("/dev/video3 rtsp://camera/1").inputs;
        assert_eq!(inputs, [Input::Place(Place::Device("/dev/video3".into())), Input::Place(Place::Rtsp("rtsp://camera/1".into()))]);
        let fleet = options("mqtts://viewer@broker/emotion/+");
        assert_eq!((fleet.inputs.len(), fleet.brokers[0].topic.as_str()), (0, "emotion/+"));
        assert!(parse("mqtt://broker/#").unwrap_err().contains("'#'"));
        assert!(parse("--config /missing.toml").unwrap_err().contains("/missing.toml"));
    }
}
