// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which source samples make each sample of the result along one axis, and with what weights.

use std::ops::Range;

use super::rows;

/// From this reduction on, a sample of the result is the mean of those that it covers; below, and where a picture is
/// enlarged, they are weighed by a triangle.
const AREA: f32 = 2.0;

/// The taps of one axis: for position `i`, `stride` integer weights for every `skip`th of the samples from `first[i]` of
/// the span on, of which only the first `counts[i]` may differ from zero.
#[derive(Debug, Default)]
pub(super) struct Taps {
    made_for: Option<Mapping>,
    /// The source samples that any position uses.
    span: Range<usize>,
    first: Vec<usize>,
    counts: Vec<usize>,
    weights: Vec<i16>,
    stride: usize,
    skip: usize,
    /// Positions that repeat the middle one, each `step` samples further on than the one before.
    even: Range<usize>,
    step: usize,
}

/// What an axis maps: `length` source units from `start` on to `outputs` positions, of `available` samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mapping {
    pub available: usize,
    pub start: f32,
    pub length: f32,
    pub outputs: usize,
    /// Of how many samples a mean is made, about; of more, only every second, third, ... is looked at.
    pub most: usize,
}

impl Taps {
    /// Makes the taps for `mapping`, the weights of each position adding up to `one`, unless they are there already.
    /// Positions outside the source repeat its nearest sample.
    pub fn make(&mut self, mapping: Mapping, one: f32) {
        if self.made_for.replace(mapping) == Some(mapping) {
            return;
        }
        let Mapping { available, start, length, outputs, most } = mapping;
        let scale = length / outputs as f32;
        let reach = if scale < AREA { scale.max(1.0) } else { (scale + 1.0) / 2.0 };
        self.skip = (scale as usize / most).max(1);
        // A reach far beyond the source saturates.
        self.stride = ((2.0 * reach).ceil() as usize).saturating_add(1).min(available).next_multiple_of(rows::LANES);
        self.first.clear();
        self.counts.clear();
        self.weights.clear();
        self.weights.resize(outputs * self.stride, 0);
        for (i, weights) in self.weights.chunks_exact_mut(self.stride).enumerate() {
            let wanted = start + (i as f32 + 0.5) * scale;
            let center = wanted.clamp(0.5, available as f32 - 0.5);
            let reach = if (0.0..=available as f32).contains(&wanted) { reach } else { 1.0 };
            let low = ((center - reach - 0.5).floor() + 1.0).max(0.0) as usize;
            let high = ((center + reach - 0.5).ceil() as usize).min(available).min(low + weights.len());
            let before = ((self.skip - 1) / 2).min(high - low - 1);
            let taps = || (low + before..high).step_by(self.skip);
            let weight = |x: usize| {
                let distance = (x as f32 + 0.5 - center).abs();
                if scale < AREA { (1.0 - distance / reach).max(0.0) } else { (reach - distance).clamp(0.0, 1.0) }
            };
            let unit = one / taps().map(weight).sum::<f32>();
            // Rounding errors are carried from each weight to the next, so that the sum is exact.
            let (mut exact, mut given) = (0.0, 0);
            for (slot, x) in weights.iter_mut().zip(taps()) {
                exact += weight(x) * unit;
                *slot = exact.round() as i16 - given;
                given += *slot;
            }
            self.first.push(taps().next().unwrap_or(low));
            self.counts.push(taps().count());
        }
        let ends = self.first.iter().zip(&self.counts).map(|(first, count)| first + (count - 1) * self.skip + 1);
        self.span = self.first.iter().copied().min().unwrap_or(0)..ends.max().unwrap_or(0);
        self.first.iter_mut().for_each(|first| *first -= self.span.start);
        self.find_even();
    }

