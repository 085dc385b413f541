// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small pictures and their positions in a frame.

use std::sync::Arc;

use parking_lot::Mutex;
use tiny_skia::Pixmap;

use super::pixels::Pixels;
use super::prepared::{Prepared, Target};
use crate::geometry::{Rect, Size};

/// Pixels R, G, B, A, row by row without padding. Colours are premultiplied by alpha.
#[derive(Debug)]
pub struct Picture {
    pixels: Pixels,
    /// The forms for the targets on which the picture was blended, at most [`Picture::MAX_PREPARED`].
    prepared: Mutex<Vec<Arc<Prepared>>>,
}

impl Picture {
    /// Streams that share the picture may have different formats.
    const MAX_PREPARED: usize = 4;

    /// A picture of `size` from `4 * width * height` bytes. Excess bytes are cut off; missing ones are transparent.
    pub fn new(size: Size, mut rgba: Vec<u8>) -> Self {
        rgba.resize(size.width as usize * size.height as usize * 4, 0);
        Self { pixels: Pixels { size, rgba }, prepared: Mutex::default() }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.pixels.size
    }

    /// All pixels.
    pub fn rgba(&self) -> &[u8] {
        &self.pixels.rgba
    }

    /// The picture prepared for `target`. A form is kept until it is the oldest and another target needs its place.
    pub(super) fn prepared(&self, target: Target) -> Arc<Prepared> {
        let mut prepared = self.prepared.lock();
        if let Some(known) = prepared.iter().find(|known| known.target == target) {
            return known.clone();
        }
        if prepared.len() == Self::MAX_PREPARED {
            prepared.remove(0);
        }
        let new = Arc::new(Prepared::new(&self.pixels, target));
        prepared.push(new.clone());
        new
    }
}

impl From<Pixmap> for Picture {
    fn from(pixmap: Pixmap) -> Self {
        let size = Size::new(pixmap.width(), pixmap.height());
        Self::new(size, pixmap.take())
    }
}

/// A picture or its upper left part, and its position in the frame. Parts of it may lie outside of the frame.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The picture. As long as it shows the same, it is the same allocation.
    pub picture: Arc<Picture>,
    /// Size of the part that is shown: edges and bars of all lengths are cut from one picture. The numbers are even,
    /// unless the whole picture is shown.
    pub size: Size,
    /// Column of the picture's left edge in the frame.
    pub x: i32,
    /// Row of the picture's top edge in the frame.
    pub y: i32,
}

impl Placed {
    /// The whole picture.
    pub fn whole(picture: Arc<Picture>, x: i32, y: i32) -> Self {
        Self { size: picture.size(), picture, x, y }
    }

    /// The first `width` columns and `height` rows of the picture.
    pub(super) fn cut(picture: Arc<Picture>, width: u32, height: u32, x: i32, y: i32) -> Self {
        let whole = picture.size();
        Self { picture, size: Size::new(width.min(whole.width), height.min(whole.height)), x, y }
    }

    /// The part of the frame that the picture covers.
    pub fn rect(&self) -> Rect {
        let Size { width, height } = self.size;
        Rect::new(self.x as f32, self.y as f32, width as f32, height as f32)
    }
}
