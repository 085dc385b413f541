// SPDX-License-Identifier: MIT OR Apache-2.0
//! A first look at a slice, which finds out where faces are.

use std::time::Duration;

use super::examine::unanalysed;
use super::plan::Sampler;
use super::spans::{Glance, Span, spans};
use crate::analysis::Analyser;
use crate::decode::{Chosen, Failure, Frames, Part};
use crate::findings::SliceResult;
use crate::progress::Counts;
use crate::sampling::{Sampling, nanoseconds};
use crate::turn::Direction;

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

/// Looks at frames that are at most twice `every` apart: of a slice, or of the whole file, at whose beginning `decoder` is. If the
/// marks of keyframes are wrong, all frames are decoded.
pub(super) fn look(
    decoder: &mut Frames,
    analyser: &mut Analyser,
    direction: Direction,
    every: Duration,
    slice: Option<Part>,
    counts: &Counts,
) -> Result<Look, Failure> {
    // So a face just outside of the slice is seen too.
    let beyond_ns = nanoseconds(every).saturating_mul(2);
    let part = slice.map(|slice| Part { run_up_ns: slice.start_ns.saturating_sub(beyond_ns), beyond_ns, ..slice });
    if let Some(part) = part {
        decoder.continue_at(part)?;
    }
    let part = part.unwrap_or_default();
    match glance(decoder, analyser, direction, every, part, counts) {
        Err(Failure::Unsampled(_)) => {
            // All frames are decoded from the beginning of the part.
            decoder.set_sampling(Sampling::First(every));
            decoder.continue_at(part)?;
            glance(decoder, analyser, direction, every, part, counts)
        }
        looked => looked,
    }
}

fn glance(
    decoder: &mut Frames,
    analyser: &mut Analyser,
    direction: Direction,
    every: Duration,
    part: Part,
    counts: &Counts,
) -> Result<Look, Failure> {
    let (mut look, mut sampler) = (Look::default(), Sampler::new(Some(every)));
    let until_ns = part.end_ns.map(|end| end + part.beyond_ns);
    look.result.turn = direction.degrees();
    analyser.restart(&decoder.tags(), direction).map_err(unanalysed)?;
    while let Some(frame) = decoder.next_frame()? {
        look.result.decoded += 1;
        let time_ns = frame.time_ns;
        if until_ns.is_some_and(|until| time_ns >= until) {
            break;
        }
        let number = match frame.chosen {
            Chosen::Undecided => sampler.wants(time_ns).then_some(look.result.frames),
            Chosen::No => None,
            Chosen::Yes(number) => Some(number),
        };
        let is_counted = time_ns >= part.start_ns && part.end_ns.is_none_or(|end| time_ns < end);
        if let Some(number) = number {
            let faces = analyser.analyse(frame.sample).map_err(unanalysed)?;
            look.glances.push(Glance { time_ns, number, has_face: !faces.records.is_empty() });
            look.result.examined += u64::from(is_counted);
            look.result.size = Some((faces.size.width, faces.size.height));
            counts.add_frame(0);
        }
        look.result.frames += u64::from(is_counted);
    }
    look.result.frames = decoder.frames()?.unwrap_or(look.result.frames);
    Ok(look)
}
