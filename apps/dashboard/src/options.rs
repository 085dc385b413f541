// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use emotion_publish::Location;
use emotion_supervise::chain::Recall;
use emotion_supervise::{configuration, secret};

use crate::argument::Argument;
use crate::configuration::Configuration;
use crate::sources::graph::Constant;
use crate::sources::hiding::Hidden;
use crate::sources::input::Input;

/// The environment variable for the secret, which other users of the machine cannot read.
const TOKEN_VARIABLE: &str = "EMOTION_DASHBOARD_TOKEN";

/// Shows faces and their apparent expressions live on a web page.
#[derive(Debug, Parser)]
#[command(name = "emotion-dashboard", version, args_override_self = true)]
pub struct Options {
    /// Video file (plays in a loop), camera such as /dev/video0 or libcamera:, rtsp://ADDRESS, another stream by http, https, rtmp, rtmps,
    /// srt, udp or rtp, gst: and a launch line of GStreamer, or the cameras that publish to a broker, such as mqtt://broker/emotion/+, in
    /// which + stands for any name
    #[arg(value_name = "SOURCE")]
    arguments: Vec<Argument>,

    /// Configuration in TOML: sources, secrets of brokers, alerts
    #[arg(long = "config", value_name = "FILE", value_parser = PathBufValueParser::new().try_map(|path| configuration::read::<Configuration>(&path)))]
    configuration: Option<Configuration>,

    /// Address of the page
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8765")]
    pub listen: SocketAddr,

    /// Secret that viewers need, at least 16 characters; required unless the address is a loopback address. The environment
    /// variable EMOTION_DASHBOARD_TOKEN hides it from other users of the machine
    #[arg(long, value_name = "SECRET")]
    pub token: Option<String>,

    /// Additional host name of the page, besides localhost and IP addresses; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,

    /// Serve the interface /v1 for other programs, and no page
    #[arg(long)]
    pub api_only: bool,

    /// Scheme and host of a page of another site that may use /v1; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub cors: Vec<String>,

    /// Folder whose files can be opened from the page
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub media: PathBuf,

    /// Folder for records; without it, ~/.local/state/gst-emotion/dashboard
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,

    /// Maximum size of each record on disk; the oldest lines are deleted
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    record_size: u32,

    /// Maximum number of sources, and of earlier sources whose records stay
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub max_sources: usize,

    /// Maximum size of a photo or video that viewers drop onto the page, or that programs send; 0 allows no files
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    upload_size: u32,

    /// Draw, send and record no individual faces; each source has a switch for it
    #[arg(long)]
    aggregate_only: bool,

    /// Make faces in the pictures unrecognisable; each source has a switch for it
    #[arg(long)]
    blur: bool,

    /// With blur: how long pictures are held back, so that a face is hidden from before it was found until after it was lost, in
    /// milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    blur_delay: u32,

    /// How many faces may be missed. High is for hiding faces: more other things are taken for one, and each search takes longer
    #[arg(long, value_enum, default_value = "balanced")]
    recall: Recall,

    /// Also show where heads are turned, and blinks; the settings of each source have a switch for it
    #[arg(long)]
    pub geometry: bool,

    /// Text of labels in the pictures, such as happiness=glücklich,anger=Ärger
    #[arg(long, value_name = "MAP", default_value = "", hide_default_value = true)]
    pub labels: String,
}

