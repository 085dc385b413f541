// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much a mouth speaks. While it does, single frames look like surprise or happiness, so scores are averaged for longer.
//!
//! A mouth that speaks moves to and fro; one that begins to smile moves once and stays. The first must be smoothed for longer,
//! and the second must not. The measure is therefore how far the cells of the mouth's picture moved in the last half second,
//! less how far they got.

use std::time::Duration;

use crate::crops::face_change::{FacePicture, MOUTH_CELLS};

/// Half-life of the window in which movement counts, in seconds.
const WINDOW_S: f32 = 0.5;
/// Movement up to this is sensor noise, a head that moves, or a box that jitters.
const STILL: f32 = 0.4;
/// Half-life for a still mouth, in units of the one that is set.
const STILL_FACTOR: f32 = 0.55;
/// By how much a unit of movement lengthens it, in units of the half-life for a still mouth.
const SPEECH_GAIN: f32 = 1.5;
/// Maximum half-life for a mouth that speaks, in units of the one that is set.
const MAX_FACTOR: f32 = 3.0;

/// The movement of one mouth.
///
/// Three recordings of 43 s were scored by two networks, in 32 and 8 bits and with both priors. With 200 ms, there are 10.6 changes
/// of a label on average instead of the 14.4 of a half-life that is always the same, and those that last come 0.25 s late with both.
/// The sets differ: `expression-int8` has 10 changes instead of 15, 0.19 s late instead of 0.26, and `expression` 12 instead of 14,
/// 0.38 s late instead of 0.23.
#[derive(Clone, Debug)]
pub struct MouthMovement {
    /// Time of the newest picture.
    last: Duration,
    /// Mean distance that the cells moved, in units of the face's contrast.
    path: f32,
    /// How far each cell is from where it was.
    net: [f32; MOUTH_CELLS],
}

impl MouthMovement {
    /// A mouth that was seen once, at `now`.
    pub fn new(now: Duration) -> Self {
        Self { last: now, path: 0.0, net: [0.0; MOUTH_CELLS] }
    }

    /// Adds what changed from `before` to `after`, the picture of the frame at `now`. Without both pictures, or if the face looks
    /// unchanged, only time passes. A frame before the newest one is ignored.
    pub fn update(&mut self, pictures: Option<(&FacePicture, &FacePicture)>, now: Duration) {
        let Some(elapsed) = now.checked_sub(self.last) else { return };
        self.last = now;
        let remainder = 0.5f32.powf(elapsed.as_secs_f32() / WINDOW_S);
        self.path *= remainder;
        self.net.iter_mut().for_each(|net| *net *= remainder);
        let Some((before, after)) = pictures else { return };
        let contrast = after.contrast();
        for (net, (before, after)) in self.net.iter_mut().zip(before.mouth().zip(after.mouth())) {
            let step = (after - before) / contrast;
            *net += step;
            self.path += step.abs() / MOUTH_CELLS as f32;
        }
    }

    /// The half-life for the face's scores, given the one that is set: about half of it for a still mouth, up to three times as
    /// long for one that speaks.
    pub fn half_life(&self, set: Duration) -> Duration {
        set.mul_f32(self.factor())
    }

    /// How far the mouth does not speak: 1 for a still mouth, near 0 for one that speaks.
    pub fn calm(&self) -> f32 {
        STILL_FACTOR / self.factor()
    }

    fn factor(&self) -> f32 {
        let distance = self.net.iter().map(|net| net.abs()).sum::<f32>() / MOUTH_CELLS as f32;
        let spoken = (self.path - distance - STILL).max(0.0);
        (STILL_FACTOR * (1.0 + SPEECH_GAIN * spoken)).min(MAX_FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factor after two seconds of a mouth whose brightness at each time, in seconds, is `level` times the face's contrast.
    fn factor(level: impl Fn(f32) -> f32) -> f32 {
        let mut mouth = MouthMovement::new(Duration::ZERO);
        let picture = |frame: u32| FacePicture::with_mouth(100.0 * level(frame as f32 / 30.0));
        for frame in 1..=60 {
            mouth.update(Some((&picture(frame - 1), &picture(frame))), Duration::from_secs(1) * frame / 30);
        }
        mouth.factor()
    }

    #[test]
    fn only_a_mouth_that_moves_to_and_fro_speaks() {
        assert_eq!(factor(|_| 0.3), STILL_FACTOR, "a still mouth");
        assert_eq!(factor(|time| (time - 1.0).clamp(0.0, 0.5)), STILL_FACTOR, "a mouth that opens once, within half a second");
        let speaks = factor(|time| 0.4 * (std::f32::consts::TAU * 4.0 * time).sin());
        assert!((1.2..=MAX_FACTOR).contains(&speaks), "four syllables a second: {speaks}");
    }

    #[test]
    fn speech_is_forgotten_and_late_pictures_are_ignored() {
        let (open, shut) = (FacePicture::with_mouth(-60.0), FacePicture::with_mouth(20.0));
        let mut mouth = MouthMovement::new(Duration::ZERO);
        for frame in 1..=20 {
            let pictures = if frame % 2 == 0 { (&open, &shut) } else { (&shut, &open) };
            mouth.update(Some(pictures), Duration::from_millis(40) * frame);
        }
        assert_eq!(mouth.factor(), MAX_FACTOR);
        let speaking = mouth.clone();
        mouth.update(Some((&open, &shut)), Duration::from_millis(100));
        assert_eq!((mouth.path, mouth.last), (speaking.path, speaking.last));
        mouth.update(None, Duration::from_secs(6));
        assert_eq!(mouth.factor(), STILL_FACTOR);
    }
}
