// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a frame is scaled into a network's input.

use crate::geometry::{Landmarks5, Point, Rect, Size};

/// A frame scaled by one factor to `content`, in the top left corner of the input. The rest of the input is padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letterbox {
    /// The frame's size.
    pub source: Size,
    /// The part of the input that shows the frame.
    pub content: Size,
    /// The input's size.
    pub input: Size,
}

impl Letterbox {
    /// Scales the longer side to `longer_side` pixels (0 keeps the frame's size) and rounds the input's sides up to multiples
    /// of `multiple`.
    pub fn new(source: Size, longer_side: u32, multiple: u32) -> Self {
        let source_side = source.width.max(source.height);
        let content = scaled(source, if longer_side == 0 { 1.0 } else { longer_side as f32 / source_side as f32 });
        let input = Size::new(content.width.next_multiple_of(multiple), content.height.next_multiple_of(multiple));
        Self { source, content, input }
    }

    /// Scales the frame to the largest size that fits into `input`.
    pub fn within(source: Size, input: Size) -> Self {
        let scale = (input.width as f32 / source.width as f32).min(input.height as f32 / source.height as f32);
        Self { source, content: scaled(source, scale), input }
    }

    /// The region of the frame that contains `part`, in whole pixels, and how it is scaled by the same factor into an input of its
    /// own. The sides of that input are multiples of `multiple`, or those of this letterbox's input if they are smaller; the
    /// region is enlarged to fill it.
    pub fn of_part(&self, part: Rect, multiple: u32) -> (Rect, Self) {
        let (sx, sy) = self.factors();
        let axis = |start: f32, length: f32, factor: f32, source: u32, content: u32, input: u32| {
            let side = ((length / factor).ceil() as u32).max(1).next_multiple_of(multiple).min(input);
            let shown = side.min(content);
            let pixels = ((shown as f32 * factor).round() as u32).clamp(1, source);
            // Even starts keep subsampled chroma aligned.
            let centred = (start + (length - pixels as f32) / 2.0).clamp(0.0, (source - pixels) as f32) as u32 / 2 * 2;
            (centred, pixels, shown, side)
        };
        let (x, w, shown_w, input_w) = axis(part.x, part.w, sx, self.source.width, self.content.width, self.input.width);
        let (y, h, shown_h, input_h) = axis(part.y, part.h, sy, self.source.height, self.content.height, self.input.height);
        let letterbox = Self { source: Size::new(w, h), content: Size::new(shown_w, shown_h), input: Size::new(input_w, input_h) };
        (Rect::new(x as f32, y as f32, w as f32, h as f32), letterbox)
    }

    /// Pixels of the input per pixel of the frame.
    pub fn scale(&self) -> f32 {
        let longer = |size: Size| size.width.max(size.height) as f32;
        longer(self.content) / longer(self.source)
    }

    /// Converts pixels of the input to pixels of the frame.
    pub fn to_source(&self, rect: Rect) -> Rect {
        let (sx, sy) = self.factors();
        rect.scaled(sx, sy)
    }

    /// Converts pixels of the input to pixels of the frame.
    pub fn landmarks_to_source(&self, landmarks: Landmarks5) -> Landmarks5 {
        let (sx, sy) = self.factors();
        landmarks.map(|point| Point::new(point.x * sx, point.y * sy))
    }

    /// Pixels of the frame per pixel of the input. The axes differ slightly, since the content has whole pixels.
    fn factors(&self) -> (f32, f32) {
        (self.source.width as f32 / self.content.width as f32, self.source.height as f32 / self.content.height as f32)
    }
}

fn scaled(source: Size, scale: f32) -> Size {
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    Size::new(side(source.width), side(source.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letterbox_of_common_sizes() {
        let vga = Letterbox::new(Size::new(640, 480), 320, 32);
        assert_eq!((vga.content, vga.input), (Size::new(320, 240), Size::new(320, 256)));
        let portrait = Letterbox::new(Size::new(1080, 1920), 320, 32);
        assert_eq!((portrait.content, portrait.input), (Size::new(180, 320), Size::new(192, 320)));
        let own = Letterbox::new(Size::new(641, 479), 0, 32);
        assert_eq!((own.content, own.input), (Size::new(641, 479), Size::new(672, 480)));
        let line = Letterbox::new(Size::new(4000, 1), 320, 32);
        assert_eq!((line.content, line.input), (Size::new(320, 1), Size::new(320, 32)));
    }

    #[test]
    fn a_letterbox_of_a_fixed_size_shows_the_whole_frame() {
        let input = Size::new(320, 240);
        for (source, content) in [((640, 480), (320, 240)), ((1920, 1080), (320, 180)), ((1080, 1920), (135, 240)), ((10, 10), (240, 240))]
        {
            let letterbox = Letterbox::within(Size::new(source.0, source.1), input);
            assert_eq!((letterbox.content, letterbox.input), (Size::new(content.0, content.1), input));
        }
    }

    #[test]
    fn a_part_is_scaled_as_the_whole_frame_and_fills_its_input() {
        let whole = Letterbox::new(Size::new(1920, 1080), 320, 32);
        let (region, part) = whole.of_part(Rect::new(600.0, 300.0, 200.0, 100.0), 64);
        assert_eq!((part.content, part.input), (Size::new(64, 64), Size::new(64, 64)));
        assert_eq!(region, Rect::new(508.0, 158.0, 384.0, 384.0), "centred on the part");
        assert_eq!(part.scale(), whole.scale());
        let (region, part) = whole.of_part(Rect::new(1900.0, 0.0, 20.0, 1080.0), 64);
        assert_eq!(region, Rect::new(1536.0, 0.0, 384.0, 1080.0), "inside the frame");
        assert_eq!((part.content, part.input), (Size::new(64, 180), Size::new(64, 192)));
        assert_eq!(whole.of_part(whole.source.rect(), 64), (whole.source.rect(), whole));
    }

    #[test]
    fn the_corner_of_the_content_is_the_corner_of_the_frame() {
        for source in [Size::new(641, 479), Size::new(1, 1), Size::new(17, 33)] {
            let letterbox = Letterbox::new(source, 320, 32);
            let back = letterbox.to_source(letterbox.content.rect());
            assert!((back.right() - source.width as f32).abs() < 1e-3 && (back.bottom() - source.height as f32).abs() < 1e-3);
        }
    }
}
