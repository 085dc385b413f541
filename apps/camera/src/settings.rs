// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings: the options of the command line and the keys of a TOML file, from one definition. `options.rs` gives them
//! meaning, and `tables.rs` has those of the outlets.
//!
//! A key of the file is an option without the dashes. The options of an outlet are in a table with its name: `path` in the table
//! `[rtsp]` is `--rtsp-path`.

mod tables;

use std::ffi::OsString;
use std::num::NonZeroU8;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser};
use emotion_core::choices::BlurFaces;
use emotion_supervise::chain::{Baseline, Prior, Recall};
use emotion_supervise::configuration::{self, ConfigurationError, Content};
use emotion_supervise::time_of_day::Clock;
use serde::Deserialize;
use thiserror::Error;

pub use tables::{Files, HomeAssistant, Metrics, Publish, Rtsp};

use crate::value::{FilesVideo, Size, SkipFrame, Switch, Transport, Turn};

/// Finds faces in the video of SOURCE, scores their apparent expression, and serves, publishes and records them
#[derive(Clone, Debug, Deserialize, Parser, PartialEq)]
#[command(name = "emotion-camera", version, args_override_self = true)]
#[serde(default = "defaults", deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// A network camera (rtsp://ADDRESS), another stream by http, https, rtmp, rtmps, srt, udp or rtp, a camera such as /dev/video0 or
    /// libcamera:, a file, or gst: and a launch line of GStreamer that ends in video
    pub source: Option<String>,

    /// Record this video of a network camera instead, such as its large profile, while the small one is analysed; off records SOURCE
    #[arg(long, value_name = "URL", default_value = "off")]
    pub record_source: Switch<String>,

    /// Read settings from a TOML file, or from standard input if it is -; the command line wins. Tables [[camera]] in it are cameras
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Check settings, files and folders, and end: with status 0, or with status 2 and the reason if one is wrong
    #[arg(long)]
    #[serde(skip)]
    pub check: bool,

    /// Name of the camera in every record; without it, the host, the device or the name of the file
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Play a file again when it ends
    #[arg(long = "loop")]
    #[serde(rename = "loop")]
    pub loops: bool,

    /// Largest size of the served and encoded picture, which keeps its proportions, and of a camera's picture at /dev/video0. The
    /// picture of a network camera is analysed as it is
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720")]
    pub size: Size,

    /// Turn the picture of a camera that is mounted sideways or upside down, by so many degrees clockwise, or mirror it, before it is
    /// analysed, served and recorded; recordings are then encoded
    #[arg(long, value_enum)]
    pub turn: Option<Turn>,

    /// Length of a network camera's jitter buffer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200)]
    pub latency: u32,

    /// Protocol to a network camera
    #[arg(long, value_enum, default_value = "tcp")]
    pub protocol: Transport,

    /// Which video of a network camera that has several, from 1
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub stream: NonZeroU8,

    /// Analyse at most this many frames a second; without it, all
    #[arg(long, value_name = "NUMBER")]
    pub fps: Option<NonZeroU8>,

    /// Frames that are neither decoded nor analysed, but recorded if the picture is the camera's own. It makes no difference to cameras
    /// whose frames all need the one before
    #[arg(long, value_enum, default_value = "none")]
    pub skip_frame: SkipFrame,

    /// Time that a frame may wait for those before it. Later ones are skipped. Cameras that send several frames at once need it; 0 is for
    /// the newest frame only
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    pub max_delay: f64,

    /// Whose clock gives the time of day of records
    #[arg(long, value_enum, default_value = "camera")]
    pub clock: Clock,

    /// Time without data before the source is opened again
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    pub stall: f64,

    /// How frequent the expressions are assumed to be
    #[arg(long, value_enum, default_value = "natural")]
    pub prior: Prior,

    /// What scores are relative to
    #[arg(long, value_enum, default_value = "none")]
    pub baseline: Baseline,

    /// Estimate pose, landmarks and blendshapes of each face too: records of faces have them, and there are the events turned,
    /// eyes_closed, blink and speaking
    #[arg(long)]
    pub geometry: bool,

    /// Draw faces in the served and recorded picture
    #[arg(long, value_name = "true|false", action = ArgAction::Set, default_value = "true", hide_possible_values = true)]
    pub draw: bool,

    /// Text of the labels, such as happiness=glücklich,anger=Ärger
    #[arg(long, value_name = "MAP")]
    pub labels: Option<String>,

    /// How to hide faces in the served, recorded and sent picture
    #[arg(long, value_enum, default_value = "none")]
    pub blur: BlurFaces,

    /// With --blur: how long frames are held back, so that a face is hidden from before it was found until after it was lost, in
    /// milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value = "0")]
    pub blur_delay: u32,

    /// How many faces may be missed. High is for hiding faces: more other things are taken for one, and each search takes longer
    #[arg(long, value_enum, default_value = "balanced")]
    pub recall: Recall,

    /// Send the picture to a server of rtmp, rtmps, rtsp, rtsps, srt, whip+http or whip+https, or as HLS to a folder for a web server,
    /// hls:FOLDER; several times for several. Other users of the machine can read passwords and keys in the list of processes: prefer
    /// the file of --config
    #[arg(long, value_name = "URL")]
    pub push: Vec<String>,

    /// Picture that is sent. With --blur, and if the camera sends something else than H.264, it is encoded at --size
    #[arg(long, value_enum, default_value = "camera")]
    pub push_video: FilesVideo,

    #[command(flatten, next_help_heading = "RTSP")]
    pub rtsp: Rtsp,

    #[command(flatten, next_help_heading = "Broker")]
    pub publish: Publish,

    #[command(flatten, next_help_heading = "Broker")]
    pub homeassistant: HomeAssistant,

    #[command(flatten, next_help_heading = "Recordings")]
    pub files: Files,

    #[command(flatten, next_help_heading = "Metrics")]
    pub metrics: Metrics,
}

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The file is.
    #[error(transparent)]
    File(#[from] ConfigurationError),
}

