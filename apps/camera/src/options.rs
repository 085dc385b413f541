// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options: the meaning of the settings.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use emotion_publish::secrets::Secrets;
use emotion_publish::{Location, Protocol};
use emotion_supervise::chain::name_of;
use emotion_supervise::log::Log;
use emotion_supervise::place::{Place, PlaceError};
use emotion_supervise::push::{PushError, Target};
use emotion_supervise::recording::{self, Keep, Recordings};
use emotion_supervise::secret::{self, SecretError};
use thiserror::Error;

use crate::settings::{self, Settings};
use crate::value::{FilesVideo, Schema, Switch, Text};

/// What the program does.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where the video comes from.
    pub source: Place,
    /// Where the recorded video comes from; without one, from `source`.
    pub record_source: Option<Place>,
    /// Name of the camera in records.
    pub name: String,
    /// Time without data before the source is opened again.
    pub stall: Duration,
    /// How long frames may wait for those before them.
    pub max_delay: Duration,
    /// Serves by RTSP.
    pub rtsp: Option<Rtsp>,
    /// Publishes to a broker.
    pub publish: Option<Publish>,
    /// Records to files.
    pub files: Option<Recordings>,
    /// Sends to servers.
    pub push: Vec<Target>,
    /// Says what users should know.
    pub log: Log,
    /// What means itself: all that is not above.
    pub settings: Settings,
}

/// The RTSP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtsp {
    /// Its address.
    pub listen: SocketAddr,
    /// Path of the stream, with a leading slash.
    pub path: String,
    /// Secret that clients need.
    pub token: Option<String>,
    /// Serves the faces as ONVIF metadata, too.
    pub onvif: bool,
}

/// The publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// What is published.
    pub schemas: Vec<Schema>,
    /// How long something lasts before it is an event.
    pub hysteresis: Duration,
    /// Time between two records of faces or summaries.
    pub interval: Duration,
    /// Properties of `emotionpublish`.
    pub properties: Vec<(&'static str, String)>,
    /// Maximum time at the end to send what waits.
    pub drain_timeout: Duration,
    /// Where the broker is, and the topic.
    pub location: Location,
    /// The topic below which Home Assistant looks for devices.
    pub homeassistant: Option<String>,
    /// Keeps what commands switch; without it, none are taken.
    pub switches_file: Option<PathBuf>,
}

