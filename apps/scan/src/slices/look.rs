// SPDX-License-Identifier: MIT OR Apache-2.0
//! A first look at a slice, which finds out where faces are.

use std::time::Duration;

use super::plan::Sampler;
use super::spans::{Glance, Span, spans};
use crate::analysis::Analyser;
use crate::decode::{Failure, Frames, Part};
use crate::findings::SliceResult;
use crate::progress::Counts;
use crate::sampling::{Sampling, nanoseconds};
use crate::turn::Direction;

/// An opened file, and what finds the faces on its frames.
pub(super) struct View<'a> {
    pub(super) frames: &'a mut Frames,
    pub(super) analyser: &'a mut Analyser,
    pub(super) direction: Direction,
    /// Analysed frames are counted here.
    pub(super) counts: &'a Counts,
}

impl View<'_> {
    /// Begins with the next frame, and forgets the faces of those before.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        Ok(self.analyser.restart(&self.frames.tags(), self.direction)?)
    }
}

/// What the first look has found.
#[derive(Debug, Default)]
pub(super) struct Look {
    glances: Vec<Glance>,
    /// Numbers of frames, and the size of a frame.
    pub(super) result: SliceResult,
}

impl Look {
    /// The spans of `slice` that may show faces.
    pub(super) fn spans(&self, slice: Part) -> Vec<Span> {
        spans(&self.glances, slice.start_ns, slice.end_ns)
    }
}

/// Looks at frames that are at most twice `every` apart: of a slice, or of the whole file, at whose beginning `view` is. If the
/// marks of keyframes are wrong, all frames are decoded.
pub(super) fn look(view: &mut View<'_>, every: Duration, slice: Option<Part>) -> Result<Look, Failure> {
    // So a face just outside of the slice is seen too.
    let beyond_ns = nanoseconds(every).saturating_mul(2);
    let part = slice.map(|slice| Part { run_up_ns: slice.start_ns.saturating_sub(beyond_ns), beyond_ns, ..slice });
    if let Some(part) = part {
        view.frames.continue_at(part)?;
    }
    let part = part.unwrap_or_default();
    match glance(view, every, part) {
        Err(Failure::Unsampled(_)) => {
            // All frames are decoded from the beginning of the part.
            view.frames.set_sampling(Sampling::First(every));
            view.frames.continue_at(part)?;
            glance(view, every, part)
        }
        looked => looked,
    }
}

fn glance(view: &mut View<'_>, every: Duration, part: Part) -> Result<Look, Failure> {
    let (mut look, mut sampler) = (Look::default(), Sampler::new(Some(every)));
    let until_ns = part.end_ns.map(|end| end + part.beyond_ns);
    look.result.turn = view.direction.degrees();
    view.restart()?;
    while let Some(frame) = view.frames.next_frame()? {
        look.result.decoded += 1;
        let time_ns = frame.time_ns;
        if until_ns.is_some_and(|until| time_ns >= until) {
            break;
        }
        let is_counted = time_ns >= part.start_ns && part.end_ns.is_none_or(|end| time_ns < end);
        if let Some(number) = sampler.number(&frame, look.result.frames) {
            let faces = view.analyser.analyse(frame.sample)?;
            look.glances.push(Glance { time_ns, number, has_face: !faces.records.is_empty() });
            look.result.examined += u64::from(is_counted);
            look.result.size = Some((faces.size.width, faces.size.height));
            view.counts.add_frame(0);
        }
        look.result.frames += u64::from(is_counted);
    }
    look.result.frames = view.frames.frames()?.unwrap_or(look.result.frames);
    Ok(look)
}
