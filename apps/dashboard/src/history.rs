// SPDX-License-Identifier: MIT OR Apache-2.0
//! Totals of a source over the last day, without boxes and ids.

use std::collections::VecDeque;

use emotion_core::export::Summary;
use serde::{Serialize, Serializer};

/// Length of the history: one day, at about 80 bytes per span.
pub const MAX_SECONDS: usize = 24 * 60 * 60;
/// Maximum number of points in a timeline.
pub const MAX_POINTS: u64 = 1200;

/// The last [`MAX_SECONDS`] with frames, in spans of equal length.
#[derive(Debug)]
pub struct History {
    /// Length of a span in seconds.
    span_s: u64,
    labels: Vec<String>,
    spans: VecDeque<Span>,
}

/// Totals of one span.
#[derive(Debug)]
struct Span {
    /// Its first second, since 1970; a multiple of its length.
    at: u64,
    /// Number of summaries of which it is the mean.
    parts: u32,
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
    /// The oldest second of the history, since 1970; `None` if it is empty.
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
    /// Mean score of each label; `None` if no face was classified.
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
    /// An empty history with spans of `span_s` seconds, at least one.
    pub fn new(span_s: u64) -> Self {
        Self { span_s: span_s.max(1), labels: Vec::new(), spans: VecDeque::new() }
    }

    /// Adds what happened in `length` seconds from `at` on, in seconds since 1970. It may be older than what was added before.
    /// The oldest spans are removed if the history is full.
    pub fn push(&mut self, at: u64, length: u64, summary: &Summary) {
        let labels = summary.labels();
        if !labels.is_empty() && labels != self.labels {
            // Scores of different labels cannot be shown in one timeline.
            self.spans.clear();
            self.labels = labels;
        }
        let scores: Vec<f32> = summary.scores().map(|scores| scores.map(|(_, score)| score as f32).collect()).unwrap_or_default();
        let scored = u32::try_from(summary.faces_scored).unwrap_or(u32::MAX);
        let length = length.clamp(1, MAX_SECONDS as u64);
        for start in (at - at % self.span_s..at.saturating_add(length)).step_by(self.span_s as usize) {
            let span = Span { at: start, parts: 1, faces: summary.faces_mean() as f32, scored, scores: scores.clone().into() };
            let index = self.spans.partition_point(|known| known.at < start);
            match self.spans.get_mut(index) {
                Some(known) if known.at == start => known.merge(&span),
                _ => self.spans.insert(index, span),
            }
        }
        while self.spans.len() as u64 > MAX_SECONDS as u64 / self.span_s {
            self.spans.pop_front();
        }
    }

    /// The seconds of `from..to`, in at most `points` points.
    pub fn timeline(&self, from: u64, to: u64, points: u64) -> Timeline {
        let points = points.clamp(1, MAX_POINTS);
        let step = to.saturating_sub(from).div_ceil(points).max(1).next_multiple_of(self.span_s);
        let start = self.spans.partition_point(|span| span.at.saturating_add(self.span_s) <= from);
        let inside = self.spans.range(start..).take_while(|span| span.at < to);
        let mut timeline =
            Timeline { labels: self.labels.clone(), oldest: self.spans.front().map(|span| span.at), step, points: Vec::new() };
        let mut open = Sum::default();
        for span in inside {
            // Points start at multiples of the step, so that they do not flicker as the range moves.
            let at = span.at - span.at % step;
            if open.spans > 0 && open.at != at {
                timeline.points.push(std::mem::take(&mut open).point());
            }
            open.at = at;
            open.add(span);
        }
        if open.spans > 0 {
            timeline.points.push(open.point());
        }
        timeline
    }
}