/// Why settings have no meaning. Each message names the option; in a file, its key has the same name.
#[derive(Debug, Error)]
pub enum OptionsError {
    #[error("the source is missing: give an address such as rtsp://HOST/PATH, a camera such as /dev/video0, or a file")]
    NoSource,
    #[error("there is nothing to do: give at least one of --rtsp-listen, --publish-location, --files-folder and --push")]
    NoOutlet,
    #[error("the source: {0}")]
    Source(#[from] PlaceError),
    #[error("--record-source: {0}")]
    RecordSource(#[source] PlaceError),
    #[error("--record-source: set --files-folder, and neither --files-video drawn nor --turn, to record it")]
    NotRecorded,
    #[error("{option}: expected a number of seconds from {min} to {MAX_SECONDS}, found {found}")]
    Seconds { option: &'static str, min: f64, found: f64 },
    #[error("{option}: expected a whole number from 1, or off, found {found}")]
    Number { option: &'static str, found: String },
    #[error("--rtsp-path: expected a path such as /faces, found {0}")]
    Path(String),
    #[error("--rtsp-token-file: {}: {source}", path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("--push: {0}")]
    Push(#[from] PushError),
    #[error("--publish-location: {0}")]
    Location(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("--publish-schemas: expected each schema once, found {0} twice")]
    RepeatedSchema(String),
    #[error("--homeassistant-prefix: expected a topic such as homeassistant, found {0}")]
    Topic(String),
    #[error("{0} by MQTT: set --publish-location to mqtt:// or mqtts://")]
    NoMqtt(&'static str),
}

/// Maximum of settings in seconds: a day.
const MAX_SECONDS: f64 = 86_400.0;

impl Options {
    /// The options that `settings` mean. `environment` reads an environment variable.
    ///
    /// # Errors
    /// If a setting is missing or has a value that means nothing.
    pub fn new(settings: Settings, environment: impl Fn(&str) -> Option<String>) -> Result<Self, OptionsError> {
        let source = Place::parse(settings.source.as_deref().ok_or(OptionsError::NoSource)?)?;
        let name = settings.name.clone().unwrap_or_else(|| source.name());
        let options = Self {
            files: files(settings.files.clone(), &name)?,
            record_source: settings
                .record_source
                .clone()
                .on()
                .map(|text| Place::rtsp(&text))
                .transpose()
                .map_err(OptionsError::RecordSource)?,
            name,
            source,
            stall: seconds("--stall", 0.5, settings.stall)?,
            max_delay: seconds("--max-delay", 0.0, settings.max_delay)?,
            rtsp: rtsp(settings.rtsp.clone(), environment)?,
            publish: publish(&settings.publish, settings.homeassistant.prefix.clone())?,
            push: settings.push.iter().map(|address| Target::parse(address)).collect::<Result<_, _>>()?,
            log: Log::new("emotion-camera"),
            settings,
        };
        if options.record_source.is_some()
            && (options.files.is_none() || options.settings.files.is_drawn() || options.settings.turn.is_some())
        {
            return Err(OptionsError::NotRecorded);
        }
        if options.rtsp.is_none() && options.files.is_none() && options.publish.is_none() && options.push.is_empty() {
            return Err(OptionsError::NoOutlet);
        }
        Ok(options)
    }

    /// Checks the files and folders that the outlets need, as the user who runs this.
    ///
    /// # Errors
    /// If one cannot be read or written.
    pub fn check_files(&self) -> Result<(), Box<dyn std::error::Error>> {
        if let Some(publish) = &self.publish {
            self.secrets().login(&publish.location, 0)?;
        }
        let spool = self.publish.as_ref().and_then(|_| path(&self.settings.publish.spool_location));
        let folders = self.files.iter().map(|files| files.folder.as_path()).chain(spool.as_deref());
        folders.chain(self.push.iter().filter_map(Target::folder)).try_for_each(recording::check_folder)?;
        Ok(())
    }

    /// Where the secrets of the broker are.
    pub fn secrets(&self) -> Secrets {
        let settings = &self.settings.publish;
        let (ca_file, certificate_file) = (path(&settings.ca_file), path(&settings.certificate_file));
        let (password_file, key_file) = (path(&settings.password_file), path(&settings.key_file));
        let client_id = settings.client_id.as_ref().map(|name| name.0.clone());
        Secrets { client_id, password_file, ca_file, certificate_file, key_file }
    }

    /// True if an outlet has pictures with faces drawn.
    pub fn draws_pictures(&self) -> bool {
        self.rtsp.is_some() || self.keeps_drawn()
    }

    /// True if one has them all the time, not only while there are clients.
    pub fn keeps_drawn(&self) -> bool {
        let is_pushed = !self.push.is_empty() && self.settings.push_video == FilesVideo::Drawn;
        is_pushed || self.files.is_some() && self.settings.files.is_drawn()
    }
}

fn rtsp(settings: settings::Rtsp, environment: impl Fn(&str) -> Option<String>) -> Result<Option<Rtsp>, OptionsError> {
    let settings::Rtsp { listen, path, token, token_file, onvif } = settings;
    let Switch::On(listen) = listen else { return Ok(None) };
    if path.len() < 2 || !path.starts_with('/') {
        return Err(OptionsError::Path(path));
    }
    let in_file = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(source) => Err(OptionsError::TokenFile { path, source }),
    };
    let from_file = token_file.map(in_file).transpose()?;
    let token = token.or(from_file).or_else(|| environment("EMOTION_CAMERA_TOKEN")).filter(|token| !token.is_empty());
    secret::check(listen, token.as_deref(), "--rtsp-token")?;
    Ok(Some(Rtsp { listen, path, token, onvif }))
}

fn publish(settings: &settings::Publish, homeassistant: Switch<String>) -> Result<Option<Publish>, OptionsError> {
    let text = settings.location.clone().on();
    let location = text.as_deref().map(Location::parse).transpose().map_err(|error| OptionsError::Location(error.into()))?;
    let homeassistant = homeassistant.on().map(|topic| discovery_topic(topic, location.as_ref())).transpose()?;
    let switches_file = path(&settings.switches_file);
    if switches_file.is_some() {
        needs_mqtt(location.as_ref(), "--publish-switches-file: commands come")?;
    }
    let Some(location) = location else { return Ok(None) };
    let schemas = &settings.schemas;
    if let Some(repeated) = (1..schemas.len()).find(|&index| schemas[..index].contains(&schemas[index])) {
        return Err(OptionsError::RepeatedSchema(name_of(&schemas[repeated])));
    }
    Ok(Some(Publish {
        hysteresis: milliseconds(settings.hysteresis),
        interval: milliseconds(settings.interval),
        drain_timeout: milliseconds(settings.drain_timeout),
        properties: properties(settings),
        schemas: settings.schemas.clone(),
        location,
        homeassistant,
        switches_file,
    }))
}

fn needs_mqtt(location: Option<&Location>, what: &'static str) -> Result<(), OptionsError> {
    let is_mqtt = location.is_some_and(|location| location.protocol == Protocol::Mqtt);
    if is_mqtt { Ok(()) } else { Err(OptionsError::NoMqtt(what)) }
}

/// The topic, if Home Assistant can look below it.
fn discovery_topic(topic: String, location: Option<&Location>) -> Result<String, OptionsError> {
    needs_mqtt(location, "--homeassistant-prefix: Home Assistant discovers devices")?;
    if topic.is_empty() || topic.contains([' ', '+', '#']) { Err(OptionsError::Topic(topic)) } else { Ok(topic) }
}

/// The properties of `emotionpublish`, without those that are not given or `off`.
fn properties(settings: &settings::Publish) -> Vec<(&'static str, String)> {
    let location = settings.location.clone().on().map(Text);
    let spooled = settings.spool_location.as_ref().filter(|text| text.0 != "off").map(|_| Text("no".into()));
    let all = [
        ("location", &location),
        ("client-id", &settings.client_id),
        ("mqtt-version", &settings.mqtt_version),
        ("password-file", &settings.password_file),
        ("ca-file", &settings.ca_file),
        ("certificate-file", &settings.certificate_file),
        ("key-file", &settings.key_file),
        ("max-size-bytes", &settings.max_size_bytes),
        ("spool-location", &settings.spool_location),
        ("max-spool-bytes", &settings.max_spool_bytes),
        ("leaky", &spooled),
    ];
    let given = all.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?.0.clone())));
    given.filter(|(_, text)| text != "off").collect()
}

fn files(settings: settings::Files, name: &str) -> Result<Option<Recordings>, OptionsError> {
    let length = seconds("--files-seconds", 1.0, settings.seconds)?;
    let (days, bytes) = (number("--files-keep-days", &settings.keep_days)?, number("--files-keep-bytes", &settings.keep_bytes)?);
    let keep = Keep { age: days.map(|days: u32| Duration::from_secs(86_400) * days), bytes };
    Ok(settings.folder.on().map(|folder| Recordings { folder, length, name: name.to_owned(), keep, sound: settings.sound }))
}

/// A whole number that is not 0, unless it is not given or `off`.
fn number<T: FromStr + PartialEq + From<u8>>(option: &'static str, text: &Option<Text>) -> Result<Option<T>, OptionsError> {
    let Some(Text(text)) = text.as_ref().filter(|text| text.0 != "off") else { return Ok(None) };
    let number = text.parse().ok().filter(|number| *number != T::from(0));
    number.map(Some).ok_or_else(|| OptionsError::Number { option, found: text.clone() })
}

/// A path, unless it is not given or `off`.
fn path(text: &Option<Text>) -> Option<PathBuf> {
    text.as_ref().filter(|text| text.0 != "off").map(|text| PathBuf::from(&text.0))
}

/// A number of milliseconds.
pub fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

fn seconds(option: &'static str, min: f64, number: f64) -> Result<Duration, OptionsError> {
    if (min..=MAX_SECONDS).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err(OptionsError::Seconds { option, min, found: number })
    }
}

#[cfg(test)]
mod tests {
    use emotion_core::choices::BlurFaces;
    use emotion_supervise::chain::Prior;

