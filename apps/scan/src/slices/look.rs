// SPDX-License-Identifier: MIT OR Apache-2.0
//! A first look at a slice, which finds the spans around frames with faces. Only these are examined.

use std::time::Duration;

use super::plan::Sampler;
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
    /// Times of the frames of the slice.
    pub(super) times: Vec<u64>,
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
/// marks of keyframes are wrong, all frames are decoded. Also returns how the look ended: what a damaged file shows before its end
/// counts.
pub(super) fn look(view: &mut View<'_>, every: Duration, slice: Option<Part>) -> Result<(Look, Result<(), Failure>), Failure> {
    // So a face just outside of the slice is seen too.
    let beyond_ns = nanoseconds(every).saturating_mul(2);
    let part = slice.map(|slice| Part { run_up_ns: slice.start_ns.saturating_sub(beyond_ns), beyond_ns, ..slice });
    if let Some(part) = part {
        view.frames.continue_at(part)?;
    }
    let part = part.unwrap_or_default();
    let mut look = Look::default();
    let mut ended = look.see(view, every, part);
    if matches!(ended, Err(Failure::Unsampled(_))) {
        // All frames are decoded from the beginning of the part.
        view.frames.set_sampling(Sampling::First(every));
        view.frames.continue_at(part)?;
        look = Look::default();
        ended = look.see(view, every, part);
    }
    Ok((look, ended))
}

impl Look {
    /// Looks at the frames of a part, up to the first error.
    fn see(&mut self, view: &mut View<'_>, every: Duration, part: Part) -> Result<(), Failure> {
        let seen = self.glance(view, every, part);
        let times = view.frames.times();
        if let Ok(Some(times)) = &times {
            self.times.clone_from(times);
        }
        self.result.frames = self.times.len() as u64;
        seen.and(times.map(drop))
    }

    fn glance(&mut self, view: &mut View<'_>, every: Duration, part: Part) -> Result<(), Failure> {
        let mut sampler = Sampler::new(Some(every));
        let until_ns = part.end_ns.map(|end| end + part.beyond_ns);
        self.result.turn = view.direction.degrees();
        view.restart()?;
        while let Some(frame) = view.frames.next_frame()? {
            self.result.decoded += 1;
            let time_ns = frame.time_ns;
            if until_ns.is_some_and(|until| time_ns >= until) {
                break;
            }
            let is_counted = time_ns >= part.start_ns && part.end_ns.is_none_or(|end| time_ns < end);
            if sampler.number(&frame, self.times.len() as u64).is_some() {
                let faces = view.analyser.analyse(frame.sample)?;
                self.glances.push(Glance { time_ns, has_face: !faces.records.is_empty() });
                self.result.examined += u64::from(is_counted);
                self.result.size = Some((faces.size.width, faces.size.height));
                view.counts.add_frame(0);
            }
            self.times.extend(is_counted.then_some(time_ns));
        }
        Ok(())
    }
}

/// A frame of the first look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Glance {
    /// Its time in the file.
    time_ns: u64,
    /// True if it shows a face.
    has_face: bool,
}

/// A span to examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Time of its first frame.
    pub(super) start_ns: u64,
    /// Time of the first frame behind it; `None` at the end of the file.
    pub(super) end_ns: Option<u64>,
}

/// The spans of a slice that may show faces: from the frame before each one with a face to the frame after it. Frames before
/// and after the slice count too, since a face that they show may also be in the slice.
fn spans(glances: &[Glance], start_ns: u64, end_ns: Option<u64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (index, _) in glances.iter().enumerate().filter(|(_, glance)| glance.has_face) {
        let before = index.checked_sub(1).map(|before| glances[before]).filter(|before| before.time_ns > start_ns);
        let from_ns = before.map_or(start_ns, |before| before.time_ns);
        let after_ns = glances.get(index + 1).map(|after| after.time_ns);
        let until_ns = [after_ns, end_ns].into_iter().flatten().min();
        if until_ns.is_some_and(|until| until <= from_ns) || end_ns.is_some_and(|end| from_ns >= end) {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.end_ns.is_none_or(|end| end >= from_ns) => last.end_ns = until_ns,
            _ => spans.push(Span { start_ns: from_ns, end_ns: until_ns }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A glance each two seconds. `#` is a face.
    fn glances(text: &str, first_s: i64) -> Vec<Glance> {
        let glance = |(index, mark)| Glance { time_ns: (first_s + 2 * index as i64) as u64, has_face: mark == '#' };
        text.chars().enumerate().map(glance).collect()
    }

    fn found(text: &str, first_s: i64, start: u64, end: Option<u64>) -> Vec<(u64, Option<u64>)> {
        spans(&glances(text, first_s), start, end).iter().map(|span| (span.start_ns, span.end_ns)).collect()
    }

    #[test]
    fn a_span_reaches_from_the_frame_before_to_the_frame_after() {
        assert_eq!(found("..#....##.", 20, 20, None), [(22, Some(26)), (32, Some(38))]);
        assert_eq!(found("#.......#", 20, 20, None), [(20, Some(22)), (34, None)]);
        assert_eq!(found(".#.#.", 20, 20, None), [(20, Some(28))], "spans that touch are one");
        assert!(found(".....", 20, 20, None).is_empty());
    }

    #[test]
    fn faces_beside_the_slice_extend_into_it() {
        assert_eq!(found(".#...#..", 17, 20, Some(30)), [(20, Some(21)), (25, Some(29))]);
        assert_eq!(found("..#....#.", 16, 20, Some(30)), [(20, Some(22)), (28, Some(30))]);
        assert!(found("#.......#", 15, 20, Some(29)).is_empty(), "too far away");
    }
}
