// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ground truth: the votes and labels of data sets, and how a model's classes map to them.

use emotion_core::scores::{FERPLUS_LABELS, Scores};

/// The columns of FER+ votes: eight expressions, then votes for "unknown" and "not a face".
pub const VOTE_COLUMNS: [&str; 10] =
    ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "not-a-face"];

/// The true class of a picture by the FER+ protocol, as an index in [`FERPLUS_LABELS`].
///
/// Single votes are dropped as outliers. The picture is excluded (none) if several columns tie for the most votes, or if
/// the winner is `unknown` or `not-a-face` (Barsoum et al., ICMI 2016, and its published code).
///
/// ```
/// use emotion_evaluate::truth::majority;
/// assert_eq!(majority(&[6, 3, 0, 1, 0, 0, 0, 0, 0, 0]), Some(0));
/// assert_eq!(majority(&[5, 5, 0, 0, 0, 0, 0, 0, 0, 0]), None);
/// ```
pub fn majority(votes: &[u8; 10]) -> Option<usize> {
    let counted = votes.map(|votes| if votes > 1 { votes } else { 0 });
    let max = counted.into_iter().max().filter(|&max| max > 0)?;
    let mut winners = counted.iter().enumerate().filter(|&(_, &votes)| votes == max).map(|(column, _)| column);
    let winner = winners.next()?;
    (winners.next().is_none() && winner < FERPLUS_LABELS.len()).then_some(winner)
}

/// The FER+ name of a class, from any form that data sets and models use (`Happy`, `surprised`, `angry`). Other names are
/// returned in lower case.
pub fn canonical(label: &str) -> String {
    let label = label.trim().to_lowercase().replace(['_', ' '], "-");
    let known = match label.as_str() {
        "angry" => "anger",
        "disgusted" => "disgust",
        "fearful" | "scared" | "afraid" => "fear",
        "happy" | "joy" => "happiness",
        "sad" => "sadness",
        "surprised" => "surprise",
        "contemptuous" => "contempt",
        "calm" => "neutral",
        "nf" => "not-a-face",
        _ => return label,
    };
    known.into()
}

/// Maps a model's scores to the classes of a data set. Classes that the data set lacks are ignored, and the remaining
/// scores are scaled to sum to 1. A class that the model lacks is never its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The model's class for each class of the data set.
    classes: Vec<Option<usize>>,
}

impl Question {
    /// Matches the labels by their [`canonical`] names; none if none match.
    pub fn new(data: &[String], model: &[String]) -> Option<Self> {
        let model: Vec<_> = model.iter().map(|label| canonical(label)).collect();
        let find = |label: &String| model.iter().position(|known| *known == canonical(label));
        let classes: Vec<_> = data.iter().map(find).collect();
        classes.iter().any(Option::is_some).then_some(Self { classes })
    }

    /// The class of the data set with the highest score, and that score.
    pub fn answer(&self, scores: &Scores) -> (usize, f32) {
        let score_of = |class: &Option<usize>| class.map_or(0.0, |class| scores.as_slice()[class]);
        Scores::from_probabilities(self.classes.iter().map(score_of)).top()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majorities_of_unknown_and_not_a_face_exclude_a_picture() {
        assert_eq!(majority(&[4, 0, 0, 0, 0, 0, 0, 0, 6, 0]), None);
        assert_eq!(majority(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 6]), None);
        assert_eq!(majority(&[1; 10]), None, "only outliers");
        assert_eq!(majority(&[0, 0, 0, 2, 1, 1, 1, 1, 1, 1]), Some(3));
    }

    #[test]
    fn labels_match_in_any_form() {
        let list = |labels: &[&str]| labels.iter().map(|label| label.to_string()).collect::<Vec<_>>();
        let question = Question::new(&list(&["Angry", "happy", "contempt"]), &list(&["neutral", "happiness", "anger"])).unwrap();
        let (class, confidence) = question.answer(&Scores::from_probabilities([0.6, 0.1, 0.3]));
        assert_eq!(class, 0, "the data set lacks `neutral`");
        assert!((confidence - 0.75).abs() < 1e-6);
        assert_eq!(Question::new(&list(&["cat"]), &list(&["dog"])), None);
    }
}
