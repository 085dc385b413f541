// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report of an evaluation, as JSON (through serde) and as text with Markdown tables.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::calibration::{Answer, Bin, Coverage, bins, coverage, coverage_of_accuracy, expected_error};
use crate::confusion::{ClassFigures, Confusion};

/// Number of bins in the calibration error and the reliability diagram.
const BINS: usize = 15;
/// The accuracy for which the report gives a minimum confidence.
const TARGET_ACCURACY: f64 = 0.95;
/// The minimum confidences for which the report gives the coverage.
const MIN_CONFIDENCES: [f32; 6] = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// What defines the true class of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The majority of FER+ votes: [`majority`](crate::truth::majority).
    Votes,
    /// The single label of each picture, as in FER2013.
    Labels,
}

impl Display for Protocol {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Votes => "votes (FER+ protocol)",
            Self::Labels => "labels (FER2013 protocol)",
        })
    }
}

/// The metrics of one output of a model by one protocol; shares are 0..1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The protocol that defines the true classes.
    pub protocol: Protocol,
    /// Number of pictures that have a true class.
    pub count: u64,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean recall of the classes.
    pub macro_recall: f64,
    /// Minimum recall of a class.
    #[serde(rename = "least_recall")]
    pub min_recall: f64,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// The answers by confidence.
    pub bins: Vec<Bin>,
    /// The coverage at some minimum confidences.
    pub coverage: Vec<Coverage>,
    /// The maximum coverage at which 95 % of the answers are right.
    pub coverage_at_95: Option<Coverage>,
    /// The metrics of each class.
    pub classes: Vec<ClassFigures>,
    /// Counts of true and predicted classes.
    pub confusion: Confusion,
}

impl Figures {
    /// Computes the metrics.
    pub fn new(protocol: Protocol, confusion: Confusion, answers: &[Answer]) -> Self {
        let bins = bins(answers, BINS);
        Self {
            protocol,
            count: confusion.total(),
            accuracy: confusion.accuracy(),
            macro_recall: confusion.macro_recall(),
            min_recall: confusion.min_recall(),
            macro_f1: confusion.macro_f1(),
            calibration_error: expected_error(&bins),
            bins,
            coverage: MIN_CONFIDENCES.map(|min_confidence| coverage(answers, min_confidence)).into(),
            coverage_at_95: coverage_of_accuracy(answers, TARGET_ACCURACY),
            classes: confusion.classes(),
            confusion,
        }
    }
}

/// The metrics of one output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    /// Name of the output in the graph.
    pub output: String,
    /// The metrics by each protocol that the data support.
    pub figures: Vec<Figures>,
}

/// The metrics of the first output under one condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionReport {
    /// Name of the condition.
    pub condition: String,
    /// The metrics by each protocol.
    pub losses: Vec<Loss>,
}

/// The metrics under a condition by one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// The protocol that defines the true classes.
    pub protocol: Protocol,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean recall of the classes.
    pub macro_recall: f64,
    /// Accuracy on clean pictures minus the accuracy under the condition.
    pub lost: f64,
}

/// The report on an expression model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the model.
    pub model: String,
    /// Version of its weights.
    pub version: String,
    /// Path of the data set.
    pub data: String,
    /// Number of pictures.
    pub pictures: usize,
    /// Median time to sample a picture into the network's input, in milliseconds.
    pub preprocess_ms: f64,
    /// Median time of the network for one picture on one thread, in milliseconds.
    pub inference_ms: f64,
    /// The outputs; the first one is the one that the element uses.
    pub outputs: Vec<OutputReport>,
    /// The first output under each condition, clean pictures first; empty if conditions were not measured.
    pub conditions: Vec<ConditionReport>,
}

/// A share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn row(f: &mut Formatter<'_>, cells: impl IntoIterator<Item = String>) -> fmt::Result {
    let cells: Vec<_> = cells.into_iter().collect();
    writeln!(f, "| {} |", cells.join(" | "))
}

fn header<'a>(f: &mut Formatter<'_>, cells: impl IntoIterator<Item = &'a str>) -> fmt::Result {
    let cells: Vec<_> = cells.into_iter().map(String::from).collect();
    let columns = cells.len();
    row(f, cells)?;
    writeln!(f, "|{}", "---|".repeat(columns))
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [accuracy, recall, min_recall, f1] =
            [self.accuracy, self.macro_recall, self.min_recall, self.macro_f1].map(|share| 100.0 * share);
        writeln!(
            f,
            "{} pictures by {}: accuracy {accuracy:.2} %, macro-recall {recall:.1} % (minimum {min_recall:.1} %), macro-F1 {f1:.1} %,",
            self.count, self.protocol
        )?;
        writeln!(f, "expected calibration error {:.1} %\n", 100.0 * self.calibration_error)?;
        let labels = self.confusion.labels().iter().map(String::as_str);
        header(f, ["truth \\ predicted", "recall %", "precision %"].into_iter().chain(labels))?;
        let shown = |share: Option<f64>| share.map_or("-".into(), percent);
        for (class, counts) in self.classes.iter().zip(self.confusion.counts()) {
            let figures = [class.label.clone(), shown(class.recall), shown(class.precision)];
            row(f, figures.into_iter().chain(counts.iter().map(u64::to_string)))?;
        }
        writeln!(f)?;
        header(f, ["min-confidence", "answered %", "right %"])?;
        let cells =
            |coverage: &Coverage| [format!("{:.2}", coverage.min_confidence), percent(coverage.answered), percent(coverage.accuracy)];
        for coverage in self.coverage.iter().chain(&self.coverage_at_95) {
            row(f, cells(coverage))?;
        }
        Ok(())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {} {} on {} ({} pictures)", self.model, self.version, self.data, self.pictures)?;
        writeln!(f, "{:.2} ms for the network, {:.2} ms for preprocessing (medians, one thread)", self.inference_ms, self.preprocess_ms)?;
        for output in &self.outputs {
            for figures in &output.figures {
                write!(f, "\n## Output {}\n{figures}", output.output)?;
            }
        }
        let Some(first) = self.conditions.first() else { return Ok(()) };
        writeln!(f, "\n## Output {} under conditions", self.outputs[0].output)?;
        let columns =
            first.losses.iter().flat_map(|loss| [format!("{}: accuracy %", loss.protocol), "macro-recall %".into(), "lost".into()]);
        let columns: Vec<_> = columns.collect();
        header(f, std::iter::once("condition").chain(columns.iter().map(String::as_str)))?;
        for condition in &self.conditions {
            let cells = condition
                .losses
                .iter()
                .flat_map(|loss| [percent(loss.accuracy), percent(loss.macro_recall), format!("{:+.1}", 100.0 * loss.lost)]);
            row(f, std::iter::once(condition.condition.clone()).chain(cells))?;
        }
        Ok(())
    }
}
