// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filter taps along one axis: which source samples contribute to each output sample, and with what weights.

use std::ops::Range;

use super::rows;

/// From this reduction factor, an output sample is the mean of the samples that it covers. Below it, and where a picture
/// is enlarged, the filter is a triangle.
const MIN_AREA_REDUCTION: f32 = 2.0;

/// The taps of one axis. Position `i` has `stride` integer weights, for every `skip`th sample from `span.start + first[i]`.
/// Weights after the first `counts[i]` are zero.
#[derive(Debug, Default)]
pub(super) struct Taps {
    prepared_for: Option<Mapping>,
    /// The source samples that any position uses.
    span: Range<usize>,
    first: Vec<usize>,
    counts: Vec<usize>,
    weights: Vec<i16>,
    stride: usize,
    skip: usize,
    /// Positions with the weights of the middle one, each `step` samples further on than the one before.
    uniform: Range<usize>,
    step: usize,
}

/// Maps `length` source samples from `start` on to `outputs` positions, on an axis that has `available` samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mapping {
    pub available: usize,
    pub start: f32,
    pub length: f32,
    pub outputs: usize,
    /// About how many samples contribute to a mean. Of twice as many only every second is used, and so on.
    pub target_taps: usize,
}

impl Taps {
    /// Computes the taps for `mapping`, with weights that sum to `total` at each position. The same mapping as last time
    /// costs nothing. Positions outside of the source repeat its nearest sample.
    pub fn prepare(&mut self, mapping: Mapping, total: f32) {
        if self.prepared_for.replace(mapping) == Some(mapping) {
            return;
        }
        let Mapping { available, start, length, outputs, target_taps } = mapping;
        let reduction = length / outputs as f32;
        let radius = if reduction < MIN_AREA_REDUCTION { reduction.max(1.0) } else { (reduction + 1.0) / 2.0 };
        self.skip = (reduction as usize / target_taps).max(1);
        // The radius of a source far larger than the frame saturates here.
        self.stride = ((2.0 * radius).ceil() as usize).min(available).next_multiple_of(rows::LANES);
        self.first.clear();
        self.counts.clear();
        self.weights.clear();
        self.weights.resize(outputs * self.stride, 0);
        for (i, weights) in self.weights.chunks_exact_mut(self.stride).enumerate() {
            let unclamped = start + (i as f32 + 0.5) * reduction;
            let center = unclamped.clamp(0.5, available as f32 - 0.5);
            let radius = if (0.0..=available as f32).contains(&unclamped) { radius } else { 1.0 };
            let low = ((center - radius - 0.5).floor() + 1.0).max(0.0) as usize;
            let high = ((center + radius - 0.5).ceil() as usize).min(available).min(low + weights.len());
            // Skipped samples lie on both sides of the used ones, so that the mean stays centred.
            let before = ((self.skip - 1) / 2).min(high - low - 1);
            let taps = || (low + before..high).step_by(self.skip);
            let weight = |x: usize| {
                let distance = (x as f32 + 0.5 - center).abs();
                // A triangle, or the part of the sample that lies within the output sample.
                if reduction < MIN_AREA_REDUCTION { (1.0 - distance / radius).max(0.0) } else { (radius - distance).clamp(0.0, 1.0) }
            };
            let unit = total / taps().map(weight).sum::<f32>();
            // Each rounding error is carried over to the next weight, so that the integers sum to exactly `total`.
            let (mut exact, mut assigned) = (0.0, 0);
            for (slot, x) in weights.iter_mut().zip(taps()) {
                // Not negative, so that truncating rounds it. `round` calls a library function without SSE4.1.
                exact += weight(x) * unit;
                *slot = (exact + 0.5) as i16 - assigned;
                assigned += *slot;
            }
            self.first.push(taps().next().unwrap_or(low));
            self.counts.push(taps().count());
        }
        let ends = self.first.iter().zip(&self.counts).map(|(first, count)| first + (count - 1) * self.skip + 1);
        self.span = self.first.iter().copied().min().unwrap_or(0)..ends.max().unwrap_or(0);
        self.first.iter_mut().for_each(|first| *first -= self.span.start);
        self.find_uniform();
    }

    /// Searches outwards from the middle for positions with the same weights at equal distances.
    fn find_uniform(&mut self) {
        let (middle, outputs) = (self.first.len() / 2, self.first.len());
        let weights = |i: usize| &self.weights[i * self.stride..][..self.stride];
        self.step = self.first[middle].saturating_sub(self.first[middle.saturating_sub(1)]);
        let repeats = |&i: &usize| {
            // first[i] - first[middle] == step * (i - middle), rearranged to stay unsigned.
            let on_grid = self.first[i] + self.step * middle == self.first[middle] + self.step * i;
            on_grid && weights(i) == weights(middle)
        };
        let before = (0..middle).rev().take_while(repeats).count();
        let after = (middle..outputs).take_while(repeats).count();
        self.uniform = middle - before..middle + after;
    }

    /// The source samples that any position uses.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Length of the row that [`sample`](Self::sample) needs: the span, and padding that is multiplied by zero weights.
    pub fn padded_len(&self) -> usize {
        self.span.len() + self.stride
    }

    /// First source sample of position `i`, the distance to the next one, and the weights.
    pub fn at(&self, i: usize) -> (usize, usize, &[i16]) {
        (self.span.start + self.first[i], self.skip, &self.weights[i * self.stride..][..self.counts[i]])
    }

    /// Filters `row`, which starts at the span's start and has [`padded_len`](Self::padded_len) samples, to one value
    /// 0..255 for each position.
    pub fn sample(&self, row: &[i16], out: &mut [f32]) {
        let (Range { start, end }, outputs) = (self.uniform.clone(), self.first.len());
        let from = self.first[start];
        // Copies and halves have loops of their own, which need no weights.
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

    /// Taps for a whole axis.
    fn taps(available: usize, outputs: usize) -> Taps {
        let mut taps = Taps::default();
        taps.prepare(Mapping { available, start: 0.0, length: available as f32, outputs, target_taps: usize::MAX }, rows::ONE_SAMPLE);
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
    fn copies_and_halves_equal_the_general_filter() {
        for (available, outputs, uniform) in [(40, 40, 0..40), (80, 40, 0..40), (90, 40, 20..21)] {
            let taps = taps(available, outputs);
            assert_eq!(taps.uniform, uniform, "{available} to {outputs}");
            let row: Vec<i16> = (0..taps.padded_len()).map(|i| (i * 7919 % 32_641) as i16).collect();
            let (mut specialised, mut general) = (vec![0.0; outputs], vec![0.0; outputs]);
            taps.sample(&row, &mut specialised);
            taps.weigh(&row, &mut general, 0..outputs);
            assert_eq!(specialised, general, "{available} to {outputs}");
        }
    }

    #[test]
    fn reductions_average_the_covered_samples() {
        assert_eq!(taps(8, 4).at(1), (2, 1, &[8192, 8192][..]));
        assert_eq!(taps(10, 4).at(1), (2, 1, &[3277, 6553, 6554][..]), "covers 2.5 to 5");
    }

    #[test]
    fn large_reductions_skip_rows() {
        let mut taps = Taps::default();
        taps.prepare(Mapping { available: 48, start: 0.0, length: 48.0, outputs: 4, target_taps: 3 }, rows::ONE_ROW);
        assert_eq!(taps.at(1), (13, 4, &[85, 86, 85][..]));
        assert_eq!(taps.span(), 1..46);
    }
}
