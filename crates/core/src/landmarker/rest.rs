// SPDX-License-Identifier: MIT OR Apache-2.0
//! The blendshapes of a face at rest: whose mouth points down or whose brows are low gets zeros for them.
//!
//! A shape at rest is low for most of the time. Its zero follows the values that are not an expression, quickly down and slowly up, to
//! where a fifth of them are below it. It belongs to a track and ends with it.

use std::sync::LazyLock;
use std::time::Duration;

use crate::face_geometry::Blendshapes;
use crate::face_geometry::blendshapes::{BLENDSHAPES, COUNT};

/// By how much a zero rises in a second.
const RISE: f32 = 0.02;
/// By how much it falls.
const FALL: f32 = 0.08;
/// Values above this are an expression.
const MAX_REST: f32 = 0.35;
/// Maximum zero of a face that is said to be at rest.
const MAX_CALIBRATED: f32 = 0.8;
/// Maximum time that one observation counts for, in seconds.
const MAX_STEP_S: f32 = 1.0;

/// True for the blendshapes of mouth and brows.
static HAS_REST: LazyLock<[bool; COUNT]> = LazyLock::new(|| BLENDSHAPES.map(|name| name.starts_with("mouth") || name.starts_with("brow")));

/// What the blendshapes of one face are at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct RestingShapes {
    zeros: Blendshapes,
    /// Time of the newest observation.
    last: Duration,
}

impl RestingShapes {
    /// Those of a face of which nothing is known at `now`: 0.
    pub fn new(now: Duration) -> Self {
        Self { zeros: Blendshapes::default(), last: now }
    }

    /// Adds the blendshapes of the frame at `now`.
    pub fn observe(&mut self, shapes: &Blendshapes, now: Duration) {
        let elapsed = now.saturating_sub(self.last).as_secs_f32().min(MAX_STEP_S);
        self.last = self.last.max(now);
        for (zero, value) in self.of_rest(shapes) {
            if value < *zero {
                *zero = (*zero - FALL * elapsed).max(value);
            } else if value <= MAX_REST {
                *zero = (*zero + RISE * elapsed).min(value);
            }
        }
    }

    /// Takes a face with these blendshapes for one at rest.
    pub fn calibrate(&mut self, shapes: &Blendshapes) {
        self.of_rest(shapes).for_each(|(zero, value)| *zero = value.min(MAX_CALIBRATED));
    }

    /// The blendshapes relative to the face at rest, 0..1.
    pub fn relative(&self, shapes: &Blendshapes) -> Blendshapes {
        Blendshapes(std::array::from_fn(|index| ((shapes.0[index] - self.zeros.0[index]) / (1.0 - self.zeros.0[index])).max(0.0)))
    }

    /// Zero and value of each blendshape that has a zero.
    fn of_rest<'a>(&'a mut self, shapes: &'a Blendshapes) -> impl Iterator<Item = (&'a mut f32, f32)> {
        self.zeros.0.iter_mut().zip(shapes.0).zip(*HAS_REST).filter_map(|(pair, has_rest)| has_rest.then_some(pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Blendshapes with these activations of a frown, the jaw and a smile.
    fn shapes([frown, jaw, smile]: [f32; 3]) -> Blendshapes {
        let mut shapes = Blendshapes::default();
        for (name, value) in [("mouthFrownLeft", frown), ("jawOpen", jaw), ("mouthSmileLeft", smile)] {
            shapes.0[BLENDSHAPES.iter().position(|known| *known == name).unwrap()] = value;
        }
        shapes
    }

    /// What is shown of a face after these, each of which is seen for so many seconds.
    fn shown(seen: &[([f32; 3], u32)], now: [f32; 3]) -> [f32; 3] {
        let (mut resting, mut frame) = (RestingShapes::new(Duration::ZERO), 0);
        for (values, seconds) in seen {
            for _ in 0..seconds * 25 {
                frame += 1;
                resting.observe(&shapes(*values), Duration::from_millis(40) * frame);
            }
        }
        let relative = resting.relative(&shapes(now));
        ["mouthFrownLeft", "jawOpen", "mouthSmileLeft"].map(|name| relative.get(name).unwrap())
    }

    #[test]
    fn the_resting_mouth_becomes_zero_and_an_expression_stays() {
        let resting = [0.3, 0.2, 0.05];
        assert_eq!(shown(&[(resting, 20)], resting), [0.0, 0.2, 0.0]);
        let [frown, _, smile] = shown(&[(resting, 20)], [1.0, 0.0, 0.8]);
        assert!(frown == 1.0 && smile > 0.78, "{frown}, {smile}");
    }

    #[test]
    fn a_laugh_of_a_minute_is_no_rest() {
        assert_eq!(shown(&[([0.0, 0.5, 0.8], 60)], [0.0, 0.5, 0.8]), [0.0, 0.5, 0.8]);
    }

    #[test]
    fn a_calibrated_face_is_at_zero_at_once() {
        let mut resting = RestingShapes::new(Duration::ZERO);
        resting.calibrate(&shapes([0.6, 0.3, 1.0]));
        let relative = resting.relative(&shapes([0.6, 0.3, 1.0]));
        assert_eq!(["mouthFrownLeft", "jawOpen", "mouthSmileLeft"].map(|name| relative.get(name).unwrap()), [0.0, 0.3, 1.0]);
    }

    proptest! {
        #[test]
        fn relative_shapes_are_in_their_range(
            steps in prop::collection::vec((0.0f32..=1.0, 0.0f32..=1.0, 0u64..3_000, any::<bool>()), 1..60)
        ) {
            let (mut resting, mut now) = (RestingShapes::new(Duration::ZERO), Duration::ZERO);
            for (frown, smile, millis, is_calibrated) in steps {
                let shapes = shapes([frown, 0.5, smile]);
                now += Duration::from_millis(millis);
                resting.observe(&shapes, now);
                if is_calibrated {
                    resting.calibrate(&shapes);
                }
                prop_assert!(resting.relative(&shapes).0.iter().all(|value| (0.0..=1.0).contains(value)));
            }
        }
    }
}