impl Span {
    /// The mean of both, in which each summary has the same weight.
    fn merge(&mut self, other: &Self) {
        let mut sum = Sum::default();
        sum.add(self);
        sum.add(other);
        let parts = self.parts.saturating_add(other.parts);
        let faces = (f64::from(self.faces) * f64::from(self.parts) + f64::from(other.faces) * f64::from(other.parts)) / f64::from(parts);
        let scored = self.scored.saturating_add(other.scored);
        *self = Self { at: self.at, parts, faces: faces as f32, scored, scores: sum.point().scores.unwrap_or_default().into() };
    }
}

#[derive(Default)]
struct Sum {
    at: u64,
    spans: u32,
    faces: f64,
    scored: f64,
    scores: Vec<f64>,
}

impl Sum {
    fn add(&mut self, span: &Span) {
        self.spans += 1;
        self.faces += f64::from(span.faces);
        self.scored += f64::from(span.scored);
        self.scores.resize(self.scores.len().max(span.scores.len()), 0.0);
        for (sum, &score) in self.scores.iter_mut().zip(&span.scores) {
            *sum += f64::from(score) * f64::from(span.scored);
        }
    }

    fn point(self) -> Point {
        let scores = (self.scored > 0.0).then(|| self.scores.iter().map(|sum| (sum / self.scored) as f32).collect());
        Point { at: self.at, faces: (self.faces / f64::from(self.spans)) as f32, scores }
    }
}

#[cfg(test)]
mod tests {
    use emotion_core::behaviour::ClassSummary;

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
        let mut history = History::new(1);
        history.push(100, 1, &summary(1, &[1.0, 0.0]));
        history.push(101, 1, &summary(3, &[0.0, 1.0]));
        history.push(104, 1, &summary(0, &[]));
        let timeline = history.timeline(100, 110, 5);
        assert_eq!((timeline.step, timeline.oldest, timeline.labels.len()), (2, Some(100), 2));
        let expected = [Point { at: 100, faces: 2.0, scores: Some(vec![0.25, 0.75]) }, Point { at: 104, faces: 0.0, scores: None }];
        assert_eq!(timeline.points, expected, "no points without frames");
        assert_eq!(history.timeline(101, 104, 1000).points.len(), 1);
        assert_eq!(serde_json::to_string(&timeline.points[0]).unwrap(), "[100,2.0,[0.25,0.75]]");
    }

    #[test]
    fn the_history_has_at_most_a_day() {
        let mut history = History::new(1);
        let second = summary(1, &[1.0]);
        (0..MAX_SECONDS as u64 + 500).for_each(|at| history.push(at, 1, &second));
        assert_eq!(history.spans.len(), MAX_SECONDS);
        let timeline = history.timeline(0, u64::MAX, u64::MAX);
        assert_eq!(timeline.oldest, Some(500));
        assert!(timeline.points.len() <= MAX_POINTS as usize);
    }

    #[test]
    fn longer_spans_take_less_memory_and_late_summaries_find_their_place() {
        let mut history = History::new(10);
        history.push(100, 1, &summary(2, &[1.0, 0.0]));
        history.push(109, 1, &summary(4, &[0.0, 1.0]));
        history.push(120, 15, &summary(1, &[1.0, 0.0]));
        history.push(95, 5, &summary(8, &[1.0, 0.0]));
        let timeline = history.timeline(100, 140, 1000);
        assert_eq!((timeline.step, timeline.oldest), (10, Some(90)));
        let faces: Vec<_> = timeline.points.iter().map(|point| (point.at, point.faces)).collect();
        assert_eq!(faces, [(100, 3.0), (120, 1.0), (130, 1.0)]);
        let scores = timeline.points[0].scores.as_deref().unwrap();
        assert!((scores[0] - 1.0 / 3.0).abs() < 1e-6, "weighted by faces: {scores:?}");
        (0..20_000).for_each(|at| history.push(at * 10, 10, &summary(1, &[1.0, 0.0])));
        assert_eq!(history.spans.len(), MAX_SECONDS / 10);
    }

    #[test]
    fn a_new_history_is_empty() {
        let timeline = History::new(1).timeline(0, 10, 0);
        assert_eq!((timeline.oldest, timeline.points.len()), (None, 0));
    }
}
