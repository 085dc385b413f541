// SPDX-License-Identifier: MIT OR Apache-2.0
//! Confusion matrices and the metrics derived from them.

/// Counts of true and predicted classes: `counts[truth][predicted]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Confusion {
    labels: Vec<String>,
    counts: Vec<Vec<u64>>,
}

/// The metrics of one class, 0..1. Recall and F1 are `None` if the class does not occur, and so is precision if it is never predicted.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassFigures {
    /// Name of the class.
    pub label: String,
    /// Number of pictures of this class.
    pub count: u64,
    /// Share of these pictures that were predicted as this class.
    pub recall: Option<f64>,
    /// Share of the predictions of this class that are right.
    pub precision: Option<f64>,
    /// Harmonic mean of precision and recall; 0 if there is no right prediction.
    pub f1: Option<f64>,
}

impl Confusion {
    /// An empty matrix.
    pub fn new(labels: &[String]) -> Self {
        Self { labels: labels.to_vec(), counts: vec![vec![0; labels.len()]; labels.len()] }
    }

    /// Counts one picture.
    ///
    /// # Panics
    /// If a class is not one of the labels.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        self.counts[truth][predicted] += 1;
    }

    /// The classes of rows and columns.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// One row for each true class, one column for each predicted one.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Number of pictures.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of right predictions; 0 without pictures.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.labels.len()).map(|class| self.counts[class][class]).sum();
        ratio(right, self.total()).unwrap_or(0.0)
    }

    /// The metrics of each class, in the order of the labels.
    pub fn classes(&self) -> Vec<ClassFigures> {
        let class = |(class, label): (usize, &String)| {
            let right = self.counts[class][class];
            let (count, predicted) = (self.counts[class].iter().sum(), self.counts.iter().map(|row| row[class]).sum());
            let f1 = if count == 0 { None } else { ratio(2 * right, count + predicted) };
            ClassFigures { label: label.clone(), count, recall: ratio(right, count), precision: ratio(right, predicted), f1 }
        };
        self.labels.iter().enumerate().map(class).collect()
    }

    /// Mean recall of the classes that occur; 0 if none does.
    pub fn macro_recall(&self) -> f64 {
        mean(self.classes().into_iter().filter_map(|class| class.recall))
    }

    /// Minimum recall of the classes that occur; 0 if none does.
    pub fn min_recall(&self) -> f64 {
        self.classes().into_iter().filter_map(|class| class.recall).reduce(f64::min).unwrap_or(0.0)
    }

    /// Mean F1 of the classes that occur; 0 if none does.
    pub fn macro_f1(&self) -> f64 {
        mean(self.classes().into_iter().filter_map(|class| class.f1))
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Confusion {
        let mut confusion = Confusion::new(&["a", "b", "absent"].map(String::from));
        for (truth, predicted, count) in [(0, 0, 8), (0, 1, 2), (1, 1, 3), (1, 2, 1)] {
            (0..count).for_each(|_| confusion.add(truth, predicted));
        }
        confusion
    }

    #[test]
    fn metrics_match_hand_computed_values() {
        let confusion = example();
        assert_eq!(confusion.total(), 14);
        assert!((confusion.accuracy() - 11.0 / 14.0).abs() < 1e-12);
        assert!((confusion.macro_recall() - (0.8 + 0.75) / 2.0).abs() < 1e-12, "a class that does not occur is left out");
        assert_eq!(confusion.min_recall(), 0.75);
        assert!((confusion.macro_f1() - (16.0 / 18.0 + 6.0 / 9.0) / 2.0).abs() < 1e-12);
        let classes = confusion.classes();
        assert_eq!((classes[1].precision, classes[2].recall, classes[2].precision), (Some(0.6), None, Some(0.0)));
    }

    #[test]
    fn an_empty_matrix_does_not_divide_by_zero() {
        let empty = Confusion::new(&["a".to_string()]);
        assert_eq!((empty.accuracy(), empty.macro_recall(), empty.macro_f1(), empty.min_recall()), (0.0, 0.0, 0.0, 0.0));
    }
}
