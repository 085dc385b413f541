// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements that analyse frames, with the properties that `--set` gives them.

use emotion_supervise::chain::{self, CLASSIFIER, Chain, DETECTOR, GEOMETRY, Named};
use emotion_supervise::setting;

use crate::error::Error;
use crate::setting::Setting;
use crate::turn::Direction;

/// The elements that bring frames into shape, and the names by which `--set` calls them.
const PREPARATION: [Named; 2] = [("videoflip", "videoflip"), ("videoconvert", "videoconvert")];
/// All faces are scored, since no stream is waiting. This is the maximum that `facedetect` reports.
const MAX_FACES: u32 = 1_000;

/// Checks that each setting names a property and has a value for it.
///
/// # Errors
/// If one does not, or an element is missing.
pub fn check(settings: &[Setting], has_geometry: bool) -> Result<(), Error> {
    let known = [PREPARATION[0], PREPARATION[1], DETECTOR, GEOMETRY, CLASSIFIER];
    let elements = [&preparation(settings)?, networks(settings, has_geometry, 1)?.elements()].concat();
    Ok(chain::check(settings, &elements, &known)?)
}

/// `videoconvert`, `videoflip` and `videoconvert`, not started.
///
/// # Errors
/// If an element is missing, or a setting has a wrong value.
pub fn preparation(settings: &[Setting]) -> Result<Vec<gst::Element>, Error> {
    // `videoflip` does not take all formats of decoders, such as Y42B. The name of the first element is none of `--set`.
    let named = [("inputconvert", "videoconvert"), PREPARATION[0], PREPARATION[1]];
    let elements = named.into_iter().map(chain::make).collect::<Result<Vec<_>, _>>()?;
    setting::apply(&[Setting::new("videoflip", "video-direction", "auto")], &elements)?;
    setting::apply(settings, &elements[1..])?;
    Ok(elements)
}

/// The element that turns upright frames, not started; none if they are searched as they are stored.
///
/// # Errors
/// If it is missing.
pub fn turn(direction: Direction) -> Result<Option<gst::Element>, Error> {
    if direction == Direction::Stored {
        return Ok(None);
    }
    // This name is none of `--set`.
    let element = chain::make(("turn", "videoflip"))?;
    setting::apply(&[Setting::new("turn", "video-direction", direction.video_direction())], std::slice::from_ref(&element))?;
    Ok(Some(element))
}

/// `facedetect`, with `has_geometry` also `facelandmarks`, and `emotionclassify`, not started. Each network uses `threads` threads
/// unless `settings` say otherwise.
///
/// # Errors
/// Those of [`preparation`].
pub fn networks(settings: &[Setting], has_geometry: bool, threads: u32) -> Result<Chain, Error> {
    let own = [
        Setting::new("*", "threads", threads),
        Setting::new("*", "max-faces-per-frame", MAX_FACES),
        // The default model depends on the processor, and the machines of a cluster may differ.
        Setting::new(GEOMETRY.0, "model-file", "face-geometry"),
        Setting::new(CLASSIFIER.0, "model-file", "expression"),
    ];
    Ok(Chain::new(has_geometry, &[&own, settings].concat())?)
}
