// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which faces of a frame are worth a classification, when there are more than the budget allows.

/// A face that may be classified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Frames since its last classification; none if it never was.
    pub age: Option<u64>,
    /// Area of its box.
    pub area: f32,
}

/// Indices of the candidates to classify: those never classified first, then the oldest results, the larger face
/// first among equals. `interval` frames have to pass between two classifications of a face, and at most `budget`
/// faces are chosen; every face gets its turn, since waiting makes it the oldest.
pub fn choose(candidates: &[Candidate], interval: u64, budget: usize) -> Vec<usize> {
    let due = |candidate: &Candidate| candidate.age.is_none_or(|age| age >= interval);
    let mut chosen: Vec<usize> = (0..candidates.len()).filter(|&index| due(&candidates[index])).collect();
    chosen.sort_by(|&a, &b| {
        let waiting = |index: usize| candidates[index].age.unwrap_or(u64::MAX);
        waiting(b).cmp(&waiting(a)).then(candidates[b].area.total_cmp(&candidates[a].area))
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
    fn new_faces_first_then_the_oldest_then_the_largest() {
        let faces = [candidate(Some(3), 9.0), candidate(None, 1.0), candidate(Some(5), 1.0), candidate(Some(5), 2.0)];
        assert_eq!(choose(&faces, 1, 16), [1, 3, 2, 0]);
        assert_eq!(choose(&faces, 1, 2), [1, 3]);
        assert_eq!(choose(&faces, 4, 16), [1, 3, 2], "an interval spares the young");
    }

    #[test]
    fn every_face_has_its_turn() {
        let mut last = [None::<u64>; 10];
        for now in 0..40 {
            let faces: Vec<_> = last.iter().enumerate().map(|(i, last)| candidate(last.map(|last| now - last), i as f32)).collect();
            for index in choose(&faces, 1, 3) {
                last[index] = Some(now);
            }
            if now >= 4 {
                assert!(last.iter().all(|last| now - last.unwrap() <= 4), "ten faces at three a frame wait four frames: {last:?} at {now}");
            }
        }
    }
}
