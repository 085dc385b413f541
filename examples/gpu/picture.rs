// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame with average faces.

use emotion_core::error::Result;
use emotion_core::geometry::Size;
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};

/// Size of the frames.
pub const SIZE: Size = Size::new(1280, 720);
/// Side of a face in pixels, in a grid of five columns and two rows.
const FACE: usize = 230;
const FACE_PNG: &[u8] = include_bytes!("../../models/average-faces/happiness.png");

/// Luma, and chroma of a grey picture at half resolution.
pub struct Picture {
    luma: Vec<u8>,
    chroma: Vec<u8>,
}

impl Picture {
    /// A frame with this number of faces, at most 10.
    pub fn with_faces(count: usize) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(FACE_PNG)).read_info().expect("a PNG file");
        let mut face = vec![0; reader.output_buffer_size().expect("a size")];
        let side = reader.next_frame(&mut face).expect("a whole picture").width as usize;
        let (width, height) = (SIZE.width as usize, SIZE.height as usize);
        let mut luma: Vec<u8> = (0..width * height).map(|index| (90 + index / width / 12) as u8).collect();
        for index in 0..count.min(10) {
            let (left, top) = ((index % 5) * width / 5 + 13, index / 5 * height / 2 + 60);
            for (y, x) in (0..FACE).flat_map(|y| (0..FACE).map(move |x| (y, x))) {
                let source = 2 * (y * side / FACE * side + x * side / FACE);
                let (grey, alpha) = (u32::from(face[source]), u32::from(face[source + 1]));
                let pixel = &mut luma[(top + y) * width + left + x];
                *pixel = ((grey * alpha + u32::from(*pixel) * (255 - alpha)) / 255) as u8;
            }
        }
        Self { luma, chroma: vec![128; width * height / 4] }
    }

    /// The frame.
    pub fn view(&self) -> Result<FrameView<'_>> {
        let width = SIZE.width as usize;
        let chroma = Plane { data: &self.chroma, stride: width / 2 };
        let planes = [Plane { data: &self.luma, stride: width }, chroma, Plane { data: &self.chroma, stride: width / 2 }];
        FrameView::new(PixelFormat::I420, SIZE, &planes, Colorimetry::default())
    }
}
