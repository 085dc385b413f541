// SPDX-License-Identifier: MIT OR Apache-2.0
//! Field values that several formats share: rounded numbers and track ids.

use crate::record::FaceRecord;

/// A time in seconds, rounded to microseconds.
pub(super) fn seconds(ns: u64) -> f64 {
    rounded(ns as f64 / 1e9, 1e6)
}

/// A coordinate in 0..1, rounded to 5 decimal places.
pub(super) fn coordinate(value: f32) -> f64 {
    coordinate_of(f64::from(value))
}

/// A coordinate in any range, likewise.
pub(super) fn coordinate_of(value: f64) -> f64 {
    rounded(value, 1e5)
}

/// A score in 0..1, rounded to 4 decimal places.
pub(super) fn score(value: impl Into<f64>) -> f64 {
    rounded(value.into(), 1e4)
}

fn rounded(value: f64, steps: f64) -> f64 {
    // Adding zero turns -0 into 0.
    (value * steps).round() / steps + 0.0
}

/// The track id; none for 0, which means that the face is not tracked.
pub(super) fn id(face: &FaceRecord) -> Option<u32> {
    (face.id != 0).then_some(face.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_zero_has_no_sign() {
        assert_eq!(coordinate(0.1).to_string(), "0.1");
        assert_eq!(coordinate(1.0 / 3.0).to_string(), "0.33333");
        assert_eq!(score(0.93456_f32).to_string(), "0.9346");
        assert_eq!(seconds(83_416_666).to_string(), "0.083417");
        assert_eq!(seconds(3_600_000_000_000).to_string(), "3600");
        assert_eq!(coordinate(-0.000_001).to_string(), "0");
    }
}
