// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sums over faces, which the tables of tracks and of bins have in common, and their columns.

use emotion_core::behaviour::ActivitySums;
use emotion_core::scores::UNKNOWN;

use super::activity::Seen;
use super::column::Members::{Classes, Labels};
use super::column::Type::{Double, Int};
use super::column::{Columns, Value, each, one, seconds};

type Of = fn(&Sums, usize) -> Value<'static>;

#[rustfmt::skip] // A column is a line.
pub(super) const SUMS: &[Columns<Of>] = &[
    one("answered", Double, "Share of the faces with a label other than unknown, 0..1", |sums, _| sums.share(sums.labels.iter().sum())),
    each(Labels, "share_{}", Double, "Share of the faces with the label {}, 0..1", |sums, label| sums.share(sums.labels.get(label).copied().unwrap_or(sums.unknown))),
    each(Classes, "score_{}", Double, "Mean score of {} over the scored faces, 0..1", |sums, class| sums.mean(class).into()),
];

#[rustfmt::skip] // A column is a line.
pub(super) const ACTIVITY: &[Columns<Of>] = &[
    one("posed", Int, "Number of faces whose pose is known", |sums, _| sums.activity.posed.into()),
    one("share_facing", Double, "Share of the faces with a known pose that face the camera, 0..1", |sums, _| sums.activity.facing_share().into()),
    one("eyes_s", Double, "Time in which the eyes were watched closely enough to see blinks, in seconds, of all faces together", |sums, _| seconds(sums.activity.eyes_ns).into()),
    one("blinks", Int, "Number of blinks in that time; missing if it is 0", |sums, _| sums.activity.seen_blinks().into()),
    one("blinks_per_minute", Double, "Blinks in a minute of that time", |sums, _| sums.activity.blinks_per_minute().into()),
];

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

    /// The share of `count` faces.
    fn share(&self, count: u64) -> Value<'static> {
        (self.faces > 0).then(|| count as f64 / self.faces as f64).into()
    }

    /// The mean score of a class; `None` without a scored face.
    fn mean(&self, class: usize) -> Option<f64> {
        (self.scored > 0).then(|| self.scores[class] / self.scored as f64)
    }
}
