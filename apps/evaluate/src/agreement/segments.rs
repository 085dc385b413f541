// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins ratings and faces: what raters and the program say about each segment.

use std::collections::BTreeMap;
use std::path::Path;

use super::faces::{Faces, Sighting};
use super::ratings::Rating;

/// What somebody says about a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The label; `None` if nothing could be said.
    pub label: Option<String>,
    /// The score of each class; empty without scores.
    pub scores: BTreeMap<String, f64>,
}

/// A part of a file that was rated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// The file in the table; `None` if the table has no face of it.
    pub file: Option<String>,
    /// What each rater says, by name.
    pub raters: BTreeMap<String, Answer>,
    /// What the program says: the most frequent label besides `unknown`, and the mean scores; `None` without a face.
    pub program: Option<Answer>,
}

impl Segment {
    /// The label of most raters; `None` without labels, or if two labels are equally frequent.
    pub fn majority(&self) -> Option<&str> {
        let counts = frequencies(self.raters.values().filter_map(|answer| answer.label.as_deref()));
        let most = counts.values().copied().max()?;
        let mut winners = counts.into_iter().filter(|(_, count)| *count == most).map(|(label, _)| label);
        winners.next().filter(|_| winners.next().is_none())
    }

    /// The mean score of the raters for a class.
    pub fn mean(&self, class: &str) -> Option<f64> {
        mean(self.raters.values().filter_map(|answer| answer.scores.get(class).copied()))
    }
}

/// The segments of `ratings`, in their order. A rater's later row about the same segment replaces the earlier one.
pub fn of(faces: &Faces, ratings: &[Rating]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut indices = BTreeMap::new();
    for rating in ratings {
        let key = (rating.file.clone(), rating.start_s.to_bits(), rating.end_s.to_bits(), rating.id);
        let index = *indices.entry(key).or_insert_with(|| {
            let file = file_of(faces, &rating.file);
            let program = file.and_then(|file| answer(&faces.files[file], rating));
            segments.push(Segment { file: file.map(str::to_owned), raters: BTreeMap::new(), program });
            segments.len() - 1
        });
        let answer = Answer { label: rating.label.clone(), scores: rating.scores.clone() };
        segments[index].raters.insert(rating.rater.clone(), answer);
    }
    segments
}

/// The file of the table that a rating means: the same name, or the only one that ends with it.
fn file_of<'a>(faces: &'a Faces, name: &str) -> Option<&'a str> {
    if let Some((file, _)) = faces.files.get_key_value(name) {
        return Some(file);
    }
    // Windows writes other separators.
    let [of_table, of_rating] = [|file: &str| file.replace('\\', "/"); 2];
    let mut ending = faces.files.keys().filter(|file| Path::new(&of_table(file)).ends_with(of_rating(name)));
    ending.next().filter(|_| ending.next().is_none()).map(String::as_str)
}

/// What the program says about the segment of a rating.
fn answer(faces: &[Sighting], rating: &Rating) -> Option<Answer> {
    let is_inside =
        |face: &&Sighting| (rating.start_s..rating.end_s).contains(&face.time_s) && rating.id.is_none_or(|id| face.id == Some(id));
    let inside: Vec<&Sighting> = faces.iter().filter(is_inside).collect();
    let counts = frequencies(inside.iter().filter_map(|face| face.label.as_deref()));
    // Of equally frequent labels the one with the higher mean score.
    let score = |label: &str| mean(inside.iter().filter_map(|face| face.scores.get(label).copied())).unwrap_or_default();
    let label =
        counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| score(a.0).total_cmp(&score(b.0)))).map(|(label, _)| (*label).to_owned());
    let classes = inside.iter().flat_map(|face| face.scores.keys()).cloned().collect::<std::collections::BTreeSet<_>>();
    let scores = classes.into_iter().map(|class| (class.clone(), score(&class))).collect();
    (!inside.is_empty()).then_some(Answer { label, scores })
}

fn frequencies<'a>(labels: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    labels.fold(BTreeMap::new(), |mut counts, label| {
        *counts.entry(label).or_default() += 1;
        counts
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(time_s: f64, id: u64, label: Option<&str>, happiness: f64) -> Sighting {
        Sighting { time_s, id: Some(id), label: label.map(String::from), scores: BTreeMap::from([("happiness".to_owned(), happiness)]) }
    }

    fn rating(file: &str, end_s: f64, rater: &str, label: &str) -> Rating {
        Rating { file: file.into(), end_s, rater: rater.into(), label: Some(label.into()), ..Rating::default() }
    }

    #[test]
    fn the_program_says_the_most_frequent_label_and_the_mean_score_of_the_segment() {
        let seen = vec![
            face(0.0, 1, Some("neutral"), 0.2),
            face(1.0, 1, None, 0.4),
            face(2.0, 1, Some("happiness"), 0.9),
            face(2.0, 2, Some("happiness"), 0.7),
        ];
        let faces = Faces { files: BTreeMap::from([("clips/a.mp4".to_owned(), seen)]) };
        let ratings = [
            rating("a.mp4", 2.0, "anna", "neutral"),
            rating("a.mp4", 2.0, "ben", "happiness"),
            rating("clips/a.mp4", 3.0, "anna", "happiness"),
            Rating { id: Some(2), ..rating("a.mp4", 9.0, "anna", "happiness") },
            rating("b.mp4", 2.0, "anna", "neutral"),
        ];
        let segments = of(&faces, &ratings);
        assert_eq!(segments.len(), 4);
        assert_eq!((segments[0].majority(), segments[1].majority()), (None, Some("happiness")), "a tie has no majority");
        let first = segments[0].program.as_ref().unwrap();
        assert!(first.label.as_deref() == Some("neutral") && (first.scores["happiness"] - 0.3).abs() < 1e-12, "{first:?}");
        assert_eq!(segments[1].program.as_ref().unwrap().label.as_deref(), Some("happiness"));
        assert_eq!(segments[2].program.as_ref().unwrap().scores["happiness"], 0.7);
        assert!(segments[3].file.is_none() && segments[3].program.is_none());
        let of_windows = Faces { files: BTreeMap::from([("D:\\clips\\a.mp4".to_owned(), vec![face(0.0, 1, None, 0.5)])]) };
        assert!(["a.mp4", "clips/a.mp4", "clips\\a.mp4"].iter().all(|name| file_of(&of_windows, name).is_some()));
    }
}
