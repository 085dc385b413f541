// SPDX-License-Identifier: MIT OR Apache-2.0
//! Properties of elements as text, from a command line, a file or a page. GObject ignores a value that is out of range; here it is
//! an error.

use std::fmt;
use std::str::FromStr;

use gst::glib;
use gst::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A property of an element and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the element, that of its factory, or `*`.
    pub element: String,
    /// Name of the property.
    pub property: String,
    /// The value, as in a launch line.
    pub value: String,
}

/// The text is not a setting.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("expected ELEMENT.PROPERTY=VALUE")]
pub struct NotASetting;

/// Why a setting cannot be applied.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{setting}: {fault}")]
pub struct SettingError {
    /// The setting.
    pub setting: Box<Setting>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // Most variants are what their texts say.
pub enum Fault {
    /// It names none of these elements, but another one.
    #[error("expected an element of {}, found {}", .0.join(", "), .1)]
    Element(Vec<&'static str>, String),
    #[error("{0} has no property {1}")]
    Property(String, String),
    /// It is for an element that only `--geometry` adds.
    #[error("facelandmarks needs --geometry")]
    NoGeometry,
    #[error("expected a value of type {0}, found {1}")]
    Type(glib::Type, String),
    #[error("{1} is outside of the range of {0}")]
    Range(String, String),
}

impl Setting {
    /// A setting of `element`.
    pub fn new(element: &str, property: &str, value: impl ToString) -> Self {
        Self { element: element.into(), property: property.into(), value: value.to_string() }
    }

    /// The error that `fault` is.
    pub fn is_wrong(&self, fault: Fault) -> SettingError {
        SettingError { setting: Box::new(self.clone()), fault }
    }

    /// True if this is a setting of `element` and `element` has the property.
    pub fn concerns(&self, element: &gst::Element) -> bool {
        let is_meant = self.element == "*"
            || element.name() == self.element
            || element.factory().is_some_and(|factory| factory.name() == self.element);
        let is_writable = |spec: glib::ParamSpec| spec.flags().contains(glib::ParamFlags::WRITABLE);
        is_meant && element.find_property(&self.property).is_some_and(is_writable)
    }
}

impl FromStr for Setting {
    type Err = NotASetting;

    fn from_str(text: &str) -> Result<Self, NotASetting> {
        let (name, value) = text.split_once('=').ok_or(NotASetting)?;
        let (element, property) = name.split_once('.').ok_or(NotASetting)?;
        Ok(Self::new(element, property, value))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}={}", self.element, self.property, self.value)
    }
}

/// Sets the properties that `settings` give to one of `elements`.
///
/// # Errors
/// If a value is of another type or out of range.
pub fn apply(settings: &[Setting], elements: &[gst::Element]) -> Result<(), SettingError> {
    for setting in settings {
        for element in elements.iter().filter(|element| setting.concerns(element)) {
            set(element, &setting.property, &setting.value).map_err(|fault| setting.is_wrong(fault))?;
        }
    }
    Ok(())
}

/// Sets a property to a value in the form of a launch line.
///
/// # Errors
/// If there is no such property, or the value is of another type or out of range.
pub fn set(element: &gst::Element, property: &str, text: &str) -> Result<(), Fault> {
    let missing = || Fault::Property(element.name().into(), property.into());
    let spec = element.find_property(property).ok_or_else(missing)?;
    let expected = spec.value_type();
    let value = glib::Value::deserialize(text, expected).map_err(|_| Fault::Type(expected, text.into()))?;
    if !is_in_range(&spec, &value) {
        return Err(Fault::Range(property.into(), text.into()));
    }
    element.set_property_from_value(property, &value);
    Ok(())
}

/// True if the number is in the range of the property. GObject would ignore any other.
fn is_in_range(spec: &glib::ParamSpec, value: &glib::Value) -> bool {
    macro_rules! in_range {
        ($($kind:ty: $number:ty),*) => {
            true $(&& match (spec.downcast_ref::<$kind>(), value.get::<$number>()) {
                (Some(spec), Ok(number)) => (spec.minimum()..=spec.maximum()).contains(&number),
                _ => true,
            })*
        };
    }
    in_range!(
        glib::ParamSpecInt: i32, glib::ParamSpecUInt: u32, glib::ParamSpecInt64: i64, glib::ParamSpecUInt64: u64,
        glib::ParamSpecFloat: f32, glib::ParamSpecDouble: f64
    )
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
        assert_eq!(setting, Setting::new("emotionclassify", "model-file", "a.b=c.onnx"));
        assert_eq!(setting.to_string(), "emotionclassify.model-file=a.b=c.onnx");
        assert_eq!("tile-size=3".parse::<Setting>(), Err(NotASetting));
        assert_eq!("facedetect.tile-size".parse::<Setting>(), Err(NotASetting));
    }

    #[test]
    fn a_setting_is_applied_to_the_elements_that_it_names() {
        gst::init().unwrap();
        let queue = |name: &str| gst::ElementFactory::make("queue").name(name).build().unwrap();
        let elements = [queue("a"), queue("b")];
        let buffers = || elements.each_ref().map(|element| element.property::<u32>("max-size-buffers"));
        for (element, expected) in [("*", [1, 1]), ("queue", [2, 2]), ("b", [2, 3]), ("fakesink", [2, 3])] {
            apply(&[Setting::new(element, "max-size-buffers", expected[1])], &elements).unwrap();
            assert_eq!(buffers(), expected, "{element}");
        }
        apply(&[Setting::new("*", "leaky", "downstream")], &elements).unwrap();
        assert_eq!(elements[0].property_value("leaky").serialize().unwrap(), "downstream");
    }

    #[test]
    fn a_wrong_value_is_an_error_that_says_what_was_expected() {
        gst::init().unwrap();
        let source = [gst::ElementFactory::make("videotestsrc").build().unwrap()];
        for (property, value, message) in [
            ("num-buffers", "many", "videotestsrc.num-buffers=many: expected a value of type gint, found many"),
            ("num-buffers", "-2", "videotestsrc.num-buffers=-2: -2 is outside of the range of num-buffers"),
        ] {
            let error = apply(&[Setting::new("videotestsrc", property, value)], &source).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let missing = set(&source[0], "tile-size", "1").unwrap_err().to_string();
        assert!(missing.ends_with("has no property tile-size"), "{missing}");
    }
}
