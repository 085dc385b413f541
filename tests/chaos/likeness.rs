// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far the detail of a face is that of the film, although it should be hidden.

use test_support::truth_film::TruthFilm;

use crate::cameras::SIZE;

/// Above this, somebody could be recognised.
pub const VISIBLE: f32 = 0.5;
/// The part of a face's box that is compared.
const INNER: f32 = 0.6;

/// The correlation of the Laplacians of a frame's face and that of the film. The luma has the size of the film, and rows of `stride`.
pub fn likeness(film: &TruthFilm, number: u32, luma: &[u8], stride: usize) -> f32 {
    let place = film.face(number);
    let truth: Vec<u8> = film.render(number, 0).chunks_exact(3).map(|pixel| pixel[1]).collect();
    let range = |start: f32, length: f32, size: usize| {
        let at = |share: f32| (((start + length * share) * size as f32) as usize).clamp(1, size - 2);
        at((1.0 - INNER) / 2.0)..at((1.0 + INNER) / 2.0)
    };
    let (rows, columns) = (range(place.y, place.h, SIZE.1), range(place.x, place.w, SIZE.0));
    let laplacians = |pixels: &[u8], stride: usize| -> Vec<f32> {
        let pixel = |x: usize, y: usize| f32::from(pixels[y * stride + x]);
        let of = |x: usize, y: usize| 4.0 * pixel(x, y) - pixel(x - 1, y) - pixel(x + 1, y) - pixel(x, y - 1) - pixel(x, y + 1);
        rows.clone().flat_map(|y| columns.clone().map(move |x| (x, y))).map(|(x, y)| of(x, y)).collect()
    };
    correlation(&laplacians(luma, stride), &laplacians(&truth, SIZE.0))
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let [ab, aa, bb] = a.iter().zip(b).fold([0.0; 3], |[ab, aa, bb], (a, b)| {
        let (a, b) = (a - mean_a, b - mean_b);
        [ab + a * b, aa + a * a, bb + b * b]
    });
    ab / (aa * bb).sqrt().max(f32::EPSILON)
}

#[test]
fn a_face_is_like_itself_and_not_like_blocks_of_itself() {
    let film = crate::cameras::film();
    let luma: Vec<u8> = film.render(7, 0).chunks_exact(3).map(|pixel| pixel[1]).collect();
    assert!(likeness(&film, 7, &luma, SIZE.0) > 0.99);
    let block = |at: usize| luma[at / SIZE.0 / 12 * 12 * SIZE.0 + at % SIZE.0 / 12 * 12];
    let blocks: Vec<u8> = (0..luma.len()).map(block).collect();
    assert!(likeness(&film, 7, &blocks, SIZE.0) < VISIBLE);
}
