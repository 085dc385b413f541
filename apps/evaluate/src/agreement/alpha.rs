// SPDX-License-Identifier: MIT OR Apache-2.0
//! Krippendorff's alpha: agreement of any number of raters, of whom each may have left out units (K. Krippendorff, Computing
//! Krippendorff's Alpha-Reliability, 2011).

/// How values differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// They are equal or not.
    Nominal,
    /// By the square of their distance.
    Interval,
}

/// Alpha of `units`, each with the values that raters gave it. Units with fewer than two values do not count. `None` without others,
/// or if all values are the same.
pub fn alpha(units: &[Vec<f64>], level: Level) -> Option<f64> {
    let units: Vec<&Vec<f64>> = units.iter().filter(|values| values.len() > 1).collect();
    let all: Vec<f64> = units.iter().flat_map(|values| values.iter().copied()).collect();
    let total = all.len() as f64;
    let observed: f64 = units.iter().map(|values| differences(values, level) / (values.len() as f64 - 1.0)).sum();
    let expected = differences(&all, level) / (total - 1.0);
    (!all.is_empty() && expected > 0.0).then(|| 1.0 - observed / expected)
}

/// The sum of the differences over all ordered pairs of values.
fn differences(values: &[f64], level: Level) -> f64 {
    let count = values.len() as f64;
    match level {
        Level::Nominal => {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            count * count - sorted.chunk_by(|a, b| a == b).map(|equal| (equal.len() as f64).powi(2)).sum::<f64>()
        }
        Level::Interval => {
            // Relative to the mean, or large values would lose digits.
            let mean = values.iter().sum::<f64>() / count.max(1.0);
            2.0 * count * values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reliability data of the paper, section C: four observers, twelve units, 0 where one is missing.
    const OBSERVERS: [[u8; 12]; 4] = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ];

    #[test]
    fn alpha_is_that_of_the_paper() {
        let unit = |unit: usize| OBSERVERS.iter().map(|values| values[unit]).filter(|value| *value > 0).map(f64::from).collect();
        let units: Vec<Vec<f64>> = (0..12).map(unit).collect();
        // The paper says .743 and .849; the package krippendorff 0.9.0 has more digits.
        for (level, expected) in [(Level::Nominal, 0.743_421_052_631_579), (Level::Interval, 0.849_107_142_857_143)] {
            let found = alpha(&units, level).unwrap();
            assert!((found - expected).abs() < 1e-12, "{level:?}: {found}");
        }
        assert_eq!(alpha(&[vec![1.0, 1.0], vec![1.0, 1.0]], Level::Nominal), None, "nothing varies");
        assert_eq!(alpha(&[vec![1.0], vec![2.0]], Level::Interval), None, "nothing was rated twice");
        assert_eq!(alpha(&[], Level::Nominal), None);
    }
}