impl Options {
    /// Reads the arguments, the first of which is the name of the program.
    ///
    /// # Errors
    /// If an argument is wrong, or the page needs a secret. A request for help is an error too.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut options = Self::try_parse_from(arguments)?;
        options.token = options.token.or_else(|| std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()));
        secret::check(options.listen, options.token.as_deref(), "--token")
            .map_err(|error| Self::command().error(ErrorKind::ValueValidation, error))?;
        Ok(options)
    }

    /// What the configuration file says, or what applies without it.
    pub fn configuration(&self) -> Configuration {
        self.configuration.clone().unwrap_or_default()
    }

    /// Sources to start with.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.arguments().filter_map(|argument| if let Argument::Source(input) = argument { Some(input) } else { None })
    }

    /// Brokers whose cameras are shown.
    pub fn brokers(&self) -> impl Iterator<Item = &Location> {
        self.arguments().filter_map(|argument| if let Argument::Cameras(location) = argument { Some(location) } else { None })
    }

    /// Those of the configuration file, then those of the command line.
    fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.configuration.iter().flat_map(|configuration| &configuration.sources).chain(&self.arguments)
    }

    /// What sources hide when they begin.
    pub fn hidden(&self) -> Hidden {
        let configuration = self.configuration.as_ref();
        let has = |option: bool, key: fn(&Configuration) -> bool| option || configuration.is_some_and(key);
        Hidden {
            aggregate_only: has(self.aggregate_only, |configuration| configuration.aggregate_only),
            blur: has(self.blur, |configuration| configuration.blur),
        }
    }

    /// What is the same for all sources.
    pub fn constant(&self) -> Constant {
        Constant { labels: self.labels.clone(), blur_delay_ms: self.blur_delay, recall: self.recall }
    }

    /// Folder for records.
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| user_folder("XDG_STATE_HOME", ".local/state").join("gst-emotion/dashboard"))
    }

    /// Maximum size of one record.
    pub fn record_bytes(&self) -> u64 {
        u64::from(self.record_size.max(1)) << 20
    }

    /// Maximum size of a file from a viewer; 0 allows no files.
    pub fn upload_bytes(&self) -> u64 {
        u64::from(self.upload_size) << 20
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
    use test_support::command_line;

    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let arguments = std::iter::once("emotion-dashboard").chain(line.split_whitespace());
        Options::read(arguments.map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_manual_and_the_completions_have_the_options() {
        command_line::assert_committed(Options::command(), "emotion-dashboard");
    }

    #[test]
    fn by_default_only_this_machine_is_served() {
        assert!(read("").unwrap().listen.ip().is_loopback());
    }

    #[test]
    fn help_is_written_to_standard_output() {
        let help = Options::read(["emotion-dashboard", "--help"].map(OsString::from)).unwrap_err();
        assert!(!help.use_stderr() && help.to_string().contains("--max-sources <N>"), "{help}");
    }

    #[test]
    fn other_addresses_need_a_secret() {
        assert!(read("--listen 0.0.0.0:80").unwrap_err().contains("--token"));
        assert!(read("--listen 0.0.0.0:80 --token short").unwrap_err().contains("16 characters"));
        assert!(read("--token 0123456789abcde;").unwrap_err().contains("letters"));
        assert_eq!(read("--listen [::]:80 --token 0123456789abcdef").unwrap().token.as_deref(), Some("0123456789abcdef"));
    }

    #[test]
    fn errors_name_the_argument() {
        assert!(read("--lisen 127.0.0.1:1").unwrap_err().contains("--lisen"));
        assert!(read("--listen nowhere").unwrap_err().contains("nowhere"));
        assert!(read("rtsp://").unwrap_err().contains("rtsp://"));
        assert!(read("--config /missing.toml").unwrap_err().contains("/missing.toml"));
    }

    #[test]
    fn the_last_of_several_values_counts_and_hosts_are_collected() {
        let options = read("--max-sources 1 --host a --record-size 1 --record-size 0 --max-sources 2 --host b").unwrap();
        assert_eq!((options.max_sources, options.record_bytes()), (2, 1 << 20));
        assert_eq!(options.hosts, ["a", "b"]);
    }

    #[test]
    fn sources_of_the_file_and_of_the_command_line_are_shown() {
        let file = std::env::temp_dir().join(format!("emotion-dashboard-options-{}.toml", std::process::id()));
        std::fs::write(&file, "blur = true\nsources = [\"mqtt://broker/emotion/+\", \"/dev/video0\"]").unwrap();
        let options = read(&format!("--config {} rtsp://camera/1", file.display())).unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(options.inputs().map(Input::name).collect::<Vec<_>>(), ["video0", "camera"]);
        assert_eq!((options.brokers().count(), options.hidden()), (1, Hidden { aggregate_only: false, blur: true }));
        assert_eq!(read("--aggregate-only").unwrap().hidden(), Hidden { aggregate_only: true, blur: false });
    }
}
