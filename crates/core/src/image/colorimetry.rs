// SPDX-License-Identifier: MIT OR Apache-2.0
//! Colorimetry: the range of the samples, the matrix that relates Y, U, V to R, G, B, and the dynamic range.

/// Sample values of black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// 0 is black, 255 is white.
    #[default]
    Full,
    /// 16 is black, 235 is white, chroma spans 16..240 ("video" or "studio" range).
    Limited,
}

/// The matrix that computes Y, U, V from R, G, B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601.
    #[default]
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

impl Matrix {
    /// The weights of red and blue in luma, Kr and Kb. The rest of the matrix follows from them: the three weights sum
    /// to 1, so green weighs 1 - Kr - Kb.
    pub const fn red_blue(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}

/// How samples relate to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// Standard dynamic range.
    #[default]
    Sdr,
    /// Perceptual quantiser (SMPTE ST 2084), as in HDR10 and Dolby Vision.
    Pq,
    /// Hybrid log-gamma (ARIB STD-B67).
    Hlg,
}

/// Range, matrix and transfer of a picture. RGB formats ignore range and matrix: their samples are full range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colorimetry {
    /// Range of the samples.
    pub range: Range,
    /// Matrix of Y, U and V.
    pub matrix: Matrix,
    /// Standard or high dynamic range.
    pub transfer: Transfer,
}
