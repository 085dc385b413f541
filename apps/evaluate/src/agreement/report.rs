// SPDX-License-Identifier: MIT OR Apache-2.0
//! The figures of a comparison, as text and for JSON.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use emotion_core::scores::FERPLUS_LABELS;
use serde::Serialize;

use super::alpha::{Level, alpha};
use super::icc::{Icc, icc};
use super::kappa::{Estimate, cohen, fleiss};
use super::segments::Segment;
use crate::confusion::Confusion;

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Number of rated segments.
    pub segments: usize,
    /// Names of the raters.
    pub raters: Vec<String>,
    /// Number of segments in which the table has no face.
    pub without_face: usize,
    /// Agreement on labels, if there are labels.
    pub labels: Option<LabelFigures>,
    /// Agreement on the scores of each class that was scored.
    pub scores: Vec<ScoreFigures>,
}

/// Agreement on labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelFigures {
    /// Number of segments that both most raters and the program gave a label.
    pub compared: u64,
    /// Number of segments whose raters disagree evenly.
    pub ties: usize,
    /// Number of segments about which the program says nothing, although most raters agree.
    pub unanswered: usize,
    /// Share of the compared segments in which the program gives the label of most raters.
    pub accuracy: f64,
    /// Cohen's kappa of the program and most raters.
    pub cohen: Option<Estimate>,
    /// Cohen's kappa of the program and each rater, by name.
    pub cohen_by_rater: Vec<(String, Option<Estimate>)>,
    /// Fleiss' kappa of the raters, over segments that all of them labelled.
    pub fleiss_raters: Option<f64>,
    /// The same with the program as a further rater.
    pub fleiss_with_program: Option<f64>,
    /// Krippendorff's alpha of the raters, nominal.
    pub alpha_raters: Option<f64>,
    /// The same with the program as a further rater.
    pub alpha_with_program: Option<f64>,
    /// Rows: most raters; columns: the program.
    pub confusion: Confusion,
}

/// Agreement on the scores of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreFigures {
    /// The class.
    pub class: String,
    /// The program and the mean of the raters.
    pub program: Option<Icc>,
    /// The raters with each other, over segments that all of them scored.
    pub raters: Option<Icc>,
    /// Krippendorff's alpha of the raters, interval.
    pub alpha_raters: Option<f64>,
    /// The same with the program as a further rater.
    pub alpha_with_program: Option<f64>,
}

impl Report {
    /// The figures of `segments`.
    pub fn of(segments: &[Segment]) -> Self {
        let raters: BTreeSet<&String> = segments.iter().flat_map(|segment| segment.raters.keys()).collect();
        let raters: Vec<String> = raters.into_iter().cloned().collect();
        let has_labels = segments.iter().any(|segment| segment.raters.values().any(|answer| answer.label.is_some()));
        let classes: BTreeSet<&String> =
            segments.iter().flat_map(|segment| segment.raters.values().flat_map(|answer| answer.scores.keys())).collect();
        Self {
            segments: segments.len(),
            without_face: segments.iter().filter(|segment| segment.program.is_none()).count(),
            labels: has_labels.then(|| LabelFigures::of(segments, &raters)),
            scores: classes.into_iter().map(|class| ScoreFigures::of(segments, &raters, class)).collect(),
            raters,
        }
    }
}

/// The program's label.
fn program_label(segment: &Segment) -> Option<&str> {
    segment.program.as_ref()?.label.as_deref()
}

/// The label of a rater.
fn label_of<'a>(segment: &'a Segment, rater: &str) -> Option<&'a str> {
    segment.raters.get(rater)?.label.as_deref()
}

