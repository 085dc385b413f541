// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loops over rows in which sampling spends its time: plain integer arithmetic on slices, which compilers turn into
//! vector instructions. Those that gain from wider vectors than the least x86-64 has are compiled for AVX2 as well.

use multiversion::multiversion;

use super::convert::LUMA_WEIGHTS;

/// Weights for the sum of source rows add up to this: 255 times it just fits an `u16`.
pub const ONE_ROW: f32 = 256.0;
/// Weights within a row add up to this: times a sample of seven fractional bits it fits an `i32`.
pub const ONE_SAMPLE: f32 = 16384.0;
/// From such a sum to 0..255.
const UNIT: f32 = 1.0 / (128.0 * ONE_SAMPLE);
/// Weights within a row come in multiples of so many, as vector registers hold them.
pub const LANES: usize = 8;

/// Weighted sums of source rows, byte by byte; `row(k)` belongs to `weights[k]`, and all of them sum to [`ONE_ROW`].
pub fn add_rows<'a>(sums: &mut [u16], weights: &[i16], row: impl Fn(usize) -> &'a [u8]) {
    // Several rows at once, so that the sums are loaded and stored once for all of them.
    for (group, weights) in weights.chunks(4).enumerate() {
        let (row, fresh) = (|n: usize| row(4 * group + n), group == 0);
        match *weights {
            [a] => add([row(0)], [a], sums, fresh),
            [a, b] => add([row(0), row(1)], [a, b], sums, fresh),
            [a, b, c] => add([row(0), row(1), row(2)], [a, b, c], sums, fresh),
            [a, b, c, d] => add([row(0), row(1), row(2), row(3)], [a, b, c, d], sums, fresh),
            _ => {}
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add<const N: usize>(rows: [&[u8]; N], weights: [i16; N], sums: &mut [u16], fresh: bool) {
    let (rows, weights) = (rows.map(|row| &row[..sums.len()]), weights.map(|weight| weight as u16));
    let added = |start: u16, i: usize| rows.iter().zip(weights).fold(start, |sum, (row, weight)| sum + weight * u16::from(row[i]));
    if fresh {
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum = added(0, i));
    } else {
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum = added(*sum, i));
    }
}

/// Asks for a row that will be read soon: where rows are far apart, no processor expects the next one.
#[allow(unsafe_code)]
pub fn prefetch(row: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it reads nothing, and the address is that of a byte that is there.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// The means of four bytes each: of two rows, and of the pixels of `step` bytes there and next to there.
pub fn blend(upper: &[u8], lower: &[u8], step: usize, means: &mut [u8]) {
    blend_rows([upper, &upper[step..], lower, &lower[step..]], means);
}

#[multiversion(targets("x86_64+avx2"))]
fn blend_rows(rows: [&[u8]; 4], means: &mut [u8]) {
    let [a, b, c, d] = rows.map(|row| &row[..means.len()]);
    let mean = |a: u8, b: u8| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    means.iter_mut().enumerate().for_each(|(i, out)| *out = mean(mean(a[i], b[i]), mean(c[i], d[i])));
}

/// The four bytes from each of some pixels of `step` bytes on, 1 to 4.
pub fn gather(bytes: &[u8], step: usize, pixels: &[u32], words: &mut [u32]) {
    for (word, &pixel) in words.iter_mut().zip(pixels) {
        let from = pixel as usize * step;
        *word = bytes[from..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
    }
}

/// The first of every `distance` bytes, 2 or more, and from four on the next three as well; of the last, all have to be
/// there.
pub fn gather_evenly(bytes: &[u8], distance: usize, words: &mut [u32]) {
    match distance {
        2 => firsts::<2>(bytes, words),
        3 => firsts::<3>(bytes, words),
        _ => {
            for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(distance)) {
                *word = chunk.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn firsts<const DISTANCE: usize>(bytes: &[u8], words: &mut [u32]) {
    words.iter_mut().zip(bytes.as_chunks::<DISTANCE>().0).for_each(|(word, chunk)| *word = u32::from(chunk[0]));
}

/// The byte at `offset` of each word.
#[multiversion(targets("x86_64+avx2"))]
pub fn bytes_of(words: &[u32], offset: usize, out: &mut [f32]) {
    out.iter_mut().zip(words).for_each(|(out, word)| *out = (word >> (8 * offset) & 0xFF) as i32 as f32);
}

/// The mean of the bytes at `offset` of two words each.
#[multiversion(targets("x86_64+avx2"))]
pub fn means_of(words: [&[u32]; 2], offset: usize, out: &mut [f32]) {
    for ((out, a), b) in out.iter_mut().zip(words[0]).zip(words[1]) {
        let [a, b] = [a, b].map(|word| word >> (8 * offset) & 0xFF);
        *out = (a + b) as i32 as f32 * 0.5;
    }
}

/// The first of every `step` sums, 1 to 4, as samples of seven fractional bits.
pub fn take_component(sums: &[u16], step: usize, samples: &mut [i16]) {
    match step {
        1 => take::<1>(sums, samples),
        2 => take::<2>(sums, samples),
        3 => take::<3>(sums, samples),
        _ => take::<4>(sums, samples),
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn take<const STEP: usize>(sums: &[u16], samples: &mut [i16]) {
    let (pixels, _) = sums.as_chunks::<STEP>();
    samples.iter_mut().zip(pixels).for_each(|(sample, pixel)| *sample = (pixel[0] >> 1) as i16);
}

/// Luma (BT.601) of pixels of `step` sums, 3 or 4, with red, green and blue at `offsets`, as samples of seven fractional
/// bits.
pub fn take_luma(sums: &[u16], step: usize, offsets: [usize; 3], samples: &mut [i16]) {
    // The same loop for each order, so that the offsets are known where it is compiled.
    match (step, offsets) {
        (3, [0, 1, 2]) => luma::<3, 0, 2>(sums, samples),
        (3, _) => luma::<3, 2, 0>(sums, samples),
        (_, [0, 1, 2]) => luma::<4, 0, 2>(sums, samples),
        _ => luma::<4, 2, 0>(sums, samples),
    }
}

/// Pixels of `STEP` sums with red at `RED`, green at 1 and blue at `BLUE`.
#[multiversion(targets("x86_64+avx2"))]
fn luma<const STEP: usize, const RED: usize, const BLUE: usize>(sums: &[u16], samples: &mut [i16]) {
    const ONE: f32 = 32768.0;
    let [red, _, blue] = LUMA_WEIGHTS.map(|weight| (weight * ONE).round() as i32);
    let green = ONE as i32 - red - blue;
    for (sample, pixel) in samples.iter_mut().zip(sums.as_chunks::<STEP>().0) {
        let [r, g, b] = [pixel[RED], pixel[1], pixel[BLUE]].map(|sum| i32::from((sum >> 1) as i16));
        *sample = ((r * red + g * green + b * blue) >> 15) as i16;
    }
}

/// Samples as they are.
#[multiversion(targets("x86_64+avx2"))]
pub fn copy(samples: &[i16], out: &mut [f32]) {
    out.iter_mut().zip(samples).for_each(|(out, &sample)| *out = f32::from(sample) * (ONE_SAMPLE * UNIT));
}

/// The means of pairs of samples.
#[multiversion(targets("x86_64+avx2"))]
pub fn halve(samples: &[i16], out: &mut [f32]) {
    for (out, &[a, b]) in out.iter_mut().zip(samples.as_chunks::<2>().0) {
        *out = (i32::from(a) + i32::from(b)) as f32 * (ONE_SAMPLE / 2.0 * UNIT);
    }
}

/// For each position the product of its `stride` weights, a multiple of [`LANES`], and as many samples from `first` on.
pub fn weigh(samples: &[i16], first: &[usize], weights: &[i16], stride: usize, out: &mut [f32]) {
    // Where the number of weights is known there is no loop over them.
    match stride / LANES {
        1 => weigh_with(samples, first, weights.as_chunks::<LANES>().0, out),
        2 => weigh_with(samples, first, weights.as_chunks::<{ 2 * LANES }>().0, out),
        _ => {
            for ((out, weights), &first) in out.iter_mut().zip(weights.chunks_exact(stride)).zip(first) {
                *out = dot(weights, &samples[first..][..stride]) as f32 * UNIT;
            }
        }
    }
}

fn weigh_with<const STRIDE: usize>(samples: &[i16], first: &[usize], weights: &[[i16; STRIDE]], out: &mut [f32]) {
    for ((out, weights), &first) in out.iter_mut().zip(weights).zip(first) {
        *out = dot(weights, &samples[first..][..STRIDE]) as f32 * UNIT;
    }
}

/// The sum of products of two slices whose length is a multiple of [`LANES`].
fn dot(a: &[i16], b: &[i16]) -> i32 {
    let mut sums = [0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += i32::from(*a) * i32::from(*b);
        }
    }
    sums.iter().sum()
}
