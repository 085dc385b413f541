// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sampling of frames: compared with a reference, across formats, and with arbitrary planes.

use emotion_core::geometry::{Rect, Size};
use emotion_core::image::resample::{Resampler, Samples};
use emotion_core::image::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range};
use proptest::prelude::*;

fn sampled(view: &FrameView, source: Rect, size: Size, samples: Samples) -> [Vec<f32>; 3] {
    sampled_by(&mut Resampler::new(), view, source, size, samples)
}

fn sampled_by(resampler: &mut Resampler, view: &FrameView, source: Rect, size: Size, samples: Samples) -> [Vec<f32>; 3] {
    let mut result = [const { Vec::new() }; 3];
    resampler.sample(view, source, size, samples, |_, rows| {
        result.iter_mut().zip(rows).for_each(|(all, row)| all.extend_from_slice(row));
    });
    result
}

#[test]
fn resampling_matches_the_reference() {
    // Weights have 8 bits, so a value of 255 may be off by a fraction of 1.
    const TOLERANCE: f32 = 0.75;
    let golden: serde_json::Value = serde_json::from_str(include_str!("../data/resample.json")).expect("JSON");
    let numbers = |value: &serde_json::Value| -> Vec<f32> {
        value.as_array().expect("an array").iter().map(|value| value.as_f64().expect("a number") as f32).collect()
    };
    let size = Size::new(golden["width"].as_u64().expect("a width") as u32, golden["height"].as_u64().expect("a height") as u32);
    let pixels: Vec<u8> = numbers(&golden["pixels"]).iter().map(|&value| value as u8).collect();
    let plane = Plane { data: &pixels, stride: size.width as usize };
    let view = FrameView::new(PixelFormat::Gray8, size, &[plane], Colorimetry::default()).expect("a view");
    for case in golden["cases"].as_array().expect("cases") {
        let (corners, out) = (numbers(&case["box"]), numbers(&case["size"]));
        let source = Rect::from_corners(corners[0], corners[1], corners[2], corners[3]);
        let [found, ..] = sampled(&view, source, Size::new(out[0] as u32, out[1] as u32), Samples::Luma);
        let expected = numbers(&case["values"]);
        assert_eq!(found.len(), expected.len());
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= TOLERANCE, "{source:?} to {out:?}: {worst} off");
    }
}

/// The planes of a uniform picture: the bytes of the first pixels of each plane, repeated.
fn uniform(format: PixelFormat, size: Size) -> Vec<Vec<u8>> {
    // Red 200, green 100, blue 50 and its BT.601 full-range Y, U, V.
    let (r, g, b, y, u, v) = (200, 100, 50, 124, 86, 182);
    let pattern = |plane: usize| -> Vec<u8> {
        match (format, plane) {
            (PixelFormat::Nv12 | PixelFormat::Nv16, 1) => vec![u, v],
            (PixelFormat::Nv21, 1) => vec![v, u],
            (PixelFormat::I420 | PixelFormat::Y42b | PixelFormat::Y444, 1) | (PixelFormat::Yv12, 2) => vec![u],
            (PixelFormat::I420 | PixelFormat::Y42b | PixelFormat::Y444, 2) | (PixelFormat::Yv12, 1) => vec![v],
            (PixelFormat::Yuy2, _) => vec![y, u, y, v],
            (PixelFormat::Uyvy, _) => vec![u, y, v, y],
            (PixelFormat::Rgb, _) => vec![r, g, b],
            (PixelFormat::Bgr, _) => vec![b, g, r],
            (PixelFormat::Rgbx, _) => vec![r, g, b, 7],
            (PixelFormat::Bgrx, _) => vec![b, g, r, 7],
            (PixelFormat::Xrgb, _) => vec![7, r, g, b],
            (PixelFormat::Xbgr, _) => vec![7, b, g, r],
            _ => vec![y],
        }
    };
    (0..format.planes())
        .map(|plane| {
            let (rows, bytes) = format.plane_extent(plane, size);
            let row: Vec<u8> = pattern(plane).into_iter().cycle().take(bytes).collect();
            row.repeat(rows)
        })
        .collect()
}

#[test]
fn every_format_yields_the_same_colour() {
    let size = Size::new(17, 9);
    for format in PixelFormat::ALL {
        let data = uniform(format, size);
        let planes: Vec<_> =
            data.iter().enumerate().map(|(index, data)| Plane { data, stride: format.plane_extent(index, size).1 }).collect();
        let view =
            FrameView::new(format, size, &planes, Colorimetry { range: Range::Full, matrix: Matrix::Bt601, ..Colorimetry::default() })
                .expect("a view");
        let source = Rect::new(2.5, 1.0, 11.0, 7.5);
        let [luma, ..] = sampled(&view, source, Size::new(4, 3), Samples::Luma);
        assert!(luma.iter().all(|value| (value - 124.2).abs() < 0.8), "{}: luma {luma:?}", format.name());
        if format != PixelFormat::Gray8 {
            let rgb = sampled(&view, source, Size::new(4, 3), Samples::Rgb);
            for (channel, expected) in rgb.iter().zip([200.0, 100.0, 50.0]) {
                assert!(channel.iter().all(|value| (value - expected).abs() < 2.0), "{}: {expected} is {channel:?}", format.name());
            }
        }
    }
}

