// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the shots of a video are turned, where no tag tells: as the faces are turned that are surest.

use std::ops::Range;

use emotion_core::image::turned::Turn;

use super::failure::Failure;
use super::look::{By, Eye, Find, TURNED, turn};
use super::reading::Shown;

/// Orientations besides upright.
const ORIENTATIONS: [Turn; 3] = [turn(90, false, 320), turn(-90, false, 320), turn(180, false, 320)];
/// One of so many frames of a shot is searched in them, from the first one on, and these frames too: what moves fast is soon gone. Once the
/// upright faces have this total confidence, no more are.
const EVERY: usize = 48;
const SOON: [usize; 2] = [8, 24];
const SURELY_UPRIGHT: f32 = 2.0;
/// A shot whose faces have less has the orientation of the whole video.
const CLEAR: f32 = 0.5;

/// How sure the faces are of some frames of a shot: their total confidence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shot {
    /// Its first frame.
    first: usize,
    upright: f32,
    /// In each of [`ORIENTATIONS`].
    turned: [f32; ORIENTATIONS.len()],
}

impl Shot {
    pub(super) fn beginning_at(first: usize) -> Self {
        Self { first, ..Self::default() }
    }

    /// Takes the faces of a frame, and searches some frames in each orientation.
    pub(super) fn look(&mut self, shown: &Shown, upright: &[Find], eye: &mut Eye) -> Result<(), Failure> {
        let number = shown.number - self.first;
        if self.upright >= SURELY_UPRIGHT || !number.is_multiple_of(EVERY) && !SOON.contains(&number) {
            return Ok(());
        }
        self.upright += total_confidence(upright);
        for (total, turn) in self.turned.iter_mut().zip(ORIENTATIONS) {
            let mut finds = Vec::new();
            eye.look_turned(By::EmotionFace, &shown.view, turn, TURNED, &mut finds)?;
            *total += total_confidence(&finds);
        }
        Ok(())
    }

    /// The orientation with the surest faces, `None` for upright, and how sure they are.
    fn surest(&self) -> (Option<Turn>, f32) {
        let turned = self.turned.into_iter().zip(ORIENTATIONS).map(|(total, turn)| (Some(turn), total));
        // Of equal ones, the last one counts: upright.
        turned.chain([(None, self.upright)]).max_by(|one, other| one.1.total_cmp(&other.1)).expect("four orientations")
    }
}

/// The shots that are not upright, by their first frames and those of the next shots.
pub(super) fn orientations(shots: &[Shot]) -> Vec<(Range<usize>, Turn)> {
    let video = shots.iter().fold(Shot::default(), |sum, shot| Shot {
        upright: sum.upright + shot.upright,
        turned: std::array::from_fn(|number| sum.turned[number] + shot.turned[number]),
        ..sum
    });
    let ends = shots.iter().skip(1).map(|shot| shot.first).chain([usize::MAX]);
    let turn = |shot: &Shot| Some(shot.surest()).filter(|(_, total)| *total >= CLEAR).unwrap_or(video.surest()).0;
    shots.iter().zip(ends).filter_map(|(shot, end)| Some((shot.first..end, turn(shot)?))).collect()
}

fn total_confidence(finds: &[Find]) -> f32 {
    finds.iter().map(|find| find.confidence).filter(|confidence| *confidence >= TURNED).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orientation_of_a_shot_is_that_with_the_surest_faces_or_that_of_the_video() {
        let shot = |first, upright, turned| Shot { first, upright, turned };
        let turned = |shots: &[Shot]| orientations(shots).into_iter().map(|(frames, turn)| (frames.start, turn)).collect::<Vec<_>>();
        assert_eq!(turned(&[shot(0, 1.5, [0.0, 0.3, 0.9])]), []);
        assert_eq!(turned(&[shot(0, 0.9, [0.0, 0.0, 0.9])]), []);
        let [sideways, _, upside_down] = ORIENTATIONS;
        let shots =
            [shot(0, 0.4, [0.0, 0.3, 0.9]), shot(30, 2.0, [0.0; 3]), shot(60, 0.0, [0.8, 0.0, 0.0]), shot(90, 0.2, [0.0, 0.3, 0.0])];
        assert_eq!(turned(&shots), [(0, upside_down), (60, sideways)]);
        assert_eq!(orientations(&shots)[0].0, 0..30);
        let shots = [shot(0, 0.0, [0.0, 0.0, 3.0]), shot(30, 0.2, [0.0, 0.0, 0.0])];
        assert_eq!(turned(&shots), [(0, upside_down), (30, upside_down)], "the faces of a shot may be too small to tell");
    }
}
