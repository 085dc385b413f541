// SPDX-License-Identifier: MIT OR Apache-2.0
//! A source on the command line or in the configuration file.

use std::str::FromStr;

use emotion_publish::Location;
use serde::Deserialize;

use crate::sources::input::{Input, InputError};

/// What an argument stands for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Argument {
    /// A source of this program.
    Source(Input),
    /// The cameras that publish to a broker.
    Cameras(Location),
}

/// The reason for which an argument is neither a source nor a broker.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    #[error(transparent)]
    Source(#[from] InputError),
    #[error("{0}")]
    Cameras(Box<dyn std::error::Error + Send + Sync>),
}

impl FromStr for Argument {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        if text.starts_with("mqtt://") || text.starts_with("mqtts://") {
            Location::parse_filter(text).map(Self::Cameras).map_err(|error| ArgumentError::Cameras(error.into()))
        } else {
            Ok(Self::Source(Input::from_argument(text)?))
        }
    }
}

impl TryFrom<String> for Argument {
    type Error = ArgumentError;

    fn try_from(text: String) -> Result<Self, ArgumentError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use emotion_supervise::place::Place;

    use super::*;

    #[test]
    fn the_form_of_an_argument_gives_its_kind() {
        let source = |text: &str| match text.parse() {
            Ok(Argument::Source(Input::Place(place))) => place,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(source("/dev/video3"), Place::Device("/dev/video3".into()));
        assert_eq!(source("rtsp://camera/1"), Place::Rtsp("rtsp://camera/1".into()));
        let cameras = "mqtts://viewer@broker/emotion/+".parse().unwrap();
        assert!(matches!(cameras, Argument::Cameras(location) if location.topic == "emotion/+" && location.tls));
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |text: &str| text.parse::<Argument>().unwrap_err().to_string();
        assert!(error("mqtt://broker/#").contains("'#'"));
        assert!(error("rtsp://").contains("rtsp://"));
    }
}
