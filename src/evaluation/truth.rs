// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is right: votes and labels of data sets, and how a model's classes answer them.

use crate::scores::{FERPLUS_LABELS, Scores};

/// The columns of FER+ votes: its eight expressions, then those who could not tell and those who saw no face.
pub const VOTE_COLUMNS: [&str; 10] =
    ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "not-a-face"];

/// The index in [`FERPLUS_LABELS`] that the FER+ protocol takes for the truth of a picture.
///
/// Single votes are outliers and dropped. The picture is left out (none) where the most votes are not one column's
/// alone, or are for `unknown` or no face (Barsoum et al., ICMI 2016, and its published code).
///
/// ```
/// use gstemotion::evaluation::truth::majority;
/// assert_eq!(majority(&[6, 3, 0, 1, 0, 0, 0, 0, 0, 0]), Some(0));
/// assert_eq!(majority(&[5, 5, 0, 0, 0, 0, 0, 0, 0, 0]), None);
/// ```
pub fn majority(votes: &[u8; 10]) -> Option<usize> {
    let counted = votes.map(|votes| if votes > 1 { votes } else { 0 });
    let most = counted.into_iter().max().filter(|&most| most > 0)?;
    let mut winners = counted.iter().enumerate().filter(|&(_, &votes)| votes == most).map(|(column, _)| column);
    let winner = winners.next()?;
    (winners.next().is_none() && winner < FERPLUS_LABELS.len()).then_some(winner)
}

/// The FER+ word for a class, whatever form of it a data set or a model uses (`Happy`, `surprised`, `angry`); other
/// names in lower case.
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

/// How a model's scores answer the question for one of the classes of a data set: classes that the data do not have
/// take no part, and what remains is scaled to one. A class that the model does not have is never its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// For each class of the data the model's class.
    classes: Vec<Option<usize>>,
}

impl Question {
    /// Matches the labels by their [`canonical`] names; none if they have none in common.
    pub fn new(data: &[String], model: &[String]) -> Option<Self> {
        let model: Vec<_> = model.iter().map(|label| canonical(label)).collect();
        let find = |label: &String| model.iter().position(|known| *known == canonical(label));
        let classes: Vec<_> = data.iter().map(find).collect();
        classes.iter().any(Option::is_some).then_some(Self { classes })
    }

    /// The class of the data that `scores` name, and with what confidence.
    pub fn answer(&self, scores: &Scores) -> (usize, f32) {
        let of = |class: &Option<usize>| class.map_or(0.0, |class| scores.as_slice()[class]);
        Scores::from_probabilities(self.classes.iter().map(of)).top()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_for_unknown_and_no_face_leave_a_picture_out() {
        assert_eq!(majority(&[4, 0, 0, 0, 0, 0, 0, 0, 6, 0]), None);
        assert_eq!(majority(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 6]), None);
        assert_eq!(majority(&[1; 10]), None, "only outliers");
        assert_eq!(majority(&[0, 0, 0, 2, 1, 1, 1, 1, 1, 1]), Some(3));
    }

    #[test]
    fn labels_of_all_kinds_are_matched() {
        let list = |labels: &[&str]| labels.iter().map(|label| label.to_string()).collect::<Vec<_>>();
        let question = Question::new(&list(&["Angry", "happy", "contempt"]), &list(&["neutral", "happiness", "anger"])).unwrap();
        let (class, confidence) = question.answer(&Scores::from_probabilities([0.6, 0.1, 0.3]));
        assert_eq!(class, 0, "the data have no neutral");
        assert!((confidence - 0.75).abs() < 1e-6);
        assert_eq!(Question::new(&list(&["cat"]), &list(&["dog"])), None);
    }
}
