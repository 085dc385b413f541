// SPDX-License-Identifier: MIT OR Apache-2.0
//! The inner loops of sampling: integer arithmetic on slices that the compiler vectorises. Loops that gain from vectors
//! wider than the x86-64 baseline (SSE2) are compiled for AVX2 too; `multiversion` chooses at run time.

use multiversion::multiversion;

use super::convert::LUMA_WEIGHTS;

/// Sum of the weights of source rows: 255 times 256 just fits a `u16`.
pub const ONE_ROW: f32 = 256.0;
/// Sum of the weights within a row: a sample with 7 fractional bits times 16384 fits an `i32`.
pub const ONE_SAMPLE: f32 = 16384.0;
/// Scales a weighted sum of samples to 0..255; 128 is one in samples with 7 fractional bits.
const UNIT: f32 = 1.0 / (128.0 * ONE_SAMPLE);
/// Weights within a row are padded to a multiple of this: eight `i16` fill an SSE2 or NEON register.
pub const LANES: usize = 8;

/// Writes the weighted sums of source rows, byte by byte. `row(k)` belongs to `weights[k]`; the weights sum to
/// [`ONE_ROW`].
pub fn add_rows<'a>(sums: &mut [u16], weights: &[i16], row: impl Fn(usize) -> &'a [u8]) {
    // Four rows at a time, so that the sums are loaded and stored once for all four.
    for (group, weights) in weights.chunks(4).enumerate() {
        let (row, overwrite) = (|n: usize| row(4 * group + n), group == 0);
        match *weights {
            [a] => add([row(0)], [a], sums, overwrite),
            [a, b] => add([row(0), row(1)], [a, b], sums, overwrite),
            [a, b, c] => add([row(0), row(1), row(2)], [a, b, c], sums, overwrite),
            [a, b, c, d] => add([row(0), row(1), row(2), row(3)], [a, b, c, d], sums, overwrite),
            _ => {}
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add<const N: usize>(rows: [&[u8]; N], weights: [i16; N], sums: &mut [u16], overwrite: bool) {
    let (rows, weights) = (rows.map(|row| &row[..sums.len()]), weights.map(|weight| weight as u16));
    let added = |start: u16, i: usize| rows.iter().zip(weights).fold(start, |sum, (row, weight)| sum + weight * u16::from(row[i]));
    if overwrite {
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum = added(0, i));
    } else {
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum = added(*sum, i));
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Writes means of four bytes: in two rows, a byte and its counterpart in the next pixel, `step` bytes on. Prefetches the
/// rows `next`, which are too far away for hardware prefetching.
#[multiversion(targets("x86_64+avx2"))]
pub fn blend([upper, lower]: [&[u8]; 2], step: usize, means: &mut [u8], next: [&[u8]; 2]) {
    // The rounded mean of two bytes, which compiles to one `pavgb`.
    let mean = |a: u8, b: u8| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    let length = means.len();
    let rows = [&upper[..length], &upper[step..][..length], &lower[..length], &lower[step..][..length]];
    let [a, b, c, d] = rows.map(|row| row.as_chunks::<LINE>());
    let (lines, rest) = means.as_chunks_mut::<LINE>();
    for (index, line) in lines.iter_mut().enumerate() {
        next.iter().filter_map(|row| row.get(index * LINE)).for_each(prefetch);
        let (a, b, c, d) = (&a.0[index], &b.0[index], &c.0[index], &d.0[index]);
        for i in 0..LINE {
            line[i] = mean(mean(a[i], b[i]), mean(c[i], d[i]));
        }
    }
    for (i, out) in rest.iter_mut().enumerate() {
        *out = mean(mean(a.1[i], b.1[i]), mean(c.1[i], d.1[i]));
    }
}

/// Prefetches the cache line of `byte`.
#[inline(always)]
#[allow(unsafe_code)]
fn prefetch(byte: &u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch dereferences nothing, and the address is that of a valid byte.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = byte;
}

/// Reads four bytes at the start of each of `pixels`; a pixel has `step` bytes, 1 to 4.
pub fn gather(bytes: &[u8], step: usize, pixels: &[u32], words: &mut [u32]) {
    for (word, &pixel) in words.iter_mut().zip(pixels) {
        let from = pixel as usize * step;
        *word = bytes[from..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
    }
}

/// Reads the first byte of every `distance` bytes, 2 or more, and the three bytes after it if `distance` is 4 or more. The
/// last chunk has to be complete.
pub fn gather_evenly(bytes: &[u8], distance: usize, words: &mut [u32]) {
    match distance {
        2 => first_bytes::<2>(bytes, words),
        3 => first_bytes::<3>(bytes, words),
        _ => {
            for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(distance)) {
                *word = chunk.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn first_bytes<const DISTANCE: usize>(bytes: &[u8], words: &mut [u32]) {
    words.iter_mut().zip(bytes.as_chunks::<DISTANCE>().0).for_each(|(word, chunk)| *word = u32::from(chunk[0]));
}

/// Extracts the byte at `offset` of each word.
#[multiversion(targets("x86_64+avx2"))]
pub fn bytes_of(words: &[u32], offset: usize, out: &mut [f32]) {
    out.iter_mut().zip(words).for_each(|(out, word)| *out = (word >> (8 * offset) & 0xFF) as i32 as f32);
}

/// Writes the mean of the bytes at `offset` of two words.
#[multiversion(targets("x86_64+avx2"))]
pub fn means_of(words: [&[u32]; 2], offset: usize, out: &mut [f32]) {
    for ((out, a), b) in out.iter_mut().zip(words[0]).zip(words[1]) {
        let [a, b] = [a, b].map(|word| word >> (8 * offset) & 0xFF);
        *out = (a + b) as i32 as f32 * 0.5;
    }
}

/// Extracts the first of every `step` sums, 1 to 4, as samples with 7 fractional bits.
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
    // Row sums have 8 fractional bits; one is dropped so that 255 fits an `i16`.
    samples.iter_mut().zip(pixels).for_each(|(sample, pixel)| *sample = (pixel[0] >> 1) as i16);
}

/// Computes BT.601 luma, as samples with 7 fractional bits, of pixels that have `step` sums, 3 or 4, with red, green and
/// blue at `offsets`.
pub fn take_luma(sums: &[u16], step: usize, offsets: [usize; 3], samples: &mut [i16]) {
    // One instance for each byte order: the loop vectorises only if the offsets are constants.
    match (step, offsets) {
        (3, [0, 1, 2]) => luma::<3, 0, 2>(sums, samples),
        (3, _) => luma::<3, 2, 0>(sums, samples),
        (_, [0, 1, 2]) => luma::<4, 0, 2>(sums, samples),
        _ => luma::<4, 2, 0>(sums, samples),
    }
}

/// [`take_luma`] for pixels with red at `RED`, green at 1 and blue at `BLUE`.
#[multiversion(targets("x86_64+avx2"))]
fn luma<const STEP: usize, const RED: usize, const BLUE: usize>(sums: &[u16], samples: &mut [i16]) {
    const ONE: f32 = 32768.0;
    // Green gets the remainder, so that the weights sum to exactly one.
    let [red, _, blue] = LUMA_WEIGHTS.map(|weight| (weight * ONE).round() as i32);
    let green = ONE as i32 - red - blue;
    for (sample, pixel) in samples.iter_mut().zip(sums.as_chunks::<STEP>().0) {
        let [r, g, b] = [pixel[RED], pixel[1], pixel[BLUE]].map(|sum| i32::from((sum >> 1) as i16));
        *sample = ((r * red + g * green + b * blue) >> 15) as i16;
    }
}

/// Converts samples to 0..255 without filtering, the case of a crop at the frame's own scale.
#[multiversion(targets("x86_64+avx2"))]
pub fn copy(samples: &[i16], out: &mut [f32]) {
    out.iter_mut().zip(samples).for_each(|(out, &sample)| *out = f32::from(sample) * (ONE_SAMPLE * UNIT));
}

/// Writes the means of pairs of samples, the case of a reduction by exactly 2.
#[multiversion(targets("x86_64+avx2"))]
pub fn halve(samples: &[i16], out: &mut [f32]) {
    for (out, &[a, b]) in out.iter_mut().zip(samples.as_chunks::<2>().0) {
        *out = (i32::from(a) + i32::from(b)) as f32 * (ONE_SAMPLE / 2.0 * UNIT);
    }
}

/// Writes for each position the dot product of its `stride` weights, a multiple of [`LANES`], and the samples that start
/// at the position's `first`.
pub fn weigh(samples: &[i16], first: &[usize], weights: &[i16], stride: usize, out: &mut [f32]) {
    // The usual numbers of weights are constants, so that the compiler unrolls the dot product.
    match stride / LANES {
        1 => weigh_with(samples, first, weights.as_chunks::<LANES>().0, out),
        2 => weigh_with(samples, first, weights.as_chunks::<{ 2 * LANES }>().0, out),
        3 => weigh_with(samples, first, weights.as_chunks::<{ 3 * LANES }>().0, out),
        4 => weigh_with(samples, first, weights.as_chunks::<{ 4 * LANES }>().0, out),
        _ => weigh_with_many(samples, first, weights, stride, out),
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn weigh_with_many(samples: &[i16], first: &[usize], weights: &[i16], stride: usize, out: &mut [f32]) {
    for ((out, weights), &first) in out.iter_mut().zip(weights.chunks_exact(stride)).zip(first) {
        *out = dot(weights, &samples[first..][..stride]) as f32 * UNIT;
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn weigh_with<const STRIDE: usize>(samples: &[i16], first: &[usize], weights: &[[i16; STRIDE]], out: &mut [f32]) {
    for ((out, weights), &first) in out.iter_mut().zip(weights).zip(first) {
        // With a constant length, the plain sum vectorises best; sums by lane become scalar code from 24 on.
        let products = weights.iter().zip(&samples[first..][..STRIDE]).map(|(a, b)| i32::from(*a) * i32::from(*b));
        *out = products.sum::<i32>() as f32 * UNIT;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_weights_gives_the_sum_of_products() {
        let samples: Vec<i16> = (0..200).map(|i| (i * 7919 % 32_641) as i16).collect();
        let first = [0, 3, 100];
        for stride in (LANES..=6 * LANES).step_by(LANES) {
            let weights: Vec<i16> = (0..3 * stride).map(|i| (i * 31 % 300) as i16).collect();
            let mut out = [0.0; 3];
            weigh(&samples, &first, &weights, stride, &mut out);
            let expected: [f32; 3] = std::array::from_fn(|position| {
                let products = (0..stride).map(|i| i32::from(samples[first[position] + i]) * i32::from(weights[position * stride + i]));
                products.sum::<i32>() as f32 * UNIT
            });
            assert_eq!(out, expected, "{stride} weights");
        }
    }
}
