// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frame views with any format, size, stride and plane length, and crops of them.

use emotion_core::geometry::{Crop, Rect, Size};
use emotion_core::image::resample::{Resampler, Samples};
use emotion_core::image::tensor::{Colour, InputFormat, Layout, Preprocessor};
use emotion_core::image::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Transfer};

use crate::input::Input;

/// Largest plane, in bytes.
const MOST_BYTES: u64 = 64 << 10;

/// A view is created exactly if every row lies inside of its plane. Samples depend only on its pixels.
pub fn check(input: &mut Input) {
    let format = input.pick(&PixelFormat::ALL);
    let size = Size::new(side(input), side(input));
    let range = input.pick(&[Range::Full, Range::Limited]);
    let matrix = input.pick(&[Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020]);
    let shapes: Vec<_> = (0..format.planes()).map(|plane| shape(input, format.plane_extent(plane, size))).collect();
    let (value, padding) = (input.byte(), input.byte());
    let flat = input.flag();
    // From bytes that are read anyway, so that the inputs of the corpus keep their meaning.
    let transfer = [Transfer::Sdr, Transfer::Pq, Transfer::Hlg][usize::from(value) % 3];
    let colorimetry = Colorimetry { range, matrix, transfer };
    let planes: Vec<Vec<u8>> = shapes.iter().map(|shape| picture(shape, if flat { 0 } else { 29 }, value, padding)).collect();
    let view = view(format, size, &shapes, &planes, colorimetry);
    assert_eq!(view.is_ok(), !size.is_empty() && shapes.iter().all(Shape::fits), "{format:?} {size:?} {shapes:?}: {view:?}");
    let Ok(view) = view else { return };

    let source = rect(input, size);
    let out = Size::new(input.below(24) as u32, input.below(24) as u32);
    let samples = input.pick(&[Samples::Luma, Samples::Rgb]);
    let mut resampler = if input.flag() { Resampler::quick() } else { Resampler::new() };
    let rows = sampled(&mut resampler, &view, source, out, samples);
    let wanted = if source.is_valid() { out.width as usize * out.height as usize } else { 0 };
    assert_eq!(rows.len(), wanted, "{source:?} of {size:?} as {out:?}");
    assert!(rows.iter().flatten().all(|value| (-0.01..=255.01).contains(value)), "{source:?} of {view:?}: {rows:?}");
    if flat && let Some(first) = rows.first() {
        let alike = |pixel: &[f32; 3]| pixel.iter().zip(first).all(|(a, b)| (a - b).abs() < 1.0);
        assert!(rows.iter().all(alike), "{source:?} of a picture of one colour: {rows:?}");
    }
    let others: Vec<Vec<u8>> = shapes.iter().map(|shape| picture(shape, if flat { 0 } else { 29 }, value, !padding)).collect();
    let other = self::view(format, size, &shapes, &others, colorimetry).expect("a view of the same shape");
    assert_eq!(sampled(&mut resampler, &other, source, out, samples), rows, "padding between the rows was sampled");

    cropped(input, &view);
}

/// Any crop, rotated or not, fills the whole input of a network.
fn cropped(input: &mut Input, view: &FrameView) {
    let bounds = rect(input, view.size());
    let roll = if input.flag() { input.float() } else { 0.0 };
    let crop = Crop { center: bounds.center(), side: bounds.h, roll };
    let format = InputFormat {
        layout: input.pick(&[Layout::Nchw, Layout::Nhwc]),
        colour: input.pick(&[Colour::Gray, Colour::Rgb, Colour::Bgr]),
        ..InputFormat::default()
    };
    let size = Size::new(1 + input.below(16) as u32, 1 + input.below(16) as u32);
    let mut picture = vec![f32::NAN; format.shape(1, size).iter().product()];
    Preprocessor::default().write_crop(view, crop, &format, size, &mut picture);
    assert!(picture.iter().all(|value| (-0.01..=255.01).contains(value)), "{crop:?} of {:?}: {picture:?}", view.size());
}

/// The layout of a plane.
#[derive(Debug)]
struct Shape {
    rows: usize,
    row_bytes: usize,
    stride: usize,
    length: usize,
}

impl Shape {
    /// True if every row is inside of the plane, computed without overflow, and no rows overlap.
    fn fits(&self) -> bool {
        let end = self.stride as u128 * (self.rows as u128).saturating_sub(1) + self.row_bytes as u128;
        end <= self.length as u128 && (self.rows <= 1 || self.stride >= self.row_bytes)
    }
}

fn side(input: &mut Input) -> u32 {
    if input.one_in(16) { input.integer() as u32 } else { input.below(48) as u32 }
}

/// Usually a layout that fits or nearly fits.
fn shape(input: &mut Input, (rows, row_bytes): (usize, usize)) -> Shape {
    let stride = match input.byte() % 8 {
        0 => input.integer() as usize,
        1 => row_bytes.saturating_sub(input.below(4)),
        _ => row_bytes + input.below(20),
    };
    let needed = (stride as u128 * (rows as u128).saturating_sub(1) + row_bytes as u128).min(u128::from(MOST_BYTES)) as usize;
    let length = match input.byte() % 8 {
        0 => input.integer().min(MOST_BYTES) as usize,
        1 => needed.saturating_sub(1 + input.below(4)),
        _ => needed + input.below(20),
    };
    Shape { rows, row_bytes, stride, length }
}

/// The bytes of a plane: those of rows are derived from their position and `value`, the others are `padding`.
fn picture(shape: &Shape, step: usize, value: u8, padding: u8) -> Vec<u8> {
    let mut bytes = vec![padding; shape.length];
    if shape.fits() {
        for y in 0..shape.rows {
            let row = &mut bytes[y * shape.stride..][..shape.row_bytes];
            row.iter_mut().enumerate().for_each(|(x, byte)| *byte = value.wrapping_add(((x + 7 * y) * step) as u8));
        }
    }
    bytes
}

fn view<'a>(
    format: PixelFormat,
    size: Size,
    shapes: &[Shape],
    planes: &'a [Vec<u8>],
    colorimetry: Colorimetry,
) -> emotion_core::error::Result<FrameView<'a>> {
    let planes: Vec<_> = shapes.iter().zip(planes).map(|(shape, data)| Plane { data, stride: shape.stride }).collect();
    FrameView::new(format, size, &planes, colorimetry)
}

/// A rectangle near the frame, or anywhere.
fn rect(input: &mut Input, size: Size) -> Rect {
    if input.one_in(4) {
        return Rect::new(input.float(), input.float(), input.float(), input.float());
    }
    let [x, y, w, h] = std::array::from_fn(|index| if index < 2 { input.within(-1.0, 1.5) } else { input.within(0.0, 2.0) });
    Rect::new(x, y, w, h).from_norm(size)
}

/// The samples of each pixel; for luma only the first value is used.
fn sampled(resampler: &mut Resampler, view: &FrameView, source: Rect, out: Size, samples: Samples) -> Vec<[f32; 3]> {
    let mut pixels = Vec::new();
    let mut rows = 0;
    resampler.sample(view, source, out, samples, |y, [r, g, b]| {
        assert_eq!((y, r.len()), (rows, out.width as usize), "rows are in order and complete");
        rows += 1;
        match samples {
            Samples::Luma => pixels.extend(r.iter().map(|&value| [value; 3])),
            Samples::Rgb => pixels.extend(r.iter().zip(g).zip(b).map(|((&r, &g), &b)| [r, g, b])),
        }
    });
    pixels
}
