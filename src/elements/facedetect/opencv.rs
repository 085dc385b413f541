// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties that `facedetect` shares with the element of this name of GStreamer's OpenCV plugin.
//!
//! `profile` and the properties of the cascade take effect when the Haar cascade detects. The others can be set and read, so
//! that launch lines written for OpenCV's element work, but have no effect.

use gst::glib;
use gst::prelude::*;

use crate::detector::{CascadeOptions, DEFAULT_CASCADE};
use crate::elements::properties::{PostMessages, extract};
use crate::geometry::Size;

/// `updates`: OpenCV's name for `post-messages`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionFaceDetectUpdates")]
pub enum Updates {
    /// A message for every frame.
    #[enum_value(name = "Send update messages on every frame", nick = "every_frame")]
    EveryFrame,
    /// A message when a face appears or disappears.
    #[enum_value(name = "Send messages when a new face is detected or one is not anymore detected", nick = "on_change")]
    OnChange,
    /// A message for every frame with a face.
    #[enum_value(name = "Send messages whenever a face is detected", nick = "on_face")]
    OnFace,
    /// No messages.
    #[default]
    #[enum_value(name = "Send no messages update", nick = "none")]
    None,
}

impl From<PostMessages> for Updates {
    fn from(value: PostMessages) -> Self {
        match value {
            PostMessages::None => Self::None,
            PostMessages::OnChange => Self::OnChange,
            PostMessages::Every => Self::EveryFrame,
        }
    }
}

impl From<Updates> for PostMessages {
    fn from(value: Updates) -> Self {
        match value {
            Updates::None => Self::None,
            Updates::OnChange => Self::OnChange,
            Updates::EveryFrame | Updates::OnFace => Self::Every,
        }
    }
}

pub use flags::CascadeFlags;

#[allow(missing_docs)] // The macro does not copy documentation to the items that it generates.
mod flags {
    use gst::glib;

    /// `flags`, which OpenCV has ignored since version 3.
    #[glib::flags(name = "GstEmotionFaceDetectFlags")]
    pub enum CascadeFlags {
        #[flags_value(name = "Do Canny edge detection to discard some regions", nick = "do-canny-pruning")]
        DO_CANNY_PRUNING = 1,
    }
}

/// The values of the properties.
#[derive(Clone, Debug)]
pub(super) struct OpencvSettings {
    /// The cascade file that was set, if any.
    pub(super) profile: Option<String>,
    scale_factor: f64,
    min_neighbors: i32,
    min_size_width: i32,
    min_size_height: i32,
    // Without effect from here on.
    display: bool,
    flags: CascadeFlags,
    min_stddev: i32,
    eyes_profile: Option<String>,
    nose_profile: Option<String>,
    mouth_profile: Option<String>,
}

impl Default for OpencvSettings {
    fn default() -> Self {
        Self {
            profile: None,
            scale_factor: 1.25,
            min_neighbors: 3,
            min_size_width: 30,
            min_size_height: 30,
            display: true,
            flags: CascadeFlags::DO_CANNY_PRUNING,
            min_stddev: 0,
            eyes_profile: None,
            nose_profile: None,
            mouth_profile: None,
        }
    }
}

impl OpencvSettings {
    /// The parameters of the cascade.
    pub(super) fn cascade(&self) -> CascadeOptions {
        let side = |length: i32| u32::try_from(length).unwrap_or(0);
        let min_size = Size::new(side(self.min_size_width), side(self.min_size_height));
        CascadeOptions { scale_factor: self.scale_factor, min_neighbors: self.min_neighbors, min_size }
    }

