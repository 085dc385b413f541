// SPDX-License-Identifier: MIT OR Apache-2.0
//! Goes to a part of the file: by a seek, or where seeks would change the times of frames, by skipping those before it.

use gst::prelude::*;

use super::{Decoder, POLL, Result};
use crate::decode::failure::Failure;
use crate::decode::frame::{Part, Range};
use crate::decode::timeline::{Timeline, position};
use crate::sampling::ROUNDING_NS;

impl Decoder {
    /// Position in the stream of time 0, if the file is read from its beginning because seeks would change the times of its frames.
    pub fn origin_ns(&self) -> Option<u64> {
        self.origin_ns.filter(|_| !self.may_seek)
    }

    /// Finds out, at the beginning of the file, whether a frame has the same time after a seek as without one. The first frame is
    /// that of the file afterwards.
    pub fn check_seeks(&mut self) -> Result<()> {
        if self.may_seek && self.file.is_some() {
            let first = self.preroll_position();
            self.may_seek = matches!(self.continue_at(Part::default()), Ok(()) | Err(Failure::NoSeek(_)))
                && match (self.preroll_position(), first) {
                    (Some(again), Some(first)) => again.abs_diff(first) <= ROUNDING_NS,
                    (again, first) => again == first,
                };
            if !self.may_seek {
                return self.reopen(self.sampling);
            }
        }
        Ok(())
    }

    /// The keyframe at or before `time_ns`; `None` if the file cannot seek there.
    pub fn keyframe_before(&mut self, time_ns: u64) -> Result<Option<u64>> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        self.plan(None);
        Ok(if self.may_seek && self.seek(flags, time_ns)? { self.preroll_position() } else { None })
    }

    /// Position of the next frame in the stream, before any was taken; `None` if an edit shows nothing there.
    pub(super) fn preroll_position(&self) -> Option<u64> {
        self.sink.try_pull_preroll(POLL).and_then(|sample| position(sample.buffer()?, sample.segment()))
    }

    /// Returns to the beginning, unless the decoder is there.
    pub fn rewind(&mut self) -> Result<()> {
        if self.has_moved { self.continue_at(Part::default()) } else { Ok(()) }
    }

    /// Continues with a part of the file, exactly at its run-up.
    pub fn continue_at(&mut self, part: Part) -> Result<()> {
        if !self.may_seek {
            return self.skip_to(part);
        }
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        self.goes_to_end = part.end_ns.is_none();
        self.plan(Some(Range::of(part)));
        if self.seek(flags, part.run_up_ns)? { Ok(()) } else { Err(Failure::NoSeek(part.run_up_ns)) }
    }

    /// Skips frames up to the run-up, from the beginning of the file if it is already behind the part.
    fn skip_to(&mut self, part: Part) -> Result<()> {
        let is_behind = self.last_ns.is_some_and(|last| last >= part.start_ns);
        if is_behind || self.gate().is_some() {
            self.reopen(self.sampling.exact())?;
        }
        self.goes_to_end = part.end_ns.is_none();
        self.skip_ns = part.run_up_ns;
        Ok(())
    }

    /// Decides which frames are decoded after the next seek: those that are needed for `range`, or all.
    fn plan(&self, range: Option<Range>) {
        if let Some(gate) = self.gate() {
            gate.plan(self.sampling.pace().zip(range));
        }
    }

    /// Seeks and waits for a frame. Returns false if seeking is not possible.
    fn seek(&mut self, flags: gst::SeekFlags, time_ns: u64) -> Result<bool> {
        if self.pipeline.seek_simple(flags, gst::ClockTime::from_nseconds(time_ns)).is_err() {
            return Ok(false);
        }
        self.has_moved = true;
        self.timeline = Timeline::default();
        self.wait_for_frame()?;
        Ok(true)
    }
}
