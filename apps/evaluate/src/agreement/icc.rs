// SPDX-License-Identifier: MIT OR Apache-2.0
//! Intraclass correlation with two-way random effects and absolute agreement (Shrout and Fleiss, Psychological Bulletin 86, 1979):
//! ICC(2,1) of one rater and ICC(2,k) of the mean of all.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::kappa::Estimate;

/// Both correlations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Icc {
    /// Number of targets.
    pub targets: usize,
    /// Number of raters.
    pub raters: usize,
    /// ICC(2,1), of one rater.
    pub single: Estimate,
    /// ICC(2,k), of the mean of all raters.
    pub average: Estimate,
}

/// The mean squares of a two-way table without repetitions.
struct MeanSquares {
    targets: f64,
    raters: f64,
    error: f64,
}

impl MeanSquares {
    fn of(rows: &[Vec<f64>]) -> Self {
        let (n, k) = (rows.len() as f64, rows[0].len() as f64);
        let mean = rows.iter().flatten().sum::<f64>() / (n * k);
        let of_row = rows.iter().map(|row| row.iter().sum::<f64>() / k);
        let of_column = (0..rows[0].len()).map(|rater| rows.iter().map(|row| row[rater]).sum::<f64>() / n);
        let square = |value: f64| (value - mean).powi(2);
        let targets = k * of_row.map(square).sum::<f64>();
        let raters = n * of_column.map(square).sum::<f64>();
        let total: f64 = rows.iter().flatten().map(|value| square(*value)).sum();
        Self {
            targets: targets / (n - 1.0),
            raters: raters / (k - 1.0),
            error: (total - targets - raters).max(0.0) / ((n - 1.0) * (k - 1.0)),
        }
    }
}

/// The correlations of `rows`, each with the values of all raters for one target. `None` with fewer than two targets or raters, or
/// if nothing varies.
pub fn icc(rows: &[Vec<f64>]) -> Option<Icc> {
    let (targets, raters) = (rows.len(), rows.first()?.len());
    if targets < 2 || raters < 2 {
        return None;
    }
    let (n, k, mean) = (targets as f64, raters as f64, MeanSquares::of(rows));
    let single = (mean.targets - mean.error) / (mean.targets + (k - 1.0) * mean.error + k * (mean.raters - mean.error) / n);
    let average = (mean.targets - mean.error) / (mean.targets + (mean.raters - mean.error) / n);
    if !single.is_finite() || !average.is_finite() {
        return None;
    }
    let limits = limits(&mean, single, n, k);
    // The Spearman-Brown formula.
    let of_mean = |limit: f64| limit * k / (1.0 + limit * (k - 1.0));
    Some(Icc {
        targets,
        raters,
        single: Estimate { value: single, low: limits.map(|(low, _)| low), high: limits.map(|(_, high)| high) },
        average: Estimate { value: average, low: limits.map(|(low, _)| of_mean(low)), high: limits.map(|(_, high)| of_mean(high)) },
    })
}

/// The 95 % limits of ICC(2,1), with Satterthwaite's degrees of freedom; `None` if raters differ by a constant only.
fn limits(mean: &MeanSquares, single: f64, n: f64, k: f64) -> Option<(f64, f64)> {
    let ratio = mean.raters / mean.error;
    let weight = n * (1.0 + (k - 1.0) * single) - k * single;
    let numerator = (k - 1.0) * (n - 1.0) * (k * single * ratio + weight).powi(2);
    let freedom = numerator / ((n - 1.0) * (k * single * ratio).powi(2) + weight.powi(2));
    let quantile = |a: f64, b: f64| FisherSnedecor::new(a, b).ok().map(|distribution| distribution.inverse_cdf(0.975));
    let (upper, lower) = (quantile(n - 1.0, freedom)?, quantile(freedom, n - 1.0)?);
    let rest = k * mean.raters + (k * n - k - n) * mean.error;
    let low = n * (mean.targets - upper * mean.error) / (upper * rest + n * mean.targets);
    let high = n * (lower * mean.targets - mean.error) / (rest + n * lower * mean.targets);
    (low.is_finite() && high.is_finite()).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correlations_are_those_of_the_paper() {
        // Table 2 of the paper: six targets, four judges.
        let rows = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]];
        let found = icc(&rows.map(|row| row.map(f64::from).to_vec())).unwrap();
        let near = |found: f64, expected: f64, within: f64| assert!((found - expected).abs() < within, "{found} instead of {expected}");
        // The paper says .29 and .62; pingouin 0.7.0 has more digits, and two for the intervals.
        near(found.single.value, 0.289_764, 5e-7);
        near(found.average.value, 0.620_051, 5e-7);
        near(found.single.low.unwrap(), 0.02, 0.005);
        near(found.single.high.unwrap(), 0.76, 0.005);
        near(found.average.low.unwrap(), 0.07, 0.005);
        near(found.average.high.unwrap(), 0.93, 0.005);
    }

    #[test]
    fn equal_raters_agree_and_constant_ones_do_not_correlate() {
        let equal = icc(&[vec![1.0, 1.0], vec![2.0, 2.0], vec![4.0, 4.0]]).unwrap();
        assert!((equal.single.value - 1.0).abs() < 1e-12 && equal.single.low.is_none(), "{equal:?}");
        assert_eq!(icc(&[vec![1.0, 1.0], vec![1.0, 1.0]]), None, "nothing varies");
        assert_eq!(icc(&[vec![1.0, 2.0]]), None, "one target");
        assert_eq!(icc(&[]), None);
    }
}
