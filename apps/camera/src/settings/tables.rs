// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings of outlets, each of which is a table of the TOML file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use serde::Deserialize;

use super::defaults;
use crate::value::{FilesVideo, Schema, Switch, Text};

/// The RTSP server.
#[derive(Args, Clone, Debug, Deserialize, PartialEq)]
#[serde(default = "defaults", deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rtsp {
    /// Serve the picture and the records by RTSP; off serves nothing
    #[arg(id = "rtsp-listen", long, value_name = "ADDRESS:PORT", default_value = "off")]
    pub listen: Switch<SocketAddr>,

    /// Path of the stream
    #[arg(id = "rtsp-path", long, value_name = "PATH", default_value = "/faces")]
    pub path: String,

    /// Secret that clients need, at least 16 characters; required unless the address is a loopback address. Clients open
    /// rtsp://viewer:SECRET@ADDRESS:PORT/PATH. Other users of the machine can read it in the list of processes: prefer a file, or
    /// the environment variable EMOTION_CAMERA_TOKEN
    #[arg(id = "rtsp-token", long, value_name = "SECRET")]
    pub token: Option<String>,

    /// File with that secret
    #[arg(id = "rtsp-token-file", long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Serve the faces as a third stream, of ONVIF metadata: one XML document tt:MetadataStream for each frame
    #[arg(id = "rtsp-onvif", long, value_name = "true|false", action = ArgAction::Set, default_value = "false", hide_possible_values = true)]
    pub onvif: bool,
}

/// The publisher.
#[derive(Args, Clone, Debug, Deserialize, PartialEq)]
#[serde(default = "defaults", deny_unknown_fields, rename_all = "kebab-case")]
pub struct Publish {
    /// Publish records by MQTT or NATS, for example to mqtts://user@host/emotion/door; off publishes nothing
    #[arg(id = "publish-location", long, value_name = "URL", default_value = "off")]
    pub location: Switch<String>,

    /// What to publish, separated by commas
    #[arg(id = "publish-schemas", long, value_name = "LIST", value_enum, value_delimiter = ',', default_value = "events")]
    pub schemas: Vec<Schema>,

    /// How long something lasts before it is an event, in milliseconds
    #[arg(id = "publish-hysteresis", long, value_name = "MS", default_value_t = 500)]
    pub hysteresis: u32,

    /// Time between two records of faces or summaries, in milliseconds; 0 is every frame
    #[arg(id = "publish-interval", long, value_name = "MS", default_value_t = 1000)]
    pub interval: u32,

    /// Name of the connection, unique at the broker; without it, a random one
    #[arg(id = "publish-client-id", long, value_name = "NAME")]
    pub client_id: Option<Text>,

    /// Version of MQTT; without it, 5
    #[arg(id = "publish-mqtt-version", long, value_name = "5|3.1.1")]
    pub mqtt_version: Option<Text>,

    /// File with the password; prefer it or the environment variable GST_EMOTION_PUBLISH_PASSWORD to one in the location
    #[arg(id = "publish-password-file", long, value_name = "FILE")]
    pub password_file: Option<Text>,

    /// Authorities to trust, in PEM format; without it, those of the system
    #[arg(id = "publish-ca-file", long, value_name = "FILE")]
    pub ca_file: Option<Text>,

    /// Certificate of this client, in PEM format
    #[arg(id = "publish-certificate-file", long, value_name = "FILE")]
    pub certificate_file: Option<Text>,

    /// Private key of the certificate
    #[arg(id = "publish-key-file", long, value_name = "FILE")]
    pub key_file: Option<Text>,

    /// Memory for messages that wait for the broker; without it, 10485760
    #[arg(id = "publish-max-size-bytes", long, value_name = "BYTES")]
    pub max_size_bytes: Option<Text>,

    /// Keep messages that wait in this folder, so that they survive a crash
    #[arg(id = "publish-spool-location", long, value_name = "FOLDER")]
    pub spool_location: Option<Text>,

    /// Maximum size of that folder; without it, 1073741824
    #[arg(id = "publish-max-spool-bytes", long, value_name = "BYTES")]
    pub max_spool_bytes: Option<Text>,

    /// Take commands by MQTT at TOPIC/set, which switch the analysis, blur, totals only and the interval of searches, publish what is
    /// switched at TOPIC/state, and keep it in this file, so that a restart hides as much; off takes no commands
    #[arg(id = "publish-switches-file", long, value_name = "FILE")]
    pub switches_file: Option<Text>,

    /// Maximum time at the end to send what waits, in milliseconds
    #[arg(id = "publish-drain-timeout", long, value_name = "MS", default_value_t = 5000)]
    pub drain_timeout: u32,
}

/// The discovery by Home Assistant.
#[derive(Args, Clone, Debug, Deserialize, PartialEq)]
#[serde(default = "defaults", deny_unknown_fields, rename_all = "kebab-case")]
pub struct HomeAssistant {
    /// Let Home Assistant discover the camera below this topic of the broker, usually homeassistant
    #[arg(id = "homeassistant-prefix", long, value_name = "TOPIC", default_value = "off")]
    pub prefix: Switch<String>,
}

/// The recordings.
#[derive(Args, Clone, Debug, Deserialize, PartialEq)]
#[serde(default = "defaults", deny_unknown_fields, rename_all = "kebab-case")]
pub struct Files {
    /// Record to 00000.mp4, 00000.ndjson and so on in this folder; off records nothing
    #[arg(id = "files-folder", long, value_name = "FOLDER", default_value = "off")]
    pub folder: Switch<PathBuf>,

    /// Length of a recording; one of the camera's own H.264 or H.265 goes on until its next key frame
    #[arg(id = "files-seconds", long, value_name = "SECONDS", default_value = "600")]
    pub seconds: f64,

    /// Picture that is recorded. With --blur, and if the camera sends something else than H.264 or H.265, it is encoded at --size
    #[arg(id = "files-video", long, value_enum, default_value = "camera")]
    pub video: FilesVideo,

    /// Record the camera's sound beside the picture. It is not requested otherwise. With --record-source, it is the sound of that one. AAC,
    /// MP3 and Opus are recorded as they are, PCMU, PCMA and L16 are encoded as Opus
    #[arg(id = "files-sound", long, value_name = "true|false", action = ArgAction::Set, default_value = "false", hide_possible_values = true)]
    pub sound: bool,

    /// Delete this camera's own recordings that ended so many days ago; off, or without it, keeps them
    #[arg(id = "files-keep-days", long, value_name = "DAYS")]
    pub keep_days: Option<Text>,

    /// Delete this camera's own oldest recordings while all of them have more bytes; off, or without it, keeps them
    #[arg(id = "files-keep-bytes", long, value_name = "BYTES")]
    pub keep_bytes: Option<Text>,
}

impl Files {
    /// True if the recorded picture has faces drawn.
    pub fn is_drawn(&self) -> bool {
        self.video == FilesVideo::Drawn
    }
}

/// The page with metrics.
#[derive(Args, Clone, Debug, Deserialize, PartialEq)]
#[serde(default = "defaults", deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metrics {
    /// Serve /metrics for Prometheus by HTTP, without encryption and to anyone; off serves nothing
    #[arg(id = "metrics-listen", long, value_name = "ADDRESS:PORT", default_value = "off")]
    pub listen: Switch<SocketAddr>,
}