    use super::*;
    use crate::value::{Size, Transport};

    fn options_in(line: &str, variable: (&str, &str)) -> Result<Options, String> {
        let words = std::iter::once("emotion-camera").chain(line.split_whitespace());
        let settings = Settings::read_one(words.map(Into::into)).map_err(|error| error.to_string())?;
        Options::new(settings, |name| (name == variable.0).then(|| variable.1.into())).map_err(|error| error.to_string())
    }

    fn options(line: &str) -> Result<Options, String> {
        options_in(line, ("", ""))
    }

    #[test]
    fn a_source_and_an_outlet_are_required() {
        assert!(options("--rtsp-listen 127.0.0.1:1").unwrap_err().contains("the source is missing"));
        assert!(options("/dev/video0").unwrap_err().contains("--rtsp-listen, --publish-location, --files-folder and --push"));
        let options = options("rtsp://camera/stream --files-folder days").unwrap();
        assert_eq!((options.name.as_str(), options.stall), ("camera", Duration::from_secs(5)));
        let (name, keep) = ("camera".to_owned(), Keep::default());
        assert_eq!(options.files, Some(Recordings { folder: "days".into(), length: Duration::from_secs(600), name, keep, sound: false }));
        assert_eq!((options.rtsp, options.publish), (None, None));
        let settings = options.settings;
        assert_eq!((settings.size, settings.protocol, settings.latency), (Size { width: 1280, height: 720 }, Transport::Tcp, 200));
        assert_eq!((settings.metrics.listen, settings.loops, settings.geometry), (Switch::Off, false, false));
        assert_eq!((settings.prior, settings.draw, settings.blur), (Prior::Natural, true, BlurFaces::None));
    }

