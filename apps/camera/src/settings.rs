// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings as text, from the command line and from a TOML file. `options.rs` gives them meaning.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

/// A setting that may be given.
#[derive(Debug)]
pub struct Key {
    /// Its name: `size` in the file is `--size` on the command line, `path` in the table `[rtsp]` is `--rtsp-path`.
    pub name: &'static str,
    /// What its value is, for the help; empty for a switch.
    pub value: &'static str,
    /// What it does.
    pub help: &'static str,
}

const fn key(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key { name, value, help }
}

/// All settings.
pub const KEYS: [Key; 33] = [
    key("source", "SOURCE", "the source, as the argument"),
    key("name", "NAME", "name of the camera in every record [host, device or file]"),
    key("loop", "", "play a file again when it ends"),
    key("size", "WIDTHxHEIGHT", "size of the analysed picture [1280x720]"),
    key("latency", "MS", "length of a network camera's jitter buffer [200]"),
    key("protocol", "tcp|udp", "protocol to a network camera [tcp]"),
    key("stall", "SECONDS", "time without a frame before the source is opened again [5]"),
    key("draw", "true|false", "draw faces in the served and recorded picture [true]"),
    key("labels", "MAP", "text of the labels, such as happiness=glücklich,anger=Ärger"),
    key("blur", "none|pixelate|blur", "hide faces in the served and recorded picture [none]"),
    key("rtsp.listen", "ADDRESS:PORT", "serve the picture and the records by RTSP; off serves nothing [off]"),
    key("rtsp.path", "PATH", "path of the stream [/faces]"),
    key(
        "rtsp.token",
        "SECRET",
        "secret that clients need, at least 16 characters; required unless the address is a loopback address. Prefer a file or \
         the environment variable EMOTION_CAMERA_TOKEN",
    ),
    key("rtsp.token-file", "FILE", "file with that secret"),
    key("rtsp.onvif", "true|false", "serve the faces as a third stream, of ONVIF metadata [false]"),
    key("publish.location", "URL", "publish records to a broker, such as mqtt://user@host/emotion/door; off publishes nothing [off]"),
    key("publish.schemas", "LIST", "what to publish: events, faces, summary, dlstreamer [events]"),
    key("publish.hysteresis", "MS", "how long something lasts before it is an event [500]"),
    key("publish.interval", "MS", "time between two records of faces or summaries [1000]"),
    key("publish.client-id", "NAME", "name of the connection, unique at the broker [random]"),
    key("publish.mqtt-version", "5|3.1.1", "version of MQTT [5]"),
    key("publish.password-file", "FILE", "file with the password; prefer it or the environment variable GST_EMOTION_PUBLISH_PASSWORD"),
    key("publish.ca-file", "FILE", "authorities to trust, in PEM format [those of the system]"),
    key("publish.certificate-file", "FILE", "certificate of this client, in PEM format"),
    key("publish.key-file", "FILE", "its private key"),
    key("publish.max-size-bytes", "BYTES", "memory for messages that wait [10485760]"),
    key("publish.spool-location", "FOLDER", "keep messages that wait in this folder, so that they survive a crash"),
    key("publish.max-spool-bytes", "BYTES", "maximum size of that folder [1073741824]"),
    key("publish.drain-timeout", "MS", "maximum time at the end to send what waits [5000]"),
    key(
        "homeassistant.prefix",
        "TOPIC",
        "let Home Assistant discover the camera below this topic of the broker, usually homeassistant; off does not [off]",
    ),
    key("files.folder", "FOLDER", "record to 00000.mp4, 00000.ndjson and so on in this folder; off records nothing [off]"),
    key("files.seconds", "SECONDS", "length of a recording [600]"),
    key("metrics.listen", "ADDRESS:PORT", "serve /metrics for Prometheus by HTTP; off serves nothing [off]"),
];

/// Columns of the help.
const HELP_COLUMN: usize = 38;
const HELP_WIDTH: usize = 120;

/// Values and where each is from, by the names of [`KEYS`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(BTreeMap<&'static str, Value>);

