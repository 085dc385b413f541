// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the faces of each shot are turned, where no tag tells. Somebody may lie in a shot in which others stand.

use std::ops::Range;

use emotion_core::image::turned::Turn;

use super::failure::Failure;
use super::look::{By, Eye, Find, THRESHOLD, TURNED, turn};
use super::photo::SAME_IOU;
use super::reading::Shown;

/// Orientations besides upright. The first frame of a shot is searched at more pixels, for small faces.
const ORIENTATIONS: [Turn; 3] = [turn(90, false, 320), turn(-90, false, 320), turn(180, false, 320)];
const OF_FIRST: u32 = 640;
/// One of so many frames of a shot is searched in them, from the first one on, and these frames too: what moves fast is soon gone. Once the
/// upright faces have this total confidence, no more are.
const EVERY: usize = 48;
const SOON: [usize; 2] = [8, 24];
const SURELY_UPRIGHT: f32 = 2.0;
/// What counts as a face has this confidence. That of a turned one is the mean of two, of the frame and of its mirror image.
const COUNTS: f32 = 0.42;
/// A shot whose faces have less is also searched as most faces of the whole video are turned.
const CLEAR: f32 = 0.5;
/// The centres of finds of one face are closer than this share of the longest side.
const NEAR: f32 = 0.5;

/// How the faces of a shot are turned, by some frames of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shot {
    /// Its first frame.
    first: usize,
    /// Total confidence of the faces that are surest upright, and in each of [`ORIENTATIONS`].
    totals: [f32; 1 + ORIENTATIONS.len()],
}

impl Shot {
    pub(super) fn beginning_at(first: usize) -> Self {
        Self { first, ..Self::default() }
    }

    /// Takes the faces of a frame, and searches some frames in each orientation.
    pub(super) fn look(&mut self, shown: &Shown, upright: &[Find], eye: &mut Eye) -> Result<(), Failure> {
        let number = shown.number - self.first;
        if self.totals[0] >= SURELY_UPRIGHT || !number.is_multiple_of(EVERY) && !SOON.contains(&number) {
            return Ok(());
        }
        let mut found = vec![upright.to_vec()];
        for turn in ORIENTATIONS {
            let turn = Turn { longer_side: if number == 0 { OF_FIRST } else { turn.longer_side }, ..turn };
            let (mut finds, mut mirrored) = (Vec::new(), Vec::new());
            eye.look_turned(By::EmotionFace, &shown.view, turn, TURNED, &mut finds)?;
            if !finds.is_empty() {
                eye.look_turned(By::EmotionFace, &shown.view, Turn { mirrored: true, ..turn }, THRESHOLD, &mut mirrored)?;
            }
            found.push(finds.into_iter().map(|find| seen_twice(find, &mirrored)).collect());
        }
        self.add(&found);
        Ok(())
    }

    /// Adds the faces of a frame, as they were found in each orientation.
    fn add(&mut self, found: &[Vec<Find>]) {
        let is_surest = |find: &&Find| found.iter().flatten().all(|other| other.confidence <= find.confidence || !is_near(other, find));
        for (total, finds) in self.totals.iter_mut().zip(found) {
            *total += finds.iter().filter(is_surest).map(|find| find.confidence).filter(|confidence| *confidence >= COUNTS).sum::<f32>();
        }
    }
}

/// A find with the mean of its confidence and of that in the mirror image.
fn seen_twice(find: Find, mirrored: &[Find]) -> Find {
    let same = mirrored.iter().filter(|other| other.rect.iou(find.rect) > SAME_IOU).map(|other| other.confidence);
    Find { confidence: f32::midpoint(find.confidence, same.fold(0.0, f32::max)), ..find }
}

/// True if two finds may be one face. A head that is upright may also be found turned, with another box.
fn is_near(one: &Find, other: &Find) -> bool {
    let side = [one, other].iter().map(|find| find.rect.w.max(find.rect.h)).fold(0.0, f32::max);
    one.rect.center().distance(other.rect.center()) < NEAR * side
}

/// The shots in which faces are turned: their first frames and those of the next shots, and a turn.
pub(super) fn orientations(shots: &[Shot]) -> Vec<(Range<usize>, Turn)> {
    let of_video: [f32; 1 + ORIENTATIONS.len()] = std::array::from_fn(|number| shots.iter().map(|shot| shot.totals[number]).sum());
    // Of equal ones, the first one counts: upright.
    let surest = (0..of_video.len()).rev().max_by(|one, other| of_video[*one].total_cmp(&of_video[*other])).unwrap_or(0);
    let ends = shots.iter().skip(1).map(|shot| shot.first).chain([usize::MAX]);
    let turned = |(shot, end): (&Shot, usize)| {
        let (first, totals) = (shot.first, shot.totals);
        let is_clear = totals.into_iter().any(|total| total >= CLEAR);
        let numbers = (1..totals.len()).filter(move |&number| totals[number] > 0.0 || number == surest && !is_clear);
        numbers.map(move |number| (first..end, ORIENTATIONS[number - 1]))
    };
    shots.iter().zip(ends).flat_map(turned).collect()
}

#[cfg(test)]
mod tests {
    use emotion_core::geometry::Rect;

    use super::*;

    fn find(x: f32, confidence: f32) -> Find {
        Find { rect: Rect::new(x, 0.4, 0.1, 0.2), confidence }
    }

    #[test]
    fn a_face_counts_in_the_orientation_in_which_it_is_surest() {
        let mut shot = Shot::beginning_at(0);
        shot.add(&[
            vec![find(0.1, 0.9), find(0.7, 0.15)],
            vec![find(0.12, 0.6)],
            vec![find(0.66, 0.5), find(0.4, 0.45)],
            vec![find(0.4, 0.4), find(0.9, 0.4)],
        ]);
        assert_eq!(shot.totals, [0.9, 0.0, 0.95, 0.0]);
    }

    #[test]
    fn a_turned_face_is_one_in_the_mirror_image_too() {
        let mirrored = [find(0.11, 0.6), find(0.1, 0.4), find(0.3, 0.9)];
        assert_eq!([0.1, 0.6].map(|x| seen_twice(find(x, 0.5), &mirrored).confidence), [0.55, 0.25]);
    }

    #[test]
    fn a_shot_is_searched_as_each_of_its_faces_is_turned_or_as_those_of_the_video_are() {
        let shot = |first, totals| Shot { first, totals };
        let turned = |shots: &[Shot]| orientations(shots).into_iter().map(|(frames, turn)| (frames.start, turn)).collect::<Vec<_>>();
        let [sideways, other, upside_down] = ORIENTATIONS;
        assert_eq!(turned(&[shot(0, [1.5, 0.0, 0.0, 0.0])]), []);
        assert_eq!(turned(&[shot(0, [1.5, 0.3, 0.0, 0.9])]), [(0, sideways), (0, upside_down)]);
        let shots = [shot(0, [0.0, 0.0, 0.0, 3.0]), shot(30, [0.8, 0.0, 0.0, 0.0]), shot(60, [0.2, 0.0, 0.3, 0.0])];
        assert_eq!(turned(&shots), [(0, upside_down), (60, other), (60, upside_down)], "the faces of a shot may be too small to tell");
        assert_eq!(orientations(&shots)[0].0, 0..30);
    }
}