    #[test]
    fn what_belongs_to_the_publisher_is_passed_on() {
        let line = "/dev/video0 --publish-location mqtt://host/a --publish-schemas summary,events --publish-spool-location /s --publish-interval 0";
        let publish = options(line).unwrap().publish.unwrap();
        assert_eq!((publish.schemas, publish.interval), (vec![Schema::Summary, Schema::Events], Duration::ZERO));
        let expected = [("location", "mqtt://host/a"), ("spool-location", "/s"), ("leaky", "no")];
        assert_eq!(publish.properties, expected.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn what_is_off_is_not_passed_on() {
        let line = "/dev/video0 --publish-location mqtt://host/a --publish-spool-location off --publish-password-file off";
        assert_eq!(options(line).unwrap().publish.unwrap().properties, [("location", "mqtt://host/a".to_owned())]);
    }

    #[test]
    fn errors_name_the_setting_what_is_expected_and_what_was_found() {
        for (line, part) in [
            ("--stall 0", "--stall: expected a number of seconds from 0.5 to 86400, found 0"),
            ("--max-delay 86401", "--max-delay: expected a number of seconds from 0 to 86400, found 86401"),
            ("--files-seconds 0.5", "--files-seconds: expected a number of seconds from 1 to 86400, found 0.5"),
            ("--record-source /dev/video1 --files-folder x", "--record-source: expected rtsp://HOST/PATH, found /dev/video1"),
            ("--record-source rtsp://a/b --publish-location mqtt://host/a", "--record-source: set --files-folder"),
            ("--record-source rtsp://a/b --files-folder x --files-video drawn", "--record-source: set --files-folder"),
            ("--record-source rtsp://a/b --files-folder x --turn 90", "--record-source: set --files-folder"),
            ("--files-keep-days 0 --files-folder x", "--files-keep-days: expected a whole number from 1, or off, found 0"),
            ("--files-keep-bytes 1G --files-folder x", "--files-keep-bytes: expected a whole number from 1, or off, found 1G"),
            ("--rtsp-path faces --rtsp-listen 127.0.0.1:1", "--rtsp-path: expected a path such as /faces, found faces"),
            ("--publish-location mqtt://host/a --publish-schemas events,faces,events", "each schema once"),
            ("--publish-location ftp://host/a", "--publish-location: "),
            ("--push rtmp://host/live/key --push srt://host", "--push: expected an address of rtmp, rtmps, rtsp, rtsps, srt with a port"),
            ("--homeassistant-prefix homeassistant", "--homeassistant-prefix: Home Assistant discovers devices by MQTT"),
            ("--publish-location mqtt://host/a --homeassistant-prefix a/#", "--homeassistant-prefix: expected a topic"),
            ("--publish-location nats://host/a --publish-switches-file x", "--publish-switches-file: commands come by MQTT"),
            ("--rtsp-listen 127.0.0.1:1 --rtsp-token-file /nowhere", "/nowhere: "),
        ] {
            let error = options(&format!("/dev/video0 {line}")).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
        assert!(options("ftp://camera --files-folder x").unwrap_err().contains("the source: expected an address of rtsp, rtsps, http"));
    }

    #[test]
    fn recordings_are_kept_as_long_as_it_says() {
        let keep = |line: &str| options(&format!("/dev/video0 --files-folder x {line}")).unwrap().files.unwrap().keep;
        assert_eq!(keep("--files-keep-days 2"), Keep { age: Some(Duration::from_secs(172_800)), bytes: None });
        assert_eq!(keep("--files-keep-days off --files-keep-bytes 5000000000"), Keep { age: None, bytes: Some(5_000_000_000) });
    }

    #[test]
    fn other_machines_need_a_secret_from_line_file_or_environment() {
        let line = "/dev/video0 --rtsp-listen 0.0.0.0:8554";
        assert!(options(line).unwrap_err().contains("set a secret"));
        let secret = "0123456789abcdef";
        let from_environment = options_in(line, ("EMOTION_CAMERA_TOKEN", secret)).unwrap();
        assert_eq!(from_environment.rtsp.unwrap().token.as_deref(), Some(secret));
        assert!(options(&format!("{line} --rtsp-token {secret}")).is_ok());
        let file = std::env::temp_dir().join(format!("emotion-camera-token-{}", std::process::id()));
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let rtsp = options(&format!("{line} --rtsp-token-file {}", file.display())).unwrap().rtsp.unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(rtsp.token.as_deref(), Some(secret));
    }
}
