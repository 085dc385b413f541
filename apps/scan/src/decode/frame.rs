// SPDX-License-Identifier: MIT OR Apache-2.0
//! A decoded frame.

use super::gate::Gate;
use super::groups::Distrust;

/// A decoded frame.
#[derive(Debug)]
pub struct Frame {
    /// The frame with its caps and segment.
    pub sample: gst::Sample,
    /// Position in the file, in nanoseconds.
    pub time_ns: u64,
    /// Whether it was decoded to be examined.
    pub chosen: Chosen,
}

/// Whether a frame was decoded to be examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// All frames are decoded, so the caller chooses.
    Undecided,
    /// It was decoded because another frame depends on it.
    No,
    /// It is to be examined; so many frames of the slice are before it.
    Yes(u64),
}

impl Frame {
    /// The frame of `sample` at `time_ns`, from the decoder behind `gate`.
    pub(super) fn new(sample: gst::Sample, time_ns: u64, gate: Option<&Gate>) -> Result<Self, Distrust> {
        let is_corrupted = sample.buffer().is_some_and(|buffer| buffer.flags().contains(gst::BufferFlags::CORRUPTED));
        let chosen = gate.map_or(Ok(Chosen::Undecided), |gate| gate.choice(time_ns, is_corrupted))?;
        Ok(Self { sample, time_ns, chosen })
    }
}
