// SPDX-License-Identifier: MIT OR Apache-2.0
//! Detection of dissolves: one shot fades out while the next one fades in.
//!
//! The samples of a frame in a dissolve are a mixture of those before and behind it. A camera that moves also makes frames that differ
//! as at a cut after a second, but those between are no mixtures, or have more contrast than a mixture.

use std::collections::VecDeque;
use std::time::Duration;

use super::samples::{SAMPLES, difference};

/// A dissolve that takes longer is not detected.
const LONGEST: Duration = Duration::from_secs(1);
/// Frames that follow each other faster are left out.
const STEP: Duration = Duration::from_millis(40);
/// Maximum energy of what is no mixture, as a share of that of the change.
const MAX_RESIDUE: f32 = 0.1;
/// Maximum contrast of a frame, as a multiple of that of the mixture. Halfway between two pictures without a correlation, a mixture
/// has half of their contrast.
const MAX_CONTRAST: f32 = 1.15;
/// A frame with a share between these of the next shot shows that the one fades into the other.
const MIXED: std::ops::Range<f32> = 0.2..0.8;

/// The samples of the frames of the last second.
#[derive(Clone, Debug, Default)]
pub(super) struct DissolveDetector {
    history: VecDeque<(Duration, [u8; SAMPLES])>,
}

impl DissolveDetector {
    /// True if the frame with these samples, at `now`, shows the next shot, into which an earlier one has dissolved.
    pub(super) fn observe(&mut self, samples: &[u8; SAMPLES], now: Duration) -> bool {
        match self.history.back() {
            Some((last, _)) if now < *last => self.history.clear(),
            Some((last, _)) if now - *last < STEP => return false,
            _ => {}
        }
        self.history.push_back((now, *samples));
        while self.history.front().is_some_and(|(time, _)| now - *time > LONGEST) {
            self.history.pop_front();
        }
        let last = self.history.len() - 1;
        // The two frames between are a third and two thirds of the way.
        let is_found = (3..=last).step_by(2).any(|steps| self.is_dissolve(last - steps, last));
        if is_found {
            self.reset();
        }
        is_found
    }

    /// Forgets all frames.
    pub(super) fn reset(&mut self) {
        self.history.clear();
    }

    fn is_dissolve(&self, from: usize, to: usize) -> bool {
        let samples = |at: usize| &self.history[at].1;
        let between = [from + (to - from) / 3, from + (to - from) * 2 / 3];
        difference(samples(from), samples(to)).is_cut() && {
            let [first, second] = between.map(|at| share(samples(from), samples(at), samples(to)));
            first.zip(second).is_some_and(|(first, second)| first < second && (MIXED.contains(&first) || MIXED.contains(&second)))
        }
    }
}

/// The share of picture `b` in `between`, if this is a mixture of `a` and `b`.
fn share(a: &[u8; SAMPLES], between: &[u8; SAMPLES], b: &[u8; SAMPLES]) -> Option<f32> {
    let n = SAMPLES as f32;
    let triples = || a.iter().zip(between).zip(b).map(|((&a, &between), &b)| (f32::from(a), f32::from(between), f32::from(b)));
    let (change, along) =
        triples().fold((0.0, 0.0), |(change, along), (a, between, b)| (change + (b - a) * (b - a), along + (between - a) * (b - a)));
    let share = along / change;
    // Sums of the residue, and of the samples and their squares.
    let sums = triples().fold([0.0; 5], |sums, (a, between, b)| {
        let mixture = a + share * (b - a);
        let terms = [(between - mixture).powi(2), between, between * between, mixture, mixture * mixture];
        std::array::from_fn(|index| sums[index] + terms[index])
    });
    let contrast = |sum: f32, squares: f32| squares - sum * sum / n;
    // A grey level of noise in each sample.
    let (found, expected) = (contrast(sums[1], sums[2]), contrast(sums[3], sums[4]) + n);
    (sums[0] <= MAX_RESIDUE * change && found <= MAX_CONTRAST * expected).then_some(share)
}
