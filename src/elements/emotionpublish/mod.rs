// SPDX-License-Identifier: MIT OR Apache-2.0
//! # emotionpublish
//!
//! Publishes the records of `emotionexport` to a message broker, by MQTT 5 or 3.1.1, or to an avatar program. One message is one record: a line of
//! JSON with the key `message_id` added. Put one `emotionpublish` behind each `emotionexport`.
//!
//! ## Topics
//!
//! The caps' `schema` is the last part of the topic: with `location=mqtt://broker/emotion/door`, events are published to
//! `emotion/door/events`. The topic `emotion/door/status` has a retained message, `online` or `offline`. The broker itself
//! publishes `offline` if the connection breaks, as the last will. Two elements with the same topic share its status, so
//! give each element its own topic.
//!
//! ## What happens without the broker
//!
//! The stream never waits for the broker and never ends because of it. Messages wait in memory, for up to
//! `max-size-bytes`. With `leaky=downstream` the oldest ones are dropped after that. With `leaky=no` every message is also
//! written to `spool-location` and stays there until the broker has acknowledged it, even if the process is killed. The
//! files are synced every five seconds; a power failure loses what was written since. When the files have reached
//! `max-spool-bytes` or the disk is full, new messages are dropped. The streaming thread writes the files, so choose a local
//! disk.
//!
//! The element tries to connect again after 0.25 s, then after 0.5 s, and so on up to 30 s. It shortens each of these times
//! at random by up to a half. It posts a warning for each new reason, and an info message when the connection is back. At the
//! end of the stream it waits for up to `drain-timeout` until everything is sent.
//!
//! Each message is delivered at least once: if an acknowledgement is lost, the message is sent again. A receiver drops repeats
//! by `message_id`. A message that the broker never accepts, for example because of its size, is dropped and does not hold up
//! the others. The element posts one warning for each cause. A broker of MQTT 3.1.1 closes the connection instead of refusing
//! a message. The element then sends the messages one by one, and drops a message that ends three connections in a row.
//!
//! ## NATS
//!
//! `location=nats://broker/emotion/door` publishes to the subject `emotion.door.events` of NATS JetStream. A stream that takes
//! the subjects has to exist; until then, messages wait. The server drops repeats by itself. NATS has no last will, so
//! `offline` is published only when the element stops.
//!
//! ## Avatars
//!
//! `location=osc://127.0.0.1:39539` sends the blendshapes and the head pose of a face to an avatar program by the VMC protocol:
//! `/VMC/Ext/Blend/Val` with each of ARKit's 52 names, `/VMC/Ext/Blend/Apply`, and `/VMC/Ext/Bone/Pos` of the bone `Head`. Put
//! `facelandmarks` before `emotionexport`, whose format has to be NDJSON. The avatar follows the largest face, then the same one for
//! as long as it is there. Packets are UDP: they are sent at once, and a receiver that is not there misses them. The properties of
//! brokers have no effect. `stats` counts the records of the followed face as `sent` and all others as `dropped`.
//!
//! ## Statistics
//!
//! The property `stats` is a structure that counts messages: `exported` by the stream, `recovered` from the spool of an
//! earlier process, `sent` and acknowledged, `queued`, and `dropped`, where exported + recovered = sent + queued + dropped.
//! `rejected` counts the dropped messages that the broker never accepts. `reconnects` counts connections after the first,
//! `queued-bytes` is the memory of the queued messages, and `connected` tells whether there is a connection.
//!
//! ## Secrets
//!
//! The password is read from `password-file` or from the environment variable `GST_EMOTION_PUBLISH_PASSWORD`, never from
//! the location, which others can read. `mqtts://` encrypts the connection and checks the certificate of the broker against
//! `ca-file` or the authorities of the system. `certificate-file` and `key-file` are for brokers that ask for a certificate.
//!
//! ## Example launch lines
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=90 ! facedetect ! emotionclassify ! emotionexport format=events ! emotionpublish location=mqtt://localhost/emotion/door
//! ```
//!
//! An avatar that moves as the person in front of the camera:
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! facedetect ! facelandmarks ! emotionexport ! emotionpublish location=osc://127.0.0.1:39539
//! ```
//!
//! Since: 1.0. See also: `facelandmarks`, `emotionexport`.

mod imp;
mod settings;

use emotion_publish::mqtt::Version;
use gst::glib;
use gst::prelude::*;

/// The values of the property `leaky`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionPublishLeaky")]
pub enum Leaky {
    /// The oldest messages are dropped.
    #[default]
    #[enum_value(name = "Drop the oldest messages", nick = "downstream")]
    Downstream,
    /// Messages are kept on disk.
    #[enum_value(name = "Keep messages in spool-location", nick = "no")]
    No,
}

/// The values of the property `mqtt-version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionPublishMqttVersion")]
pub enum MqttVersion {
    /// MQTT 5.
    #[default]
    #[enum_value(name = "MQTT 5", nick = "5")]
    V5,
    /// MQTT 3.1.1.
    #[enum_value(name = "MQTT 3.1.1", nick = "3.1.1")]
    V311,
}

impl From<MqttVersion> for Version {
    fn from(version: MqttVersion) -> Self {
        match version {
            MqttVersion::V5 => Self::V5,
            MqttVersion::V311 => Self::V311,
        }
    }
}

glib::wrapper! {
    /// The element `emotionpublish`.
    pub struct EmotionPublish(ObjectSubclass<imp::EmotionPublish>) @extends gst_base::BaseSink, gst::Element, gst::Object;
}

/// Registers the element with `plugin`.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for enumeration in [Leaky::static_type(), MqttVersion::static_type()] {
        enumeration.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "emotionpublish", gst::Rank::NONE, EmotionPublish::static_type())
}