impl LabelFigures {
    fn of(segments: &[Segment], raters: &[String]) -> Self {
        let labels = labels_of(segments);
        let index = |label: &str| labels.iter().position(|known| known == label).expect("all labels are known");
        let matrix = |pairs: &mut dyn Iterator<Item = (&str, &str)>| {
            let mut confusion = Confusion::new(&labels);
            pairs.for_each(|(rated, ours)| confusion.add(index(rated), index(ours)));
            confusion
        };
        let confusion = matrix(&mut segments.iter().filter_map(|segment| Some((segment.majority()?, program_label(segment)?))));
        let by_rater = |rater: &String| {
            let mut pairs = segments.iter().filter_map(|segment| Some((label_of(segment, rater)?, program_label(segment)?)));
            (rater.clone(), cohen(&matrix(&mut pairs)))
        };
        let has_label = |segment: &&Segment| segment.raters.values().any(|answer| answer.label.is_some());
        let (own, joint) = (label_units(segments, &labels, false), label_units(segments, &labels, true));
        Self {
            compared: confusion.total(),
            ties: segments.iter().filter(has_label).filter(|segment| segment.majority().is_none()).count(),
            unanswered: segments.iter().filter(|segment| segment.majority().is_some() && program_label(segment).is_none()).count(),
            accuracy: confusion.accuracy(),
            cohen: cohen(&confusion),
            cohen_by_rater: raters.iter().map(by_rater).collect(),
            fleiss_raters: fleiss(&complete(&own, raters.len(), labels.len())),
            fleiss_with_program: fleiss(&complete(&joint, raters.len() + 1, labels.len())),
            alpha_raters: alpha(&own, Level::Nominal),
            alpha_with_program: alpha(&joint, Level::Nominal),
            confusion,
        }
    }
}

/// All labels that occur: FER+'s in their order, then others.
fn labels_of(segments: &[Segment]) -> Vec<String> {
    let rated = segments.iter().flat_map(|segment| segment.raters.values().filter_map(|answer| answer.label.as_deref()));
    let found: BTreeSet<&str> = rated.chain(segments.iter().filter_map(program_label)).collect();
    let others = found.iter().filter(|label| !FERPLUS_LABELS.contains(label));
    FERPLUS_LABELS.iter().filter(|label| found.contains(*label)).chain(others).map(ToString::to_string).collect()
}

/// The labels of each segment as numbers.
fn label_units(segments: &[Segment], labels: &[String], with_program: bool) -> Vec<Vec<f64>> {
    let unit = |segment: &Segment| {
        let rated = segment.raters.values().filter_map(|answer| answer.label.as_deref());
        let all = rated.chain(program_label(segment).filter(|_| with_program));
        all.filter_map(|label| labels.iter().position(|known| known == label)).map(|index| index as f64).collect()
    };
    segments.iter().map(unit).collect()
}

/// The number of raters with each label, of the units that all of them have labelled.
fn complete(units: &[Vec<f64>], raters: usize, labels: usize) -> Vec<Vec<u64>> {
    let count = |unit: &Vec<f64>| {
        let mut counts = vec![0; labels];
        unit.iter().for_each(|label| counts[*label as usize] += 1);
        counts
    };
    units.iter().filter(|unit| unit.len() == raters).map(count).collect()
}

impl ScoreFigures {
    fn of(segments: &[Segment], raters: &[String], class: &str) -> Self {
        let ours = |segment: &Segment| segment.program.as_ref()?.scores.get(class).copied();
        let rated =
            |segment: &Segment| -> Vec<f64> { segment.raters.values().filter_map(|answer| answer.scores.get(class).copied()).collect() };
        let pairs = segments.iter().filter_map(|segment| Some(vec![ours(segment)?, segment.mean(class)?]));
        let all: Vec<Vec<f64>> = segments.iter().map(rated).collect();
        let joint: Vec<Vec<f64>> =
            segments.iter().zip(&all).map(|(segment, values)| values.iter().copied().chain(ours(segment)).collect()).collect();
        let complete: Vec<Vec<f64>> = all.iter().filter(|values| values.len() == raters.len()).cloned().collect();
        Self {
            class: class.to_owned(),
            program: icc(&pairs.collect::<Vec<_>>()),
            raters: icc(&complete),
            alpha_raters: alpha(&all, Level::Interval),
            alpha_with_program: alpha(&joint, Level::Interval),
        }
    }
}

/// A figure with three digits.
fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".into(), |figure| format!("{figure:.3}"))
}

/// A figure with its interval.
fn with_interval(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(Estimate { value, low: Some(low), high: Some(high) }) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        other => shown(other.map(|estimate| estimate.value)),
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let named = |name: &String| if name.is_empty() { "(one rater)".to_owned() } else { name.clone() };
        let raters: Vec<String> = self.raters.iter().map(named).collect();
        writeln!(f, "{} segments, raters: {}; {} without a face in the table\n", self.segments, raters.join(", "), self.without_face)?;
        self.labels.iter().try_for_each(|labels| labels.fmt(f))?;
        if self.scores.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "| scores | ICC(2,1): program, mean of raters | ICC(2,k) of them | ICC(2,1): raters | ICC(2,k): raters | α raters | α with program |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for scores in &self.scores {
            let pair = |icc: Option<Icc>| [icc.map(|icc| icc.single), icc.map(|icc| icc.average)].map(with_interval).join(" | ");
            let (program, raters) = (pair(scores.program), pair(scores.raters));
            writeln!(
                f,
                "| {} | {program} | {raters} | {} | {} |",
                scores.class,
                shown(scores.alpha_raters),
                shown(scores.alpha_with_program)
            )?;
        }
        writeln!(f, "\nIn brackets: 95 % intervals. α: Krippendorff's alpha, interval.")
    }
}

