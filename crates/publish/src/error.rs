// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a publisher or a subscriber cannot be set up, grouped by whose fault it is.

use std::io;
use std::path::{Path, PathBuf};

/// An error before the first attempt to connect. [`Failure`](super::Failure) is why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Error {
    // The settings.
    #[error("location {location:?}: {fault}")]
    Location { location: String, fault: LocationFault },
    #[error("certificate-file and key-file belong together: set both or neither")]
    HalfIdentity,
    #[error("a webhook signs what it sends: set password-file, or the environment variable GST_EMOTION_PUBLISH_PASSWORD")]
    NoWebhookSecret,
    #[error("expected base64 after whsec_ in the secret of the webhook")]
    WebhookSecret,

    // The files.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected {expected}, found: {found}", path.display())]
    Certificate { path: PathBuf, expected: &'static str, found: String },
    /// The file `position` of a spool has no number. Without the file, all messages on disk are sent again.
    #[error("{}: expected a number, found {found:?}; remove the file to send everything in the folder again", path.display())]
    Position { path: PathBuf, found: String },

    // Others.
    #[error("spool-location {}: another publisher uses it", folder.display())]
    SpoolInUse { folder: PathBuf },
    /// A receiver without a connection cannot be addressed.
    #[error("the receiver {receiver} cannot be addressed: {source}")]
    Receiver { receiver: String, source: io::Error },
    #[error("TLS: the system has no certificates of authorities; set ca-file")]
    NoAuthorities,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("could not start the thread of the publisher: {0}")]
    Thread(#[source] io::Error),
}

impl Error {
    /// For [`Result::map_err`], with the path of a file.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum LocationFault {
    #[error("expected mqtt://host/topic")]
    NoAddress,
    #[error("expected a scheme of {}", known.join(", "))]
    Scheme { known: &'static [&'static str] },
    /// It has a password, which others could read.
    #[error(
        "expected no password here; set password-file, or the environment variable GST_EMOTION_PUBLISH_PASSWORD. \
         Write @ in a topic as %40"
    )]
    Password,
    /// Its user is not UTF-8, or has a `%` without two hexadecimal digits.
    #[error("the user is not valid text")]
    User,
    #[error("expected a host")]
    NoHost,
    #[error("expected a port of 1 to 65535 after the colon")]
    Port,
    #[error("expected mqtt:// or mqtts://, since only MQTT can be subscribed to")]
    Subscription,
    #[error("expected no user, since a webhook is signed with its secret")]
    WebhookUser,
    #[error("expected a topic after the host")]
    NoTopic,
    #[error("expected nothing after host and port, since OSC has no topics")]
    Topic,
    /// Its topic is not UTF-8, or has a `%` without two hexadecimal digits.
    #[error("the topic is not valid text")]
    TopicText,
    #[error("expected a topic of at most {maximum} bytes, found {bytes}")]
    TopicLength { bytes: usize, maximum: usize },
    #[error("expected a topic that does not begin with $, which brokers reserve")]
    ReservedTopic,
    #[error("expected no empty part in the topic")]
    EmptyPart,
    #[error("expected a topic without {0:?}")]
    Character(char),
    /// It is a filter for all topics of the broker.
    #[error("expected a topic whose first part is not +")]
    FirstPart,
}
