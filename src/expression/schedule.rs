// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which faces are classified on a frame if there are more faces than the budget allows.

/// A face that could be classified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Number of frames since its last classification; `None` if there was none.
    pub age: Option<u64>,
    /// Area of its box, in any unit that all candidates share.
    pub area: f32,
}

/// Indices of the candidates to classify: first those without a classification, then those with the oldest one; among equals,
/// larger faces first. At most `budget` faces are chosen, and only if at least `interval` frames have passed since their last
/// classification. No face starves, because a waiting face becomes the oldest.
pub fn choose(candidates: &[Candidate], interval: u64, budget: usize) -> Vec<usize> {
    let is_due = |candidate: &Candidate| candidate.age.is_none_or(|age| age >= interval);
    let mut chosen: Vec<usize> = (0..candidates.len()).filter(|&index| is_due(&candidates[index])).collect();
    chosen.sort_by(|&a, &b| {
        let age = |index: usize| candidates[index].age.unwrap_or(u64::MAX);
        age(b).cmp(&age(a)).then(candidates[b].area.total_cmp(&candidates[a].area))
    });
    chosen.truncate(budget);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(age: Option<u64>, area: f32) -> Candidate {
        Candidate { age, area }
    }

    #[test]
    fn new_faces_come_first_then_the_oldest_then_the_largest() {
        let faces = [candidate(Some(3), 9.0), candidate(None, 1.0), candidate(Some(5), 1.0), candidate(Some(5), 2.0)];
        assert_eq!(choose(&faces, 1, 16), [1, 3, 2, 0]);
        assert_eq!(choose(&faces, 1, 2), [1, 3]);
        assert_eq!(choose(&faces, 4, 16), [1, 3, 2], "the interval excludes recent classifications");
    }

    #[test]
    fn each_face_gets_its_turn() {
        let mut last = [None::<u64>; 10];
        for now in 0..40 {
            let faces: Vec<_> = last.iter().enumerate().map(|(i, last)| candidate(last.map(|last| now - last), i as f32)).collect();
            for index in choose(&faces, 1, 3) {
                last[index] = Some(now);
            }
            if now >= 4 {
                assert!(
                    last.iter().all(|last| now - last.unwrap() <= 4),
                    "ten faces wait at most four frames at three per frame: {last:?} at {now}"
                );
            }
        }
    }
}