impl Display for LabelFigures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| labels | |\n|---|---|")?;
        writeln!(f, "| compared segments (even raters, unanswered) | {} ({}, {}) |", self.compared, self.ties, self.unanswered)?;
        writeln!(f, "| accuracy: program, most raters | {:.3} |", self.accuracy)?;
        writeln!(f, "| Cohen's κ: program, most raters | {} |", with_interval(self.cohen))?;
        for (rater, kappa) in self.cohen_by_rater.iter().filter(|(rater, _)| !rater.is_empty()) {
            writeln!(f, "| Cohen's κ: program, {rater} | {} |", with_interval(*kappa))?;
        }
        writeln!(f, "| Fleiss' κ: raters; with the program | {}; {} |", shown(self.fleiss_raters), shown(self.fleiss_with_program))?;
        let alphas = [self.alpha_raters, self.alpha_with_program].map(shown);
        writeln!(f, "| Krippendorff's α, nominal: raters; with the program | {}; {} |\n", alphas[0], alphas[1])?;
        let labels = self.confusion.labels();
        writeln!(f, "| most raters \\ program | {} |\n|---|{}", labels.join(" | "), "---|".repeat(labels.len()))?;
        for (label, counts) in labels.iter().zip(self.confusion.counts()) {
            writeln!(f, "| {label} | {} |", counts.iter().map(u64::to_string).collect::<Vec<_>>().join(" | "))?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::segments::Answer;
    use super::*;

    fn answer(label: &str, happiness: f64) -> Answer {
        Answer { label: Some(label.into()), scores: BTreeMap::from([("happiness".to_owned(), happiness)]) }
    }

    #[test]
    fn the_program_is_compared_with_most_raters_and_raters_with_each_other() {
        let segment = |labels: [&str; 2], ours: Option<(&str, f64)>, score: f64| Segment {
            file: Some("a.mp4".into()),
            raters: BTreeMap::from([("anna".into(), answer(labels[0], score)), ("ben".into(), answer(labels[1], score + 0.1))]),
            program: ours.map(|(label, score)| answer(label, score)),
        };
        let report = Report::of(&[
            segment(["neutral", "neutral"], Some(("neutral", 0.1)), 0.1),
            segment(["happiness", "happiness"], Some(("happiness", 0.8)), 0.9),
            segment(["sadness", "sadness"], Some(("neutral", 0.2)), 0.2),
            segment(["sadness", "neutral"], Some(("neutral", 0.3)), 0.2),
            segment(["happiness", "happiness"], None, 0.7),
        ]);
        let labels = report.labels.as_ref().unwrap();
        assert_eq!((report.without_face, labels.compared, labels.ties, labels.unanswered), (1, 3, 1, 1));
        assert_eq!(labels.confusion.labels(), ["neutral", "happiness", "sadness"]);
        assert!((labels.accuracy - 2.0 / 3.0).abs() < 1e-12);
        // Four of five units agree; the labels are 3 neutral, 4 happiness and 3 sadness of 10.
        let expected = 1.0 - (2.0 / 10.0) / ((100.0 - 9.0 - 16.0 - 9.0) / 90.0);
        assert!((labels.alpha_raters.unwrap() - expected).abs() < 1e-12, "{:?}", labels.alpha_raters);
        assert!((labels.fleiss_raters.unwrap() - (0.8 - 0.34) / 0.66).abs() < 1e-12, "{:?}", labels.fleiss_raters);
        let scores = &report.scores[0];
        assert_eq!((scores.program.unwrap().targets, scores.raters.unwrap().targets), (4, 5), "a segment without a face is left out");
        let text = report.to_string();
        assert!(text.contains("5 segments, raters: anna, ben; 1 without a face"), "{text}");
        assert!(text.contains("| sadness | 1 | 0 | 0 |") && text.contains("| happiness | 0."), "{text}");
    }
}
