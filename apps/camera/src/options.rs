// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options: the meaning of the settings.

use std::net::SocketAddr;
use std::time::Duration;

use emotion_supervise::place::Place;
use emotion_supervise::recording::Recordings;
use emotion_supervise::secret;
use gstemotion::publish::{Location, Protocol};

use crate::settings::Settings;

/// What the program does.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where the video comes from.
    pub source: Place,
    /// Name of the camera in records.
    pub name: String,
    /// Plays a file again when it ends.
    pub loops: bool,
    /// Width and height of the analysed picture.
    pub size: (u32, u32),
    /// Length of a network camera's jitter buffer.
    pub latency: Duration,
    /// Protocol to a network camera: tcp or udp.
    pub protocol: &'static str,
    /// Time without a frame before the source is opened again.
    pub stall: Duration,
    /// What is drawn.
    pub picture: Picture,
    /// Serves by RTSP.
    pub rtsp: Option<Rtsp>,
    /// Publishes to a broker.
    pub publish: Option<Publish>,
    /// Records to files.
    pub files: Option<Recordings>,
    /// Address of the page with metrics.
    pub metrics: Option<SocketAddr>,
}

/// What is drawn in the served and recorded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Draws boxes and labels.
    pub draw: bool,
    /// Text of labels, as `emotionoverlay` takes it.
    pub labels: String,
    /// How faces are hidden: `none`, `pixelate` or `blur`.
    pub blur: &'static str,
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
}

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// A face appears, changes its expression or leaves.
    Events,
    /// All faces of a frame.
    Faces,
    /// Counts and means of an interval.
    Summary,
    /// All faces of a frame, as DL Streamer writes them.
    DlStreamer,
}

impl Options {
    /// The options that `settings` mean. `environment` reads an environment variable.
    ///
    /// # Errors
    /// A message for the user.
    pub fn new(settings: &Settings, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let missing = "the source is missing: give rtsp://ADDRESS, a camera such as /dev/video0, or a file";
        let source = settings.parsed("source", |text| Place::parse(text).map_err(|error| error.to_string()))?.ok_or(missing)?;
        let options = Self {
            name: settings.text("name").map_or_else(|| source.name(), str::to_owned),
            source,
            loops: settings.parsed("loop", boolean)?.unwrap_or(false),
            size: settings.parsed("size", size)?.unwrap_or((1280, 720)),
            latency: settings.parsed("latency", milliseconds)?.unwrap_or(Duration::from_millis(200)),
            protocol: settings.parsed("protocol", |text| one_of(text, &["tcp", "udp"]))?.unwrap_or("tcp"),
            stall: settings.parsed("stall", |text| seconds(text, 0.5))?.unwrap_or(Duration::from_secs(5)),
            picture: Picture {
                draw: settings.parsed("draw", boolean)?.unwrap_or(true),
                labels: settings.text("labels").unwrap_or_default().to_owned(),
                blur: settings.parsed("blur", |text| one_of(text, &["none", "pixelate", "blur"]))?.unwrap_or("none"),
            },
            rtsp: rtsp(settings, environment)?,
            publish: publish(settings)?,
            files: files(settings)?,
            metrics: settings.parsed("metrics.listen", address)?,
        };
        if options.rtsp.is_none() && options.publish.is_none() && options.files.is_none() {
            return Err("there is nothing to do: give at least one of --rtsp-listen, --publish-location and --files-folder".into());
        }
        Ok(options)
    }
}

fn rtsp(settings: &Settings, environment: impl Fn(&str) -> Option<String>) -> Result<Option<Rtsp>, String> {
    let path = |text: &str| {
        (text.len() > 1 && text.starts_with('/'))
            .then(|| text.to_owned())
            .ok_or_else(|| format!("expected a path such as /faces, found {text}"))
    };
    let Some(listen) = settings.parsed("rtsp.listen", address)? else { return Ok(None) };
    let from_file = settings.parsed("rtsp.token-file", |file| {
        std::fs::read_to_string(file).map(|text| text.trim_end().to_owned()).map_err(|error| format!("{file}: {error}"))
    })?;
    let from_environment = || environment("EMOTION_CAMERA_TOKEN");
    let token = settings.text("rtsp.token").map(str::to_owned).or(from_file).or_else(from_environment);
    let token = token.filter(|token| !token.is_empty());
    secret::check(listen, token.as_deref(), "--rtsp-token").map_err(|error| error.to_string())?;
    Ok(Some(Rtsp {
        listen,
        path: settings.parsed("rtsp.path", path)?.unwrap_or_else(|| "/faces".into()),
        token,
        onvif: settings.parsed("rtsp.onvif", boolean)?.unwrap_or(false),
    }))
}

