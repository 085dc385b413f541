// SPDX-License-Identifier: MIT OR Apache-2.0
//! Smoothing of landmarks, pose and blendshapes over time.
//!
//! As in the 1 € filter (Casiez, Roussel and Vogel, 2012), little movement is averaged for long and much movement is not averaged.
//! Movement is measured as the distance from the mean rather than as a speed. A value farther from it than noise explains
//! is followed at once, so a face that moves lags by no more than the noise at any frame rate.

use std::time::Duration;

use super::estimator::Estimate;
use crate::face_geometry::{Blendshapes, HeadPose, Landmarks70};
use crate::geometry::Point;

/// Distance of a landmark from its mean up to which it is noise, in units of the distance between the eyes.
const LANDMARK_NOISE: f32 = 0.01;
/// The same in pixels of the frame, for small faces.
const LANDMARK_NOISE_PX: f32 = 0.3;
/// Difference of an angle up to which it is noise, in degrees.
const ANGLE_NOISE: f32 = 1.0;
/// Difference of a blendshape up to which it is noise.
const BLENDSHAPE_NOISE: f32 = 0.03;
/// Distance from the mean at which a value is followed at once, in units of the noise.
const FOLLOW_AT: f32 = 3.0;

/// The mean of `last` and the estimate `new` of a frame that is `elapsed` later. The weight of a still face's estimate halves with
/// each `half_life`; with zero, the mean is `new`.
pub fn smooth(last: &Estimate, new: &Estimate, elapsed: Duration, half_life: Duration) -> Estimate {
    if half_life.is_zero() {
        return *new;
    }
    let still = 1.0 - 0.5f32.powf(elapsed.as_secs_f32() / half_life.as_secs_f32());
    let noise_px = LANDMARK_NOISE_PX.max(LANDMARK_NOISE * new.landmarks.eye_distance());
    Estimate {
        landmarks: Landmarks70(std::array::from_fn(|index| point(last.landmarks.0[index], new.landmarks.0[index], still, noise_px))),
        pose: pose(last.pose, new.pose, still),
        blendshapes: Blendshapes(std::array::from_fn(|index| {
            number(last.blendshapes.0[index], new.blendshapes.0[index], still, BLENDSHAPE_NOISE)
        })),
        trust: new.trust,
    }
}

fn pose(last: HeadPose, new: HeadPose, still: f32) -> HeadPose {
    let angle = |last: f32, new: f32| number(last, new, still, ANGLE_NOISE);
    HeadPose { yaw: angle(last.yaw, new.yaw), pitch: angle(last.pitch, new.pitch), roll: angle(last.roll, new.roll) }
}

fn point(last: Point, new: Point, still: f32, noise: f32) -> Point {
    let weight = weight(last.distance(new), still, noise);
    Point::new(last.x + weight * (new.x - last.x), last.y + weight * (new.y - last.y))
}

fn number(last: f32, new: f32, still: f32, noise: f32) -> f32 {
    last + weight((new - last).abs(), still, noise) * (new - last)
}

/// Weight of a new value at this `distance` from the mean: that of a still face within the noise, 1 from [`FOLLOW_AT`] on.
fn weight(distance: f32, still: f32, noise: f32) -> f32 {
    let movement = ((distance - noise) / ((FOLLOW_AT - 1.0) * noise)).clamp(0.0, 1.0);
    still + movement * (1.0 - still)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);
    const HALF_LIFE: Duration = Duration::from_millis(100);

    /// A face 100 pixels between the eyes at this offset.
    fn face(dx: f32, yaw: f32, jaw_open: f32) -> Estimate {
        let landmarks = Landmarks70(std::array::from_fn(|n| Point::new(200.0 + dx + 100.0 * (n as f32 - 36.0) / 9.0, 100.0)));
        let mut blendshapes = Blendshapes::default();
        blendshapes.0[24] = jaw_open;
        Estimate { landmarks, pose: HeadPose { yaw, pitch: 0.0, roll: 0.0 }, blendshapes, trust: 1.0 }
    }

    /// Normally distributed numbers of variance 1, from a fixed seed.
    fn noise() -> impl Iterator<Item = f32> {
        let mut state = 1_u32;
        std::iter::repeat_with(move || {
            let uniform = (0..12).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32
            });
            uniform.sum::<f32>() - 6.0
        })
    }

    fn deviation(values: &[f32]) -> f32 {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt()
    }

    #[test]
    fn the_jitter_of_a_still_face_is_at_most_a_third_of_a_percent_of_the_eye_distance() {
        let raw: Vec<f32> = noise().take(600).map(|noise| 0.6 * noise).collect();
        let mut shown = face(raw[0], 0.0, 0.0);
        let smoothed: Vec<f32> = raw
            .iter()
            .map(|&dx| {
                shown = smooth(&shown, &face(dx, 0.0, 0.0), FRAME, HALF_LIFE);
                shown.landmarks.0[0].x
            })
            .collect();
        let (before, after) = (deviation(&raw), deviation(&smoothed));
        assert!(before > 0.55 && after < 0.3, "{before} % becomes {after} %");
    }

    #[test]
    fn a_movement_is_followed_within_a_frame() {
        let (before, after) = (face(0.0, 0.0, 0.0), face(10.0, 15.0, 0.8));
        let shown = smooth(&before, &after, FRAME, HALF_LIFE);
        assert_eq!(shown, after, "a step");
        // A head that turns steadily: 20 % of the eye distance and 30 degrees in a second.
        let mut shown = before;
        for frame in 1..30_u8 {
            let time = f32::from(frame) * FRAME.as_secs_f32();
            let new = face(20.0 * time, 30.0 * time, 0.0);
            shown = smooth(&shown, &new, FRAME, HALF_LIFE);
            let (behind_px, behind) = (new.landmarks.0[0].x - shown.landmarks.0[0].x, new.pose.yaw - shown.pose.yaw);
            assert!(behind_px < 1.6 && behind < 2.0, "{behind_px} px, {behind} degrees at frame {frame}");
        }
    }

    #[test]
    fn smoothing_depends_on_time_rather_than_on_frames_and_is_off_with_zero() {
        let (before, after) = (face(0.0, 0.0, 0.0), face(0.5, 0.5, 0.01));
        let in_steps = (0..10).fold(before, |shown, _| smooth(&shown, &after, HALF_LIFE / 10, HALF_LIFE));
        let at_once = smooth(&before, &after, HALF_LIFE, HALF_LIFE);
        assert!((in_steps.pose.yaw - 0.25).abs() < 1e-3 && (at_once.pose.yaw - 0.25).abs() < 1e-3);
        assert_eq!(smooth(&before, &after, FRAME, Duration::ZERO), after);
    }
}
