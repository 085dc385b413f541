// SPDX-License-Identifier: MIT OR Apache-2.0
//! A property of an element with its value, as `--set` gives it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `facedetect` forgets a face that it has not seen for this time, unless `--set` says otherwise.
const TRACK_TIMEOUT: Duration = Duration::from_secs(1);
/// Samples without a face after which it is forgotten, if they are rare. Two samples are at most twice their usual time apart.
const SAMPLES_TO_FORGET: f64 = 2.5;

/// A property of an element and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the element, or `*`.
    pub element: String,
    /// Name of the property.
    pub property: String,
    /// The value, as in a launch line.
    pub value: String,
}

/// What keeps a face's track from one sample to the next: the timeout of `facedetect`, where the time between two samples needs a
/// longer one than its default and `set` does not have it.
pub fn track_timeout(every: Option<Duration>, set: &[Setting]) -> Option<Setting> {
    let is_set = |setting: &Setting| {
        setting.property == "track-timeout" && ["*", "facedetect", "emotionfacedetect"].contains(&setting.element.as_str())
    };
    let timeout_s = SAMPLES_TO_FORGET * every?.as_secs_f64();
    (timeout_s > TRACK_TIMEOUT.as_secs_f64() && !set.iter().any(is_set)).then(|| Setting {
        element: "facedetect".into(),
        property: "track-timeout".into(),
        // The conversion saturates.
        value: ((timeout_s * 1e9) as u64).to_string(),
    })
}

/// The text is not a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected ELEMENT.PROPERTY=VALUE")]
pub struct NotASetting;

impl FromStr for Setting {
    type Err = NotASetting;

    fn from_str(text: &str) -> Result<Self, NotASetting> {
        let (name, value) = text.split_once('=').ok_or(NotASetting)?;
        let (element, property) = name.split_once('.').ok_or(NotASetting)?;
        Ok(Self { element: element.into(), property: property.into(), value: value.into() })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}={}", self.element, self.property, self.value)
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("{error}, found {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_element_property_and_value() {
        let setting: Setting = "emotionclassify.model-file=a.b=c.onnx".parse().unwrap();
        assert_eq!(setting, Setting { element: "emotionclassify".into(), property: "model-file".into(), value: "a.b=c.onnx".into() });
        assert_eq!(setting.to_string(), "emotionclassify.model-file=a.b=c.onnx");
        assert_eq!("tile-size=3".parse::<Setting>(), Err(NotASetting));
        assert_eq!("facedetect.tile-size".parse::<Setting>(), Err(NotASetting));
    }

    #[test]
    fn tracks_last_longer_where_samples_are_rare() {
        let timeout = |every_s: f64, set: &[&str]| {
            let set: Vec<Setting> = set.iter().map(|text| text.parse().unwrap()).collect();
            track_timeout(Some(Duration::from_secs_f64(every_s)), &set).map(|setting| setting.to_string())
        };
        assert_eq!(timeout(5.0, &["facedetect.max-faces=3"]).as_deref(), Some("facedetect.track-timeout=12500000000"));
        assert_eq!(timeout(0.4, &[]), None, "the default is long enough");
        assert_eq!(timeout(5.0, &["emotionfacedetect.track-timeout=1"]), None);
        assert_eq!(timeout(5.0, &["*.track-timeout=1"]), None);
        assert_eq!(timeout(1e18, &[]).as_deref(), Some("facedetect.track-timeout=18446744073709551615"));
        assert_eq!(track_timeout(None, &[]), None, "each frame is examined");
    }
}
