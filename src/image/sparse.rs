// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where many source samples go into one: which few of them stand for all along one axis.

use std::ops::Range;

use super::taps::Mapping;

/// For each position two runs of `width` samples, a quarter and three quarters of its extent on; one in its middle where
/// there is no room for two.
#[derive(Debug, Default)]
pub(super) struct SparseSamples {
    made_for: Option<Mapping>,
    /// The source samples that any position uses.
    span: Range<usize>,
    /// The first sample of each position's first run, and of its second, from the span's start on.
    runs: [Vec<u32>; 2],
    count: usize,
    /// How far it is from each position to the next, if it is always as far.
    distance: Option<usize>,
}

impl SparseSamples {
    /// True if a position of `mapping` covers two samples at least.
    pub fn suit(mapping: &Mapping) -> bool {
        mapping.available >= 2 && mapping.length >= 2.0 * mapping.outputs as f32
    }

    /// Chooses the samples for `mapping`, unless that is done already. Positions outside the source take its nearest ones.
    pub fn make(&mut self, mapping: Mapping, width: usize) {
        if self.made_for.replace(mapping) == Some(mapping) {
            return;
        }
        let Mapping { available, start, length, outputs, .. } = mapping;
        let scale = length / outputs as f32;
        let places: &[f32] = if scale < 1.0 + width as f32 { &[0.5] } else { &[0.25, 0.75] };
        let first = |i: usize, place: f32| {
            let wanted = start + (i as f32 + place) * scale - width as f32 / 2.0;
            wanted.round().clamp(0.0, (available - width) as f32) as u32
        };
        self.count = places.len();
        let low = first(0, places[0]);
        self.span = low as usize..first(outputs - 1, places[self.count - 1]) as usize + width;
        for (run, &place) in self.runs.iter_mut().zip(places) {
            run.clear();
            run.extend((0..outputs).map(|i| first(i, place) - low));
        }
        let whole = scale.round() as usize;
        let even = |run: &Vec<u32>| run.windows(2).all(|pair| (pair[1] - pair[0]) as usize == whole);
        self.distance = (outputs > 1 && self.runs().iter().all(even)).then_some(whole);
    }

    /// The source samples that any position uses.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The first samples of position `i`'s runs, or of its one twice.
    pub fn rows(&self, i: usize) -> [usize; 2] {
        [0, self.count - 1].map(|run| self.span.start + self.runs[run][i] as usize)
    }

    /// How far it is from each position to the next, if it is always as far.
    pub fn distance(&self) -> Option<usize> {
        self.distance
    }

    /// For each run the first samples of all positions, from the span's start on.
    pub fn runs(&self) -> &[Vec<u32>] {
        &self.runs[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(available: usize, start: f32, length: f32, outputs: usize, width: usize) -> SparseSamples {
        let mut samples = SparseSamples::default();
        samples.make(Mapping { available, start, length, outputs, most: usize::MAX }, width);
        samples
    }

    #[test]
    fn both_halves_of_a_position_are_seen() {
        let columns = samples(12, 0.0, 12.0, 3, 2);
        assert_eq!((columns.span(), columns.runs()), (0..12, &[vec![0, 4, 8], vec![2, 6, 10]][..]));
        let rows = samples(12, 0.0, 12.0, 2, 1);
        assert_eq!((rows.span(), rows.runs()), (1..11, &[vec![0, 6], vec![3, 9]][..]));
    }

    #[test]
    fn of_two_samples_each_counts_once() {
        assert_eq!(samples(6, 0.0, 6.0, 3, 2).runs(), [[0, 2, 4]]);
        assert_eq!(samples(6, 0.0, 6.0, 3, 1).runs(), [[0, 2, 4], [1, 3, 5]]);
    }

    #[test]
    fn outside_is_the_edge() {
        let samples = samples(4, -8.0, 32.0, 4, 2);
        assert_eq!((samples.span(), samples.runs()), (0..4, &[vec![0, 1, 2, 2], vec![0, 2, 2, 2]][..]));
    }
}
