// SPDX-License-Identifier: MIT OR Apache-2.0
//! The film that other tests measure by says the truth itself.

use test_support::truth_film::{Mark, Path, TruthFilm, read};

const SIZE: (usize, usize) = (160, 120);

fn luma(rgb: &[u8]) -> Vec<u8> {
    rgb.chunks(3).map(|pixel| pixel[1]).collect()
}

#[test]
fn bars_survive_noise_and_another_size_and_are_not_read_from_damage() {
    let film = TruthFilm::new(SIZE.0, SIZE.1, Path::Grid);
    for (number, time_us) in [(0, 0), (1, 33_367), (12_345, 411_911_833), ((1 << 20) - 1, (1 << 36) - 1)] {
        let mark = Mark { number, time_us, width: 160, height: 120 };
        let grey = luma(&film.render(number, time_us));
        assert_eq!(read(&grey, SIZE.0, SIZE), Some(mark));
        let noisy: Vec<u8> = grey.iter().enumerate().map(|(at, value)| value / 2 + 64 + (at * 37 % 61) as u8 - 30).collect();
        assert_eq!(read(&noisy, SIZE.0, SIZE), Some(mark));
        let halved: Vec<u8> = (0..60).flat_map(|y| (0..80).map(move |x| (y, x))).map(|(y, x)| grey[2 * y * 160 + 2 * x]).collect();
        assert_eq!(read(&halved, 80, (80, 60)), Some(mark));
        let mut damaged = grey;
        damaged[..160 * 5].iter_mut().take(8 * 160).for_each(|value| *value = 255 - *value);
        assert_eq!(read(&damaged, SIZE.0, SIZE), None);
    }
    assert_eq!(read(&[0; 160 * 120], 160, SIZE), None, "a black frame");
    assert_eq!(read(&[255; 160 * 120], 160, SIZE), None, "a white frame");
}

#[test]
fn a_place_says_the_number_of_its_frame() {
    let film = TruthFilm::new(SIZE.0, SIZE.1, Path::Grid);
    for number in 0..40 {
        let mut place = film.face(number);
        assert!(place.x > 0.0 && place.right() < 1.0 && place.y > 1.0 / 6.0 && place.bottom() < 1.0, "{place:?}");
        // Detectors differ by some pixels.
        (place.x, place.y) = (place.x + 0.02, place.y - 0.02);
        let found: Vec<u32> = (0..40).filter(|other| film.is_at(*other, &place)).collect();
        assert_eq!(found, (0..40).filter(|other| other % 15 == number % 15).collect::<Vec<_>>());
    }
}
