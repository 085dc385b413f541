// SPDX-License-Identifier: MIT OR Apache-2.0
//! The 52 blendshapes: how far each movement of a face is activated, with ARKit's names in alphabetical order.

use std::sync::LazyLock;

/// Number of blendshapes.
pub const COUNT: usize = 52;

/// The names, in the order of the values. `Left` and `Right` are the person's own.
pub const BLENDSHAPES: [&str; COUNT] = [
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
];

/// For each blendshape, the one of the other side of the face; its own index if it has no side.
static COUNTERPARTS: LazyLock<[usize; COUNT]> = LazyLock::new(|| {
    BLENDSHAPES.map(|name| {
        let stem = name.strip_suffix("Left").map(|stem| (stem, "Right")).or_else(|| name.strip_suffix("Right").map(|stem| (stem, "Left")));
        stem.and_then(|(stem, side)| index(&format!("{stem}{side}"))).or_else(|| index(name)).expect("every name is in the table")
    })
});

/// The index of a blendshape by its name.
pub fn index(name: &str) -> Option<usize> {
    BLENDSHAPES.iter().position(|known| *known == name)
}

/// The activation of each blendshape, 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blendshapes(pub [f32; COUNT]);

impl Default for Blendshapes {
    /// A face at rest.
    fn default() -> Self {
        Self([0.0; COUNT])
    }
}

impl Blendshapes {
    /// The activation of `name`; none if there is no such blendshape.
    pub fn get(&self, name: &str) -> Option<f32> {
        index(name).map(|index| self.0[index])
    }

    /// Names and activations, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f32)> {
        BLENDSHAPES.into_iter().zip(self.0)
    }

    /// The activations in a mirrored picture: left and right are exchanged.
    pub fn mirrored(self) -> Self {
        Self(COUNTERPARTS.map(|index| self.0[index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_every_side_has_its_counterpart() {
        assert!(BLENDSHAPES.is_sorted());
        let sided = BLENDSHAPES.iter().filter(|name| name.ends_with("Left") || name.ends_with("Right")).count();
        let changed = COUNTERPARTS.iter().enumerate().filter(|(own, other)| own != *other).count();
        assert_eq!((sided, changed), (40, 40));
        assert_eq!(COUNTERPARTS[index("jawLeft").unwrap()], index("jawRight").unwrap());
    }
}
