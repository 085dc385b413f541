// SPDX-License-Identifier: MIT OR Apache-2.0
//! Summaries of intervals: counts and mean scores, without boxes and ids.

use super::{FrameReport, FrameTime};
use crate::record::EmotionResult;
use crate::scores::UNKNOWN;

/// The summary of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Name of the video.
    pub stream: String,
    /// Times of the first frame, with a duration that extends to the end of the last.
    pub time: FrameTime,
    /// Number of frames.
    pub frames: u64,
    /// Number of faces over all frames; one face on ten frames counts ten times.
    pub faces: u64,
    /// Maximum number of faces on one frame.
    pub faces_max: u64,
    /// Number of `faces` that were scored.
    pub faces_scored: u64,
    /// Number of scored faces whose expression is `unknown`.
    pub unknown: u64,
    /// Every scored class, in the model's order.
    pub classes: Vec<ClassSummary>,
}

/// One class in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSummary {
    /// Name of the class.
    pub label: String,
    /// Number of faces with this label.
    pub count: u64,
    /// Sum of this class's score over all scored faces.
    pub score_sum: f64,
}

impl Summary {
    /// Mean number of faces on a frame; 0 without frames.
    pub fn faces_mean(&self) -> f64 {
        self.faces as f64 / self.frames.max(1) as f64
    }

    /// Each label and the number of faces that had it; `unknown` comes last.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.classes.iter().map(|class| (class.label.as_str(), class.count)).chain([(UNKNOWN, self.unknown)])
    }

    /// Each label and its mean score over all scored faces; none if no face was scored.
    pub fn scores(&self) -> Option<impl Iterator<Item = (&str, f64)>> {
        let faces = self.faces_scored as f64;
        (self.faces_scored > 0).then(|| self.classes.iter().map(move |class| (class.label.as_str(), class.score_sum / faces)))
    }

    /// The labels in order.
    pub fn labels(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.label.clone()).collect()
    }

    fn add(&mut self, frame: &FrameReport<'_>) {
        let end_ns = self.time.end_ns().max(frame.time.end_ns());
        // In reverse playback the earliest frame arrives last.
        if frame.time.pts_ns < self.time.pts_ns {
            self.time = frame.time;
        }
        self.time.duration_ns = end_ns - self.time.pts_ns;
        let faces = frame.faces.len() as u64;
        self.frames += 1;
        self.faces += faces;
        self.faces_max = self.faces_max.max(faces);
        frame
            .faces
            .iter()
            .filter_map(|face| face.emotion.as_ref())
            .filter(|emotion| emotion.is_scored())
            .for_each(|emotion| self.add_scores(emotion));
    }

    fn add_scores(&mut self, emotion: &EmotionResult) {
        self.faces_scored += 1;
        self.unknown += u64::from(emotion.label_id.is_none());
        for (index, (label, &score)) in emotion.labels.as_slice().iter().zip(emotion.scores.as_slice()).enumerate() {
            let class = self.class(label);
            class.score_sum += f64::from(score);
            class.count += u64::from(emotion.label_id == Some(index));
        }
    }

    fn class(&mut self, label: &str) -> &mut ClassSummary {
        let index = self.classes.iter().position(|class| class.label == label).unwrap_or_else(|| {
            self.classes.push(ClassSummary { label: label.to_owned(), count: 0, score_sum: 0.0 });
            self.classes.len() - 1
        });
        &mut self.classes[index]
    }
}

/// Summarises frames. Intervals begin at positions in the media that are multiples of their length, so that intervals
/// before and after a seek line up. A frame belongs to the interval in which it starts.
#[derive(Clone, Debug)]
pub struct Aggregator {
    interval_ns: u64,
    open: Option<Summary>,
}

impl Aggregator {
    /// Summarises intervals of `interval_ns`; with 0, every frame is an interval.
    pub fn new(interval_ns: u64) -> Self {
        Self { interval_ns, open: None }
    }

    /// Adds a frame. Returns the interval that this completes: the previous one, or with length 0 the frame itself.
    pub fn add(&mut self, frame: &FrameReport<'_>) -> Option<Summary> {
        let before = self.advance(&frame.time);
        let open = self.open.get_or_insert_with(|| Summary { stream: frame.stream.to_owned(), time: frame.time, ..Summary::default() });
        open.add(frame);
        if self.interval_ns == 0 { self.open.take() } else { before }
    }

    /// Advances the stream to `time`. Returns the open interval if it ended before that.
    pub fn advance(&mut self, time: &FrameTime) -> Option<Summary> {
        let slot = |time: &FrameTime| time.position_ns().checked_div(self.interval_ns);
        self.open.take_if(|open| slot(&open.time) != slot(time))
    }

    /// Takes the interval that is not complete yet.
    pub fn finish(&mut self) -> Option<Summary> {
        self.open.take()
    }
}
