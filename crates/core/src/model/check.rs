// SPDX-License-Identifier: MIT OR Apache-2.0
//! Validation of a description's values.

use super::{Framing, InputDescription, MAX_SIDE, ModelDescription};
use crate::model::search_path::is_plain_name;

/// Maximum side and offset of a crop, in sizes of the face.
const MAX_SHARE: f32 = 64.0;

/// Maximum angle of a pose, in degrees.
const MAX_ANGLE: f32 = 180.0;

/// What was expected, and what was found.
pub(super) type Wrong = (String, String);

/// Refuses values that would cause a panic, an empty picture, or a lookup outside the models' folders.
pub(super) fn check(description: &ModelDescription) -> Result<(), Wrong> {
    check_input(&description.input)?;
    check_framing(&description.framing)?;
    // Names and labels are written into metadata, whose strings end at a NUL.
    let texts = description.outputs.iter().flat_map(|output| &output.labels).chain([&description.name]);
    for text in texts {
        require(!text.contains('\0'), || "a name and labels without NUL".into(), format!("{text:?}"))?;
    }
    for output in &description.outputs {
        let is_divisor = output.temperature.is_finite() && output.temperature > 0.0;
        require(is_divisor, || "[[output]] temperature above 0".into(), output.temperature)?;
        share("[[output]] min_confidence", output.min_confidence)?;
        for (label, means) in &output.mean_log_scores {
            let count = output.labels.len();
            let is_row = output.labels.contains(label) && means.len() == count && means.iter().all(|mean| mean.is_finite());
            let expected = || format!("[output.mean_log_scores] {label} as one of the labels, with {count} finite numbers");
            require(is_row, expected, format!("{means:?}"))?;
        }
    }
    share("score_threshold", description.score_threshold.unwrap_or(0.0))?;
    for (key, angle) in [("max_yaw", description.max_yaw), ("max_pitch", description.max_pitch)] {
        let angle = angle.unwrap_or(MAX_ANGLE);
        require(angle > 0.0 && angle <= MAX_ANGLE, || format!("{key} above 0, at most {MAX_ANGLE}"), angle)?;
    }
    for (key, what, name) in [("refiner", "the name of a folder", &description.refiner), ("file", "the name of a file", &description.file)]
    {
        let name = name.as_deref();
        require(name.is_none_or(is_plain_name), || format!("{key} as {what}, without a path"), format!("{:?}", name.unwrap_or_default()))?;
    }
    Ok(())
}

fn check_input(input: &InputDescription) -> Result<(), Wrong> {
    for (name, side) in [("width", input.width), ("height", input.height)] {
        let side = side.unwrap_or(1);
        require((1..=MAX_SIDE).contains(&side), || format!("[input] {name} of 1 to {MAX_SIDE}"), side)?;
    }
    for (name, values) in [("mean", &input.mean), ("scale", &input.scale)] {
        require(values.iter().all(|value| value.is_finite()), || format!("[input] {name} of finite numbers"), format!("{values:?}"))?;
    }
    Ok(())
}

fn check_framing(framing: &Framing) -> Result<(), Wrong> {
    let side =
        |name: String, share: f32| require(share > 0.0 && share <= MAX_SHARE, || format!("{name} above 0, at most {MAX_SHARE}"), share);
    let offset = |name: String, share: f32| require(share.abs() <= MAX_SHARE, || format!("{name} of -{MAX_SHARE} to {MAX_SHARE}"), share);
    if let Some(landmarks) = framing.landmarks {
        side("[framing.landmarks] side_of_size".into(), landmarks.side_of_size)?;
        offset("[framing.landmarks] offset_y_of_size".into(), landmarks.offset_y_of_size)?;
    }
    for (detector, boxed) in &framing.boxes {
        side(format!("[framing.box.{detector}] side_of_height"), boxed.side_of_height)?;
        offset(format!("[framing.box.{detector}] offset_y_of_height"), boxed.offset_y_of_height)?;
    }
    Ok(())
}

fn share(name: &str, value: f32) -> Result<(), Wrong> {
    require((0.0..=1.0).contains(&value), || format!("{name} of 0 to 1"), value)
}

fn require(is_valid: bool, expected: impl FnOnce() -> String, found: impl ToString) -> Result<(), Wrong> {
    if is_valid { Ok(()) } else { Err((expected(), found.to_string())) }
}