    /// Sets the property `name`; true if it has an effect.
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "profile" => self.profile = extract(value),
            "scale-factor" => self.scale_factor = extract(value),
            "min-neighbors" => self.min_neighbors = extract(value),
            "min-size-width" => self.min_size_width = extract(value),
            "min-size-height" => self.min_size_height = extract(value),
            _ => {
                self.set_ignored(name, value);
                return false;
            }
        }
        true
    }

    fn set_ignored(&mut self, name: &str, value: &glib::Value) {
        match name {
            "display" => self.display = extract(value),
            "flags" => self.flags = extract(value),
            "min-stddev" => self.min_stddev = extract(value),
            "eyes-profile" => self.eyes_profile = extract(value),
            "nose-profile" => self.nose_profile = extract(value),
            "mouth-profile" => self.mouth_profile = extract(value),
            name => unreachable!("property {name} is not installed"),
        }
    }

    /// The value of the property `name`.
    pub(super) fn get(&self, name: &str) -> glib::Value {
        match name {
            "profile" => self.profile.as_deref().unwrap_or(DEFAULT_CASCADE).to_value(),
            "scale-factor" => self.scale_factor.to_value(),
            "min-neighbors" => self.min_neighbors.to_value(),
            "min-size-width" => self.min_size_width.to_value(),
            "min-size-height" => self.min_size_height.to_value(),
            "display" => self.display.to_value(),
            "flags" => self.flags.to_value(),
            "min-stddev" => self.min_stddev.to_value(),
            "eyes-profile" => self.eyes_profile.to_value(),
            "nose-profile" => self.nose_profile.to_value(),
            "mouth-profile" => self.mouth_profile.to_value(),
            name => unreachable!("property {name} is not installed"),
        }
    }
}

/// The properties.
pub(super) fn param_specs() -> Vec<glib::ParamSpec> {
    let default = OpencvSettings::default();
    vec![
        glib::ParamSpecEnum::builder_with_default("updates", Updates::default())
            .nick("Updates")
            .blurb("OpenCV: when to post an element message with the faces; the same as post-messages")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("profile")
            .nick("Profile")
            .blurb("OpenCV: Haar cascade file; with detector=auto, setting it selects the cascade as the detector")
            .default_value(DEFAULT_CASCADE)
            .mutable_ready()
            .build(),
        glib::ParamSpecDouble::builder("scale-factor")
            .nick("Scale factor")
            .blurb("OpenCV: factor between the face sizes that the cascade searches for")
            .minimum(1.1)
            .maximum(10.0)
            .default_value(default.scale_factor)
            .mutable_playing()
            .build(),
        int(
            "min-neighbors",
            "Minimum neighbours",
            "OpenCV: overlapping hits of the cascade that make a face, minus one",
            default.min_neighbors,
        ),
        int("min-size-width", "Minimum width", "OpenCV: minimum width of a face for the cascade, in pixels", default.min_size_width),
        int("min-size-height", "Minimum height", "OpenCV: minimum height of a face for the cascade, in pixels", default.min_size_height),
        glib::ParamSpecBoolean::builder("display")
            .nick("Display")
            .blurb("OpenCV: no effect; add emotionoverlay to draw the faces")
            .default_value(default.display)
            .mutable_playing()
            .build(),
        glib::ParamSpecFlags::builder("flags")
            .nick("Flags")
            .blurb("OpenCV: no effect, as in current versions of OpenCV")
            .default_value(default.flags)
            .mutable_playing()
            .build(),
        glib::ParamSpecInt::builder("min-stddev")
            .nick("Minimum standard deviation")
            .blurb("OpenCV: no effect; frames are searched whatever their contrast is")
            .minimum(0)
            .maximum(255)
            .default_value(default.min_stddev)
            .mutable_playing()
            .build(),
        ignored_profile("eyes-profile"),
        ignored_profile("nose-profile"),
        ignored_profile("mouth-profile"),
    ]
}

/// A number from 0.
fn int(name: &str, nick: &str, blurb: &str, default: i32) -> glib::ParamSpec {
    glib::ParamSpecInt::builder(name).nick(nick).blurb(blurb).minimum(0).default_value(default).mutable_playing().build()
}

/// The cascade file of a part of the face.
fn ignored_profile(name: &str) -> glib::ParamSpec {
    let blurb = "OpenCV: no effect; parts of the face are not searched for";
    glib::ParamSpecString::builder(name).nick(name).blurb(blurb).mutable_playing().build()
}

/// The warning for a `profile` that this build cannot use; `has_cascades` says whether it includes OpenCV's cascades.
pub(super) fn unusable_profile(profile: Option<&str>, has_cascades: bool) -> Option<String> {
    profile.filter(|_| !has_cascades).map(|profile| {
        format!(
            "profile={profile} has no effect: this plugin was built without OpenCV (cargo feature haar), so a network detects the faces"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_causes_a_warning_only_if_it_is_set_and_unusable() {
        assert_eq!(unusable_profile(None, false), None);
        assert_eq!(unusable_profile(Some("/a.xml"), true), None);
        let warning = unusable_profile(Some("/a.xml"), false).expect("a warning");
        assert!(warning.contains("profile=/a.xml") && warning.contains("haar"), "{warning}");
    }
}
