// SPDX-License-Identifier: MIT OR Apache-2.0
//! Detection of scene cuts. After a cut, the faces of the previous frame say nothing about the current one.

use std::time::Duration;

use super::dissolve::DissolveDetector;
use super::samples::{SAMPLES, difference, sample};
use crate::image::FrameView;

/// Detects scene cuts and dissolves. It reads only 576 pixels of each frame.
#[derive(Clone, Debug)]
pub struct CutDetector {
    /// Samples of the previous frame.
    last: [u8; SAMPLES],
    /// False before the first frame.
    has_last: bool,
    dissolves: DissolveDetector,
}

impl Default for CutDetector {
    fn default() -> Self {
        Self { last: [0; SAMPLES], has_last: false, dissolves: DissolveDetector::default() }
    }
}

impl CutDetector {
    /// True if there is a cut between the previous frame and `view`. Never true for the first frame.
    pub fn observe(&mut self, view: &FrameView) -> bool {
        let samples = sample(view);
        let is_cut = difference(&self.last, &samples).is_cut();
        self.last = samples;
        std::mem::replace(&mut self.has_last, true) && is_cut
    }

    /// True if there is a cut between the previous frame and `view`, or a dissolve ends with it, which is at `now`.
    pub fn observe_at(&mut self, view: &FrameView, now: Duration) -> bool {
        let is_cut = self.observe(view);
        if is_cut {
            self.dissolves.reset();
        }
        self.dissolves.observe(&self.last, now) || is_cut
    }

    /// Treats the next frame as the first one, for example after a seek or a change of size.
    pub fn reset(&mut self) {
        self.has_last = false;
        self.dissolves.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::image::{Colorimetry, PixelFormat, Plane};

    const SIZE: Size = Size::new(320, 180);

    /// An RGB picture of waves; their position depends on `seed`.
    fn picture(seed: f32, shift: f32, gain: f32) -> Vec<u8> {
        let pixels = (0..SIZE.width * SIZE.height).map(|n| ((n % SIZE.width) as f32 + shift, (n / SIZE.width) as f32));
        let luma =
            pixels.map(|(x, y)| 90.0 + 20.0 * seed + 60.0 * (x / (40.0 + 13.0 * seed) + seed).sin() * (y / (30.0 + 9.0 * seed)).cos());
        luma.flat_map(|luma| [(luma * gain) as u8; 3]).collect()
    }

    fn observe(cuts: &mut CutDetector, rgb: &[u8]) -> bool {
        let plane = Plane { data: rgb, stride: SIZE.width as usize * 3 };
        cuts.observe(&FrameView::new(PixelFormat::Rgb, SIZE, &[plane], Colorimetry::default()).unwrap())
    }

    #[test]
    fn a_cut_is_detected_once_and_never_on_the_first_frame() {
        let mut cuts = CutDetector::default();
        let found = [1.0, 1.0, 3.0, 3.0, 1.0].map(|seed| observe(&mut cuts, &picture(seed, 0.0, 1.0)));
        assert_eq!(found, [false, false, true, false, true]);
        cuts.reset();
        assert!(!observe(&mut cuts, &picture(3.0, 0.0, 1.0)), "after a reset there is no previous frame");
    }

    #[test]
    fn motion_and_flashes_are_no_cuts() {
        let mut cuts = CutDetector::default();
        for step in 0..20 {
            assert!(!observe(&mut cuts, &picture(1.0, 12.0 * step as f32, 1.0)), "moved at step {step}");
        }
        for gain in [0.4, 1.4, 0.7] {
            assert!(!observe(&mut cuts, &picture(1.0, 12.0 * 19.0, gain)), "a change of brightness by {gain}");
        }
    }

    #[test]
    fn black_frames_between_two_scenes_are_separated_by_cuts() {
        let mut cuts = CutDetector::default();
        let black = vec![0; (SIZE.width * SIZE.height * 3) as usize];
        let pictures = [picture(1.0, 0.0, 1.0), black.clone(), black, picture(1.0, 0.0, 1.0)];
        assert_eq!(pictures.map(|rgb| observe(&mut cuts, &rgb)), [false, true, false, true]);
    }

    /// The numbers of the frames, 25 a second, at which a cut or a dissolve is found.
    fn found(pictures: impl IntoIterator<Item = Vec<u8>>) -> Vec<usize> {
        let mut cuts = CutDetector::default();
        let mut is_cut = |(number, rgb): (usize, Vec<u8>)| {
            let plane = Plane { data: &rgb, stride: SIZE.width as usize * 3 };
            let view = FrameView::new(PixelFormat::Rgb, SIZE, &[plane], Colorimetry::default()).unwrap();
            cuts.observe_at(&view, Duration::from_millis(40 * number as u64)).then_some(number)
        };
        pictures.into_iter().enumerate().filter_map(&mut is_cut).collect()
    }

    fn mixture(a: &[u8], b: &[u8], share: f32) -> Vec<u8> {
        a.iter().zip(b).map(|(a, b)| (f32::from(*a) + (f32::from(*b) - f32::from(*a)) * share) as u8).collect()
    }

    #[test]
    fn a_dissolve_is_one_cut_while_the_next_shot_prevails() {
        for frames in [5, 10, 20] {
            let shots = |number: usize| [1.0, 3.0].map(|seed| picture(seed, 2.0 * number as f32, 1.0));
            let film = (0..60).map(|number| {
                let [a, b] = shots(number);
                mixture(&a, &b, (number as f32 - 20.0).clamp(0.0, frames as f32) / frames as f32)
            });
            let found = found(film);
            assert!(found.len() == 1 && (20 + frames / 2..=21 + frames).contains(&found[0]), "{frames} frames: {found:?}");
        }
    }

    #[test]
    fn motion_and_changes_of_light_are_no_dissolves() {
        for speed in [1.0, 4.0, 12.0, 30.0] {
            assert!(found((0..60).map(|number| picture(1.0, speed * number as f32, 1.0))).is_empty(), "{speed} pixels a frame");
        }
        assert!(found((0..60).map(|number| picture(1.0, 0.0, 0.3 + 0.012 * number as f32))).is_empty());
        let hard = (0..40).map(|number| picture(if number < 20 { 1.0 } else { 3.0 }, 0.0, 1.0));
        assert_eq!(found(hard), [20], "a cut is found once");
    }
}
