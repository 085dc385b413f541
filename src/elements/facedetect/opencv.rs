// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties that `facedetect` shares with the element of this name of GStreamer's OpenCV plugin.
//!
//! `profile` and the properties of the cascade take effect when the Haar cascade detects. The others can be set and read, so
//! that launch lines written for OpenCV's element work, but have no effect.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;

use crate::detector::{CascadeOptions, DEFAULT_CASCADE};
use crate::elements::properties::When::Playing;
use crate::elements::properties::{PostMessages, Properties, Property, boolean, double, extract, field, int, string};
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
}

/// The properties that have an effect.
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<OpencvSettings>> = LazyLock::new(|| {
    let default = OpencvSettings::default();
    Properties::new(vec![
        Property::new(
            glib::ParamSpecString::builder("profile")
                .nick("Profile")
                .blurb("OpenCV: Haar cascade file; with detector=auto, setting it selects the cascade as the detector")
                .default_value(DEFAULT_CASCADE)
                .mutable_ready()
                .build(),
            |settings| settings.profile.as_deref().unwrap_or(DEFAULT_CASCADE).to_value(),
            |settings, value| settings.profile = extract(value),
        ),
        field!(OpencvSettings: double("scale-factor", "Scale factor", "OpenCV: factor between the face sizes that the cascade searches for",
            1.1..=10.0, default.scale_factor, Playing), scale_factor),
        field!(OpencvSettings: int("min-neighbors", "Minimum neighbours",
            "OpenCV: overlapping hits of the cascade that make a face, minus one", i32::MAX, default.min_neighbors, Playing), min_neighbors),
        field!(OpencvSettings: int("min-size-width", "Minimum width", "OpenCV: minimum width of a face for the cascade, in pixels",
            i32::MAX, default.min_size_width, Playing), min_size_width),
        field!(OpencvSettings: int("min-size-height", "Minimum height", "OpenCV: minimum height of a face for the cascade, in pixels",
            i32::MAX, default.min_size_height, Playing), min_size_height),
    ])
});

/// The properties without an effect.
#[rustfmt::skip]
pub(super) static IGNORED: LazyLock<Properties<OpencvSettings>> = LazyLock::new(|| {
    let default = OpencvSettings::default();
    let flags = glib::ParamSpecFlags::builder("flags").nick("Flags").blurb("OpenCV: no effect, as in current versions of OpenCV");
    let profile = |name: &str| string(name, name, "OpenCV: no effect; parts of the face are not searched for", Playing);
    Properties::new(vec![
        field!(OpencvSettings: boolean("display", "Display", "OpenCV: no effect; add emotionoverlay to draw the faces",
            default.display, Playing), display),
        field!(OpencvSettings: flags.default_value(default.flags).mutable_playing().build(), flags),
        field!(OpencvSettings: int("min-stddev", "Minimum standard deviation",
            "OpenCV: no effect; frames are searched whatever their contrast is", 255, default.min_stddev, Playing), min_stddev),
        field!(OpencvSettings: profile("eyes-profile"), eyes_profile),
        field!(OpencvSettings: profile("nose-profile"), nose_profile),
        field!(OpencvSettings: profile("mouth-profile"), mouth_profile),
    ])
});
