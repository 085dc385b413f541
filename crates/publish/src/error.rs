// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a publisher or a subscriber cannot be set up, grouped by whose fault it is.

use std::io;
use std::path::{Path, PathBuf};

/// An error before the first attempt to connect. [`Failure`](super::Failure) is why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The settings.
    /// An address is wrong.
    #[error("location {location:?}: {fault}")]
    Location {
        /// The address, with `***` in place of a password.
        location: String,
        /// What is wrong with it.
        fault: LocationFault,
    },
    /// A certificate has no key, or a key has no certificate.
    #[error("certificate-file and key-file belong together: set both or neither")]
    HalfIdentity,
    /// A webhook has no secret.
    #[error("a webhook signs what it sends: set password-file, or the environment variable GST_EMOTION_PUBLISH_PASSWORD")]
    NoWebhookSecret,
    /// The secret of a webhook is not what it begins like.
    #[error("expected base64 after whsec_ in the secret of the webhook")]
    WebhookSecret,

    // The files.
    /// A file or a folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A certificate or a key is not what it should be.
    #[error("{}: expected {expected}, found: {found}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        expected: &'static str,
        /// What it contains, or why it cannot be read.
        found: String,
    },
    /// The file `position` of a spool has no number. Without the file, all messages on disk are sent again.
    #[error("{}: expected a number, found {found:?}; remove the file to send everything in the folder again", path.display())]
    Position {
        /// The file.
        path: PathBuf,
        /// What it contains.
        found: String,
    },

    // Others.
    /// Another publisher, of this or another process, uses the spool.
    #[error("spool-location {}: another publisher uses it", folder.display())]
    SpoolInUse {
        /// The folder of the spool.
        folder: PathBuf,
    },
    /// A receiver without a connection cannot be addressed.
    #[error("the receiver {receiver} cannot be addressed: {source}")]
    Receiver {
        /// Host and port.
        receiver: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The system has no authorities, and no file with authorities is set.
    #[error("TLS: the system has no certificates of authorities; set ca-file")]
    NoAuthorities,
    /// The library for encryption cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system cannot start the thread of a publisher.
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
pub enum LocationFault {
    /// It is not an address.
    #[error("expected mqtt://host/topic")]
    NoAddress,
    /// Its scheme is unknown.
    #[error("expected a scheme of {}", known.join(", "))]
    Scheme {
        /// The known schemes.
        known: &'static [&'static str],
    },
    /// It has a password, which others could read.
    #[error(
        "expected no password here; set password-file, or the environment variable GST_EMOTION_PUBLISH_PASSWORD. \
         Write @ in a topic as %40"
    )]
    Password,
    /// Its user is not UTF-8, or has a `%` without two hexadecimal digits.
    #[error("the user is not valid text")]
    User,
    /// It has no host.
    #[error("expected a host")]
    NoHost,
    /// Its port is not a number of 1 to 65535.
    #[error("expected a port of 1 to 65535 after the colon")]
    Port,
    /// Its protocol has no subscriptions.
    #[error("expected mqtt:// or mqtts://, since only MQTT can be subscribed to")]
    Subscription,
    /// It has a user, although a webhook has none.
    #[error("expected no user, since a webhook is signed with its secret")]
    WebhookUser,
    /// It has no topic.
    #[error("expected a topic after the host")]
    NoTopic,
    /// It has a topic, although its protocol has none.
    #[error("expected nothing after host and port, since OSC has no topics")]
    Topic,
    /// Its topic is not UTF-8, or has a `%` without two hexadecimal digits.
    #[error("the topic is not valid text")]
    TopicText,
    /// Its topic is too long.
    #[error("expected a topic of at most {maximum} bytes, found {bytes}")]
    TopicLength {
        /// Length of the topic.
        bytes: usize,
        /// The maximum.
        maximum: usize,
    },
    /// Its topic begins with `$`.
    #[error("expected a topic that does not begin with $, which brokers reserve")]
    ReservedTopic,
    /// Its topic has two slashes in a row.
    #[error("expected no empty part in the topic")]
    EmptyPart,
    /// Its topic has a character with a special meaning, or a control character.
    #[error("expected a topic without {0:?}")]
    Character(char),
    /// It is a filter for all topics of the broker.
    #[error("expected a topic whose first part is not +")]
    FirstPart,
}
