// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sums over faces, which the tables of tracks and of bins have in common, and their columns.

use gstemotion::behaviour::ActivitySums;

use super::columns::{column, seconds};
use super::{Column, Seen, Type, Value};

/// The label of a face about which nothing can be said.
const UNKNOWN: &str = "unknown";

/// Counts of labels and sums of scores over faces.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// Number of faces.
    pub(super) faces: u64,
    /// Number of faces with scores.
    pub(super) scored: u64,
    unknown: u64,
    /// Number of faces with each label, in the order of the classes.
    labels: Vec<u64>,
    /// Sum of the scores of each class.
    pub(super) scores: Vec<f64>,
    activity: ActivitySums,
}

impl Sums {
    /// Sums of no face, for this number of classes.
    pub(super) fn new(classes: usize) -> Self {
        Self { faces: 0, scored: 0, unknown: 0, labels: vec![0; classes], scores: vec![0.0; classes], activity: ActivitySums::default() }
    }

    /// Adds a face.
    pub(super) fn add(&mut self, seen: &Seen<'_>, classes: &[String]) {
        let (face, activity) = (seen.face, &seen.activity);
        self.activity.add(&activity.observation, u64::from(activity.is_blink == Some(true)));
        self.faces += 1;
        match face.label.as_deref() {
            Some(UNKNOWN) => self.unknown += 1,
            Some(label) => {
                if let Some(class) = classes.iter().position(|class| class == label) {
                    self.labels[class] += 1;
                }
            }
            None => {}
        }
        self.scored += u64::from(!face.scores.is_empty());
        self.scores.iter_mut().zip(&face.scores).for_each(|(sum, score)| *sum += f64::from(*score));
    }

    /// Adds the faces of `other`.
    pub(super) fn extend(&mut self, other: &Self) {
        self.faces += other.faces;
        self.scored += other.scored;
        self.unknown += other.unknown;
        self.activity.extend(&other.activity);
        self.labels.iter_mut().zip(&other.labels).for_each(|(sum, count)| *sum += count);
        self.scores.iter_mut().zip(&other.scores).for_each(|(sum, score)| *sum += score);
    }

    /// The most frequent label besides `unknown`; of equally frequent ones the first class.
    pub(super) fn most_frequent<'a>(&self, classes: &'a [String]) -> Option<&'a str> {
        let most = self.labels.iter().copied().max().filter(|most| *most > 0)?;
        let class = self.labels.iter().position(|count| *count == most)?;
        classes.get(class).map(String::as_str)
    }

    /// The values of [`share_columns`].
    pub(super) fn shares(&self) -> impl Iterator<Item = Option<f64>> {
        let answered = self.labels.iter().sum();
        let shares = [answered].into_iter().chain(self.labels.iter().copied()).chain([self.unknown]);
        shares.map(|count| (self.faces > 0).then(|| count as f64 / self.faces as f64))
    }

    /// The values of [`activity_columns`].
    pub(super) fn activity(&self) -> [Value<'static>; 5] {
        let sums = &self.activity;
        [
            Some(sums.posed).into(),
            sums.facing_share().into(),
            Value::Double(seconds(sums.eyes_ns)),
            sums.seen_blinks().into(),
            sums.blinks_per_minute().into(),
        ]
    }

    /// The mean score of each class; `None` without a scored face.
    pub(super) fn means(&self) -> impl Iterator<Item = Option<f64>> {
        self.scores.iter().map(|sum| (self.scored > 0).then(|| sum / self.scored as f64))
    }
}

/// Shares of the faces: those with any label but `unknown`, those with each label, and those that are `unknown`.
pub(super) fn share_columns(classes: &[String]) -> impl Iterator<Item = Column> {
    let shares = classes.iter().map(String::as_str).chain([UNKNOWN]).map(|label| column(&format!("share_{label}"), Type::Double));
    [column("answered", Type::Double)].into_iter().chain(shares)
}

/// Mean scores.
pub(super) fn score_columns(classes: &[String]) -> impl Iterator<Item = Column> {
    classes.iter().map(|class| column(&format!("score_{class}"), Type::Double))
}

/// How much of the time faces face the camera, and how often they blink.
pub(super) fn activity_columns() -> impl Iterator<Item = Column> {
    [
        ("posed", Type::Int),
        ("share_facing", Type::Double),
        ("eyes_s", Type::Double),
        ("blinks", Type::Int),
        ("blinks_per_minute", Type::Double),
    ]
    .into_iter()
    .map(|(name, kind)| column(name, kind))
}
