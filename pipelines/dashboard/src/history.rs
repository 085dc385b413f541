// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of a source for each second of the last day, without boxes and ids.

use std::collections::VecDeque;

use gstemotion::export::Summary;
use serde::{Serialize, Serializer};

/// Length of the history: one day, at about 80 bytes per second.
pub const MAX_SECONDS: usize = 24 * 60 * 60;
/// Maximum number of points in a timeline.
pub const MAX_POINTS: u64 = 1200;

/// The last [`MAX_SECONDS`] with frames.
#[derive(Debug, Default)]
pub struct History {
    labels: Vec<String>,
    seconds: VecDeque<Second>,
}

/// Totals of one second.
#[derive(Debug)]
struct Second {
    /// Seconds since 1970.
    at: u64,
    /// Mean number of faces per frame.
    faces: f32,
    /// Number of classified faces over all frames.
    scored: u32,
    /// Mean score of each label; empty if no face was classified.
    scores: Box<[f32]>,
}

/// A range of the history in points of equal length.
#[derive(Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// The labels of the scores.
    pub labels: Vec<String>,
    /// The oldest second of the history, since 1970; none if it is empty.
    pub oldest: Option<u64>,
    /// Length of a point in seconds.
    pub step: u64,
    /// Points with frames, sorted by time.
    pub points: Vec<Point>,
}

/// A point of a timeline, serialized as `[at, faces, scores]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its first second, since 1970.
    pub at: u64,
    /// Mean number of faces per frame.
    pub faces: f32,
    /// Mean score of each label; none if no face was classified.
    pub scores: Option<Vec<f32>>,
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rounded = |value: f32| (f64::from(value) * 1000.0).round() / 1000.0;
        let scores: Option<Vec<f64>> = self.scores.as_ref().map(|scores| scores.iter().map(|&score| rounded(score)).collect());
        (self.at, rounded(self.faces), scores).serialize(serializer)
    }
}

impl History {
    /// Adds the second that started `at` seconds after 1970 and removes the oldest one if the history is full.
    pub fn push(&mut self, at: u64, summary: &Summary) {
        let labels = summary.labels();
        if !labels.is_empty() && labels != self.labels {
            // Scores of different labels cannot be shown in one timeline.
            self.seconds.clear();
            self.labels = labels;
        }
        let scores = summary.scores().map(|scores| scores.map(|(_, score)| score as f32).collect()).unwrap_or_default();
        let scored = u32::try_from(summary.faces_scored).unwrap_or(u32::MAX);
        self.seconds.push_back(Second { at, faces: summary.faces_mean() as f32, scored, scores });
        while self.seconds.len() > MAX_SECONDS {
            self.seconds.pop_front();
        }
    }

    /// The seconds of `from..to`, in at most `points` points.
    pub fn timeline(&self, from: u64, to: u64, points: u64) -> Timeline {
        let points = points.clamp(1, MAX_POINTS);
        let step = to.saturating_sub(from).div_ceil(points).max(1);
        let start = self.seconds.partition_point(|second| second.at < from);
        let inside = self.seconds.range(start..).take_while(|second| second.at < to);
        let mut timeline =
            Timeline { labels: self.labels.clone(), oldest: self.seconds.front().map(|second| second.at), step, points: Vec::new() };
        let mut open = Sum::default();
        for second in inside {
            // Points start at multiples of the step, so that they do not flicker as the range moves.
            let at = second.at - second.at % step;
            if open.seconds > 0 && open.at != at {
                timeline.points.push(std::mem::take(&mut open).point());
            }
            open.at = at;
            open.add(second);
        }
        if open.seconds > 0 {
            timeline.points.push(open.point());
        }
        timeline
    }
}

#[derive(Default)]
struct Sum {
    at: u64,
    seconds: u32,
    faces: f64,
    scored: f64,
    scores: Vec<f64>,
}

impl Sum {
    fn add(&mut self, second: &Second) {
        self.seconds += 1;
        self.faces += f64::from(second.faces);
        self.scored += f64::from(second.scored);
        self.scores.resize(self.scores.len().max(second.scores.len()), 0.0);
        for (sum, &score) in self.scores.iter_mut().zip(&second.scores) {
            *sum += f64::from(score) * f64::from(second.scored);
        }
    }

    fn point(self) -> Point {
        let scores = (self.scored > 0.0).then(|| self.scores.iter().map(|sum| (sum / self.scored) as f32).collect());
        Point { at: self.at, faces: (self.faces / f64::from(self.seconds)) as f32, scores }
    }
}

#[cfg(test)]
mod tests {
    use gstemotion::export::ClassSummary;

    use super::*;

    /// A second of ten frames with `faces` in each and these mean scores.
    fn summary(faces: u64, scores: &[f64]) -> Summary {
        let scored = if scores.is_empty() { 0 } else { faces * 10 };
        let class =
            |(index, score): (usize, &f64)| ClassSummary { label: format!("label {index}"), count: 0, score_sum: score * scored as f64 };
        Summary {
            frames: 10,
            faces: faces * 10,
            faces_scored: scored,
            classes: scores.iter().enumerate().map(class).collect(),
            ..Summary::default()
        }
    }

    #[test]
    fn points_are_means_weighted_by_faces() {
        let mut history = History::default();
        history.push(100, &summary(1, &[1.0, 0.0]));
        history.push(101, &summary(3, &[0.0, 1.0]));
        history.push(104, &summary(0, &[]));
        let timeline = history.timeline(100, 110, 5);
        assert_eq!((timeline.step, timeline.oldest, timeline.labels.len()), (2, Some(100), 2));
        let expected = [Point { at: 100, faces: 2.0, scores: Some(vec![0.25, 0.75]) }, Point { at: 104, faces: 0.0, scores: None }];
        assert_eq!(timeline.points, expected, "no points without frames");
        assert_eq!(history.timeline(101, 104, 1000).points.len(), 1);
        assert_eq!(serde_json::to_string(&timeline.points[0]).unwrap(), "[100,2.0,[0.25,0.75]]");
    }

    #[test]
    fn the_history_has_at_most_a_day() {
        let mut history = History::default();
        let second = summary(1, &[1.0]);
        (0..MAX_SECONDS as u64 + 500).for_each(|at| history.push(at, &second));
        assert_eq!(history.seconds.len(), MAX_SECONDS);
        let timeline = history.timeline(0, u64::MAX, u64::MAX);
        assert_eq!(timeline.oldest, Some(500));
        assert!(timeline.points.len() <= MAX_POINTS as usize);
    }

    #[test]
    fn a_new_history_is_empty() {
        let timeline = History::default().timeline(0, 10, 0);
        assert_eq!((timeline.oldest, timeline.points.len()), (None, 0));
    }
}
