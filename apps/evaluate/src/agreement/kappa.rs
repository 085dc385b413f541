// SPDX-License-Identifier: MIT OR Apache-2.0
//! Agreement on labels beyond chance: Cohen's kappa of two raters, Fleiss' kappa of several.

use serde::Serialize;

use crate::confusion::Confusion;

/// The 97.5th percentile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Lower limit of the interval; `None` if it is not defined.
    pub low: Option<f64>,
    /// Upper limit of the interval; `None` if it is not defined.
    pub high: Option<f64>,
}

/// Cohen's kappa (1960) of two raters, whose labels are rows and columns of `confusion`. The interval has the standard error of
/// Fleiss, Cohen and Everitt (1969). `None` without labels, or if both raters always give the same label.
pub fn cohen(confusion: &Confusion) -> Option<Estimate> {
    let (counts, total) = (confusion.counts(), confusion.total() as f64);
    let share = |row: usize, column: usize| counts[row][column] as f64 / total;
    let classes = 0..counts.len();
    let rows: Vec<f64> = classes.clone().map(|row| classes.clone().map(|column| share(row, column)).sum()).collect();
    let columns: Vec<f64> = classes.clone().map(|column| classes.clone().map(|row| share(row, column)).sum()).collect();
    let observed = confusion.accuracy();
    let expected: f64 = rows.iter().zip(&columns).map(|(row, column)| row * column).sum();
    if total == 0.0 || expected >= 1.0 {
        return None;
    }
    let kappa = (observed - expected) / (1.0 - expected);
    let cell = |row: usize, column: usize| {
        if row == column {
            share(row, row) * (1.0 - (rows[row] + columns[row]) * (1.0 - kappa)).powi(2)
        } else {
            share(row, column) * (columns[row] + rows[column]).powi(2) * (1.0 - kappa).powi(2)
        }
    };
    let sum: f64 =
        classes.clone().flat_map(|row| classes.clone().map(move |column| (row, column))).map(|(row, column)| cell(row, column)).sum();
    let variance = (sum - (kappa - expected * (1.0 - kappa)).powi(2)) / ((1.0 - expected).powi(2) * total);
    let margin = Z_95 * variance.max(0.0).sqrt();
    Some(Estimate { value: kappa, low: Some(kappa - margin), high: Some(kappa + margin) })
}

/// Fleiss' kappa (1971): `counts` has for each subject the number of raters with each label, the same sum for all subjects. `None`
/// with fewer than two raters, or if all of them always give the same label.
pub fn fleiss(counts: &[Vec<u64>]) -> Option<f64> {
    let raters = counts.first()?.iter().sum::<u64>() as f64;
    let subjects = counts.len() as f64;
    if raters < 2.0 {
        return None;
    }
    let squares = |row: &Vec<u64>| row.iter().map(|count| (*count as f64).powi(2)).sum::<f64>();
    let observed = counts.iter().map(|row| (squares(row) - raters) / (raters * (raters - 1.0))).sum::<f64>() / subjects;
    let labels = 0..counts[0].len();
    let share = |label: usize| counts.iter().map(|row| row[label]).sum::<u64>() as f64 / (subjects * raters);
    let expected: f64 = labels.map(|label| share(label).powi(2)).sum();
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(counts: &[&[u64]]) -> Confusion {
        let labels: Vec<String> = (0..counts.len()).map(|label| label.to_string()).collect();
        let mut confusion = Confusion::new(&labels);
        for (row, cells) in counts.iter().enumerate() {
            for (column, &count) in cells.iter().enumerate() {
                (0..count).for_each(|_| confusion.add(row, column));
            }
        }
        confusion
    }

    fn assert_near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?} instead of {expected}");
    }

    #[test]
    fn cohens_kappa_and_its_interval_are_those_of_statsmodels() {
        // statsmodels 0.15.0, cohens_kappa(table): kappa, kappa_low, kappa_upp.
        let two = cohen(&confusion(&[&[20, 5], &[10, 15]]));
        assert_near(two.map(|two| two.value), 0.4);
        assert_near(two.and_then(|two| two.low), 0.151_092_290_476_661);
        assert_near(two.and_then(|two| two.high), 0.648_907_709_523_339);
        // Table 1 of Cohen's paper of 1968, as counts.
        let three = cohen(&confusion(&[&[88, 14, 18], &[10, 40, 10], &[2, 6, 12]]));
        assert_near(three.map(|three| three.value), 0.491_525_423_728_813);
        assert_near(three.and_then(|three| three.low), 0.391_563_702_053_547);
        assert_near(three.and_then(|three| three.high), 0.591_487_145_404_08);
        assert_eq!(cohen(&confusion(&[&[5, 0], &[0, 0]])), None, "there is no disagreement to expect");
        assert_eq!(cohen(&confusion(&[&[0]])), None);
    }

    /// Fleiss (1971), table 1: 30 patients, each diagnosed by six psychiatrists.
    const DIAGNOSES: [[u64; 5]; 30] = [
        [0, 0, 0, 6, 0],
        [0, 3, 0, 0, 3],
        [0, 1, 4, 0, 1],
        [0, 0, 0, 0, 6],
        [0, 3, 0, 3, 0],
        [2, 0, 4, 0, 0],
        [0, 0, 4, 0, 2],
        [2, 0, 3, 1, 0],
        [2, 0, 0, 4, 0],
        [0, 0, 0, 0, 6],
        [1, 0, 0, 5, 0],
        [1, 1, 0, 4, 0],
        [0, 3, 3, 0, 0],
        [1, 0, 0, 5, 0],
        [0, 2, 0, 3, 1],
        [0, 0, 5, 0, 1],
        [3, 0, 0, 1, 2],
        [5, 1, 0, 0, 0],
        [0, 2, 0, 4, 0],
        [1, 0, 2, 0, 3],
        [0, 0, 0, 0, 6],
        [0, 1, 0, 5, 0],
        [0, 2, 0, 1, 3],
        [2, 0, 0, 4, 0],
        [1, 0, 0, 4, 1],
        [0, 5, 0, 1, 0],
        [4, 0, 0, 0, 2],
        [0, 2, 0, 4, 0],
        [1, 0, 5, 0, 0],
        [0, 0, 0, 0, 6],
    ];

    #[test]
    fn fleiss_kappa_is_that_of_the_paper() {
        let counts = DIAGNOSES.map(Vec::from);
        // The paper says .430; statsmodels 0.15.0, fleiss_kappa(table), has more digits.
        assert_near(fleiss(&counts), 0.430_244_520_060_141);
        assert_eq!(fleiss(&[vec![1, 0], vec![0, 1]]), None, "a single rater");
        assert_eq!(fleiss(&[]), None);
    }
}