fn publish(settings: &Settings) -> Result<Option<Publish>, String> {
    let location = settings.parsed("publish.location", |text| Location::parse(text).map_err(|error| error.to_string()))?;
    let homeassistant = settings.parsed("homeassistant.prefix", |text| match &location {
        Some(location) if location.protocol == Protocol::Mqtt && !text.is_empty() && !text.contains([' ', '+', '#']) => Ok(text.to_owned()),
        Some(location) if location.protocol == Protocol::Mqtt => Err(format!("expected a topic such as homeassistant, found {text}")),
        _ => Err("Home Assistant discovers devices by MQTT: set --publish-location to mqtt:// or mqtts://".into()),
    })?;
    let Some(location) = location else { return Ok(None) };
    let own = ["schemas", "hysteresis", "interval", "drain-timeout"];
    let mut properties: Vec<(&str, String)> =
        settings.table("publish.").filter(|(name, _)| !own.contains(name)).map(|(name, text)| (name, text.to_owned())).collect();
    if settings.text("publish.spool-location").is_some() {
        properties.push(("leaky", "no".into()));
    }
    Ok(Some(Publish {
        schemas: settings.parsed("publish.schemas", schemas)?.unwrap_or_else(|| vec![Schema::Events]),
        hysteresis: settings.parsed("publish.hysteresis", milliseconds)?.unwrap_or(Duration::from_millis(500)),
        interval: settings.parsed("publish.interval", milliseconds)?.unwrap_or(Duration::from_secs(1)),
        drain_timeout: settings.parsed("publish.drain-timeout", milliseconds)?.unwrap_or(Duration::from_secs(5)),
        properties,
        location,
        homeassistant,
    }))
}

fn files(settings: &Settings) -> Result<Option<Recordings>, String> {
    let length = settings.parsed("files.seconds", |text| seconds(text, 1.0))?.unwrap_or(Duration::from_secs(600));
    Ok(settings.text("files.folder").map(|folder| Recordings { folder: folder.into(), length }))
}

fn schemas(text: &str) -> Result<Vec<Schema>, String> {
    let names = ["events", "faces", "summary", "dlstreamer"];
    let of = |name: &str| match one_of(name.trim(), &names)? {
        "events" => Ok(Schema::Events),
        "faces" => Ok(Schema::Faces),
        "summary" => Ok(Schema::Summary),
        _ => Ok(Schema::DlStreamer),
    };
    let schemas: Vec<Schema> = text.split(',').map(of).collect::<Result<_, String>>()?;
    let repeated = (1..schemas.len()).any(|index| schemas[..index].contains(&schemas[index]));
    if repeated { Err(format!("expected each schema once, found {text}")) } else { Ok(schemas) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("expected ADDRESS:PORT such as 127.0.0.1:8554, or off, found {text}"))
}

fn one_of(text: &str, known: &[&'static str]) -> Result<&'static str, String> {
    known.iter().copied().find(|name| *name == text).ok_or_else(|| format!("expected one of {}, found {text}", known.join(", ")))
}

fn boolean(text: &str) -> Result<bool, String> {
    one_of(text, &["true", "false"]).map(|text| text == "true")
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    // Even numbers, because the encoder subsamples the colours.
    sides
        .filter(|&(width, height)| [width, height].iter().all(|side| (16..=8192).contains(side) && side % 2 == 0))
        .ok_or_else(|| format!("expected WIDTHxHEIGHT with even numbers from 16 to 8192, found {text}"))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<u32>().map(|ms| Duration::from_millis(ms.into()));
    number.map_err(|_| format!("expected a number of milliseconds, found {text}"))
}

fn seconds(text: &str, min: f64) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| (min..=86_400.0).contains(number));
    number.map(Duration::from_secs_f64).ok_or_else(|| format!("expected a number of seconds from {min} to 86400, found {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_in(line: &str, variable: (&str, &str)) -> Result<Options, String> {
        let settings = Settings::read(line.split_whitespace().map(Into::into))?.ok_or("help")?;
        Options::new(&settings, |name| (name == variable.0).then(|| variable.1.into()))
    }

    fn options(line: &str) -> Result<Options, String> {
        options_in(line, ("", ""))
    }

    #[test]
    fn a_source_and_an_outlet_are_required() {
        assert!(options("--rtsp-listen 127.0.0.1:1").unwrap_err().contains("the source is missing"));
        assert!(options("/dev/video0").unwrap_err().contains("--rtsp-listen, --publish-location and --files-folder"));
        let options = options("rtsp://camera/stream --files-folder days").unwrap();
        assert_eq!((options.name.as_str(), options.size, options.protocol), ("camera", (1280, 720), "tcp"));
        assert_eq!(options.files, Some(Recordings { folder: "days".into(), length: Duration::from_secs(600) }));
        assert_eq!((options.rtsp, options.publish, options.metrics, options.loops), (None, None, None, false));
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
            ("--size 640", "--size: expected WIDTHxHEIGHT with even numbers from 16 to 8192, found 640"),
            ("--size 641x480", "found 641x480"),
            ("--protocol http", "--protocol: expected one of tcp, udp, found http"),
            ("--stall 0", "--stall: expected a number of seconds from 0.5"),
            ("--rtsp-listen nowhere", "--rtsp-listen: expected ADDRESS:PORT"),
            ("--rtsp-path faces --rtsp-listen 127.0.0.1:1", "expected a path such as /faces, found faces"),
            ("--publish-location mqtt://host/a --publish-schemas events,events", "each schema once"),
            ("--publish-location http://host/a", "--publish-location: "),
            ("--homeassistant-prefix homeassistant", "--homeassistant-prefix: Home Assistant discovers devices by MQTT"),
            ("--publish-location mqtt://host/a --homeassistant-prefix a/#", "--homeassistant-prefix: expected a topic"),
            ("--blur yes", "expected one of none, pixelate, blur"),
            ("--rtsp-listen 127.0.0.1:1 --rtsp-token-file /nowhere", "/nowhere: "),
        ] {
            let error = options(&format!("/dev/video0 {line}")).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
        assert!(options("http://camera --files-folder x").unwrap_err().contains("the source: expected rtsp://HOST/PATH"));
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
