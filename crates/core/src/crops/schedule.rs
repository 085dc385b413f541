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

/// Indices of the candidates whose last classification is at least `interval` frames old: first those without one, then those
/// with the oldest one; among equals, larger faces first. If only the first few are classified on each frame, no face starves,
/// because a waiting face becomes the oldest.
pub fn by_urgency(candidates: &[Candidate], interval: u64) -> Vec<usize> {
    let is_due = |candidate: &Candidate| candidate.age.is_none_or(|age| age >= interval);
    let mut chosen: Vec<usize> = (0..candidates.len()).filter(|&index| is_due(&candidates[index])).collect();
    chosen.sort_by(|&a, &b| {
        let age = |index: usize| candidates[index].age.unwrap_or(u64::MAX);
        age(b).cmp(&age(a)).then(candidates[b].area.total_cmp(&candidates[a].area))
    });
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
        assert_eq!(by_urgency(&faces, 1), [1, 3, 2, 0]);
        assert_eq!(by_urgency(&faces, 4), [1, 3, 2], "the interval excludes recent classifications");
    }

    #[test]
    fn each_face_gets_its_turn() {
        let mut last = [None::<u64>; 10];
        for now in 0..40 {
            let faces: Vec<_> = last.iter().enumerate().map(|(i, last)| candidate(last.map(|last| now - last), i as f32)).collect();
            for index in by_urgency(&faces, 1).into_iter().take(3) {
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
