// SPDX-License-Identifier: MIT OR Apache-2.0
//! The few source samples that a quick reduction reads along one axis.

use std::ops::Range;

use super::taps::Mapping;

/// Sample positions: for each output two runs of `width` samples, at a quarter and at three quarters of the covered
/// length, or one run in the middle where two would overlap.
#[derive(Debug, Default)]
pub(super) struct SparseSamples {
    prepared_for: Option<Mapping>,
    /// The source samples that any position uses.
    span: Range<usize>,
    /// The start of each position's first run and of its second, relative to the span.
    runs: [Vec<u32>; 2],
    /// Runs of a position, 1 or 2.
    count: usize,
    /// Distance from each position to the next, if all are equal.
    distance: Option<usize>,
}

impl SparseSamples {
    /// True if each position of `mapping` covers at least two samples.
    pub fn fits(mapping: &Mapping) -> bool {
        mapping.available >= 2 && mapping.length >= 2.0 * mapping.outputs as f32
    }

    /// Computes the positions for `mapping`. The same mapping as last time costs nothing. Positions outside of the source
    /// are moved to its nearest samples.
    pub fn prepare(&mut self, mapping: Mapping, width: usize) {
        if self.prepared_for.replace(mapping) == Some(mapping) {
            return;
        }
        let Mapping { available, start, length, outputs, .. } = mapping;
        let reduction = length / outputs as f32;
        let centers: &[f32] = if reduction < 1.0 + width as f32 { &[0.5] } else { &[0.25, 0.75] };
        let first = |i: usize, center: f32| {
            let unclamped = start + (i as f32 + center) * reduction - width as f32 / 2.0;
            unclamped.round().clamp(0.0, (available - width) as f32) as u32
        };
        self.count = centers.len();
        let low = first(0, centers[0]);
        self.span = low as usize..first(outputs - 1, centers[self.count - 1]) as usize + width;
        for (run, &center) in self.runs.iter_mut().zip(centers) {
            run.clear();
            run.extend((0..outputs).map(|i| first(i, center) - low));
        }
        let step = reduction.round() as usize;
        let equidistant = |run: &Vec<u32>| run.windows(2).all(|pair| (pair[1] - pair[0]) as usize == step);
        self.distance = (outputs > 1 && self.runs().iter().all(equidistant)).then_some(step);
    }

    /// The source samples that any position uses.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The starts of both runs of position `i`; the same one twice if it has one run.
    pub fn rows(&self, i: usize) -> [usize; 2] {
        [0, self.count - 1].map(|run| self.span.start + self.runs[run][i] as usize)
    }

    /// Distance from each position to the next, if all are equal.
    pub fn distance(&self) -> Option<usize> {
        self.distance
    }

    /// For each run, the starts of all positions relative to the span.
    pub fn runs(&self) -> &[Vec<u32>] {
        &self.runs[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(available: usize, start: f32, length: f32, outputs: usize, width: usize) -> SparseSamples {
        let mut samples = SparseSamples::default();
        samples.prepare(Mapping { available, start, length, outputs, target_taps: usize::MAX }, width);
        samples
    }

    #[test]
    fn each_half_of_a_position_has_a_run() {
        let columns = samples(12, 0.0, 12.0, 3, 2);
        assert_eq!((columns.span(), columns.runs()), (0..12, &[vec![0, 4, 8], vec![2, 6, 10]][..]));
        let rows = samples(12, 0.0, 12.0, 2, 1);
        assert_eq!((rows.span(), rows.runs()), (1..11, &[vec![0, 6], vec![3, 9]][..]));
    }

    #[test]
    fn a_reduction_by_two_reads_each_sample_once() {
        assert_eq!(samples(6, 0.0, 6.0, 3, 2).runs(), [[0, 2, 4]]);
        assert_eq!(samples(6, 0.0, 6.0, 3, 1).runs(), [[0, 2, 4], [1, 3, 5]]);
    }

    #[test]
    fn positions_outside_of_the_source_move_to_its_edge() {
        let samples = samples(4, -8.0, 32.0, 4, 2);
        assert_eq!((samples.span(), samples.runs()), (0..4, &[vec![0, 1, 2, 2], vec![0, 2, 2, 2]][..]));
    }
}