/// The values of options that are not given.
fn defaults<T: Args>() -> T {
    let matches = T::augment_args(clap::Command::new("defaults")).get_matches_from(["defaults"]);
    T::from_arg_matches(&matches).expect("no option is required")
}

impl Settings {
    /// Reads the arguments, of which the first one is the name of the program, and the file that they name: the settings of each camera.
    ///
    /// # Errors
    /// If the command line or the file is wrong, or if the command line asks for help.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Content<Self>, SettingsError> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let line = Self::try_parse_from(&arguments)?;
        let Some(file) = &line.config else { return Ok(Content::One(line)) };
        // Without the defaults, so that only a given option replaces a value of the file.
        let given = Self::command().mut_args(|option| option.default_value(None::<&str>)).try_get_matches_from(&arguments)?;
        configuration::read_tables::<Self>(file, "camera")?.try_map(|mut settings| {
            let (loops, geometry) = (settings.loops || line.loops, settings.geometry || line.geometry);
            settings.update_from_arg_matches(&given)?;
            Ok(Self { loops, geometry, check: line.check, ..settings })
        })
    }

    /// Those of one camera.
    #[cfg(test)]
    pub fn read_one(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, SettingsError> {
        Self::read(arguments).map(|content| match content {
            Content::One(one) => one,
            Content::Tables(mut all) => all.remove(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use test_support::{command_line, promises};

    use super::*;
    use crate::value::{Schema, Text};

    fn read(line: &str) -> Result<Settings, SettingsError> {
        Settings::read_one(std::iter::once("emotion-camera").chain(line.split_whitespace()).map(OsString::from))
    }

    /// Reads a file with this text, and the command line after it.
    fn with_file(test: &str, text: &str, line: &str) -> Result<Settings, SettingsError> {
        let path = std::env::temp_dir().join(format!("emotion-camera-{test}-{}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let settings = read(&format!("--config {} {line}", path.display()));
        std::fs::remove_file(path).unwrap();
        settings
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let text = "source = 'rtsp://camera/1'\nloop = true\nstall = 2.5\nlatency = 50\n\
                    [publish]\nschemas = ['events', 'summary']\ninterval = 200\nmqtt-version = 5\n";
        let settings = with_file("wins", text, "--publish-interval 500 --rtsp-path /door --latency 200").unwrap();
        assert_eq!((settings.source.as_deref(), settings.loops, settings.stall), (Some("rtsp://camera/1"), true, 2.5));
        assert_eq!((settings.latency, settings.rtsp.path.as_str()), (200, "/door"), "a given default wins, too");
        assert_eq!((settings.publish.schemas, settings.publish.interval), (vec![Schema::Events, Schema::Summary], 500));
        assert_eq!((settings.publish.mqtt_version, settings.publish.drain_timeout), (Some(Text("5".into())), 5000));
        let settings = with_file("off", "[rtsp]\nlisten = '127.0.0.1:1'\n", "--rtsp-listen off --loop /dev/video0").unwrap();
        assert_eq!((settings.rtsp.listen, settings.source.as_deref(), settings.loops), (Switch::Off, Some("/dev/video0"), true));
        assert_eq!(Settings { config: None, ..with_file("empty", "", "").unwrap() }, read("").unwrap());
    }

    #[test]
    fn the_last_one_of_equal_options_counts() {
        assert_eq!(read("--name a --name b --publish-schemas faces --publish-schemas events").unwrap().name.as_deref(), Some("b"));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_errors_that_list_what_is_expected() {
        for (test, text, parts) in [
            ("table", "[rtsp]\npaht = '/x'\n", ["unknown field `paht`", "`listen`, `path`, `token`, `token-file`, `onvif`"]),
            ("top", "sizes = '1x1'\n", ["unknown field `sizes`", "`rtsp`, `publish`, `homeassistant`, `files`, `metrics`"]),
            ("value", "size = '641x480'\n", ["line 1", "WIDTHxHEIGHT with even numbers from 16 to 8192, found 641x480"]),
            ("kind", "size = { width = 1 }\n", ["line 1", "expected a string"]),
            ("choice", "[publish]\nschemas = ['all']\n", ["line 2", "expected one of `events`, `faces`, `summary`, `dlstreamer`"]),
            ("address", "[metrics]\nlisten = 'nowhere'\n", ["line 2", "127.0.0.1:8554, found nowhere"]),
            ("syntax", "size = \n", [".toml: ", "line 1"]),
        ] {
            let error = with_file(test, text, "").unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{test}: {error}");
        }
        assert!(read("--config /nowhere.toml").unwrap_err().to_string().starts_with("/nowhere.toml: "));
    }

    #[test]
    fn a_wrong_option_is_an_error_that_names_it_and_what_was_expected() {
        for (line, parts) in [
            ("--paht /x", ["unexpected argument", "--paht"]),
            ("one two", ["unexpected argument", "two"]),
            ("--size 640", ["--size", "WIDTHxHEIGHT with even numbers from 16 to 8192, found 640"]),
            ("--protocol http", ["--protocol", "[possible values: tcp, udp]"]),
            ("--blur yes", ["--blur", "[possible values: none, pixelate, blur, solid]"]),
            ("--rtsp-listen nowhere", ["--rtsp-listen", "127.0.0.1:8554, found nowhere"]),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{line}: {error}");
        }
    }

    #[test]
    fn each_option_is_a_key_of_the_file() {
        let tables = ["rtsp", "publish", "homeassistant", "files", "metrics"];
        for option in Settings::command().get_arguments().filter(|option| !["config", "check"].contains(&option.get_id().as_str())) {
            let name = option.get_long().unwrap_or("source");
            let table = tables.iter().find_map(|table| Some((table, name.strip_prefix(&format!("{table}-"))?)));
            // No setting is a date.
            let text = match table {
                Some((table, key)) => format!("[{table}]\n{key} = 2026-11-26\n"),
                None => format!("{name} = 2026-11-26\n"),
            };
            let error = toml::from_str::<Settings>(&text).unwrap_err().to_string();
            assert!(!error.contains("unknown field"), "--{name}: {error}");
        }
    }

    #[test]
    fn files_of_1_0_are_read() {
        let now = configuration::read::<Settings>(&test_support::data("1.0/emotion-camera.toml")).unwrap();
        assert_eq!((now.publish.mqtt_version, now.rtsp.onvif), (Some(Text("5".into())), true));
        assert_eq!(now.metrics.listen, Switch::On("127.0.0.1:9108".parse().unwrap()));
    }

    #[test]
    fn the_promised_keys_of_the_file_are_kept() {
        let mut lines = Vec::new();
        for table in ["", "[rtsp]", "[publish]", "[homeassistant]", "[files]", "[metrics]"] {
            // The error for an unknown key lists those that are known, in backticks.
            let error = toml::from_str::<Settings>(&format!("{table}\nunknown = 1")).unwrap_err();
            lines.extend(error.message().split('`').skip(3).step_by(2).map(|key| format!("{table}{key}")));
        }
        lines.push("[[camera]]".into());
        promises::assert_kept("emotion-camera-configuration", lines);
    }

    #[test]
    fn the_manual_and_the_completions_have_the_options() {
        command_line::assert_committed(Settings::command(), "emotion-camera");
    }
}