    /// Looks to both sides of the middle for positions that repeat it.
    fn find_even(&mut self) {
        let (middle, outputs) = (self.first.len() / 2, self.first.len());
        let weights = |i: usize| &self.weights[i * self.stride..][..self.stride];
        self.step = self.first[middle].saturating_sub(self.first[middle.saturating_sub(1)]);
        let repeats = |&i: &usize| {
            let due = self.first[i] + self.step * middle == self.first[middle] + self.step * i;
            due && weights(i) == weights(middle)
        };
        let before = (0..middle).rev().take_while(repeats).count();
        let after = (middle..outputs).take_while(repeats).count();
        self.even = middle - before..middle + after;
    }

    /// The source samples that any position uses.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// How many samples a row has to have from the span's start on; what lies beyond the span is not used.
    pub fn padded_len(&self) -> usize {
        self.span.len() + self.stride
    }

    /// First source sample of position `i`, how far it is to the next one, and the weights.
    pub fn at(&self, i: usize) -> (usize, usize, &[i16]) {
        (self.span.start + self.first[i], self.skip, &self.weights[i * self.stride..][..self.counts[i]])
    }

    /// Samples a row that begins where the span does and has [`padded_len`](Self::padded_len) samples, one value 0..255
    /// for each position.
    pub fn sample(&self, row: &[i16], out: &mut [f32]) {
        let (Range { start, end }, outputs) = (self.even.clone(), self.first.len());
        let from = self.first[start];
        match (self.step, self.counts[start]) {
            (1, 1) => rows::copy(&row[from..], &mut out[start..end]),
            (2, 2) => rows::halve(&row[from..], &mut out[start..end]),
            _ => return self.weigh(row, out, 0..outputs),
        }
        self.weigh(row, out, 0..start);
        self.weigh(row, out, end..outputs);
    }

    fn weigh(&self, row: &[i16], out: &mut [f32], positions: Range<usize>) {
        let weights = &self.weights[positions.start * self.stride..positions.end * self.stride];
        rows::weigh(row, &self.first[positions.clone()], weights, self.stride, &mut out[positions]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taps for the whole of an axis.
    fn taps(available: usize, outputs: usize) -> Taps {
        let mut taps = Taps::default();
        taps.make(Mapping { available, start: 0.0, length: available as f32, outputs, most: usize::MAX }, rows::ONE_SAMPLE);
        taps
    }

    #[test]
    fn weights_sum_to_one_exactly() {
        for (available, outputs) in [(1, 1), (7, 3), (640, 320), (1920, 48), (5, 50), (3999, 2)] {
            let taps = taps(available, outputs);
            for i in 0..outputs {
                let (first, _, weights) = taps.at(i);
                assert_eq!(
                    weights.iter().map(|&weight| i32::from(weight)).sum::<i32>(),
                    rows::ONE_SAMPLE as i32,
                    "{available} to {outputs}"
                );
                assert!(first + weights.len() <= available);
            }
        }
    }

    #[test]
    fn whole_steps_are_found_and_sampled_as_any_other() {
        for (available, outputs, even) in [(40, 40, 0..40), (80, 40, 0..40), (90, 40, 20..21)] {
            let taps = taps(available, outputs);
            assert_eq!(taps.even, even, "{available} to {outputs}");
            let row: Vec<i16> = (0..taps.padded_len()).map(|i| (i * 7919 % 32_641) as i16).collect();
            let (mut quick, mut plain) = (vec![0.0; outputs], vec![0.0; outputs]);
            taps.sample(&row, &mut quick);
            taps.weigh(&row, &mut plain, 0..outputs);
            assert_eq!(quick, plain, "{available} to {outputs}");
        }
    }

    #[test]
    fn a_reduction_takes_means() {
        assert_eq!(taps(8, 4).at(1), (2, 1, &[8192, 8192][..]));
        assert_eq!(taps(10, 4).at(1), (2, 1, &[3277, 6553, 6554][..]), "of 2.5 to 5");
    }

    #[test]
    fn of_many_rows_some_are_looked_at() {
        let mut taps = Taps::default();
        taps.make(Mapping { available: 48, start: 0.0, length: 48.0, outputs: 4, most: 3 }, rows::ONE_ROW);
        assert_eq!(taps.at(1), (13, 4, &[85, 86, 85][..]));
        assert_eq!(taps.span(), 1..46);
    }
}