#[derive(Clone, Debug, PartialEq)]
struct Value {
    text: String,
    /// For error messages, such as `--size` or `camera.toml: size`.
    origin: String,
}

impl Settings {
    /// Reads the arguments after the program's name and the file that they name. Returns none if they ask for help.
    ///
    /// # Errors
    /// A message for the user.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut line = Self::default();
        let mut file = None;
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Long("config") => file = Some(PathBuf::from(parser.value().map_err(|error| error.to_string())?)),
                Long(name) => {
                    let origin = format!("--{name}");
                    let key = find(name).ok_or_else(|| format!("unknown option {origin}"))?;
                    let value = if key.value.is_empty() { Ok("true".into()) } else { parser.value().and_then(|value| value.string()) };
                    line.set(key, value.map_err(|error| error.to_string())?, origin);
                }
                lexopt::Arg::Value(source) if !line.0.contains_key("source") => {
                    line.set(&KEYS[0], source.string().map_err(|error| error.to_string())?, "the source".into());
                }
                other => return Err(other.unexpected().to_string()),
            }
        }
        let mut settings = file.map_or_else(|| Ok(Self::default()), |file| Self::from_file(&file))?;
        settings.0.extend(line.0);
        Ok(Some(settings))
    }

    /// Reads a TOML file.
    fn from_file(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| format!("{shown}: {}", error.to_string().trim_end()))?;
        let mut settings = Self::default();
        settings.add_table(&table, "", &shown.to_string())?;
        Ok(settings)
    }

    /// Adds the values of a table, whose name is `prefix` with a dot.
    fn add_table(&mut self, table: &toml::Table, prefix: &str, file: &str) -> Result<(), String> {
        for (name, value) in table {
            let full = format!("{prefix}{name}");
            let inner = format!("{full}.");
            if let (toml::Value::Table(table), true) = (value, KEYS.iter().any(|key| key.name.starts_with(&inner))) {
                self.add_table(table, &inner, file)?;
                continue;
            }
            let key = KEYS.iter().find(|key| key.name == full).ok_or_else(|| unknown(file, &full, prefix))?;
            let origin = format!("{file}: {full}");
            let text = text_of(value).ok_or_else(|| {
                format!("{origin}: expected a text, a number, true, false or a list of texts, found a {}", value.type_str())
            })?;
            self.set(key, text, origin);
        }
        Ok(())
    }

    fn set(&mut self, key: &Key, text: String, origin: String) {
        self.0.insert(key.name, Value { text, origin });
    }

    /// The text of a setting, unless it is missing or `off`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.text.as_str()).filter(|text| *text != "off")
    }

    /// The value of a setting, read by `parse`; none if it is missing or `off`.
    ///
    /// # Errors
    /// That of `parse`, with the name of the setting.
    pub fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).map_err(|error| format!("{}: {error}", self.0[name].origin))
    }

    /// Names and texts of the settings in a table, without its name and without those that are `off`.
    pub fn table<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.0.keys().filter_map(move |name| Some((name.strip_prefix(prefix)?, self.text(name)?)))
    }
}

fn find(option: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name.replace('.', "-") == option)
}

fn unknown(file: &str, name: &str, prefix: &str) -> String {
    let allowed =
        KEYS.iter().filter_map(|key| key.name.strip_prefix(prefix)).map(|name| name.split_once('.').map_or(name, |(table, _)| table));
    let mut allowed: Vec<&str> = allowed.collect();
    allowed.dedup();
    format!("{file}: unknown key {name}; {} are allowed", allowed.join(", "))
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(switch) => Some(switch.to_string()),
        toml::Value::Array(items) => items.iter().map(|item| item.as_str()).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
        _ => None,
    }
}