/// A picture with a small gradient, in any format; chroma has the same values as luma.
fn smooth(format: PixelFormat, size: Size) -> Vec<(Vec<u8>, usize)> {
    let value = |x: f32, y: f32, c: usize| (128.0 + 50.0 * (x / 23.0 + c as f32).sin() * (y / 31.0).cos()) as u8;
    (0..format.planes())
        .map(|plane| {
            let (rows, bytes) = format.plane_extent(plane, size);
            let packed = bytes.div_ceil(size.width as usize);
            let across = size.width as f32 * packed as f32 / bytes as f32;
            let down = size.height as f32 / rows as f32;
            let row = |y: usize| (0..bytes).map(move |i| value((i / packed) as f32 * across, y as f32 * down, i % packed));
            ((0..rows).flat_map(row).collect(), bytes)
        })
        .collect()
}

#[test]
fn quick_resampling_approximates_full_resampling() {
    // Integer and other reductions, which read one or two pairs of neighbours, of the whole frame and of a part.
    let size = Size::new(480, 360);
    let parts = [(size.rect(), Size::new(240, 180)), (size.rect(), Size::new(80, 60)), (size.rect(), Size::new(100, 70))];
    let parts = parts.into_iter().chain([(Rect::new(31.5, 20.0, 300.0, 300.0), Size::new(30, 30))]);
    for ((source, out), format) in parts.flat_map(|part| PixelFormat::ALL.map(|format| (part, format))) {
        let data = smooth(format, size);
        let planes: Vec<_> = data.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
        let view =
            FrameView::new(format, size, &planes, Colorimetry { range: Range::Limited, matrix: Matrix::Bt709, ..Colorimetry::default() })
                .expect("a view");
        for samples in [Samples::Luma, Samples::Rgb] {
            let thorough = sampled(&view, source, out, samples);
            let quick = sampled_by(&mut Resampler::quick(), &view, source, out, samples);
            let count = if samples == Samples::Luma { 1 } else { 3 };
            let pairs = thorough.iter().zip(&quick).take(count).flat_map(|(a, b)| a.iter().zip(b));
            let differences: Vec<f32> = pairs.map(|(a, b)| (a - b).abs()).collect();
            let (worst, sum) = differences.iter().fold((0.0, 0.0), |(worst, sum), off| (off.max(worst), sum + off));
            let mean = sum / differences.len() as f32;
            // Conversion from YUV to RGB multiplies an error of chroma by up to 2.1.
            let is_yuv = format.planes() > 1 || matches!(format, PixelFormat::Yuy2 | PixelFormat::Uyvy);
            let is_converted = is_yuv && samples == Samples::Rgb;
            let (max_worst, max_mean) = if is_converted { (7.0, 1.5) } else { (2.5, 0.9) };
            assert!(
                worst < max_worst && mean < max_mean,
                "{} {samples:?} {source:?} to {out:?}: up to {worst} and {mean} off",
                format.name()
            );
        }
    }
}

#[test]
fn quick_resampling_to_half_the_size_takes_means() {
    let (size, out) = (Size::new(34, 18), Size::new(17, 9));
    let data: Vec<u8> = (0..size.width * size.height * 3).map(|i| (i * 7919 % 251) as u8).collect();
    let view = FrameView::new(PixelFormat::Bgr, size, &[Plane { data: &data, stride: 34 * 3 }], Colorimetry::default()).expect("a view");
    let quick = sampled_by(&mut Resampler::quick(), &view, size.rect(), out, Samples::Rgb);
    let pixel = |x: usize, y: usize, channel: usize| f32::from(data[(y * 34 + x) * 3 + 2 - channel]);
    for (channel, (y, x)) in (0..3).flat_map(|channel| (0..9).flat_map(move |y| (0..17).map(move |x| (channel, (y, x))))) {
        let mean = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| pixel(2 * x + dx, 2 * y + dy, channel)).iter().sum::<f32>() / 4.0;
        let found = quick[channel][y * 17 + x];
        assert!((found - mean).abs() <= 1.0, "{x}, {y}: {found} instead of {mean}");
    }
}

proptest! {
    #[test]
    fn any_planes_yield_values_in_range_without_a_panic(
        format in prop::sample::select(PixelFormat::ALL.to_vec()),
        (width, height) in (1u32..70, 1u32..50),
        padding in 0usize..20,
        (x, y, w, h) in (-200.0f32..200.0, -200.0f32..200.0, 0.01f32..300.0, 0.01f32..300.0),
        (out_width, out_height) in (1u32..40, 1u32..40),
        seed in any::<u64>(),
    ) {
        let size = Size::new(width, height);
        let mut state = seed;
        let mut noise = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        let data: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| {
                let (rows, bytes) = format.plane_extent(plane, size);
                let stride = bytes + padding;
                ((0..stride * (rows - 1) + bytes).map(|_| noise()).collect(), stride)
            })
            .collect();
        let planes: Vec<_> = data.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
        let view = FrameView::new(format, size, &planes, Colorimetry { range: Range::Limited, matrix: Matrix::Bt709, ..Colorimetry::default() }).unwrap();
        for mut resampler in [Resampler::new(), Resampler::quick()] {
            for samples in [Samples::Luma, Samples::Rgb] {
                let rows = sampled_by(&mut resampler, &view, Rect::new(x, y, w, h), Size::new(out_width, out_height), samples);
                prop_assert_eq!(rows[0].len(), (out_width * out_height) as usize);
                let used = if samples == Samples::Luma { &rows[..1] } else { &rows[..] };
                prop_assert!(used.iter().flatten().all(|value| (-0.01..=255.01).contains(value)));
            }
        }
    }
}
