// SPDX-License-Identifier: MIT OR Apache-2.0
//! Confusion matrices and what follows from them.

/// How often a class was there, and how often it was given: `counts[truth][predicted]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Confusion {
    labels: Vec<String>,
    counts: Vec<Vec<u64>>,
}

/// The figures of one class, 0..1; none where the class does not occur or, for precision, was never given.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassFigures {
    /// Its name.
    pub label: String,
    /// How many pictures have it.
    pub count: u64,
    /// Share of them that were given it.
    pub recall: Option<f64>,
    /// Share of those that were given it that have it.
    pub precision: Option<f64>,
    /// Harmonic mean of both; 0 if no picture that has it was given it.
    pub f1: Option<f64>,
}

impl Confusion {
    /// Nothing counted yet.
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

    /// The names of rows and columns.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// One row for each true class, one column for each given one.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Number of pictures.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of pictures that were given their class; 0 if there is none.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.labels.len()).map(|class| self.counts[class][class]).sum();
        ratio(right, self.total()).unwrap_or(0.0)
    }

    /// The figures of each class, in the order of the labels.
    pub fn classes(&self) -> Vec<ClassFigures> {
        let class = |(class, label): (usize, &String)| {
            let right = self.counts[class][class];
            let (count, given) = (self.counts[class].iter().sum(), self.counts.iter().map(|row| row[class]).sum());
            let f1 = if count == 0 { None } else { ratio(2 * right, count + given) };
            ClassFigures { label: label.clone(), count, recall: ratio(right, count), precision: ratio(right, given), f1 }
        };
        self.labels.iter().enumerate().map(class).collect()
    }

    /// Mean recall of the classes that occur; 0 if none does.
    pub fn macro_recall(&self) -> f64 {
        mean(self.classes().into_iter().filter_map(|class| class.recall))
    }

    /// Recall of the class that has the least of those that occur; 0 if none does.
    pub fn least_recall(&self) -> f64 {
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

    fn by_hand() -> Confusion {
        let mut confusion = Confusion::new(&["a", "b", "never there"].map(String::from));
        for (truth, predicted, count) in [(0, 0, 8), (0, 1, 2), (1, 1, 3), (1, 2, 1)] {
            (0..count).for_each(|_| confusion.add(truth, predicted));
        }
        confusion
    }

    #[test]
    fn figures_by_hand() {
        let confusion = by_hand();
        assert_eq!(confusion.total(), 14);
        assert!((confusion.accuracy() - 11.0 / 14.0).abs() < 1e-12);
        assert!((confusion.macro_recall() - (0.8 + 0.75) / 2.0).abs() < 1e-12, "a class that never occurs takes no part");
        assert_eq!(confusion.least_recall(), 0.75);
        assert!((confusion.macro_f1() - (16.0 / 18.0 + 6.0 / 9.0) / 2.0).abs() < 1e-12);
        let classes = confusion.classes();
        assert_eq!((classes[1].precision, classes[2].recall, classes[2].precision), (Some(0.6), None, Some(0.0)));
    }

    #[test]
    fn nothing_counted_is_no_division_by_zero() {
        let empty = Confusion::new(&["a".to_string()]);
        assert_eq!((empty.accuracy(), empty.macro_recall(), empty.macro_f1(), empty.least_recall()), (0.0, 0.0, 0.0, 0.0));
    }
}
