// SPDX-License-Identifier: MIT OR Apache-2.0
//! A property of an element with its value, as `--set` gives it.

use std::fmt;
use std::str::FromStr;

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
}
