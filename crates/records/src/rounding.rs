// SPDX-License-Identifier: MIT OR Apache-2.0
//! How numbers of records are rounded. JSON has the shortest decimal that reads back as the rounded number.

/// A time in seconds, rounded to microseconds.
pub fn seconds(ns: u64) -> f64 {
    rounded(ns as f64 / 1e9, 1e6)
}

/// A coordinate, usually in 0..1, rounded to 5 decimal places: a tenth of a pixel at 8K.
pub fn coordinate(value: impl Into<f64>) -> f64 {
    rounded(value.into(), 1e5)
}

/// A score in 0..1, rounded to 4 decimal places.
pub fn score(value: impl Into<f64>) -> f64 {
    rounded(value.into(), 1e4)
}

/// An angle in degrees, rounded to 2 decimal places.
pub fn angle(degrees: impl Into<f64>) -> f64 {
    rounded(degrees.into(), 1e2)
}

fn rounded(value: f64, steps: f64) -> f64 {
    // Adding zero turns -0 into 0.
    (value * steps).round() / steps + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_zero_has_no_sign() {
        assert_eq!(coordinate(0.1_f32).to_string(), "0.1");
        assert_eq!(coordinate(1.0 / 3.0).to_string(), "0.33333");
        assert_eq!(score(0.93456_f32).to_string(), "0.9346");
        assert_eq!(seconds(83_416_666).to_string(), "0.083417");
        assert_eq!(seconds(3_600_000_000_000).to_string(), "3600");
        assert_eq!(coordinate(-0.000_001).to_string(), "0");
    }
}
