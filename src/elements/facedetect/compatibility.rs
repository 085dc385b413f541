// SPDX-License-Identifier: MIT OR Apache-2.0
//! Properties that `facedetect` has because OpenCV's element of that name has them.

use gst::glib;
use gst::prelude::*;

/// A number from 0 on.
pub(super) fn int(name: &str, nick: &str, blurb: &str, maximum: i32, default: i32) -> glib::ParamSpec {
    glib::ParamSpecInt::builder(name).nick(nick).blurb(blurb).minimum(0).maximum(maximum).default_value(default).mutable_playing().build()
}

/// The cascade of a part of the face.
pub(super) fn ignored_profile(name: &str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).nick(name).blurb("No effect: parts of the face are not searched for").mutable_playing().build()
}

/// What to tell the user of a `profile` that this build cannot read; it has cascades if `cascades` is true.
pub(super) fn unusable_profile(profile: Option<&str>, cascades: bool) -> Option<String> {
    profile.filter(|_| !cascades).map(|profile| {
        format!("profile={profile} has no effect: this plugin was built without OpenCV's cascades (cargo feature haar); a network detects")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_told_only_where_it_was_set_and_cannot_be_used() {
        assert_eq!(unusable_profile(None, false), None);
        assert_eq!(unusable_profile(Some("/a.xml"), true), None);
        let told = unusable_profile(Some("/a.xml"), false).expect("a warning");
        assert!(told.contains("profile=/a.xml") && told.contains("haar"), "{told}");
    }
}
