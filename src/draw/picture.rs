// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small pictures, and where they go.

use std::sync::{Arc, Mutex, PoisonError};

use tiny_skia::{Color, Pixmap};

use super::blend::{Prepared, Target};
use super::style::Rgb;
use crate::geometry::{Rect, Size};

/// Pixels R, G, B, A, row after row without padding; colours are multiplied by alpha.
#[derive(Debug)]
pub struct Picture {
    size: Size,
    rgba: Vec<u8>,
    /// The form in which it was last blended.
    prepared: Mutex<Option<Prepared>>,
}

impl Picture {
    /// A picture of `size` from `4 * width * height` bytes; a different number of bytes is cut or filled up with
    /// transparent pixels.
    pub fn new(size: Size, mut rgba: Vec<u8>) -> Self {
        rgba.resize(size.width as usize * size.height as usize * 4, 0);
        Self { size, rgba, prepared: Mutex::new(None) }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// All pixels.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// The pixels of row `y`, which must be below the height.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let bytes = self.size.width as usize * 4;
        &self.rgba[y * bytes..(y + 1) * bytes]
    }

    /// Calls `blend` with the picture in the form of `target`, which is made only if the last one was another.
    pub(super) fn with_prepared(&self, target: Target, blend: impl FnOnce(&Prepared)) {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        match prepared.as_ref() {
            Some(last) if last.target == target => blend(last),
            _ => blend(prepared.insert(Prepared::new(self, target))),
        }
    }
}

impl From<Pixmap> for Picture {
    fn from(pixmap: Pixmap) -> Self {
        let size = Size::new(pixmap.width(), pixmap.height());
        Self::new(size, pixmap.take())
    }
}

/// A picture, or its upper left part, and the frame's pixel under its top left corner; parts may lie outside of the frame.
#[derive(Clone, Debug)]
pub struct Placed {
    /// What is shown; the same allocation as long as it shows the same.
    pub picture: Arc<Picture>,
    /// How much of it: edges and bars of all lengths are cut from one picture. Even numbers, unless it is all.
    pub size: Size,
    /// Column of the picture's left edge.
    pub x: i32,
    /// Row of the picture's top edge.
    pub y: i32,
}

impl Placed {
    /// The whole picture.
    pub fn whole(picture: Arc<Picture>, x: i32, y: i32) -> Self {
        Self { size: picture.size, picture, x, y }
    }

    /// The picture's first `width` columns and `height` rows.
    pub(super) fn cut(picture: Arc<Picture>, width: u32, height: u32, x: i32, y: i32) -> Self {
        let size = Size::new(width.min(picture.size.width), height.min(picture.size.height));
        Self { picture, size, x, y }
    }

    /// The covered part of the frame.
    pub fn rect(&self) -> Rect {
        let Size { width, height } = self.size;
        Rect::new(self.x as f32, self.y as f32, width as f32, height as f32)
    }
}

/// An empty canvas; sides are kept to 1..4096 so that no setting can ask for more than memory holds.
pub(super) fn canvas(width: f32, height: f32) -> Pixmap {
    let side = |length: f32| length.ceil().clamp(1.0, 4096.0) as u32;
    Pixmap::new(side(width), side(height)).expect("sides of 1..4096 are a valid size")
}

/// `rgb` with `alpha` 0..1.
pub(super) fn color([r, g, b]: Rgb, alpha: f32) -> Color {
    let mut color = Color::from_rgba8(r, g, b, 255);
    color.set_alpha(alpha);
    color
}
