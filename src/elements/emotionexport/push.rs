// SPDX-License-Identifier: MIT OR Apache-2.0
//! How `emotionexport` sends text downstream: as buffers, GAP events, and headers in the caps.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::{CAT, EmotionExport};
use super::state::Outputs;
use super::times::{attach_time_of_day, clock_time};
use crate::export::{Chunk, Output, Span};

impl EmotionExport {
    /// Pushes `outputs` in order, up to the first error.
    pub(super) fn push_outputs(&self, outputs: Outputs) -> Result<gst::FlowSuccess, gst::FlowError> {
        outputs.into_iter().try_fold(gst::FlowSuccess::Ok, |_, output| self.push_output(output))
    }

    fn push_output(&self, output: Output) -> Result<gst::FlowSuccess, gst::FlowError> {
        match output {
            Output::Text(chunk) => self.push_chunk(chunk),
            Output::Gap(Span { pts_ns, duration_ns }) => {
                let gap = gst::event::Gap::builder(clock_time(pts_ns));
                // If downstream rejects the event, the next buffer returns the reason.
                self.src_pad.push_event(gap.duration(clock_time(duration_ns)).build());
                Ok(gst::FlowSuccess::Ok)
            }
            Output::Covered => Ok(gst::FlowSuccess::Ok),
        }
    }

    fn push_chunk(&self, chunk: Chunk) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(warning) = chunk.warning {
            gst::element_imp_warning!(self, gst::StreamError::Encode, ("{warning}"));
        }
        let pts = clock_time(chunk.span.pts_ns);
        if let Some(header) = chunk.header {
            self.push_header(header, pts)?;
        }
        if chunk.body.is_empty() {
            return Ok(gst::FlowSuccess::Ok);
        }
        let mut buffer = timed_buffer(chunk.body, pts, clock_time(chunk.span.duration_ns));
        if let Some(utc) = chunk.utc {
            attach_time_of_day(buffer.make_mut(), utc);
        }
        self.push(buffer)
    }

    fn push(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.state().as_mut().is_some_and(|state| std::mem::take(&mut state.is_discont)) {
            buffer.make_mut().set_flags(gst::BufferFlags::DISCONT);
        }
        self.src_pad.push(buffer)
    }

    /// Pushes the header of a file and keeps it in the caps, for files and clients that start later.
    fn push_header(&self, header: String, pts: gst::ClockTime) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut buffer = timed_buffer(header.into_bytes(), pts, gst::ClockTime::ZERO);
        buffer.make_mut().set_flags(gst::BufferFlags::HEADER);
        let caps = self.state().as_mut().map(|state| {
            state.caps.make_mut().set("streamheader", gst::Array::new([&buffer]));
            state.caps.clone()
        });
        if !caps.is_some_and(|caps| self.src_pad.push_event(gst::event::Caps::new(&caps))) {
            gst::warning!(CAT, imp = self, "downstream rejected the caps with the header");
        }
        self.push(buffer)
    }

    /// Pushes the header again at the start of a new file. There is none before the first record, which brings it.
    pub(super) fn repeat_header(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        let header = self.state().as_ref().and_then(|state| {
            let headers = state.caps.structure(0)?.get::<gst::Array>("streamheader").ok()?;
            let mut buffer = headers.first()?.get::<gst::Buffer>().ok()?;
            buffer.make_mut().set_pts(state.position);
            Some(buffer)
        });
        header.map_or(Ok(gst::FlowSuccess::Ok), |header| self.push(header))
    }
}

fn timed_buffer(bytes: Vec<u8>, pts: gst::ClockTime, duration: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let writable = buffer.get_mut().expect("a new buffer has one reference");
    writable.set_pts(pts);
    writable.set_duration(duration);
    buffer
}
