// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two metrics of trackers: MOTA (Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the
//! CLEAR MOT metrics", 2008) and IDF1 (Ristani et al., "Performance measures and a data set for multi-target,
//! multi-camera tracking", 2016).

use std::collections::HashMap;

use emotion_core::geometry::Rect;

/// Minimum IoU at which a box matches a face.
const MIN_IOU: f32 = 0.5;

/// The boxes on one frame by id.
pub type Boxes = Vec<(u32, Rect)>;

/// Compares the output of a tracker with the ground truth, frame by frame.
#[derive(Debug, Default)]
pub struct Evaluation {
    faces: usize,
    boxes: usize,
    missed: usize,
    wrong: usize,
    switches: usize,
    /// The last track of each face.
    last: HashMap<u32, u32>,
    /// Number of frames on which a face and a track match.
    together: HashMap<(u32, u32), usize>,
}

impl Evaluation {
    /// Adds a frame: the visible faces, and the boxes of the tracker.
    pub fn add(&mut self, faces: &Boxes, boxes: &Boxes) {
        self.faces += faces.len();
        self.boxes += boxes.len();
        let mut pairs = Vec::new();
        for (f, (face, at)) in faces.iter().enumerate() {
            for (b, (track, found)) in boxes.iter().enumerate() {
                let iou = at.iou(*found);
                if iou >= MIN_IOU {
                    *self.together.entry((*face, *track)).or_default() += 1;
                    // A match of the previous frame is kept (Bernardin and Stiefelhagen, section 2.1.2).
                    pairs.push((self.last.get(face) == Some(track), iou, f, b));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
        let (mut with_box, mut with_face) = (vec![false; faces.len()], vec![false; boxes.len()]);
        for (_, _, f, b) in pairs {
            if !with_box[f] && !with_face[b] {
                (with_box[f], with_face[b]) = (true, true);
                let before = self.last.insert(faces[f].0, boxes[b].0);
                self.switches += usize::from(before.is_some_and(|before| before != boxes[b].0));
            }
        }
        self.missed += with_box.iter().filter(|matched| !**matched).count();
        self.wrong += with_face.iter().filter(|matched| !**matched).count();
    }

    /// 1 minus the number of misses, false positives and identity switches per face and frame.
    pub fn mota(&self) -> f64 {
        1.0 - (self.missed + self.wrong + self.switches) as f64 / self.faces as f64
    }

    /// The share of boxes with the right identity, if each face is assigned the one track that matches it best overall.
    pub fn idf1(&self) -> f64 {
        let number = |of: fn(&(u32, u32)) -> u32| {
            let mut ids: Vec<u32> = self.together.keys().map(of).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let (faces, tracks) = (number(|pair| pair.0), number(|pair| pair.1));
        let gains: Vec<Vec<usize>> = faces
            .iter()
            .map(|face| tracks.iter().map(|track| self.together.get(&(*face, *track)).copied().unwrap_or(0)).collect())
            .collect();
        2.0 * best_assignment(&gains) as f64 / (self.faces + self.boxes) as f64
    }
}

/// The maximum sum of gains if each row is assigned a different column: the Hungarian method with potentials,
/// with negative gains as costs.
fn best_assignment(gains: &[Vec<usize>]) -> usize {
    let (rows, columns) = (gains.len(), gains.first().map_or(0, Vec::len).max(gains.len()));
    let gain = |row: usize, column: usize| gains[row].get(column).map_or(0, |&gain| gain as i64);
    // One-based; column 0 holds the row that is being assigned.
    let (mut of_row, mut of_column) = (vec![0i64; rows + 1], vec![0i64; columns + 1]);
    let mut placed = vec![0; columns + 1];
    for row in 1..=rows {
        placed[0] = row;
        let (mut least, mut from, mut done) = (vec![i64::MAX; columns + 1], vec![0; columns + 1], vec![false; columns + 1]);
        let mut column = 0;
        while placed[column] != 0 {
            done[column] = true;
            let (current, mut step, mut next) = (placed[column], i64::MAX, 0);
            for other in (1..=columns).filter(|&other| !done[other]) {
                let cost = -gain(current - 1, other - 1) - of_row[current] - of_column[other];
                if cost < least[other] {
                    (least[other], from[other]) = (cost, column);
                }
                if least[other] < step {
                    (step, next) = (least[other], other);
                }
            }
            for other in 0..=columns {
                if done[other] {
                    of_row[placed[other]] += step;
                    of_column[other] -= step;
                } else if other > 0 {
                    least[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            placed[column] = placed[from[column]];
            column = from[column];
        }
    }
    (1..=columns).filter(|&column| placed[column] != 0).map(|column| gain(placed[column] - 1, column - 1) as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32) -> Rect {
        Rect::new(x, 0.0, 10.0, 10.0)
    }

    #[test]
    fn scores_match_hand_computed_sequences() {
        let mut perfect = Evaluation::default();
        (0..10).for_each(|_| perfect.add(&vec![(1, at(0.0)), (2, at(50.0))], &vec![(7, at(1.0)), (9, at(50.0))]));
        assert_eq!((perfect.mota(), perfect.idf1()), (1.0, 1.0));

        // Ten frames: one miss, one false positive, and another track from frame 6 on.
        let mut flawed = Evaluation::default();
        for frame in 0..10 {
            let boxes = match frame {
                2 => vec![],
                3 => vec![(1, at(0.0)), (2, at(90.0))],
                6.. => vec![(3, at(0.0))],
                _ => vec![(1, at(0.0))],
            };
            flawed.add(&vec![(1, at(0.0))], &boxes);
        }
        assert!((flawed.mota() - 0.7).abs() < 1e-9, "three errors on ten faces: {}", flawed.mota());
        assert!((flawed.idf1() - 2.0 * 5.0 / 20.0).abs() < 1e-9, "five of ten boxes have the best track: {}", flawed.idf1());
    }

    #[test]
    fn the_best_assignment_is_not_the_greedy_one() {
        assert_eq!(best_assignment(&[vec![10, 9], vec![9, 1]]), 18);
        assert_eq!(best_assignment(&[vec![1, 5, 2]]), 5);
        assert_eq!(best_assignment(&[vec![3], vec![4], vec![1]]), 4);
        assert_eq!(best_assignment(&[]), 0);
    }
}