/// What `--help` prints.
pub fn help() -> String {
    let mut help = String::from(
        "Usage: emotion-camera [OPTION]... [SOURCE]\n\nFinds faces in the video of SOURCE, scores their apparent expression, and serves, publishes and records them. SOURCE is\n\
         a network camera (rtsp://ADDRESS), a camera such as /dev/video0, or a file.\n\n",
    );
    let extra = [key("config", "FILE", "read settings from a TOML file; the command line wins"), key("help", "", "print this help")];
    for key in KEYS.iter().skip(1).chain(&extra) {
        let option = format!("  --{} {}", key.name.replace('.', "-"), key.value);
        help.push_str(&format!("{:HELP_COLUMN$}", option.trim_end()));
        let mut column = HELP_COLUMN.max(option.len());
        if option.len() >= HELP_COLUMN {
            help.push_str(&format!("\n{:HELP_COLUMN$}", ""));
            column = HELP_COLUMN;
        }
        for (index, word) in key.help.split(' ').enumerate() {
            if index > 0 && column + word.chars().count() >= HELP_WIDTH {
                help.push_str(&format!("\n{:HELP_COLUMN$}", ""));
                column = HELP_COLUMN;
            } else if index > 0 {
                help.push(' ');
                column += 1;
            }
            help.push_str(word);
            column += word.chars().count();
        }
        help.push('\n');
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Settings>, String> {
        Settings::read(line.split_whitespace().map(OsString::from))
    }

    /// Reads a file with this text, and the command line after it.
    fn with_file(test: &str, text: &str, line: &str) -> Result<Settings, String> {
        let path = std::env::temp_dir().join(format!("emotion-camera-{test}-{}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let settings = read(&format!("--config {} {line}", path.display())).map(|settings| settings.unwrap());
        std::fs::remove_file(path).unwrap();
        settings
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let text = "source = 'rtsp://camera/1'\nloop = true\nstall = 2.5\n[publish]\nschemas = ['events', 'summary']\ninterval = 200\n";
        let settings = with_file("wins", text, "--publish-interval 500 --rtsp-path /door").unwrap();
        let text = |name| settings.text(name).unwrap();
        assert_eq!((text("source"), text("loop"), text("stall")), ("rtsp://camera/1", "true", "2.5"));
        assert_eq!((text("publish.schemas"), text("publish.interval"), text("rtsp.path")), ("events,summary", "500", "/door"));
        let settings = with_file("off", "[rtsp]\nlisten = '127.0.0.1:1'\n", "--rtsp-listen off /dev/video0").unwrap();
        assert_eq!((settings.text("rtsp.listen"), settings.text("source")), (None, Some("/dev/video0")));
    }

    #[test]
    fn unknown_keys_are_errors_that_list_what_is_allowed() {
        let error = with_file("table", "[rtsp]\npaht = '/x'\n", "").unwrap_err();
        assert!(error.contains(".toml: unknown key rtsp.paht; listen, path, token, token-file, onvif are allowed"), "{error}");
        let error = with_file("top", "sizes = '1x1'\n", "").unwrap_err();
        assert!(
            error.contains("unknown key sizes; source, name, ") && error.contains("blur, rtsp, publish, homeassistant, files, metrics"),
            "{error}"
        );
        let error = with_file("kind", "size = { width = 1 }\n", "").unwrap_err();
        assert!(error.contains("size: expected a text"), "{error}");
        assert!(with_file("syntax", "size = \n", "").unwrap_err().contains(".toml: "));
        assert!(read("--config /nowhere.toml").unwrap_err().starts_with("/nowhere.toml: "));
        assert_eq!(read("--paht /x").unwrap_err(), "unknown option --paht");
        assert!(read("one two").unwrap_err().contains("two"));
    }

    #[test]
    fn the_manual_has_every_option_and_every_line_fits() {
        let manual = include_str!("../../../packaging/man/emotion-camera.1");
        for key in &KEYS[1..] {
            let option = key.name.replace('.', "-");
            assert!(manual.contains(&format!("Fl -{option}\n")) || manual.contains(&format!("Fl -{option} ")), "--{option} is missing");
        }
        let help = help();
        assert!(help.lines().all(|line| line.chars().count() <= HELP_WIDTH), "{help}");
    }
}
